"""How is a whole batch called? Starts as many worker processes as the lines need, watches them, and passes news on."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from telephony.library import is_pypi_wheel
from voicebot.call.news import News, news_from_json
from voicebot.campaign.spec import WorkerSpec
from voicebot.settings import Settings

WHEEL_CALLS = 4  # calls per process in the PyPI wheel
OWN_BUILD_CALLS = 12  # with an own build; one process could hold hundreds, but its heartbeat is late beyond these
RESTARTS = 3  # of a worker that dies; its claims come back when their leases run out


class BatchFailed(RuntimeError):
    """No worker could do its work; the message says where its log is."""


def split_lines(lines: int, *, with_seats: bool, calls_per_process: int | None = None) -> tuple[int, ...]:
    """Lines of each worker process. With seats every line keeps a slot free for the handoff's second leg."""
    if lines < 1:
        raise ValueError(f"--lines {lines}: at least 1 line is needed")
    slots = calls_per_process or (WHEEL_CALLS if is_pypi_wheel() else OWN_BUILD_CALLS)
    most = max(1, slots // 2 if with_seats else slots)
    processes = -(-lines // most)
    return tuple(lines // processes + (i < lines % processes) for i in range(processes))


@dataclass(slots=True)
class _Process:
    index: int
    spec: WorkerSpec
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    failed: bool = False


@dataclass(slots=True)
class BatchRun:
    """One batch on its way. `await run()`; `stop()` asks for a polite end, a second `stop()` hangs up everything."""

    batch_id: int
    script: str
    lines: int
    settings: Settings
    observer: Callable[[News], None]
    stopping: bool = False
    _processes: list[_Process] = field(default_factory=list)

    async def run(self) -> None:
        """Return when the batch has no case left to call or has been stopped. Raises BatchFailed."""
        shares = split_lines(self.lines, with_seats=bool(self.settings.seats.addresses))
        settings = self.settings.model_dump_json()
        self._processes = [
            _Process(i, WorkerSpec(self.batch_id, self.script, share, settings)) for i, share in enumerate(shares)
        ]
        await asyncio.gather(*(self._supervise(p) for p in self._processes))
        if all(p.failed for p in self._processes):
            raise BatchFailed(f"no worker could work; see {self._log_file(0)}")

    def stop(self) -> None:
        again, self.stopping = self.stopping, True
        for p in self._processes:
            if p.process is None or p.process.returncode is not None:
                continue
            if again:
                p.process.terminate()
            elif p.process.stdin is not None:
                p.process.stdin.write(b"stop\n")

    def _log_file(self, index: int) -> Path:
        return self.settings.data_home / "logs" / f"worker-{index}.log"

    async def _supervise(self, p: _Process) -> None:
        while True:
            code = await self._run_once(p)
            if code == 0 or self.stopping:
                return
            self.observer(
                News("", "trouble", text=f"worker {p.index} ended with {code}; see {self._log_file(p.index)}")
            )
            if p.starts > RESTARTS:
                p.failed = True
                return

    async def _run_once(self, p: _Process) -> int:
        p.starts += 1
        log = self._log_file(p.index)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            p.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "voicebot.campaign.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                limit=1 << 20,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        assert p.process.stdout is not None and p.process.stdin is not None
        p.process.stdin.write(p.spec.to_json().encode() + b"\n")
        if self.stopping:
            p.process.stdin.write(b"stop\n")
        async for line in p.process.stdout:
            try:
                news = news_from_json(line.decode())
            except (ValueError, TypeError):
                continue  # the SIP library may print on its own
            self.observer(news)
        return await p.process.wait()
