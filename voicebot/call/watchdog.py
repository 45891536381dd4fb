"""How long may a call last? Decided outside the dialogue, which may be the thing that went wrong.

At `max_s` the dialogue is asked to end politely; `grace_s` later the call is ended whatever it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


class Watchdog:
    """`async with Watchdog(300, 15, ask_to_end, end)`: `ask_to_end(reason)` first, `await end()` after the grace."""

    def __init__(
        self, max_s: float, grace_s: float, ask_to_end: Callable[[str], None], end: Callable[[], Awaitable[None]]
    ) -> None:
        self._max_s = max_s
        self._grace_s = grace_s
        self._ask_to_end = ask_to_end
        self._end = end
        self._task: asyncio.Task[None] | None = None
        self.fired = False

    async def __aenter__(self) -> Watchdog:
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="watchdog")
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def hurry(self, reason: str) -> None:
        """Begin the end now: an operator stops the batch. A second time changes nothing: the grace is running."""
        if self._task is not None and not self.fired:
            self._task.cancel()
            self._task = asyncio.get_running_loop().create_task(self._end_politely(reason))

    def extend(self, max_s: float) -> None:
        """Start over with another bound: people talk with each other now."""
        if self._task is not None:
            self._task.cancel()
            self._max_s = max_s
            self._task = asyncio.get_running_loop().create_task(self._watch(), name="watchdog")

    async def _watch(self) -> None:
        await asyncio.sleep(self._max_s)
        await self._end_politely(f"call longer than {self._max_s:g} s")

    async def _end_politely(self, reason: str) -> None:
        self.fired = True
        try:
            self._ask_to_end(reason)
        except Exception:
            log.exception("the dialogue could not be asked to end; the call is ended after the grace")
        await asyncio.sleep(self._grace_s)
        await self._end()
