"""The 20 ms heartbeat of a worker: one timer for all its calls, with a record of how late it was."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from voicebot.speech.api import FRAME_MS

LATENESS_BUCKETS_MS = (1, 2, 5, 10, 20, 40, 80, 160, 320, 1_000_000)

LATE_MS = 40.0
"""Two frames late on average over a second: who speaks waits for the machine, and one call more makes it worse."""

_OVER_TICKS = 50  # the average that tells

log = logging.getLogger(__name__)


class Ticker:
    """`async with Ticker() as ticker: ticker.add(session.tick)`. A tick that raises is logged; the others go on."""

    def __init__(self) -> None:
        self._ticks: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self.count = 0
        self.late_ms = 0.0  # on average over the last second or so
        self.lateness = [0] * len(LATENESS_BUCKETS_MS)

    def add(self, tick: Callable[[], None]) -> None:
        self._ticks.append(tick)

    def remove(self, tick: Callable[[], None]) -> None:
        with contextlib.suppress(ValueError):
            self._ticks.remove(tick)

    async def __aenter__(self) -> Ticker:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="ticker")
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    @property
    def is_late(self) -> bool:
        """Has this process more to do than it can? Then it should take no call more."""
        return self.late_ms > LATE_MS

    def lateness_quantile_ms(self, q: float) -> int:
        """Upper bound of the bucket in which the q-quantile of the ticks' lateness lies."""
        wanted, seen = q * max(1, self.count), 0
        for bound, n in zip(LATENESS_BUCKETS_MS, self.lateness, strict=True):
            seen += n
            if seen >= wanted:
                return bound
        return LATENESS_BUCKETS_MS[-1]

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            due += FRAME_MS / 1000
            delay = due - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            else:
                await asyncio.sleep(0)
            late_ms = (time.monotonic() - due) * 1000
            self.count += 1
            self.late_ms += (late_ms - self.late_ms) / _OVER_TICKS
            self.lateness[next(i for i, b in enumerate(LATENESS_BUCKETS_MS) if late_ms < b)] += 1
            if late_ms > 200:
                due = time.monotonic()  # the frames wait in the ring buffers; catching up tick by tick helps nobody
            for tick in tuple(self._ticks):
                try:
                    tick()
                except Exception:
                    log.exception("a tick failed; the others go on")
