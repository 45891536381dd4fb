"""`voicebot worker`: the lines of one machine, for the running campaigns."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer

from voicebot.call.news import News
from voicebot.campaign.group import WorkerGroup
from voicebot.campaign.spec import WorkerSpec
from voicebot.cli.common import ConfigOption, console, settings_or_fail, user_errors
from voicebot.cli.view import CallView
from voicebot.store import open_store


def register(app: typer.Typer) -> None:
    @app.command()
    def worker(
        lines: Annotated[int, typer.Option("--lines", min=1, help="Calls at the same time on this machine.")] = 1,
        campaign: Annotated[str | None, typer.Option("--campaign", help="Only this one.")] = None,
        processes: Annotated[int, typer.Option("--processes", min=1, help="Worker processes, at least.")] = 1,
        until_done: Annotated[
            bool, typer.Option("--until-done", help="Leave when nothing is due within a quarter of an hour.")
        ] = False,
        config: ConfigOption = None,
    ) -> None:
        """Call what the running campaigns' strategies want called, on any number of machines against one database.

        SIGTERM, or Ctrl-C, takes no more cases and finishes the running calls; a second one ends them politely, a third
        hangs up.
        """
        settings = settings_or_fail(config)
        with user_errors():
            with open_store(settings) as store:
                if campaign is not None:
                    store.campaign(campaign)
                progress = store.campaign_progress(campaign) if campaign else None
            total = progress.total if progress else 0
            done = progress.total - progress.open - progress.to_plan if progress else 0
            with CallView(console, total=total, done=done, label=campaign or "活动") as view:
                work = WorkerSpec(lines, settings.model_dump_json(), campaign=campaign, until_done=until_done)
                asyncio.run(_drive(WorkerGroup(work, view.show, processes=processes)))


async def _drive(group: WorkerGroup) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if group.stopping:
            group.observer(News("", "trouble", text="正在礼貌结束通话……再来一次立即挂断"))
            group.stop()
        else:
            group.observer(News("", "trouble", text="不再拨打新案件，等待通话结束……再来一次礼貌结束"))
            group.drain()

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop)
    try:
        await group.run()
    finally:
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(name)
