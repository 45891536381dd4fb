"""`voicebot serve`: the API, the jobs and, with lines, the calls of one machine, under one command."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Generator
from typing import Annotated

import typer
import uvicorn
from rich.logging import RichHandler

from voicebot.api.app import create_app
from voicebot.call.news import News
from voicebot.campaign.group import WorkerGroup
from voicebot.campaign.spec import WorkerSpec
from voicebot.cli.common import ConfigOption, console, errors, settings_or_fail, user_errors
from voicebot.jobs.jobs import make_jobs, run
from voicebot.settings import Settings
from voicebot.store import Store, open_store

log = logging.getLogger("voicebot.serve")


def register(app: typer.Typer) -> None:
    @app.command()
    def serve(
        host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
        port: Annotated[int, typer.Option("--port", help="TCP port of the API.", min=1, max=65535)] = 8080,
        lines: Annotated[int, typer.Option("--lines", min=0, help="Calls at the same time; 0: none here.")] = 0,
        jobs: Annotated[bool, typer.Option("--jobs/--no-jobs", help="Webhooks, promises, leases.")] = True,
        config: ConfigOption = None,
    ) -> None:
        """Everything of one machine: the API (docs at /api/docs), the jobs, and --lines for the running campaigns.

        SIGTERM, or Ctrl-C, takes no more cases and finishes the running calls; a second one ends them politely.
        """
        settings = settings_or_fail(config)
        logging.basicConfig(
            level=logging.INFO, format="%(name)s %(message)s", handlers=[RichHandler(console=errors, show_path=False)]
        )
        logging.getLogger("httpx").setLevel(logging.WARNING)
        logging.getLogger("procrastinate").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        with user_errors(), open_store(settings) as store:
            asyncio.run(_serve(store, settings, host, port, lines, jobs))


class _Server(uvicorn.Server):
    """Signals are ours: they end the calls first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def _serve(store: Store, settings: Settings, host: str, port: int, lines: int, with_jobs: bool) -> None:
    server = _Server(
        uvicorn.Config(create_app(store, settings), host=host, port=port, log_level="warning", lifespan="off")
    )
    group = WorkerGroup(WorkerSpec(lines, settings.model_dump_json(), until_done=False), _log) if lines else None
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        stopped.set()
        if group is None:
            return
        if group.stopping:
            group.stop()
        else:
            log.info("no more cases are taken; running calls are finished")
            group.drain()

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop)
    serving = loop.create_task(server.serve())
    working = loop.create_task(_jobs(store, settings)) if with_jobs else None
    calling = loop.create_task(group.run()) if group else None
    console.print(f"API http://{host}:{port}/api/v1 （文档 /api/docs），{lines} 路", highlight=False)
    tasks = [t for t in (serving, working, calling) if t is not None]
    waiting = loop.create_task(stopped.wait())
    await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
    if calling is not None:
        with contextlib.suppress(asyncio.CancelledError):
            await calling
    server.should_exit = True
    if working is not None:
        working.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    for error in done:
        if isinstance(error, Exception):
            raise error


async def _jobs(store: Store, settings: Settings) -> None:
    app = make_jobs(store, settings)
    async with app.open_async():
        await run(app)


def _log(news: News) -> None:
    if news.kind in ("ended", "trouble", "ready"):
        log.info("%s %s %s %s", news.case_id, news.kind, news.text, news.detail)
