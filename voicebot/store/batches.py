"""Which cases does a batch hold, and how far is it? The SQL behind loading and reporting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from dialogue.acts import Disposition
from voicebot.cases.model import CaseRow
from voicebot.store.errors import NotFound
from voicebot.store.records import AttemptState, BatchProgress, CaseStatus, ReportRow
from voicebot.store.tables import batches

SOON_S = 900.0  # a case that may be called again within this time keeps its batch running


def open_batch(db: Connection, name: str, sha256: str, script: str, round_: str, campaign_id: int | None = None) -> int:
    """The batch of that file, script and round; made on first sight. In a campaign the round is the campaign's."""
    key = {"sha256": sha256, "script": script, "round": round_}
    db.execute(insert(batches).values(name=name, campaign_id=campaign_id, **key).on_conflict_do_nothing())
    found = select(batches.c.id).filter_by(**key)
    return int(db.execute(found).scalar_one())


_COLUMNS = {
    "case_id": "TEXT",
    "name": "TEXT",
    "gender": "TEXT",
    "phone": "TEXT",
    "sip_uri": "TEXT",
    "bank": "TEXT",
    "product": "TEXT",
    "card_tail": "TEXT",
    "amount_due": "NUMERIC",
    "min_amount": "NUMERIC",
    "due_date": "DATE",
    "priority": "INTEGER",
    "debtor_key": "TEXT",
    "email": "TEXT",
    "push_token": "TEXT",
    "risk": "TEXT",
    "other_phones_text": "TEXT",
    "contact_phones_text": "TEXT",
}
"""Of a CaseRow."""

_GIVEN = f"""
    WITH given AS (
        SELECT * FROM unnest({", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _COLUMNS.items())})
            AS g ({", ".join(_COLUMNS)})
    ), people AS (
        INSERT INTO debtors (key) SELECT DISTINCT debtor_key FROM given ORDER BY 1 ON CONFLICT DO NOTHING
    )"""
_INTO = """
        INSERT INTO cases (batch_id, case_id, name, gender, phone, sip_uri, bank, product, card_tail, amount_due,
                           min_amount, due_date, priority, debtor, email, push_token, risk, other_phones,
                           contact_phones, status)
        SELECT :batch, case_id, name, gender, phone, sip_uri, bank, product, card_tail, amount_due, min_amount,
               due_date, priority, debtor_key, email, push_token, risk, string_to_array(other_phones_text, ' '),
               string_to_array(contact_phones_text, ' '), CAST(:status AS TEXT)"""
_ADD = text(
    f"""{_GIVEN}, added AS ({_INTO}
        FROM given ON CONFLICT DO NOTHING RETURNING id
    )
    SELECT count(*) FROM added
    """
)
_ADD_TO_CAMPAIGN = text(
    f"""{_GIVEN}, known AS (
        SELECT c.id, c.case_id, c.batch_id, c.status FROM cases c JOIN batches b ON b.id = c.batch_id
        WHERE b.campaign_id = :campaign AND c.case_id IN (SELECT case_id FROM given)
    ), renewed AS (
        -- A newer file names a case that is here: what it says holds from now on, the history stays.
        UPDATE cases c SET
            batch_id = :batch, name = g.name, gender = g.gender, phone = g.phone, sip_uri = g.sip_uri,
            amount_due = g.amount_due, min_amount = g.min_amount, due_date = g.due_date, priority = g.priority,
            email = g.email, push_token = g.push_token, risk = g.risk,
            other_phones = string_to_array(g.other_phones_text, ' '),
            contact_phones = string_to_array(g.contact_phones_text, ' '), paid = 0, closed_at = NULL,
            status = CASE WHEN c.status = 'claimed' THEN c.status ELSE 'to_plan' END
        FROM given g, known k WHERE k.case_id = g.case_id AND c.id = k.id AND k.batch_id < :batch
    ), added AS ({_INTO}
        FROM given WHERE case_id NOT IN (SELECT case_id FROM known) ON CONFLICT DO NOTHING RETURNING id
    )
    SELECT count(*) FROM added
    """
)


def add_cases(db: Connection, batch_id: int, rows: Sequence[CaseRow], campaign_id: int | None = None) -> int:
    """How many of the rows were new. In a campaign a case that an older file brought takes on what this one says."""
    values: dict[str, object] = {name: [getattr(r, name) for r in rows] for name in _COLUMNS}
    values |= {"batch": batch_id, "status": CaseStatus.OPEN.value}
    if campaign_id is None:
        return int(db.execute(_ADD, values).scalar_one())
    values |= {"campaign": campaign_id, "status": CaseStatus.TO_PLAN.value}
    return int(db.execute(_ADD_TO_CAMPAIGN, values).scalar_one())


_PROGRESS = text(
    """
    SELECT status, count(*) AS n,
           count(*) FILTER (
               WHERE status = 'waiting'
               AND not_before <= coalesce(CAST(:at AS TIMESTAMPTZ), now()) + make_interval(secs => :soon)) AS soon
    FROM cases WHERE batch_id = :batch GROUP BY status
    """
)


def progress(db: Connection, batch_id: int, at: datetime | None) -> BatchProgress:
    """`at`: None for the database's clock."""
    counted = db.execute(_PROGRESS, {"batch": batch_id, "at": at, "soon": SOON_S}).all()
    if not counted and db.execute(select(batches.c.id).where(batches.c.id == batch_id)).first() is None:
        raise NotFound(f"batch {batch_id}: no such batch")
    return BatchProgress(
        **{s.value: 0 for s in CaseStatus} | {r.status: r.n for r in counted}, soon=sum(r.soon for r in counted)
    )


_REPORT = text(
    """
    SELECT c.case_id, c.name, c.phone, c.sip_uri, c.amount_due, c.due_date, c.status, c.attempts,
           a.state AS attempt_state, a.dialed_at, a.kind AS outcome, a.sip_code,
           a.disposition AS line_disposition,
           l.id AS call_id, l.answered_at, l.ended_at, l.disposition, l.flags, l.turns, l.response_ms,
           p.id AS promise_pk, p.pay_date AS promised_date, p.amount AS promised_amount, p.partial AS promised_partial,
           b.call_id IS NOT NULL AS callback_booked, b.at AS callback_at, l.recording, l.log,
           c.not_before, c.refused_by
    FROM cases c
    LEFT JOIN attempts a ON a.case_pk = c.id AND a.number = c.attempts
    LEFT JOIN LATERAL (
        SELECT * FROM calls WHERE calls.attempt_id = a.id ORDER BY started_at DESC, id DESC LIMIT 1) l ON true
    LEFT JOIN LATERAL (
        SELECT * FROM promises WHERE promises.call_id = l.id AND withdrawn_at IS NULL
        ORDER BY confirmed_turn DESC LIMIT 1) p ON true
    LEFT JOIN callbacks b ON b.call_id = l.id
    WHERE c.batch_id = :batch
    ORDER BY c.priority, c.id
    """
)


def report(db: Connection, batch_id: int) -> Iterator[ReportRow]:
    for r in db.execution_options(yield_per=500).execute(_REPORT, {"batch": batch_id}).mappings():
        row = dict(r)
        promise_pk = row.pop("promise_pk")
        yield ReportRow(
            **row
            | {
                "status": CaseStatus(row["status"]),
                "attempt_state": AttemptState(row["attempt_state"]) if row["attempt_state"] else None,
                "disposition": Disposition(row["disposition"]) if row["disposition"] else None,
                "line_disposition": Disposition(row["line_disposition"]) if row["line_disposition"] else None,
                "flags": tuple(row["flags"] or ()),
                "refused_by": tuple(row["refused_by"] or ()),
                "promise_id": promise_number(promise_pk) if promise_pk else None,
                "recording": Path(row["recording"]) if row["recording"] else None,
                "log": Path(row["log"]) if row["log"] else None,
            }
        )


def promise_number(key: int) -> str:
    """What people call a promise: P00000042."""
    return f"P{key:08d}"


def promise_key(number: str) -> int:
    """The way back. Raises NotFound for what was never a promise's number."""
    if not (number.startswith("P") and number[1:].isdecimal()):
        raise NotFound(f"promise {number}: expected a number like P00000042")
    return int(number[1:])
