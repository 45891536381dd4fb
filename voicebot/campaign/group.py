"""How is a batch, or a bank's whole day, called? Starts as many worker processes as the lines need, watches them,
starts those again that die, and passes their news on."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from telephony.library import is_pypi_wheel
from voicebot.call.news import News, news_from_json
from voicebot.campaign.spec import WorkerSpec
from voicebot.settings import Settings

WHEEL_CALLS = 4  # calls per process in the PyPI wheel
OWN_BUILD_CALLS = 12  # with an own build; one process could hold hundreds, but its heartbeat is late beyond these
RESTARTS = 3  # of a worker that dies; its claims come back when their leases run out
STEADY_S = 60.0  # one that lived this long has its restarts again
LONGEST_PAUSE_S = 30.0  # before a worker that dies at once is started again


class WorkersFailed(RuntimeError):
    """No worker could do its work; the message says where its log is."""


def split_lines(
    lines: int, *, with_seats: bool, calls_per_process: int | None = None, at_least: int = 1
) -> tuple[int, ...]:
    """Lines of each worker process, `at_least` so many processes where there are lines enough. With seats every line
    keeps a slot free for the handoff's second leg."""
    if lines < 1:
        raise ValueError(f"--lines {lines}: at least 1 line is needed")
    slots = calls_per_process or (WHEEL_CALLS if is_pypi_wheel() else OWN_BUILD_CALLS)
    most = max(1, slots // 2 if with_seats else slots)
    processes = max(-(-lines // most), min(at_least, lines))
    return tuple(lines // processes + (i < lines % processes) for i in range(processes))


@dataclass(slots=True)
class _Process:
    index: int
    spec: WorkerSpec
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    failed: bool = False


@dataclass(slots=True)
class WorkerGroup:
    """The worker processes of one machine. `await run()`; `drain()` has them finish their calls and take no more,
    `stop()` asks for a polite end, a second `stop()` hangs up everything.

    `work`: what they do; its `lines` are those of the whole group and are split over as many processes as it takes.
    """

    work: WorkerSpec
    observer: Callable[[News], None]
    processes: int = 1  # at least
    stopping: bool = False
    _hurried: bool = False
    _settings: Settings = field(init=False)
    _processes: list[_Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._settings = Settings.model_validate_json(self.work.settings)

    async def run(self) -> None:
        """Return when nothing is left to call, or after a stop. Raises WorkersFailed."""
        shares = split_lines(self.work.lines, with_seats=bool(self._settings.seats.addresses), at_least=self.processes)
        self._processes = [_Process(i, replace(self.work, lines=share)) for i, share in enumerate(shares)]
        await asyncio.gather(*(self._supervise(p) for p in self._processes))
        if all(p.failed for p in self._processes):
            raise WorkersFailed(f"no worker could work; see {self._log_file(0)}")

    def drain(self) -> None:
        self.stopping = True
        self._order(b"drain\n")

    def stop(self) -> None:
        again, self.stopping, self._hurried = self._hurried, True, True
        if again:
            for p in self._running():
                p.terminate()
        else:
            self._order(b"stop\n")

    def _order(self, line: bytes) -> None:
        for p in self._running():
            if p.stdin is not None:
                p.stdin.write(line)

    def _running(self) -> list[asyncio.subprocess.Process]:
        return [p.process for p in self._processes if p.process is not None and p.process.returncode is None]

    def _log_file(self, index: int) -> Path:
        return self._settings.data_home / "logs" / f"worker-{index}.log"

    async def _supervise(self, p: _Process) -> None:
        while True:
            began = time.monotonic()
            code = await self._run_once(p)
            if code == 0 or self.stopping:
                return
            self.observer(
                News("", "trouble", text=f"worker {p.index} ended with {code}; see {self._log_file(p.index)}")
            )
            if time.monotonic() - began > STEADY_S:
                p.starts = 0
            if p.starts > RESTARTS:
                if self.work.until_done:
                    p.failed = True
                    return
                await asyncio.sleep(min(LONGEST_PAUSE_S, 2.0 ** (p.starts - RESTARTS)))

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
