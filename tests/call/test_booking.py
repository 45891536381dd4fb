"""What a call writes into the ledger while it goes on, and what it does when the ledger is away."""

from __future__ import annotations

import threading
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from dialogue.protocol import BookCallback, PromiseStored, PromiseStoreFailed, StorePromise, WithdrawPromise
from telephony import MediaFrame
from voicebot.call.booking import Booking
from voicebot.call.chronicle import Chronicle, Span
from voicebot.call.eventlog import LogError
from voicebot.call.news import News
from voicebot.call.recording import RecordingError

FRIDAY = StorePromise(date(2026, 11, 20), Decimal("500.00"), False, said_turn=2, confirmed_turn=3)
SAID, CONFIRMED, REGRETTED = Span(0, 8000, "周五还五百"), Span(9000, 9600, "对"), Span(12000, 15000, "不对我还不了")


class Book:
    """A ledger on paper; `away`: it raises."""

    def __init__(self) -> None:
        self.away = False
        self.lines: list[tuple[object, ...]] = []

    def _write(self, *line: object) -> None:
        assert threading.current_thread() is not threading.main_thread(), "the call's loop must not wait for the ledger"
        if self.away:
            raise OSError("no route to the database")
        self.lines.append(line)

    def store_promise(self, promise: StorePromise, said: Span, confirmed: Span) -> str:
        self._write("promise", promise, said, confirmed)
        return f"P{len(self.lines):08d}"

    def withdraw_promise(self, promise_id: str, said: Span) -> None:
        self._write("withdrawn", promise_id, said)

    def book_callback(self, at: datetime | None, reason: str) -> None:
        self._write("callback", at, reason)

    def flag(self, name: str) -> None:
        self._write("flag", name)


@pytest.fixture
def news() -> list[News]:
    return []


@pytest.fixture
def chronicle(tmp_path: Path, news: list[News]) -> Chronicle:
    kept = Chronicle("call-1", "C-1", tmp_path / "call-1", news.append)
    for turn, span in enumerate((SAID, CONFIRMED, REGRETTED), start=2):
        kept.keep_words(turn, span)
    return kept


@pytest.fixture
def book() -> Book:
    return Book()


async def test_a_promise_goes_in_with_the_words_that_made_and_confirmed_it(chronicle: Chronicle, book: Book) -> None:
    booking = Booking(book, chronicle)
    assert await booking.store(FRIDAY) == PromiseStored("P00000001")
    assert book.lines == [("promise", FRIDAY, SAID, CONFIRMED)]
    assert booking.promise == FRIDAY


async def test_a_promise_taken_back_is_struck_with_the_words_that_did_it(chronicle: Chronicle, book: Book) -> None:
    booking = Booking(book, chronicle)
    await booking.store(FRIDAY)
    await booking.withdraw(WithdrawPromise(said_turn=4))
    assert book.lines[1:] == [("withdrawn", "P00000001", REGRETTED)]
    assert booking.promise is None


async def test_what_was_never_stored_cannot_be_struck(chronicle: Chronicle, book: Book) -> None:
    await Booking(book, chronicle).withdraw(WithdrawPromise(said_turn=4))
    assert book.lines == []


async def test_a_ledger_that_is_away_stores_no_promise_and_ends_no_call(
    chronicle: Chronicle, book: Book, news: list[News]
) -> None:
    book.away = True
    booking = Booking(book, chronicle)
    assert await booking.store(FRIDAY) == PromiseStoreFailed("OSError")
    await booking.call_back(BookCallback(None, "customer_asked"))
    await booking.flag("stop_calling")
    assert booking.promise is None
    assert [n.text.split(":")[0] for n in news if n.kind == "trouble"] == [
        "promise not stored",
        "callback not booked",
        "stop_calling not written",
    ]


async def test_a_promise_that_no_recording_proves_is_not_stored(
    chronicle: Chronicle, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RecordingError("disk full")

    monkeypatch.setattr(chronicle._recorder, "write", full)
    chronicle.record(MediaFrame(0, b"\0" * 320, b"\0" * 320, 0.0))
    assert await Booking(book, chronicle).store(FRIDAY) == PromiseStoreFailed("RecordingError")
    assert book.lines == []
    assert chronicle.troubles[0].startswith("recording stopped")


def test_a_log_that_breaks_off_is_a_trouble_and_not_the_end(
    chronicle: Chronicle, news: list[News], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise LogError("disk full")

    monkeypatch.setattr(chronicle._log, "append", full)
    chronicle.log("note", SAID)
    chronicle.log("note", SAID)
    assert chronicle.troubles == ["event log stopped: disk full"]
    assert [n.kind for n in news] == ["trouble"]


def test_the_clock_of_the_call_counts_recorded_samples(chronicle: Chronicle) -> None:
    for tick in range(3):
        chronicle.record(MediaFrame(tick, b"\1" * 320, b"\2" * 320, 0.0))
    assert chronicle.at == 480
