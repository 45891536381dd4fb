"""What was paid, and what that means for cases and promises. The SQL behind it.

A payment counts for every case of its number that still owes: it lowers what is owed, closes what is paid, and has the
strategy think again. A promise is kept when what came in between its making and the end of its day covers it, and
broken when that day has passed without.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from voicebot.store import outbox
from voicebot.store.batches import promise_number
from voicebot.store.records import NewPayment, PaymentsLoaded

_ADD = text(
    """
    INSERT INTO payments (source, reference, case_id, amount, paid_at)
    SELECT * FROM unnest(CAST(:sources AS TEXT[]), CAST(:references AS TEXT[]), CAST(:cases AS TEXT[]),
                         CAST(:amounts AS NUMERIC[]), CAST(:times AS TIMESTAMPTZ[]))
    ON CONFLICT DO NOTHING RETURNING source, reference, case_id, amount, paid_at
    """
)
# Cases in the order of their keys, locked first: two loads never wait for each other in a circle.
_LOCK = text("SELECT id, case_id FROM cases WHERE case_id = ANY(:cases) AND closed_at IS NULL ORDER BY id FOR UPDATE")
_COUNT = text(
    """
    UPDATE cases c SET
        paid = least(c.amount_due, c.paid + g.amount),
        closed_at = CASE WHEN c.paid + g.amount >= c.amount_due THEN coalesce(CAST(:at AS TIMESTAMPTZ), now()) END,
        status = CASE
            WHEN c.status = 'claimed' THEN c.status
            WHEN b.campaign_id IS NOT NULL THEN 'to_plan'
            WHEN c.paid + g.amount >= c.amount_due THEN 'closed'
            ELSE c.status END
    FROM unnest(CAST(:ids AS BIGINT[]), CAST(:amounts AS NUMERIC[])) AS g (id, amount), batches b
    WHERE c.id = g.id AND b.id = c.batch_id
    RETURNING c.case_id, c.closed_at IS NOT NULL AS closed
    """
)
_SETTLE = text(
    """
    UPDATE promises p SET outcome = s.outcome
    FROM (
        SELECT p.id, CASE
            WHEN p.amount <= (
                SELECT coalesce(sum(m.amount), 0) FROM payments m
                WHERE m.case_id = p.case_id AND m.paid_at >= p.created_at
                  AND (m.paid_at AT TIME ZONE :zone)::date <= p.pay_date) THEN 'kept'
            WHEN p.pay_date < CAST(:today AS DATE) THEN 'broken' END AS outcome
        FROM promises p
        WHERE p.withdrawn_at IS NULL
          AND (CAST(:cases AS TEXT[]) IS NULL AND p.outcome IS NULL AND p.pay_date < CAST(:today AS DATE)
               OR p.case_id = ANY(:cases))
    ) s
    WHERE s.id = p.id AND p.outcome IS DISTINCT FROM s.outcome
    RETURNING p.id, p.case_id, p.pay_date, p.amount, p.outcome
    """
)


def add(db: Connection, payments: Sequence[NewPayment], zone: ZoneInfo, now: datetime) -> PaymentsLoaded:
    """The same payment twice counts once."""
    found = db.execute(
        _ADD,
        {
            "sources": [p.source for p in payments],
            "references": [p.reference for p in payments],
            "cases": [p.case_id for p in payments],
            "amounts": [p.amount for p in payments],
            "times": [p.paid_at for p in payments],
        },
    ).all()
    paid: dict[str, Decimal] = {}
    for row in found:
        paid[row.case_id] = paid.get(row.case_id, Decimal()) + row.amount
    open_cases = db.execute(_LOCK, {"cases": list(paid)}).all()
    counted = db.execute(
        _COUNT,
        {"ids": [c.id for c in open_cases], "amounts": [paid[c.case_id] for c in open_cases], "at": now},
    ).all()
    settle(db, zone, now, tuple(paid))
    outbox.emit(db, "payment.received", *(dict(row._mapping) for row in found))
    outbox.emit(db, "case.closed", *({"case_id": row.case_id, "at": now} for row in counted if row.closed))
    known = {c.case_id for c in open_cases}
    return PaymentsLoaded(
        new=len(found),
        already=len(payments) - len(found),
        unknown=sum(1 for row in found if row.case_id not in known),
        closed=sum(row.closed for row in counted),
    )


def settle(db: Connection, zone: ZoneInfo, now: datetime, cases: Sequence[str] | None = None) -> int:
    """Say of promises whether they were kept: of these cases, or of all whose day has passed. How many changed."""
    today = now.astimezone(zone).date()
    values = {"zone": zone.key, "today": today, "cases": None if cases is None else list(cases)}
    changed = db.execute(_SETTLE, values).all()
    for outcome in ("kept", "broken"):
        told = [{**row._mapping, "id": promise_number(row.id)} for row in changed if row.outcome == outcome]
        outbox.emit(db, f"promise.{outcome}", *told)
    return len(changed)
