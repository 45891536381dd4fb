"""What is done next with a case: every rule of the default strategy, and what holds for every history."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogue.acts import Disposition as D
from voicebot.strategy.loader import NOBODY_REACHED, StrategyError, load_strategy
from voicebot.strategy.model import HANDED_OVER, Means
from voicebot.strategy.planning import LOST_CONTACT, REMINDER, Case, Event, Handed, Rest, Wish, plan

ZONE = ZoneInfo("Asia/Shanghai")
STRATEGY = load_strategy("default")
CASE = Case("C1", date(2026, 11, 20), Decimal("3000"), ("a", "b"), ZONE)


def at(day: int, hour: int = 0, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=ZONE)


def dial(moment: datetime, ending: D, number: str = "a", step: str = "late_call", **more) -> Event:
    return Event(moment, step, Means.VOICE, number, ending, **more)


def sent(moment: datetime, step: str) -> Event:
    return Event(moment, step, Means.SMS)


def test_a_message_three_days_before_and_a_call_on_the_day() -> None:
    first = plan(STRATEGY, CASE, [], at(10))
    assert isinstance(first, Wish)
    assert (first.means, first.content, first.at) == (Means.SMS, "due_soon", at(17, 9, 30))
    then = plan(STRATEGY, CASE, [sent(at(17, 9, 30), "due_soon")], at(17, 10))
    assert isinstance(then, Wish)
    assert (then.means, then.content, then.at) == (Means.VOICE, "m0_reminder", at(20, 9))


def test_large_amounts_go_to_a_person_after_a_week() -> None:
    large = replace(CASE, amount=Decimal("80000"))
    assert plan(STRATEGY, large, [], at(21)).content == "m1_collection"  # type: ignore[union-attr]
    assert plan(STRATEGY, large, [], at(27)).means is Means.PERSON  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("ending", "when", "number"),
    [
        (D.BUSY, at(24, 9, 20), "a"),  # after 15 minutes
        (D.NO_ANSWER, at(24, 14), "a"),  # in the next part of the day
        (D.POWERED_OFF, at(25, 14), "a"),  # on another day, at another time
        (D.INVALID_NUMBER, at(24, 9, 6), "b"),  # the other number, at once
    ],
)
def test_a_dial_that_reached_nobody_is_tried_again_as_its_ending_says(ending: D, when: datetime, number: str) -> None:
    wish = plan(STRATEGY, CASE, [dial(at(24, 9, 5), ending)], at(24, 9, 6))
    assert isinstance(wish, Wish)
    assert (wish.at, wish.number) == (when, number)


def test_busy_in_the_evening_is_tried_in_the_morning() -> None:
    wish = plan(STRATEGY, CASE, [dial(at(24, 20, 20), D.BUSY)], at(24, 20, 21))
    assert isinstance(wish, Wish) and wish.at == at(25, 9)


def test_after_three_retries_the_steps_go_on_the_next_day() -> None:
    tried = [dial(at(24, 9, 15 * n), D.BUSY, again=n > 0) for n in range(4)]
    wish = plan(STRATEGY, CASE, tried, at(24, 10))
    assert isinstance(wish, Wish) and not wish.again and wish.at.date() == date(2026, 11, 25)


def test_without_a_number_left_others_look_for_the_debtor() -> None:
    dead = [dial(at(24, 9), D.INVALID_NUMBER, "a"), dial(at(25, 9), D.WRONG_NUMBER, "b")]
    assert plan(STRATEGY, CASE, dead, at(25, 10)) == Handed(LOST_CONTACT, "no number is left to call")


def test_a_promise_brings_silence_a_reminder_and_a_look_the_day_after() -> None:
    promised = dial(at(24, 9), D.PROMISED, promise_day=date(2026, 11, 27))
    reminder = plan(STRATEGY, CASE, [promised], at(24, 10))
    assert isinstance(reminder, Wish)
    assert (reminder.step, reminder.at, reminder.means) == (REMINDER, at(27, 9, 30), Means.SMS)
    reminded = [promised, sent(at(27, 9, 30), REMINDER)]
    after = plan(STRATEGY, CASE, reminded, at(27, 9, 31))
    assert isinstance(after, Wish) and after.at >= at(28)
    assert isinstance(plan(STRATEGY, replace(CASE, closed=True), reminded, at(28)), Rest)


@pytest.mark.parametrize(
    ("ending", "to"),
    [(D.HARDSHIP, "person"), (D.DISPUTED, "hold"), (D.COMPLAINT, "person"), (D.DO_NOT_CALL, "hold")],
)
def test_hard_cases_leave_the_robot(ending: D, to: str) -> None:
    found = plan(STRATEGY, CASE, [dial(at(24, 9), ending)], at(24, 10))
    assert isinstance(found, Handed) and found.to == to


def test_a_call_back_is_made_when_it_was_agreed() -> None:
    asked = dial(at(24, 9), D.CALLBACK, callback_at=at(24, 19, 15))
    wish = plan(STRATEGY, CASE, [asked], at(24, 9, 5))
    assert isinstance(wish, Wish) and (wish.at, wish.number) == (at(24, 19, 15), "a")


def test_the_part_of_the_day_that_worked_is_chosen() -> None:
    tried = [dial(at(23, 9), D.NO_ANSWER, again=False), dial(at(23, 19), D.REFUSED, again=True)]
    wish = plan(STRATEGY, CASE, tried, at(24))
    assert isinstance(wish, Wish) and wish.at == at(25, 18, 30)


def test_two_broken_promises_bring_a_person() -> None:
    broken = [
        dial(at(22, 9), D.PROMISED, promise_day=date(2026, 11, 23)),
        dial(at(24, 9), D.PROMISED, promise_day=date(2026, 11, 25)),
    ]
    wish = plan(STRATEGY, CASE, broken, at(26))
    assert isinstance(wish, Wish) and wish.means is Means.PERSON


def test_everything_ends_in_court_at_last() -> None:
    agency = plan(STRATEGY, CASE, [], at(16, month=12))
    assert isinstance(agency, Wish) and agency.means is Means.AGENCY
    mediated = plan(STRATEGY, CASE, [], datetime(2027, 1, 5, tzinfo=ZONE))
    assert isinstance(mediated, Wish) and mediated.means is Means.MEDIATION
    handed = Event(mediated.at, mediated.step, mediated.means)
    assert plan(STRATEGY, CASE, [handed], mediated.at) == Handed("mediation", "handed over by step mediate")


# ---- whatever happens ---------------------------------------------------------------------------------------------

ENDINGS = st.sampled_from(sorted(D))


@given(st.lists(st.tuples(ENDINGS, st.integers(0, 3000), st.integers(1, 9)), max_size=40), st.integers(-10, 100))
def test_every_case_has_one_next_thing_never_in_the_past_and_comes_to_an_end(
    happened: list[tuple[D, int, int]], start: int
) -> None:
    """Carry out every wish, a little late, with any ending: silence after a promise, dead numbers stay dead."""
    now = at(20) + timedelta(days=start)
    events: list[Event] = []
    for ending, late_minutes, promise_days in happened:
        found = plan(STRATEGY, CASE, events, now)
        if not isinstance(found, Wish):
            assert plan(STRATEGY, CASE, events, now + timedelta(days=30)) == found
            return
        assert found.at >= now
        if found.means is Means.VOICE:
            assert any(b <= found.at.time() < e for b, e in STRATEGY.windows) or "call back" in found.why
            last = next((e for e in reversed(events) if e.ending is not None), None)
            if last is not None and last.promise_day is not None:
                assert found.at.date() > last.promise_day
            gone = {e.number for e in events if e.ending in (D.INVALID_NUMBER, D.SUSPENDED, D.WRONG_NUMBER)}
            assert found.number not in gone
        now = found.at + timedelta(minutes=late_minutes % 90)
        voice = found.means is Means.VOICE
        promised = voice and ending in (D.PROMISED, D.PROMISED_PARTIAL)
        events.append(
            Event(
                now,
                found.step,
                found.means,
                found.number,
                ending if voice else None,
                found.again,
                now.date() + timedelta(days=promise_days) if promised else None,
                now + timedelta(hours=promise_days) if voice and ending is D.CALLBACK else None,
            )
        )
        now += timedelta(minutes=1)


@given(st.integers(0, 60))
def test_a_step_is_not_begun_more_often_in_a_day_than_it_says(seed: int) -> None:
    now, events = at(21) + timedelta(hours=seed), []
    for _ in range(60):
        found = plan(STRATEGY, CASE, events, now)
        if not isinstance(found, Wish):
            break
        ending = D.NO_RESPONSE if found.means is Means.VOICE else None
        events.append(Event(found.at, found.step, found.means, found.number, ending, found.again))
        now = found.at + timedelta(minutes=5)
    begun = [(e.step, e.at.date()) for e in events if not e.again]
    assert len(begun) == len(set(begun))
    assert events[-1].means in HANDED_OVER


# ---- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("means: voice, content: m0_reminder", "means: shout, content: m0_reminder", "shout"),
        ("days: [3, 7]", "days: [7, 3]", "first and the last day"),
        ("name: late_letter", "name: late_call", "two steps are called late_call"),
        ("  busy: {after: 15m, times: 3}\n", "", "nothing is said of busy"),
        ("  busy:", "  promised: {after: 5m, times: 1}\n  busy:", "other list"),
        ("when: {}", "when: {stages: [M2]}", "last segment must take every case"),
        ("after: 15m", "after: soon", "unknown after 'soon'"),
        ("09:00-11:30", "11:30-09:00", "one after the other"),
        ("times: 3", "times: 0", "whole number above 0"),
    ],
)
def test_a_file_that_is_wrong_names_place_and_way_out(tmp_path, old: str, new: str, problem: str) -> None:
    from voicebot.strategy.loader import FOLDER

    text = (FOLDER / "default.yaml").read_text("utf-8")
    assert old in text
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(StrategyError, match=problem) as found:
        load_strategy(str(file))
    assert "mine.yaml:" in str(found.value)


def test_every_ending_of_a_call_has_an_answer() -> None:
    assert set(STRATEGY.retries) == NOBODY_REACHED
    assert set(STRATEGY.retries) | set(STRATEGY.reactions) == set(D)
