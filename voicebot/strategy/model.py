"""What does a strategy consist of? Segments of cases with steps over time, retries, reactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from decimal import Decimal
from enum import StrEnum

from dialogue.acts import Disposition

Window = tuple[time, time]


class Means(StrEnum):
    """How a step reaches the debtor, or who gets the case."""

    VOICE = "voice"
    SMS = "sms"
    EMAIL = "email"
    PUSH = "push"
    LETTER = "letter"
    PERSON = "person"  # a human collector of the bank
    AGENCY = "agency"
    MEDIATION = "mediation"
    LITIGATION = "litigation"


HANDED_OVER = frozenset({Means.PERSON, Means.AGENCY, Means.MEDIATION, Means.LITIGATION})
"""From here on the robot leaves the case alone."""


class After(StrEnum):
    """When to try again, where no time is named."""

    NEXT_WINDOW = "next_window"
    NEXT_DAY = "next_day"
    OTHER_NUMBER = "other_number"  # this one is dead


class Then(StrEnum):
    """What a conversation, or a message, leads to."""

    QUIET = "quiet"  # until the day of the promise has passed, or so many days
    PERSON = "person"
    HOLD = "hold"  # nobody, until somebody releases the case
    OTHER_NUMBER = "other_number"
    GO_ON = "go_on"  # with the steps, not before the next day


@dataclass(frozen=True, slots=True)
class Condition:
    """All that is named must hold. Days are days overdue, negative before the due date; amounts in yuan."""

    stages: frozenset[str] = frozenset()
    risks: frozenset[str] = frozenset()
    days_from: int | None = None
    days_to: int | None = None
    amount_from: Decimal | None = None
    amount_to: Decimal | None = None
    broken_from: int | None = None  # broken promises
    share: tuple[int, int] | None = None  # of a hundred parts of all cases, from and up to but without


@dataclass(frozen=True, slots=True)
class Step:
    """`name` is its own within the strategy: what was done is counted by it. `content`: a script, or a template."""

    name: str
    means: Means
    content: str
    days_from: int
    days_to: int
    every_days: int = 1
    per_day: int = 1


@dataclass(frozen=True, slots=True)
class Segment:
    name: str
    when: Condition
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Retry:
    """`times` in a row at most, then the steps go on."""

    after: After | timedelta
    times: int


@dataclass(frozen=True, slots=True)
class Reaction:
    then: Then
    days: int = 1


@dataclass(frozen=True, slots=True)
class Strategy:
    """`windows`: the parts of a day that calls are tried in. `remind`: the template that is sent on a promise's day."""

    name: str
    version: str
    windows: tuple[Window, ...]
    message_at: time
    segments: tuple[Segment, ...]
    retries: dict[Disposition, Retry]
    reactions: dict[Disposition, Reaction]
    remind: str | None = None
