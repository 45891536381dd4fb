"""What does the database look like? The tables as the newest migration leaves them (a test compares the two).

Money is NUMERIC in yuan, times are timestamptz, positions in a recording are samples at 8 kHz.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from voicebot.store.records import AttemptState, CaseStatus

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _yuan(name: str) -> Column[object]:
    return Column(name, Numeric(14, 2), nullable=False)


def _time(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _created() -> Column[object]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def _one_of(kind: type[CaseStatus] | type[AttemptState]) -> Enum:
    return Enum(
        kind, native_enum=False, create_constraint=False, length=16, values_callable=lambda e: [m.value for m in e]
    )


campaigns = Table(
    "campaigns",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="running"),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("lines", Integer),  # calls at the same time, over all workers; NULL: as many as there are lines
    _created(),
    UniqueConstraint("name"),
    CheckConstraint("state IN ('running', 'paused', 'stopped')", name="state"),
    CheckConstraint("lines > 0", name="lines"),
)

batches = Table(
    "batches",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("script", Text, nullable=False),
    Column("round", Text, nullable=False, server_default=""),
    Column("campaign_id", BigInteger, ForeignKey("campaigns.id")),  # NULL: every case is called once
    _created(),
    UniqueConstraint("sha256", "script", "round"),
    Index("ix_batches_campaign_id", "campaign_id"),
)

_NONE = "{}"


def _texts(name: str) -> Column[object]:
    return Column(name, ARRAY(Text), nullable=False, server_default=_NONE)


debtors = Table(
    "debtors",
    metadata,
    Column("key", Text, primary_key=True),  # the bank's number of a person, else the phone's
    Column("zone", Text),
    _texts("statuses"),
    _texts("consents"),
    _texts("do_not_call"),
    _texts("opted_out"),
    Column("unreachable", Boolean, nullable=False, server_default="false"),
    _created(),
)

outside_contacts = Table(
    "outside_contacts",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("debtor", Text, ForeignKey("debtors.key"), nullable=False),
    _time("at", nullable=False),
    Column("channel", Text, nullable=False),
    Column("reached", Boolean),
    Column("outbound", Boolean, nullable=False, server_default="true"),
    Column("loan", Text, nullable=False, server_default=""),
    Column("number", Text, nullable=False, server_default=""),
    Column("agency", Text, nullable=False, server_default=""),
    _created(),
    UniqueConstraint("debtor", "at", "channel", "loan", "number", "agency"),
)

cases = Table(
    "cases",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("batch_id", BigInteger, ForeignKey("batches.id"), nullable=False),
    Column("case_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("gender", Text, nullable=False),
    Column("phone", Text),
    Column("sip_uri", Text),
    Column("bank", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("card_tail", Text, nullable=False),
    _yuan("amount_due"),
    _yuan("min_amount"),
    Column("due_date", Date, nullable=False),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("status", _one_of(CaseStatus), nullable=False, server_default=CaseStatus.OPEN.value),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("debtor", Text, ForeignKey("debtors.key"), nullable=False),
    _time("not_before"),
    Column("refused_by", ARRAY(Text)),
    _texts("other_phones"),  # the debtor's own
    _texts("contact_phones"),  # of people who are not the debtor
    Column("risk", Text, nullable=False, server_default=""),
    Column("paid", Numeric(14, 2), nullable=False, server_default="0"),
    _time("closed_at"),
    Column("email", Text),
    Column("push_token", Text),
    # What the strategy wants next; see voicebot.store.planning.
    Column("step", Text),
    Column("means", Text),
    Column("content", Text),
    Column("number", Text),
    Column("again", Boolean, nullable=False, server_default="false"),
    Column("handed_to", Text),
    Column("why", Text),
    _created(),
    UniqueConstraint("batch_id", "case_id"),
    CheckConstraint(
        "status IN ('open', 'claimed', 'done', 'failed', 'waiting', 'held', 'to_plan', 'to_send', 'handed', 'closed')",
        name="status",
    ),
    CheckConstraint("phone IS NOT NULL OR sip_uri IS NOT NULL", name="reachable"),
    Index("ix_cases_claim", "batch_id", "status", "priority", "id"),
    Index("ix_cases_debtor", "debtor"),
    Index("ix_cases_waiting", "batch_id", "status", "not_before"),
    Index("ix_cases_to_plan", "batch_id", "id", postgresql_where="status = 'to_plan'"),
    Index("ix_cases_to_send", "batch_id", "id", postgresql_where="status = 'to_send'"),
    Index("ix_cases_case_id", "case_id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Text, primary_key=True),  # <cases.id>:<n>, so that no case can have its n-th attempt twice
    Column("case_pk", BigInteger, ForeignKey("cases.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", _one_of(AttemptState), nullable=False),
    Column("boot", Text, nullable=False),
    _time("lease_until", nullable=False),
    _time("valid_until"),
    Column("dial_token", Text),
    _time("dialed_at"),
    _time("ended_at"),
    Column("kind", Text),
    Column("sip_code", Integer),
    Column("q850_cause", Integer),
    Column("early_media", Boolean),
    Column("step", Text),
    Column("again", Boolean, nullable=False, server_default="false"),
    Column("dialed", Text),  # the number, or the SIP address
    Column("disposition", Text),
    Column("trunk", Text),
    _created(),
    UniqueConstraint("case_pk", "number"),
    CheckConstraint("state IN ('permitted', 'dialing', 'done', 'lost', 'unknown')", name="state"),
    Index("ix_attempts_lease", "state", "lease_until"),
    Index("ix_attempts_trunk", "trunk", postgresql_where="state IN ('permitted', 'dialing')"),
)

trunks = Table(
    "trunks",
    metadata,
    Column("name", Text, primary_key=True),
    _time("next_at"),  # the next slot of its calls per second
    Column("failures", Integer, nullable=False, server_default="0"),  # one after the other
    _time("closed_until"),
    _created(),
)

sources = Table(
    "sources",
    metadata,
    Column("name", Text, primary_key=True),
    Column("columns", JSONB, nullable=False),  # what this source calls our fields: column name -> field
    _created(),
)

payments = Table(
    "payments",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("source", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    _yuan("amount"),
    _time("paid_at", nullable=False),
    _created(),
    UniqueConstraint("source", "reference"),
    CheckConstraint("amount > 0", name="amount"),
    Index("ix_payments_case_id", "case_id"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("case_pk", BigInteger, ForeignKey("cases.id"), nullable=False),
    Column("debtor", Text, ForeignKey("debtors.key"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("address", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),
    _time("lease_until", nullable=False),
    Column("pack", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("provider_id", Text),
    Column("error", Text),
    _created(),
    _time("sent_at"),
    _time("delivered_at"),
    CheckConstraint("state IN ('permitted', 'sent', 'delivered', 'failed', 'unknown')", name="state"),
    Index("ix_messages_case_pk", "case_pk"),
    Index("ix_messages_debtor", "debtor", "created_at"),
    Index("ix_messages_provider_id", "channel", "provider_id"),
    Index("ix_messages_lease", "lease_until", postgresql_where="state = 'permitted'"),
)

permits = Table(
    "permits",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("case_pk", BigInteger, ForeignKey("cases.id"), nullable=False),
    Column("attempt_id", Text, ForeignKey("attempts.id")),
    _time("at", nullable=False),
    Column("pack", Text, nullable=False),
    Column("version", Text, nullable=False),
    _texts("refused_by"),
    _time("next_allowed"),
    _created(),
    CheckConstraint("(attempt_id IS NOT NULL) = (refused_by = '{}')", name="decided"),
    Index("ix_permits_case_pk", "case_pk"),
)

calls = Table(
    "calls",
    metadata,
    Column("id", Text, primary_key=True),
    Column("attempt_id", Text, ForeignKey("attempts.id")),
    Column("case_pk", BigInteger, ForeignKey("cases.id")),
    Column("case_id", Text, nullable=False),
    Column("script", Text, nullable=False),
    _time("started_at", nullable=False),
    _time("answered_at"),
    _time("ended_at"),
    Column("disposition", Text),
    Column("flags", ARRAY(Text), nullable=False, server_default="{}"),
    Column("recording", Text),
    Column("log", Text),
    Column("turns", Integer),
    Column("response_ms", Integer),
    Index("ix_calls_attempt_id", "attempt_id"),
    Index("ix_calls_case_pk", "case_pk"),
)

promises = Table(
    "promises",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("call_id", Text, ForeignKey("calls.id"), nullable=False),
    Column("case_pk", BigInteger, ForeignKey("cases.id")),
    Column("case_id", Text, nullable=False),
    Column("pay_date", Date, nullable=False),
    _yuan("amount"),
    Column("partial", Boolean, nullable=False),
    Column("recording", Text, nullable=False),
    Column("said_turn", Integer, nullable=False),
    Column("said_text", Text, nullable=False),
    Column("from_sample", BigInteger, nullable=False),
    Column("to_sample", BigInteger, nullable=False),
    Column("confirmed_turn", Integer, nullable=False),
    Column("confirmed_text", Text, nullable=False),
    _created(),
    _time("withdrawn_at"),
    Column("withdrawn_text", Text),
    Column("withdrawn_from_sample", BigInteger),
    Column("withdrawn_to_sample", BigInteger),
    Column("outcome", Text),  # kept, broken; NULL: its day has not passed
    UniqueConstraint("call_id", "confirmed_turn"),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("0 <= from_sample AND from_sample < to_sample", name="span"),
    CheckConstraint(
        "(withdrawn_at IS NULL) = (withdrawn_text IS NULL) AND (withdrawn_at IS NULL) = (withdrawn_from_sample IS NULL)"
        " AND (withdrawn_at IS NULL) = (withdrawn_to_sample IS NULL)",
        name="withdrawn",
    ),
    CheckConstraint("outcome IN ('kept', 'broken')", name="outcome"),
    Index("ix_promises_case_pk", "case_pk"),
    Index("ix_promises_case_id", "case_id"),
    Index("ix_promises_pay_date", "pay_date"),
)

callbacks = Table(
    "callbacks",
    metadata,
    Column("call_id", Text, ForeignKey("calls.id"), primary_key=True),
    Column("case_pk", BigInteger, ForeignKey("cases.id")),
    Column("case_id", Text, nullable=False),
    _time("at"),
    Column("reason", Text, nullable=False),
    _created(),
    Index("ix_callbacks_at", "at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False),  # of the whole key, which is shown once and kept nowhere
    _texts("scopes"),
    _created(),
    _time("revoked_at"),
    UniqueConstraint("name"),
    UniqueConstraint("sha256"),
)

requests = Table(
    "requests",
    metadata,
    Column("api_key", BigInteger, ForeignKey("api_keys.id"), primary_key=True),
    Column("key", Text, primary_key=True),  # the caller's Idempotency-Key
    Column("sha256", Text, nullable=False),  # of what was asked
    Column("status", Integer),  # NULL: it is being answered
    Column("content_type", Text),
    Column("body", LargeBinary),
    _created(),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    _texts("events"),  # none: all of them
    _created(),
    _time("removed_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("webhook_id", BigInteger, ForeignKey("webhooks.id"), nullable=False),
    Column("event", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    _time("next_at"),  # NULL: delivered, or given up
    _time("delivered_at"),
    Column("last_answer", Text),
    _created(),
    Index("ix_deliveries_next_at", "next_at", postgresql_where="next_at IS NOT NULL"),
    Index("ix_deliveries_webhook_id", "webhook_id", "id"),
)
