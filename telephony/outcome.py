"""Why did a call attempt end the way it did?

Two numbers say it: the SIP status code of the final response (or of the BYE) and, where the far side is honest, the
ISDN cause in the Reason header (RFC 3326, `Q.850;cause=..`). The Q.850 cause is nearer to the telephone network's own
words and wins; the SIP code is what remains when a gateway translated it. The SIP side follows the mapping of
RFC 3398, section 8.2.6.1 (ISUP release to SIP) read backwards; cause numbers and names are ITU-T Q.850, table 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from telephony.leg import LegEvent

EndedBy = Literal["local", "remote", "timeout", "error"]


class OutcomeKind(StrEnum):
    ANSWERED = "answered"
    BUSY = "busy"
    REJECTED = "rejected"
    NO_ANSWER = "no_answer"
    INVALID_NUMBER = "invalid_number"  # 空号
    UNREACHABLE = "unreachable"  # no way to the host or the network behind it
    SUSPENDED = "suspended"  # 停机
    POWERED_OFF = "powered_off"  # 关机, out of coverage
    CANCELLED = "cancelled"
    FAILED = "failed"  # the line's own trouble: try again


_K = OutcomeKind

Q850_KINDS: Final[dict[int, OutcomeKind]] = {
    1: _K.INVALID_NUMBER,  # unallocated number
    2: _K.UNREACHABLE,  # no route to transit network
    3: _K.UNREACHABLE,  # no route to destination
    17: _K.BUSY,  # user busy
    18: _K.NO_ANSWER,  # no user responding
    19: _K.NO_ANSWER,  # no answer from user (alerted)
    20: _K.POWERED_OFF,  # subscriber absent
    21: _K.REJECTED,  # call rejected
    22: _K.INVALID_NUMBER,  # number changed
    27: _K.UNREACHABLE,  # destination out of order
    28: _K.INVALID_NUMBER,  # invalid number format
    34: _K.FAILED,  # no circuit available
    38: _K.FAILED,  # network out of order
    41: _K.FAILED,  # temporary failure
    42: _K.FAILED,  # switching equipment congestion
    47: _K.FAILED,  # resource unavailable
    50: _K.FAILED,  # requested facility not subscribed
    52: _K.SUSPENDED,  # outgoing calls barred (Q.850 leaves it to the network)
    54: _K.SUSPENDED,  # incoming calls barred (likewise)
    55: _K.SUSPENDED,  # incoming calls barred within CUG
    57: _K.REJECTED,  # bearer capability not authorised
    58: _K.FAILED,  # bearer capability not presently available
    65: _K.FAILED,  # bearer capability not implemented
    79: _K.FAILED,  # service or option not implemented
    87: _K.REJECTED,  # user not member of CUG
    88: _K.FAILED,  # incompatible destination
    102: _K.NO_ANSWER,  # recovery on timer expiry
    111: _K.FAILED,  # protocol error
}
"""Causes that say less than the SIP code (16 normal clearing, 31 normal unspecified, 127 interworking) are absent."""

SIP_KINDS: Final[dict[int, OutcomeKind]] = {
    403: _K.REJECTED,
    404: _K.INVALID_NUMBER,
    408: _K.NO_ANSWER,
    410: _K.INVALID_NUMBER,
    480: _K.NO_ANSWER,
    484: _K.INVALID_NUMBER,
    485: _K.INVALID_NUMBER,
    486: _K.BUSY,
    487: _K.CANCELLED,
    502: _K.UNREACHABLE,
    504: _K.UNREACHABLE,
    600: _K.BUSY,
    603: _K.REJECTED,
    604: _K.INVALID_NUMBER,
    607: _K.REJECTED,  # unwanted, RFC 8197
    608: _K.REJECTED,  # rejected by an intermediary, RFC 8688
}
"""Every other final code is the line's own trouble: `failed`."""

_SILENT_CODES: Final = frozenset({408, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The one ending of a leg.

    `sip_code` is what ended it: the final response of an attempt that was not answered, 200 for one that was.
    It is 408 with `ended_by` "timeout" when our own timers gave up. `q850_cause`: from the Reason header of the final
    response or the BYE, where given. `ring_s`: from the INVITE to the answer or the end. `talk_s`: from the answer.
    """

    kind: OutcomeKind
    sip_code: int
    sip_reason: str
    q850_cause: int | None
    early_media: bool
    answered: bool
    ended_by: EndedBy
    ring_s: float
    talk_s: float


def classify(
    *, cause: LegEvent, answered: bool, responded: bool, sip_code: int, q850_cause: int | None = None
) -> OutcomeKind:
    """What an attempt came to. `responded`: the far side sent any SIP answer of its own."""
    if answered:
        return OutcomeKind.ANSWERED
    if cause is LegEvent.RING_TIMEOUT:
        return OutcomeKind.NO_ANSWER
    if cause is LegEvent.DEAD_HOST:
        return OutcomeKind.UNREACHABLE
    if cause is LegEvent.HANGUP:
        return OutcomeKind.CANCELLED
    if cause is LegEvent.FAIL:
        return OutcomeKind.FAILED
    if not responded and sip_code in _SILENT_CODES:
        return OutcomeKind.UNREACHABLE
    if q850_cause is not None and (kind := Q850_KINDS.get(q850_cause)):
        return kind
    return SIP_KINDS.get(sip_code, OutcomeKind.FAILED)


def ended_by(*, cause: LegEvent, responded: bool, sip_code: int) -> EndedBy:
    """Who put an end to it. Codes that the library made up itself are no doing of the far side."""
    if cause is LegEvent.HANGUP:
        return "local"
    if cause in (LegEvent.RING_TIMEOUT, LegEvent.DEAD_HOST):
        return "timeout"
    if cause is LegEvent.FAIL:
        return "error"
    if not responded and sip_code in _SILENT_CODES:
        return "timeout" if sip_code == 408 else "error"
    return "remote"
