"""What goes into the store and what comes out of it? Plain frozen values; nobody outside sees a table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from dialogue.acts import Disposition
from dialogue.protocol import CaseFacts
from voicebot.compliance import Channel


class CaseStatus(StrEnum):
    OPEN = "open"  # due, nobody works on it
    CLAIMED = "claimed"  # a worker has it
    DONE = "done"  # its attempt came to a real ending
    FAILED = "failed"  # it could not be dialled, or nobody knows how the attempt ended
    WAITING = "waiting"  # may not be contacted before a moment that is known
    HELD = "held"  # may not be contacted, and waiting alone changes nothing
    TO_PLAN = "to_plan"  # something happened: the strategy says what comes next
    TO_SEND = "to_send"  # a message is due
    HANDED = "handed"  # somebody else has it: a person, an agency, those who look for people
    CLOSED = "closed"  # nothing is owed any more


class AttemptState(StrEnum):
    """permitted -> dialing -> done; a lease that runs out makes permitted lost and dialing unknown."""

    PERMITTED = "permitted"  # claimed, nothing sent yet
    DIALING = "dialing"  # the INVITE may be out: never redialled under this attempt
    DONE = "done"
    LOST = "lost"  # given up before the INVITE; the case is open again
    UNKNOWN = "unknown"  # its worker vanished after the INVITE; a late real ending still wins


@dataclass(frozen=True, slots=True)
class BatchLoaded:
    batch_id: int
    new: int
    already: int  # rows that an earlier load of the same file had brought


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to try one case once. Nothing may be dialled before `start_dialing` has said yes."""

    attempt_id: str
    batch_id: int
    case: CaseFacts  # as of the day of the claim
    phone: str | None  # E.164
    sip_uri: str | None  # called instead of the phone
    script: str
    valid_until: datetime | None = None  # the permit's: no dial from then on, and an open call says goodbye
    number: str | None = None  # the one that the strategy chose: E.164, or a SIP address
    trunk: str | None = None  # the name of the way out, where there are several

    def dial_uri(self, trunk: str) -> str:
        """The SIP URI to call; `trunk` as in the settings: sip:{phone}@carrier.example."""
        chosen = self.number or self.sip_uri or self.phone
        return chosen if chosen and chosen.startswith(("sip:", "sips:")) else trunk.format(phone=chosen)


@dataclass(frozen=True, slots=True)
class MessageClaim:
    """The right to send one message once."""

    message_id: int
    channel: Channel
    step: str
    template: str
    address: str
    case: CaseFacts  # as of the day of the claim


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How the attempt ended on the line. `kind` is telephony's OutcomeKind by its value.

    `given_up`: we stopped before anybody could answer; the case is open again. `disposition`: what the business calls
    it, where that is known; the strategy goes by it.
    """

    kind: str
    sip_code: int | None = None
    q850_cause: int | None = None
    early_media: bool = False
    given_up: bool = False
    disposition: Disposition | None = None


@dataclass(frozen=True, slots=True)
class NewCall:
    """`attempt_id` is None for a call that was made by hand, outside any batch."""

    call_id: str
    case_id: str
    script: str
    started_at: datetime
    attempt_id: str | None = None
    recording: Path | None = None
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class CallEnd:
    ended_at: datetime
    disposition: Disposition
    answered_at: datetime | None = None
    flags: tuple[str, ...] = ()
    turns: int = 0  # customer turns
    response_ms: int | None = None  # mean over the turns


@dataclass(frozen=True, slots=True)
class NewPromise:
    """A promise with its evidence. The span, in samples at 8 kHz, reaches from the first sample of the promise to the
    one after the last of the confirmation, so the read-back lies inside it."""

    call_id: str
    pay_date: date
    amount: Decimal  # yuan
    partial: bool
    recording: Path
    said_turn: int
    said_text: str
    from_sample: int
    to_sample: int
    confirmed_turn: int
    confirmed_text: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """When and in which words a promise was taken back; samples at 8 kHz of the promise's own recording."""

    at: datetime
    text: str
    from_sample: int
    to_sample: int


@dataclass(frozen=True, slots=True)
class StoredPromise:
    promise_id: str
    case_id: str
    promise: NewPromise
    created_at: datetime
    withdrawn: Withdrawal | None = None  # it stands while this is None


@dataclass(frozen=True, slots=True)
class BatchProgress:
    open: int
    claimed: int
    done: int
    failed: int
    waiting: int = 0
    held: int = 0
    to_plan: int = 0
    to_send: int = 0
    handed: int = 0
    closed: int = 0
    soon: int = 0  # of those waiting: due within minutes

    @property
    def total(self) -> int:
        return sum(getattr(self, status.value) for status in CaseStatus)

    @property
    def finished(self) -> bool:
        """Nothing more can be called soon; some may wait for another time of the day."""
        return not self.soon and not self.open and not self.claimed and not self.to_plan


@dataclass(frozen=True, slots=True)
class Campaign:
    """Batches of cases that one strategy follows."""

    campaign_id: int
    name: str
    strategy: str  # a name in config/strategies, or a file
    state: str  # running, paused, stopped
    priority: int
    lines: int | None  # calls at the same time over all workers
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewPayment:
    """Money that came in. `reference` is the payment's number at its source: the same one twice is one."""

    reference: str
    case_id: str
    amount: Decimal  # yuan
    paid_at: datetime
    source: str = "bank"


@dataclass(frozen=True, slots=True)
class PaymentsLoaded:
    new: int
    already: int
    unknown: int  # for a case that is not here (they are kept)
    closed: int  # cases that owe nothing any more


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One case of a batch with its latest attempt, that attempt's call, and the call's last promise and callback."""

    case_id: str
    name: str
    phone: str | None
    sip_uri: str | None
    amount_due: Decimal
    due_date: date
    status: CaseStatus
    attempts: int
    attempt_state: AttemptState | None = None
    dialed_at: datetime | None = None
    outcome: str | None = None  # the attempt's kind
    sip_code: int | None = None
    line_disposition: Disposition | None = None  # the attempt's own: also what the network said before the answer
    call_id: str | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    disposition: Disposition | None = None
    flags: tuple[str, ...] = ()
    turns: int | None = None
    response_ms: int | None = None
    promise_id: str | None = None
    promised_date: date | None = None
    promised_amount: Decimal | None = None
    promised_partial: bool | None = None
    callback_booked: bool = False
    callback_at: datetime | None = None
    recording: Path | None = None
    log: Path | None = None
    not_before: datetime | None = None  # of a case that waits
    refused_by: tuple[str, ...] = ()  # rules

    @property
    def talk_s(self) -> float | None:
        if self.answered_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.answered_at).total_seconds()
