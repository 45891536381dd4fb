"""What other systems are told, and whether they heard it. The SQL behind webhooks.

What happened and that it is to be told are written in one transaction; a delivery is tried until it is answered with
2xx, with growing pauses, for three days. So every event arrives at least once: its `id` tells a repeat.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from voicebot.store.errors import NotFound
from voicebot.store.tables import webhooks

EVENTS = (
    "call.ended",
    "promise.made",
    "promise.withdrawn",
    "promise.kept",
    "promise.broken",
    "payment.received",
    "case.closed",
    "case.handed",
)
LONGEST_PAUSE_S = 6 * 3600
TRIES = 24  # doubling from five seconds to six hours: about three days
_ANSWER_S = 60  # one that is being tried is nobody else's for so long

_EMIT = text(
    """
    INSERT INTO deliveries (webhook_id, event, payload, next_at)
    SELECT w.id, CAST(:event AS TEXT), p.payload, now()
    FROM webhooks w CROSS JOIN unnest(CAST(:payloads AS JSONB[])) WITH ORDINALITY AS p (payload, n)
    WHERE w.removed_at IS NULL AND (w.events = '{}' OR CAST(:event AS TEXT) = ANY(w.events))
    ORDER BY p.n
    """
)
_ANYBODY = text("SELECT FROM webhooks WHERE removed_at IS NULL LIMIT 1")
_TAKE = text(
    """
    UPDATE deliveries d SET tries = d.tries + 1, next_at = now() + make_interval(secs => :answer_s)
    FROM webhooks w
    WHERE d.id IN (
        SELECT id FROM deliveries WHERE next_at <= now() ORDER BY next_at LIMIT :k FOR UPDATE SKIP LOCKED)
      AND w.id = d.webhook_id
    RETURNING d.id, d.event, d.payload, d.created_at, d.tries, w.url, w.secret
    """
)
_ANSWERED = text(
    """
    UPDATE deliveries SET last_answer = :answer,
        delivered_at = CASE WHEN :good THEN now() END,
        next_at = CASE WHEN :good OR tries >= :most THEN NULL
                       ELSE now() + make_interval(secs => least(:longest, 5 * power(2, tries - 1))) END
    WHERE id = :id AND delivered_at IS NULL
    """
)
_REMOVE = text("UPDATE webhooks SET removed_at = coalesce(removed_at, now()) WHERE id = :id")
_FORGET = text("UPDATE deliveries SET next_at = NULL WHERE webhook_id = :id")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one webhook, on its way."""

    delivery_id: int
    event: str
    payload: Mapping[str, Any]
    created_at: datetime
    tries: int
    url: str
    secret: str


def emit(db: Connection, event: str, *payloads: Mapping[str, object]) -> None:
    """To be told to every webhook that wants it, once this transaction is committed."""
    assert event in EVENTS, event
    if not payloads or db.execute(_ANYBODY).first() is None:
        return
    told = [json.dumps(dict(p), default=_plain, ensure_ascii=False) for p in payloads]
    db.execute(_EMIT, {"event": event, "payloads": told})


def take(db: Connection, k: int) -> list[Delivery]:
    """Deliveries that are due; nobody else gets them for a minute."""
    rows = db.execute(_TAKE, {"k": k, "answer_s": _ANSWER_S})
    return [Delivery(r.id, r.event, r.payload, r.created_at, r.tries, r.url, r.secret) for r in rows]


def answered(db: Connection, delivery_id: int, answer: str, *, good: bool) -> None:
    values = {"id": delivery_id, "answer": answer[:500], "good": good, "most": TRIES, "longest": LONGEST_PAUSE_S}
    db.execute(_ANSWERED, values)


def add_webhook(db: Connection, url: str, secret: str, events: Sequence[str]) -> int:
    new = insert(webhooks).values(url=url, secret=secret, events=list(events)).returning(webhooks.c.id)
    return int(db.execute(new).scalar_one())


def remove_webhook(db: Connection, webhook_id: int) -> None:
    """What is still to be delivered to it is forgotten. Raises NotFound."""
    found = db.execute(select(webhooks.c.id).where(webhooks.c.id == webhook_id, webhooks.c.removed_at.is_(None)))
    if found.first() is None:
        raise NotFound(f"webhook {webhook_id}: no such webhook")
    db.execute(_REMOVE, {"id": webhook_id})
    db.execute(_FORGET, {"id": webhook_id})


def _plain(value: object) -> str:
    """JSON of what is no JSON: money as text, so that no reader makes a binary fraction of it."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)
