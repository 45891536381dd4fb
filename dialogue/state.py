"""What does the dialogue remember between two events? Plain values only, so that a call can be stored and replayed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dialogue.acts import Act
from dialogue.policy import Offer
from dialogue.protocol import CaseFacts
from dialogue.understanding import Understanding

NOTHING_OFFERED = Offer()

Counts = tuple[tuple[str, int], ...]


class Phase(StrEnum):
    NEW = "new"  # nothing happened yet
    TALKING = "talking"
    STORING = "storing"  # StorePromise is out, its answer is awaited
    HANDOFF = "handoff"  # a seat is being called
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class State:
    """Where the call stands.

    `node` is where the last question was asked. `visits` and `said` count nodes and lines. `cut` names lines with a
    disclosure whose end the customer did not hear. `question_heard` is the share of the last question that was played.
    """

    phase: Phase = Phase.NEW
    case: CaseFacts | None = None
    now: datetime | None = None
    node: str = ""
    verified: bool = False
    offer: Offer = NOTHING_OFFERED
    callback_at: datetime | None = None
    turn: int = 0
    turns: int = 0
    silences: int = 0  # in a row
    unclear: int = 0  # in a row
    fillers: int = 0  # in a row
    visits: Counts = ()
    said: Counts = ()
    last_text: str = ""
    last_lines: tuple[str, ...] = ()
    question_line: str = ""
    question_heard: float = 1.0
    disclosed: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    carried: Understanding | None = None  # said of the money before the right party was confirmed; taken up after it
    carried_turn: int = 0
    stored: bool = False
    kept: Offer = NOTHING_OFFERED  # the promise that is stored
    readback: str = ""  # the node in which the stored promise was confirmed
    storing: bool = False  # also after the customer hung up: the answer may still come
    handoff_reason: str = ""
    deferred: Act | None = None  # said while the promise was being written; answered after it
    second_thought: Understanding | None = None  # ... and what takes that promise back
    time_up: bool = False


def count(counts: Counts, key: str) -> int:
    return next((n for k, n in counts if k == key), 0)


def bumped(counts: Counts, key: str) -> Counts:
    if not any(k == key for k, _ in counts):
        return (*counts, (key, 1))
    return tuple((k, n + 1 if k == key else n) for k, n in counts)
