"""In which state is a call leg, and what may happen to it next?

Everything that decides the state of a leg is in this file, and nothing else is: no sockets, no clock, no library.
`step(record, event, at_s)` is a pure function; the table below is the whole of it. The rules:

1. A leg is made for one call attempt and used once: `idle` is only its first moment, `ended` only its last.
2. The first event that closes the leg (a hang-up on either side, a timer, a fault) is its `cause` and never changes.
   Whatever happens afterwards only decides how long the closing takes. So a leg ends exactly once, for one reason.
3. What the network or a timer brings may come late, because it crosses our own decision on the wire: it is ignored
   where it no longer means anything. What only our own code can ask for (dial, bridge) is an error there instead.
4. `ringing` means the far end was alerted: by its 180 when we dial, by ours when we are called. `early` means that
   audio flows before the answer; alerting after that changes nothing.
5. A dead host never says goodbye, so `DEAD_HOST` ends the leg at once; `LINGER` does the same for a goodbye that
   stays unanswered. The SIP transaction behind it may live on for a while: it is not the leg.

The diagram in the documentation is `to_mermaid()`, made from the same table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal

from telephony.errors import TelephonyError

Direction = Literal["outgoing", "incoming"]


class LegState(StrEnum):
    IDLE = "idle"
    DIALING = "dialing"
    EARLY = "early"
    RINGING = "ringing"
    INCOMING = "incoming"
    ANSWERED = "answered"
    BRIDGED = "bridged"
    ENDING = "ending"
    ENDED = "ended"


class LegEvent(StrEnum):
    DIAL = "dial"  # our INVITE is on its way
    OFFER = "offer"  # an INVITE came in
    PROGRESS = "progress"  # any provisional answer: the host lives
    RING = "ring"  # 180, theirs or ours
    EARLY_MEDIA = "early_media"  # audio before the answer
    ANSWER = "answer"  # 200 and ACK
    BRIDGE = "bridge"
    UNBRIDGE = "unbridge"
    HANGUP = "hangup"  # our wish, in whatever state
    RING_TIMEOUT = "ring_timeout"  # alerted for too long
    DEAD_HOST = "dead_host"  # not even a provisional answer
    DISCONNECT = "disconnect"  # the SIP dialog is over
    LINGER = "linger"  # our goodbye was not answered in time
    FAIL = "fail"  # the library could not go on


class IllegalEvent(TelephonyError):
    """Our own code asked for something the leg cannot do in its present state."""


S, E = LegState, LegEvent

_FROM_NETWORK: Final = frozenset({E.PROGRESS, E.RING, E.EARLY_MEDIA, E.ANSWER})
_TIMERS: Final = frozenset({E.RING_TIMEOUT, E.DEAD_HOST, E.LINGER})

TABLE: Final[dict[LegState, dict[LegEvent, LegState]]] = {
    S.IDLE: {E.DIAL: S.DIALING, E.OFFER: S.INCOMING, E.FAIL: S.ENDED},
    S.DIALING: {
        E.PROGRESS: S.DIALING,
        E.RING: S.RINGING,
        E.EARLY_MEDIA: S.EARLY,
        E.ANSWER: S.ANSWERED,
        E.HANGUP: S.ENDING,
        E.RING_TIMEOUT: S.ENDING,
        E.DEAD_HOST: S.ENDED,
        E.DISCONNECT: S.ENDED,
        E.FAIL: S.ENDED,
    },
    S.RINGING: {
        E.EARLY_MEDIA: S.EARLY,
        E.ANSWER: S.ANSWERED,
        E.HANGUP: S.ENDING,
        E.RING_TIMEOUT: S.ENDING,
        E.DISCONNECT: S.ENDED,
        E.FAIL: S.ENDED,
    },
    S.EARLY: {
        E.ANSWER: S.ANSWERED,
        E.HANGUP: S.ENDING,
        E.RING_TIMEOUT: S.ENDING,
        E.DISCONNECT: S.ENDED,
        E.FAIL: S.ENDED,
    },
    S.INCOMING: {
        E.RING: S.RINGING,
        E.EARLY_MEDIA: S.EARLY,
        E.ANSWER: S.ANSWERED,
        E.HANGUP: S.ENDING,
        E.DISCONNECT: S.ENDED,
        E.FAIL: S.ENDED,
    },
    S.ANSWERED: {E.BRIDGE: S.BRIDGED, E.HANGUP: S.ENDING, E.DISCONNECT: S.ENDED, E.FAIL: S.ENDED},
    S.BRIDGED: {E.UNBRIDGE: S.ANSWERED, E.HANGUP: S.ENDING, E.DISCONNECT: S.ENDED, E.FAIL: S.ENDED},
    S.ENDING: {E.DISCONNECT: S.ENDED, E.LINGER: S.ENDED, E.FAIL: S.ENDED},
    S.ENDED: {},
}

IGNORED: Final[dict[LegState, frozenset[LegEvent]]] = {
    S.IDLE: frozenset(),
    S.DIALING: frozenset({E.LINGER}),
    S.RINGING: frozenset({E.PROGRESS, E.RING, E.DEAD_HOST, E.LINGER}),
    S.EARLY: frozenset({E.PROGRESS, E.RING, E.EARLY_MEDIA, E.DEAD_HOST, E.LINGER}),
    S.INCOMING: frozenset({E.PROGRESS}) | _TIMERS,
    S.ANSWERED: _FROM_NETWORK | _TIMERS | {E.UNBRIDGE},
    S.BRIDGED: _FROM_NETWORK | _TIMERS,
    S.ENDING: _FROM_NETWORK | {E.RING_TIMEOUT, E.DEAD_HOST, E.HANGUP, E.UNBRIDGE},
    S.ENDED: _FROM_NETWORK | _TIMERS | {E.HANGUP, E.UNBRIDGE, E.DISCONNECT, E.FAIL},
}


@dataclass(frozen=True, slots=True)
class LegRecord:
    """All that is known of a leg's life. `history`: (monotonic seconds, event) of every event that counted."""

    direction: Direction
    state: LegState = LegState.IDLE
    cause: LegEvent | None = None
    early_media: bool = False
    answered: bool = False
    responded: bool = False
    history: tuple[tuple[float, LegEvent], ...] = ()

    def at(self, event: LegEvent) -> float | None:
        """When `event` first counted, monotonic seconds, or None."""
        return next((at_s for at_s, seen in self.history if seen is event), None)


def step(record: LegRecord, event: LegEvent, at_s: float) -> LegRecord:
    """The record after `event`; the very same object where the table ignores it. Raises IllegalEvent."""
    after = TABLE[record.state].get(event)
    if after is None:
        if event in IGNORED[record.state]:
            return record
        raise IllegalEvent(f"a leg that is {record.state} cannot take {event}")
    closing = after in (LegState.ENDING, LegState.ENDED)
    return replace(
        record,
        state=after,
        cause=record.cause or (event if closing else None),
        early_media=record.early_media or event is LegEvent.EARLY_MEDIA,
        answered=record.answered or event is LegEvent.ANSWER,
        responded=record.responded or event in _FROM_NETWORK,
        history=(*record.history, (at_s, event)),
    )


def to_mermaid() -> str:
    """The table as a Mermaid state diagram. Events between the same two states share one arrow."""
    arrows: dict[tuple[LegState, LegState], list[str]] = {}
    for state, row in TABLE.items():
        for event, after in row.items():
            arrows.setdefault((state, after), []).append(event.value)
    lines = ["stateDiagram-v2", "    [*] --> idle"]
    lines += [f"    {a} --> {b}: {', '.join(events)}" for (a, b), events in arrows.items()]
    return "\n".join([*lines, "    ended --> [*]", ""])
