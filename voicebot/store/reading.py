"""Lists for people and programs that look: page by page, newest first, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from voicebot.store.batches import promise_number

Row = dict[str, Any]

_CASES = """
    SELECT c.id, c.case_id, k.name AS campaign, c.batch_id, c.debtor, c.name, c.product, c.card_tail, c.amount_due,
           c.min_amount, c.paid, c.due_date, c.phone, c.other_phones, c.risk, c.priority, c.status, c.attempts,
           c.step, c.means, c.content, c.number, c.not_before, c.refused_by, c.handed_to, c.why, c.closed_at,
           c.created_at
    FROM cases c JOIN batches b ON b.id = c.batch_id LEFT JOIN campaigns k ON k.id = b.campaign_id
"""
_LISTS = {
    "batches": (
        """
        SELECT b.id, b.name, k.name AS campaign, b.script, b.created_at,
               (SELECT count(*) FROM cases c WHERE c.batch_id = b.id) AS cases
        FROM batches b LEFT JOIN campaigns k ON k.id = b.campaign_id
        """,
        {"campaign": "k.name"},
        "b.id",
    ),
    "cases": (
        _CASES,
        {"campaign": "k.name", "status": "c.status", "case_id": "c.case_id", "debtor": "c.debtor"},
        "c.id",
    ),
    "calls": (
        """
        SELECT l.id, l.case_id, l.attempt_id, l.script, l.started_at, l.answered_at, l.ended_at, l.disposition,
               l.flags, l.turns, l.response_ms, l.recording FROM calls l
        """,
        {"case_id": "l.case_id", "disposition": "l.disposition"},
        "l.id",
    ),
    "attempts": (
        """
        SELECT a.id, c.case_id, a.number, a.state, a.step, a.dialed, a.created_at, a.dialed_at, a.ended_at, a.kind,
               a.sip_code, a.disposition FROM attempts a JOIN cases c ON c.id = a.case_pk
        """,
        {"case_id": "c.case_id"},
        "a.id",
    ),
    "promises": (
        """
        SELECT p.id, p.call_id, p.case_id, p.pay_date, p.amount, p.partial, p.said_text, p.confirmed_text,
               p.from_sample, p.to_sample, p.recording, p.outcome, p.created_at, p.withdrawn_at FROM promises p
        """,
        {"case_id": "p.case_id", "outcome": "p.outcome"},
        "p.id",
    ),
    "payments": (
        "SELECT m.id, m.source, m.reference, m.case_id, m.amount, m.paid_at, m.created_at FROM payments m",
        {"case_id": "m.case_id"},
        "m.id",
    ),
    "messages": (
        """
        SELECT g.id, c.case_id, g.channel, g.step, g.template, g.address, g.state, g.provider_id, g.error,
               g.created_at, g.sent_at, g.delivered_at FROM messages g JOIN cases c ON c.id = g.case_pk
        """,
        {"case_id": "c.case_id"},
        "g.id",
    ),
    "permits": (
        """
        SELECT p.id, c.case_id, p.attempt_id, p.at, p.pack, p.version, p.refused_by, p.next_allowed
        FROM permits p JOIN cases c ON c.id = p.case_pk
        """,
        {"case_id": "c.case_id"},
        "p.id",
    ),
    "webhooks": ("SELECT w.id, w.url, w.events, w.created_at FROM webhooks w WHERE w.removed_at IS NULL", {}, "w.id"),
    "deliveries": (
        """
        SELECT d.id, d.webhook_id, d.event, d.payload, d.tries, d.next_at, d.delivered_at, d.last_answer, d.created_at
        FROM deliveries d
        """,
        {"webhook_id": "d.webhook_id"},
        "d.id",
    ),
}
"""Of each list: what is read, by what it may be filtered, in which order."""


@dataclass(frozen=True, slots=True)
class Page:
    """`after`: what to ask for the next page with; None on the last one."""

    items: tuple[Row, ...]
    after: str | None


def page(db: Connection, name: str, filters: Mapping[str, object], after: str | None, limit: int) -> Page:
    """`after`: the last id of the page before, of the type that the list's ids have."""
    query, allowed, key = _LISTS[name]
    wanted = {f: v for f, v in filters.items() if v is not None}
    where = [f"{allowed[f]} = :{f}" for f in wanted]
    values: dict[str, object] = {**wanted, "limit": limit + 1}
    if after is not None:
        where.append(f"{key} < :after")
        values["after"] = after if name in TEXT_IDS else int(after)
    joined = " AND ".join(where)
    glue = " AND " if " WHERE " in query else " WHERE "
    found = db.execute(text(f"{query}{glue + joined if where else ''} ORDER BY {key} DESC LIMIT :limit"), values)
    rows = [dict(r) for r in found.mappings()]
    more = len(rows) > limit
    rows = rows[:limit]
    last = str(rows[-1]["id"]) if more else None
    return Page(tuple(map(_shown, rows)), last)


TEXT_IDS = ("calls", "attempts")


def _shown(row: Row) -> Row:
    if "pay_date" in row:
        row["id"] = promise_number(row["id"])
    return row
