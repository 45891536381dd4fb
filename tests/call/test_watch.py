"""The bounds around a call: the watchdog, the heartbeat, and how lines become processes."""

from __future__ import annotations

import asyncio
import time

import pytest

from voicebot.call.ticker import Ticker
from voicebot.call.watchdog import Watchdog
from voicebot.campaign.group import split_lines


class Call:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.ended = asyncio.Event()

    async def end(self) -> None:
        self.ended.set()


async def test_a_call_that_lasts_too_long_is_asked_to_end_and_then_ended() -> None:
    call = Call()
    async with Watchdog(0.05, 0.05, call.said.append, call.end) as dog:
        await asyncio.sleep(0.08)
        assert len(call.said) == 1 and not call.ended.is_set()
        await asyncio.wait_for(call.ended.wait(), 1)
        assert dog.fired


async def test_a_call_that_ends_in_time_is_left_alone() -> None:
    call = Call()
    async with Watchdog(0.05, 0.05, call.said.append, call.end):
        pass
    await asyncio.sleep(0.15)
    assert not call.said and not call.ended.is_set()


async def test_an_operator_can_ask_for_the_end_at_once() -> None:
    call = Call()
    async with Watchdog(60, 0.05, call.said.append, call.end) as dog:
        dog.hurry("batch stopped")
        await asyncio.wait_for(call.ended.wait(), 1)
    assert call.said == ["batch stopped"]


async def test_the_ticker_beats_fifty_times_a_second_for_everybody_on_it() -> None:
    beats = [0, 0]

    def first() -> None:
        beats[0] += 1

    def second() -> None:
        beats[1] += 1

    async with Ticker() as ticker:
        ticker.add(first)
        ticker.add(second)
        await asyncio.sleep(0.5)
        ticker.remove(second)
        at_removal = beats[1]
        await asyncio.sleep(0.1)
    assert 15 <= at_removal <= 27
    assert beats[0] > at_removal and beats[1] == at_removal
    assert ticker.lateness_quantile_ms(0.5) <= 20


async def test_a_heartbeat_that_is_kept_from_beating_says_so_and_forgets_it_again() -> None:
    async with Ticker() as ticker:
        await asyncio.sleep(0.1)
        assert not ticker.is_late
        ticker.add(busy := lambda: time.sleep(0.15))
        await asyncio.sleep(2.5)
        assert ticker.is_late
        ticker.remove(busy)
        await asyncio.sleep(4)
        assert not ticker.is_late


@pytest.mark.parametrize(
    ("lines", "seats", "shares"),
    [
        (1, False, (1,)),
        (4, False, (4,)),
        (5, False, (3, 2)),
        (4, True, (2, 2)),
        (1, True, (1,)),
        (7, True, (2, 2, 2, 1)),
    ],
)
def test_lines_become_as_many_processes_as_the_wheel_needs(lines: int, seats: bool, shares: tuple[int, ...]) -> None:
    assert split_lines(lines, with_seats=seats, calls_per_process=4) == shares


def test_no_lines_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 line"):
        split_lines(0, with_seats=False)
