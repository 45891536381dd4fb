"""What is to be done with this case next, and when? A pure function of the case, what happened to it, and the clock.

Nothing is remembered between two plans: the history says it all, so a worker that dies loses no plan, and a changed
strategy takes hold at once.

    closed, held ────────────────────────────────────────> Rest, Handed
    the last conversation ── to a person, to hold ────────> Handed
                          ── a promise ───────────────────> the reminder on its day; nobody before the day after
                          ── a time to call back ─────────> Wish then
    the last dial reached nobody ── may be tried again ───> Wish, as the ending's retry says
    no number is left ───────────────────────────────────> Handed to those who look for people
    the first step that is due from today on ────────────> Wish

A Wish is no permission: whoever carries it out asks the gate, and plans again with what came of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from dialogue.acts import Disposition
from voicebot.strategy.model import (
    HANDED_OVER,
    After,
    Condition,
    Means,
    Reaction,
    Retry,
    Segment,
    Step,
    Strategy,
    Then,
    Window,
)

HORIZON_DAYS = 400
LAST_MESSAGE = time(20)
LOST_CONTACT, HOLD = "lost_contact", "hold"
REMINDER = "reminder"
PRIOR_TRIES, PRIOR_ANSWERED = 2.0, 0.6  # how well a part of the day is thought to work before it was tried


@dataclass(frozen=True, slots=True)
class Case:
    """What the strategy may look at. `numbers`: the debtor's own, the likeliest first."""

    case_id: str
    due_date: date
    amount: Decimal
    numbers: tuple[str, ...]
    zone: ZoneInfo
    risk: str = ""
    closed: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done. `ending`: of a dial; `again`: it was a retry of the step's own dial."""

    at: datetime
    step: str
    means: Means
    number: str = ""
    ending: Disposition | None = None
    again: bool = False
    promise_day: date | None = None
    callback_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """Do this, not before `at`."""

    at: datetime
    step: str
    means: Means
    content: str
    number: str = ""
    again: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class Handed:
    """Somebody else has the case from now on: person, agency, mediation, litigation, hold, lost_contact."""

    to: str
    why: str


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing is to be done any more."""

    why: str


Plan = Wish | Handed | Rest


def plan(strategy: Strategy, case: Case, events: Sequence[Event], now: datetime) -> Plan:
    """The next thing to do. `events` in the order of their times; `now` with its zone. A Wish never lies before now."""
    if case.closed:
        return Rest("nothing is owed any more")
    if case.held:
        return Handed(HOLD, "held by hand")
    if given := next((e for e in events if e.means in HANDED_OVER), None):
        return Handed(given.means, f"handed over by step {given.step}")
    return _Planner(strategy, case, tuple(events), now.astimezone(case.zone)).plan()


def days_overdue(case: Case, day: date) -> int:
    return (day - case.due_date).days


def segment_of(strategy: Strategy, case: Case, events: Sequence[Event], day: date) -> Segment:
    """The first segment whose condition the case meets on that day; the last one takes every case."""
    late = days_overdue(case, day)
    broken = sum(1 for e in events if e.promise_day is not None and e.promise_day < day)
    return next(s for s in strategy.segments if _fits(s.when, case, late, broken))


def _fits(c: Condition, case: Case, late: int, broken: int) -> bool:
    stage = f"M{max(0, -(-late // 30))}"
    return (
        (not c.stages or stage in c.stages)
        and (not c.risks or case.risk in c.risks)
        and (c.days_from is None or late >= c.days_from)
        and (c.days_to is None or late <= c.days_to)
        and (c.amount_from is None or case.amount >= c.amount_from)
        and (c.amount_to is None or case.amount <= c.amount_to)
        and (c.broken_from is None or broken >= c.broken_from)
        and (c.share is None or c.share[0] <= _hundredth(case.case_id) < c.share[1])
    )


def _hundredth(case_id: str) -> int:
    """Which of a hundred parts a case belongs to: the same one for ever, whoever asks."""
    return int.from_bytes(hashlib.sha256(case_id.encode()).digest()[:4], "big") % 100


@dataclass(frozen=True, slots=True)
class _Planner:
    strategy: Strategy
    case: Case
    events: tuple[Event, ...]
    now: datetime  # in the debtor's zone

    def plan(self) -> Plan:
        dials = [e for e in self.events if e.means is Means.VOICE and e.ending is not None]
        dead = {e.number for e in dials if self._is_dead_end(e.ending)}
        live = [n for n in self.case.numbers if n not in dead]
        if not live:
            return Handed(LOST_CONTACT, "no number is left to call")
        earliest = self.now
        if dials:
            last = dials[-1]
            assert last.ending is not None
            if retry := self.strategy.retries.get(last.ending):
                found = self._retry(retry, dials, live)
            else:
                found = self._react(self.strategy.reactions[last.ending], last, live)
            if not isinstance(found, datetime):
                return found
            earliest = max(earliest, found)
        return self._next_step(earliest, live)

    # ---- after a dial ---------------------------------------------------------------------------------------------

    def _is_dead_end(self, ending: Disposition | None) -> bool:
        assert ending is not None
        if retry := self.strategy.retries.get(ending):
            return retry.after is After.OTHER_NUMBER
        return self.strategy.reactions[ending].then is Then.OTHER_NUMBER

    def _retry(self, retry: Retry, dials: Sequence[Event], live: Sequence[str]) -> Plan | datetime:
        """Try again, or the moment from which the steps go on."""
        last = dials[-1]
        at = last.at.astimezone(self.case.zone)
        if retry.after is After.OTHER_NUMBER:
            return self._other_number(last, live)
        tried = 0
        for e in reversed(dials):
            if e.ending is not last.ending:
                break
            tried += 1
        step = self._step(last.step)
        if tried > retry.times or step is None or last.number not in live:
            return self._day(at.date() + timedelta(days=1))
        if isinstance(retry.after, timedelta):
            again = self._within(max(at + retry.after, self.now))
        elif retry.after is After.NEXT_WINDOW:
            again = self._within(max(self._after_window(at), self.now))
        else:
            again = self._best(last.number, max(self._day(at.date() + timedelta(days=1)), self.now))
        return Wish(again, step.name, Means.VOICE, step.content, last.number, True, f"{last.ending}, try {tried + 1}")

    def _react(self, reaction: Reaction, last: Event, live: Sequence[str]) -> Plan | datetime:
        """What the conversation leads to, or the moment from which the steps go on."""
        at = last.at.astimezone(self.case.zone)
        why = f"{last.ending} on {at:%Y-%m-%d}"
        match reaction.then:
            case Then.PERSON:
                return Handed(Means.PERSON, why)
            case Then.HOLD:
                return Handed(HOLD, why)
            case Then.OTHER_NUMBER:
                return self._other_number(last, live)
            case Then.QUIET if last.promise_day is not None:
                return self._reminder(last, last.promise_day) or self._day(last.promise_day + timedelta(days=1))
        if last.callback_at is not None and last.number in live and (step := self._step(last.step)):
            agreed = max(last.callback_at.astimezone(self.case.zone), self.now)
            return Wish(agreed, step.name, Means.VOICE, step.content, last.number, True, "a call back was agreed")
        return self._day(at.date() + timedelta(days=reaction.days))

    def _other_number(self, last: Event, live: Sequence[str]) -> Plan | datetime:
        """The same step again: nobody was reached by a number that is dead, or somebody else's."""
        step = self._step(last.step)
        if step is None:
            return self.now
        number = self._number(live)
        again = self._within(max(last.at.astimezone(self.case.zone), self.now))
        return Wish(again, step.name, Means.VOICE, step.content, number, True, f"{last.ending}: another number")

    def _reminder(self, promised: Event, day: date) -> Wish | None:
        if self.strategy.remind is None or self.now.date() > day:
            return None
        if any(e.step == REMINDER and e.at > promised.at for e in self.events):
            return None
        at = self._moment(day, self.strategy.message_at)
        if self.now > at and self.now.time() > LAST_MESSAGE:
            return None
        return Wish(
            max(at, self.now), REMINDER, Means.SMS, self.strategy.remind, promised.number, why="promised for today"
        )

    # ---- steps ----------------------------------------------------------------------------------------------------

    def _next_step(self, earliest: datetime, live: Sequence[str]) -> Plan:
        for ahead in range(HORIZON_DAYS):
            day = earliest.date() + timedelta(days=ahead)
            late = days_overdue(self.case, day)
            for step in segment_of(self.strategy, self.case, self.events, day).steps:
                if step.days_from <= late <= step.days_to and self._is_open(step, day):
                    at = self._time_of(step, day, earliest, number := self._number(live))
                    if at is not None:
                        return Wish(at, step.name, step.means, step.content, number, why=f"{late} days overdue")
        return Rest("no step of the strategy is left")

    def _is_open(self, step: Step, day: date) -> bool:
        days = [e.at.astimezone(self.case.zone).date() for e in self.events if e.step == step.name and not e.again]
        if not days:
            return True
        if days[-1] == day:
            return days.count(day) < step.per_day
        return (day - days[-1]).days >= step.every_days

    def _time_of(self, step: Step, day: date, earliest: datetime, number: str) -> datetime | None:
        """When on that day; None when it is too late for it."""
        if step.means is Means.VOICE:
            at = self._best(number, max(self._day(day), earliest))
            return at if at.date() == day else None
        at = max(self._moment(day, self.strategy.message_at), earliest)
        return at if at.date() == day and at.time() <= LAST_MESSAGE else None

    def _step(self, name: str) -> Step | None:
        return next((s for g in self.strategy.segments for s in g.steps if s.name == name), None)

    # ---- numbers and parts of the day -----------------------------------------------------------------------------

    def _number(self, live: Sequence[str]) -> str:
        """The one that somebody answered most often; else the one that was tried least, in their order."""
        tries = {n: [e for e in self.events if e.number == n and e.ending is not None] for n in live}
        return max(live, key=lambda n: (sum(map(self._answered, tries[n])), -len(tries[n]), -live.index(n)))

    def _answered(self, e: Event) -> bool:
        return e.ending is not None and e.ending not in self.strategy.retries

    def _best(self, number: str, earliest: datetime) -> datetime:
        """In the part of the first possible day that worked best for this number; before anything worked, in the one
        that was tried least."""
        for ahead in range(8):
            day = earliest.date() + timedelta(days=ahead)
            spans = [(self._moment(day, w[0]), self._moment(day, w[1]), w) for w in self.strategy.windows]
            left = [s for s in spans if earliest < s[1]]
            if left:
                begins, _, _ = max(left, key=lambda s: self._worth(number, s[2]))
                return max(begins, earliest)
        raise AssertionError("there is a window every day")

    def _worth(self, number: str, window: Window) -> tuple[float, float]:
        tries = [
            e
            for e in self.events
            if e.number == number
            and e.ending is not None
            and window[0] <= e.at.astimezone(self.case.zone).time() < window[1]
        ]
        answered = sum(map(self._answered, tries))
        return (PRIOR_ANSWERED + answered) / (PRIOR_TRIES + len(tries)), -len(tries)

    def _within(self, at: datetime) -> datetime:
        """That moment, or the next beginning of a window."""
        for ahead in range(2):
            for begins, ends in self.strategy.windows:
                day = at.date() + timedelta(days=ahead)
                if at < self._moment(day, ends):
                    return max(at, self._moment(day, begins))
        raise AssertionError("there is a window every day")

    def _after_window(self, at: datetime) -> datetime:
        """The beginning of the first window that begins after that moment."""
        for ahead in range(2):
            for begins, _ in self.strategy.windows:
                moment = self._moment(at.date() + timedelta(days=ahead), begins)
                if moment > at:
                    return moment
        raise AssertionError("there is a window every day")

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.case.zone)

    def _day(self, day: date) -> datetime:
        return self._moment(day, time.min)
