"""What the robot makes of one customer turn, and the interface that any understander fills."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from dialogue.acts import Act, Pending


@dataclass(frozen=True, slots=True)
class Alternative:
    """What else the ears may have heard. `weight`: how likely beside the text that they settled on, 0..1."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Slots:
    """Values found in a turn; None where it names none. `amount_kind` marks amounts that only the case resolves."""

    pay_date: date | None = None
    pay_amount: Decimal | None = None  # yuan
    amount_kind: str | None = None  # "minimum" | "half" | "full": resolved on the case by the dialogue
    callback_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Understanding:
    """One turn, understood. `acts` is never empty and stands primary act first."""

    text: str
    acts: tuple[Act, ...]
    slots: Slots = Slots()
    confidence: float = 1.0
    agrees: bool = False  # a bare yes: 好, 行, 可以, 嗯

    @property
    def primary(self) -> Act:
        return self.acts[0]

    def has(self, *acts: Act) -> bool:
        return any(a in self.acts for a in acts)


class Completeness(StrEnum):
    """How finished a half-heard turn sounds; the endpointing waits accordingly."""

    COMPLETE = "complete"  # answers the pending question: a short silence ends the turn
    LIKELY = "likely"  # an answer, and often the beginning of a longer one: 是我……
    OPEN = "open"  # may be finished or not
    HANGING = "hanging"  # ends in 那个, 我…, half a date: wait longer


class Understander(Protocol):
    """Turns the words of one customer turn into acts and slots. Deterministic: replay depends on it."""

    name: str

    def understand(
        self, text: str, *, pending: Pending, now: datetime, others: tuple[Alternative, ...] = ()
    ) -> Understanding:
        """`text` in simplified Chinese without spaces, may be empty; `now` is the call's own, timezone-aware clock.

        `others`: words that sound alike, for an understander that weighs them; values are read in `text` alone.
        """
        ...

    def completeness(self, text: str, *, pending: Pending) -> Completeness:
        """Judge a partial transcript for endpointing. Cheap: called on every partial."""
        ...
