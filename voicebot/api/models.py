"""What goes in and comes out of the API. Money is a decimal in yuan, written as text; times carry their offset."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from voicebot.compliance import Channel, Consent, Status
from voicebot.store.outbox import EVENTS

T = TypeVar("T")


def _storable(text: str) -> str:
    """What PostgreSQL can keep and a terminal can show."""
    if "\x00" in text or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise ValueError("has characters that cannot be stored")
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(_storable)]
Words = Annotated[str, StringConstraints(max_length=500), AfterValidator(_storable)]
Yuan = Annotated[Decimal, Field(gt=0, lt=10**12, decimal_places=2)]
Moment = Annotated[AwareDatetime, Field(description="With its offset: 2026-11-27T10:20:00+08:00")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Listed(BaseModel, Generic[T]):
    """One page, newest first. `after`: ask for the next page with it; null on the last."""

    items: list[T]
    after: str | None = None


class NewCampaign(Strict):
    name: Name
    strategy: Name = "default"
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 0
    lines: Annotated[int | None, Field(ge=1, le=1_000_000)] = None


class ChangedCampaign(Strict):
    state: Literal["running", "paused", "stopped"] | None = None
    strategy: Name | None = None
    priority: Annotated[int | None, Field(ge=-1_000_000, le=1_000_000)] = None
    lines: Annotated[int | None, Field(ge=1, le=1_000_000)] = None


class Progress(BaseModel):
    total: int
    open: int
    claimed: int
    done: int
    failed: int
    waiting: int
    held: int
    to_plan: int
    to_send: int
    handed: int
    closed: int


class Campaign(BaseModel):
    name: str
    strategy: str
    state: str
    priority: int
    lines: int | None
    created_at: datetime
    progress: Progress


class NewCase(Strict):
    """As a row of a case file; see docs/cases.md. Dates as 2026-11-27."""

    case_id: Name
    name: Name
    gender: Literal["male", "female", "unknown"] = "unknown"
    phone: Name | None = None
    other_phones: Annotated[list[Name], Field(max_length=20)] = []
    contact_phones: Annotated[list[Name], Field(max_length=20)] = []
    bank: Words = ""
    product: Name
    card_tail: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]
    amount: Yuan
    min_amount: Yuan | None = None
    due_date: date
    priority: Annotated[int, Field(ge=-999_999, le=999_999)] = 0
    debtor: Name | None = None
    email: Name | None = None
    push_token: Name | None = None
    risk: Words = ""


class NewCases(Strict):
    cases: Annotated[list[NewCase], Field(min_length=1, max_length=1000)]


class RowProblem(BaseModel):
    row: int
    field: str
    message: str


class Loaded(BaseModel):
    """`rejected` rows are in `errors` (the first hundred); the others are in."""

    batch_id: int
    new: int
    already: int
    rejected: int
    errors: list[RowProblem] = []


class Batch(BaseModel):
    id: int
    name: str
    campaign: str | None
    script: str
    cases: int
    created_at: datetime


class Case(BaseModel):
    id: int
    case_id: str
    campaign: str | None
    batch_id: int
    debtor: str
    name: str
    product: str
    card_tail: str
    amount_due: Decimal
    min_amount: Decimal
    paid: Decimal
    due_date: date
    phone: str | None
    other_phones: list[str]
    risk: str
    priority: int
    status: str
    attempts: int
    step: str | None
    means: str | None
    content: str | None
    number: str | None
    not_before: datetime | None
    refused_by: list[str] | None
    handed_to: str | None
    why: str | None
    closed_at: datetime | None
    created_at: datetime


class Attempt(BaseModel):
    id: str
    case_id: str
    number: int
    state: str
    step: str | None
    dialed: str | None
    created_at: datetime
    dialed_at: datetime | None
    ended_at: datetime | None
    kind: str | None
    sip_code: int | None
    disposition: str | None


class Call(BaseModel):
    id: str
    case_id: str
    attempt_id: str | None
    script: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    disposition: str | None
    flags: list[str]
    turns: int | None
    response_ms: int | None
    recording: str | None


class Promise(BaseModel):
    """`from_sample`, `to_sample`: where in the recording (8 kHz) it was made and confirmed."""

    id: str
    call_id: str
    case_id: str
    pay_date: date
    amount: Decimal
    partial: bool
    said_text: str
    confirmed_text: str
    from_sample: int
    to_sample: int
    recording: str
    outcome: Literal["kept", "broken"] | None
    created_at: datetime
    withdrawn_at: datetime | None


class NewPayment(Strict):
    reference: Name
    case_id: Name
    amount: Yuan
    paid_at: Moment
    source: Name = "bank"


class NewPayments(Strict):
    payments: Annotated[list[NewPayment], Field(min_length=1, max_length=1000)]


class PaymentsLoaded(BaseModel):
    """`unknown`: for no case that still owes; they are kept. `closed`: cases that owe nothing any more."""

    new: int
    already: int
    unknown: int
    closed: int


class Payment(BaseModel):
    id: int
    source: str
    reference: str
    case_id: str
    amount: Decimal
    paid_at: datetime
    created_at: datetime


class Permit(BaseModel):
    """A decision of the gate. Permitted where `refused_by` is empty."""

    id: int
    case_id: str
    attempt_id: str | None
    at: datetime
    pack: str
    version: str
    refused_by: list[str]
    next_allowed: datetime | None


class Question(Strict):
    case_id: Name
    at: Moment | None = None


class Decision(BaseModel):
    permitted: bool
    refused_by: list[str]
    next_allowed: datetime | None
    valid_until: datetime | None


class Known(Strict):
    """Of a debtor: statuses, consents, numbers not to be called, channels opted out of."""

    statuses: list[Status] = []
    consents: list[Consent] = []
    do_not_call: Annotated[list[Name], Field(max_length=100)] = []
    opted_out: list[Channel] = []


class DebtorChange(Strict):
    """What to write down, and what to strike."""

    add: Known = Known()
    remove: Known = Known()


class OutsideContact(Strict):
    at: Moment
    channel: Channel = Channel.VOICE
    reached: bool | None = None
    outbound: bool = True
    loan: Words = ""
    number: Words = ""
    agency: Words = ""


class OutsideContacts(Strict):
    contacts: Annotated[list[OutsideContact], Field(min_length=1, max_length=1000)]


EventName = Literal[EVENTS]  # type: ignore[valid-type]


class NewWebhook(Strict):
    """`events`: none for all of them. What is sent is signed by `secret`, see docs/api.md."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+(/[\x21-\x7e]*)?$", max_length=500)]
    events: Annotated[list[EventName], Field(max_length=20)] = []


class Webhook(BaseModel):
    id: int
    url: str
    events: list[str]
    created_at: datetime


class WebhookMade(BaseModel):
    """The secret is shown this once."""

    id: int
    secret: str


class Delivery(BaseModel):
    id: int
    event: str
    payload: dict[str, object]
    tries: int
    next_at: datetime | None
    delivered_at: datetime | None
    last_answer: str | None
    created_at: datetime


class Receipt(Strict):
    channel: Channel
    provider_id: Name
    state: Literal["delivered", "failed"]
    error: Words | None = None


class Reply(Strict):
    """`number` in E.164: +8613800000001."""

    number: Annotated[str, StringConstraints(pattern=r"^[+][0-9]{5,15}$")]
    text: Words


class RepliedTo(BaseModel):
    """Debtors that want no more messages."""

    opted_out: int


class Message(BaseModel):
    id: int
    case_id: str
    channel: str
    step: str
    template: str
    address: str
    state: str
    provider_id: str | None
    error: str | None
    created_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
