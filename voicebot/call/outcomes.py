"""What does the business call an attempt by how it ended on the line? Keys are telephony's OutcomeKind by value."""

from __future__ import annotations

from dialogue.acts import Disposition

DISPOSITION_OF: dict[str, Disposition] = {
    "answered": Disposition.UNCLEAR,  # when no better disposition of the call is known
    "busy": Disposition.BUSY,
    "rejected": Disposition.REJECTED,
    "no_answer": Disposition.NO_ANSWER,
    "cancelled": Disposition.NO_ANSWER,
    "invalid_number": Disposition.INVALID_NUMBER,
    "unreachable": Disposition.UNREACHABLE,
    "suspended": Disposition.SUSPENDED,
    "powered_off": Disposition.POWERED_OFF,
    "failed": Disposition.FAILED,
}
