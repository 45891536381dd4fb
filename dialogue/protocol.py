"""What goes into the dialogue and what comes out: plain values, so that a call can be logged and replayed.

    (state, event) -> (state, commands)

The shell feeds events in the order in which they happened and carries commands out in the order given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from dialogue.acts import Disposition, Pending
from dialogue.understanding import Understanding


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What the robot may know of one case while it talks. Money in yuan."""

    case_id: str
    name: str
    gender: str  # "male" | "female" | "unknown"
    bank: str
    product: str  # 信用卡, 消费贷, ...
    card_tail: str
    amount_due: Decimal
    min_amount: Decimal
    due_date: date
    days_overdue: int  # 0 or less: not yet due
    stage: str  # "M0" | "M1"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the ears should listen for now.

    `answers`: closed answers, whole turns (是, 不是, 打错了). `phrases`: fragments to favour in longer turns
    (下周五, 最低还款). Empty means: anything. `customer`: who speaks is called about a debt, so what such people say is
    likelier than what anybody says.
    """

    answers: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    customer: bool = False


# ---- events: what happened -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallStarted:
    case: CaseFacts
    now: datetime  # timezone-aware


@dataclass(frozen=True, slots=True)
class CustomerSaid:
    understanding: Understanding
    turn: int  # 1, 2, ...: the customer's turns in this call
    now: datetime


@dataclass(frozen=True, slots=True)
class CustomerSilent:
    """Nobody spoke for as long as the last Listen allowed."""

    now: datetime


@dataclass(frozen=True, slots=True)
class LineHeard:
    """A spoken line is over. `heard` is the share that was played into RTP, 1.0 when played to its end."""

    line_id: str
    heard: float


@dataclass(frozen=True, slots=True)
class PromiseStored:
    """The promise is durable in the ledger; only now may the robot say so."""

    promise_id: str


@dataclass(frozen=True, slots=True)
class PromiseStoreFailed:
    reason: str


class HandoffResult(StrEnum):
    BRIDGED = "bridged"  # a seat talks with the customer; the robot has stepped out
    NO_ANSWER = "no_answer"  # no seat took the call


@dataclass(frozen=True, slots=True)
class HandoffEnded:
    result: HandoffResult
    now: datetime


@dataclass(frozen=True, slots=True)
class TimeUp:
    """The watchdog, or an operator who stops the batch, asks for a polite end now."""

    reason: str


@dataclass(frozen=True, slots=True)
class CustomerHungUp:
    now: datetime


Event = (
    CallStarted
    | CustomerSaid
    | CustomerSilent
    | LineHeard
    | PromiseStored
    | PromiseStoreFailed
    | HandoffEnded
    | TimeUp
    | CustomerHungUp
)

# ---- commands: what to do --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Speak:
    """Say one line. `clauses` are the pieces it is rendered and cached in; joined they are `text`.

    `discloses`: what the customer knows once the line was heard to its end ("identity", "ai", "recorded", "debt").
    """

    line_id: str
    text: str
    clauses: tuple[str, ...]
    interruptible: bool = True
    discloses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listen:
    """The floor is the customer's once everything queued was said (or earlier, by barge-in)."""

    pending: Pending
    expectation: Expectation
    silence_ms: int = 6000  # then CustomerSilent


@dataclass(frozen=True, slots=True)
class StorePromise:
    """Write the promise; answer with PromiseStored or PromiseStoreFailed."""

    pay_date: date
    amount: Decimal
    partial: bool
    said_turn: int  # customer turn in which it was promised
    confirmed_turn: int  # customer turn in which the read-back was confirmed


@dataclass(frozen=True, slots=True)
class WithdrawPromise:
    """The customer took back the promise that was stored last: strike it, with the turn in which that was said."""

    said_turn: int


@dataclass(frozen=True, slots=True)
class BookCallback:
    at: datetime | None  # None: no time agreed
    reason: str


@dataclass(frozen=True, slots=True)
class Handoff:
    """Give the customer to a person after what is queued was said; answer with HandoffEnded."""

    reason: str


@dataclass(frozen=True, slots=True)
class Flag:
    """A fact that stays on the call: stop_calling, complaint, legal, abuse, crisis, hardship, ..."""

    name: str


@dataclass(frozen=True, slots=True)
class Conclude:
    """The call's disposition. May come more than once; the last one counts."""

    disposition: Disposition


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call once what is queued was said."""


Command = Speak | Listen | StorePromise | WithdrawPromise | BookCallback | Handoff | Flag | Conclude | HangUp
