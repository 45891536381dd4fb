"""What of a call goes into the ledger while it is still going on? Promises with their proof, callbacks, wishes.

Nothing here blocks the call: the database and the disk are waited for on threads. A promise that could not be written,
or not proved, is never said to be noted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from dialogue.protocol import BookCallback, PromiseStored, PromiseStoreFailed, StorePromise, WithdrawPromise
from voicebot.call.chronicle import Chronicle, Span

LEDGER_PATIENCE_S = 8.0  # a customer waits this long to hear that the promise is noted


class Ledger(Protocol):
    """Where promises, callbacks and wishes of this call are kept. Blocking; called on a thread."""

    def store_promise(self, promise: StorePromise, said: Span, confirmed: Span) -> str: ...
    def withdraw_promise(self, promise_id: str, said: Span) -> None: ...
    def book_callback(self, at: datetime | None, reason: str) -> None: ...
    def flag(self, name: str) -> None: ...


class Booking:
    """The ledger, as the call's shell sees it."""

    def __init__(self, ledger: Ledger, chronicle: Chronicle) -> None:
        self._ledger = ledger
        self._chronicle = chronicle
        self._promise_id: str | None = None
        self.promise: StorePromise | None = None  # the one that stands

    async def store(self, promise: StorePromise) -> PromiseStored | PromiseStoreFailed:
        """Never raises: whatever the database says, the customer must not be told that it was noted."""
        words = self._chronicle.words
        try:
            self._chronicle.flush()
            async with asyncio.timeout(LEDGER_PATIENCE_S):
                await asyncio.to_thread(self._chronicle.secure)
                self._promise_id = await asyncio.to_thread(
                    self._ledger.store_promise, promise, words(promise.said_turn), words(promise.confirmed_turn)
                )
        except Exception as e:
            self._chronicle.trouble(f"promise not stored: {e!r}")
            return PromiseStoreFailed(type(e).__name__)
        self.promise = promise
        detail = "partial" if promise.partial else ""
        self._chronicle.tell("promise", f"{promise.pay_date} ¥{promise.amount}", detail=detail)
        return PromiseStored(self._promise_id)

    async def withdraw(self, command: WithdrawPromise) -> None:
        """Strike the promise that stands."""
        promise_id, self._promise_id, self.promise = self._promise_id, None, None
        if promise_id is None:
            return
        self._chronicle.tell("withdrawn", promise_id)
        said = self._chronicle.words(command.said_turn)
        await self._kept("promise not withdrawn", self._ledger.withdraw_promise, promise_id, said)

    async def call_back(self, command: BookCallback) -> None:
        self._chronicle.tell("callback", command.reason, detail=command.at.isoformat() if command.at else "")
        await self._kept("callback not booked", self._ledger.book_callback, command.at, command.reason)

    async def flag(self, name: str) -> None:
        """A wish or a warning outlives a call that breaks off, so it is written at once."""
        self._chronicle.tell("flag", name)
        await self._kept(f"{name} not written", self._ledger.flag, name)

    async def _kept(self, trouble: str, write: Callable[..., None], *args: object) -> None:
        try:
            await asyncio.to_thread(write, *args)
        except Exception as e:
            self._chronicle.trouble(f"{trouble}: {e}")
