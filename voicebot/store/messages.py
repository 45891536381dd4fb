"""Messages: taken under the same gate as dials, sent once, known by their provider's number. The SQL behind it.

    permitted --sent--> sent --receipt--> delivered | failed
        |       └─────> failed (refused for certain) | unknown (perhaps sent: never sent again)
        | lease over
        v
      unknown

Whatever becomes of it, the strategy goes on from there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from voicebot.compliance import Channel, Permit, Request, judge
from voicebot.store import permits
from voicebot.store.errors import NotFound
from voicebot.store.permits import Claimer
from voicebot.store.records import MessageClaim

STATES = ("sent", "delivered", "failed", "unknown")
OPTS_OUT = re.compile(r"^\s*(?:TD|T|N|退订|不要|取消|STOP)\s*[。.!！]?\s*$", re.IGNORECASE)
"""A reply that wants no more messages."""

_DUE = text(
    """
    SELECT c.*, b.script FROM cases c JOIN batches b ON b.id = c.batch_id
    WHERE c.batch_id = :batch AND c.status = 'to_send' AND c.means = ANY(:channels)
    ORDER BY c.priority, c.id LIMIT :k
    FOR UPDATE OF c SKIP LOCKED
    """
)
_BOOK = text(
    """
    WITH taken AS (
        UPDATE cases SET status = 'claimed', not_before = NULL, refused_by = NULL WHERE id = :case RETURNING id
    )
    INSERT INTO messages (case_pk, debtor, channel, step, template, address, state, lease_until, pack, version,
                          created_at)
    SELECT id, :debtor, :channel, :step, :template, :address, 'permitted',
           now() + make_interval(secs => :lease_s), :pack, :version, :at
    FROM taken RETURNING id
    """
)
_ENDED = text(
    """
    WITH ended AS (
        UPDATE messages SET state = :state, sent_at = CASE WHEN :state = 'sent' THEN coalesce(:at, now()) END,
            provider_id = CASE WHEN :state = 'sent' THEN CAST(:told AS TEXT) END,
            error = CASE WHEN :state <> 'sent' THEN CAST(:told AS TEXT) END
        WHERE id = :id AND state IN ('permitted', 'unknown') RETURNING case_pk
    ), freed AS (
        UPDATE cases SET status = 'to_plan' WHERE id IN (SELECT case_pk FROM ended)
        AND status IN ('claimed', 'to_plan', 'waiting', 'open', 'to_send', 'done')
    )
    SELECT count(*) FROM ended
    """
)
_REAP = text(
    """
    WITH over AS (
        UPDATE messages SET state = 'unknown', error = 'its sender vanished'
        WHERE id IN (SELECT id FROM messages WHERE state = 'permitted' AND lease_until < now() FOR UPDATE SKIP LOCKED)
        RETURNING case_pk
    ), freed AS (
        UPDATE cases SET status = 'to_plan' WHERE id IN (SELECT case_pk FROM over) AND status = 'claimed'
    )
    SELECT count(*) FROM over
    """
)
_RECEIPT = text(
    """
    UPDATE messages SET state = :state, delivered_at = CASE WHEN :state = 'delivered' THEN now() END,
        error = coalesce(CAST(:error AS TEXT), error)
    WHERE channel = :channel AND provider_id = :provider_id AND state IN ('sent', 'unknown', 'delivered', 'failed')
    """
)
_OPT_OUT = text(
    """
    SELECT DISTINCT debtor FROM cases WHERE phone = :number OR :number = ANY(other_phones) ORDER BY debtor
    """
)


def claim(db: Connection, by: Claimer, k: int, channels: Sequence[Channel]) -> tuple[list[MessageClaim], int]:
    """Judge up to `k` due messages of the batch: (those permitted, booked; how many were judged)."""
    at = (by.now or db.execute(text("SELECT clock_timestamp()")).scalar_one()).astimezone(by.zone)
    permits.wake(db, by.batch_id, at)
    due = db.execute(_DUE, {"batch": by.batch_id, "k": k, "channels": [c.value for c in channels]}).all()
    if not due:
        return [], 0
    known = permits.facts_of(db, {row.debtor for row in due}, by.pack, at, at.date(), lock=True)
    claims = []
    for row in due:
        channel = Channel(row.means)
        address = _address(row, channel)
        request = Request(at, channel, loan=row.case_id, number=address)
        judged = judge(by.pack, known[row.debtor], request)
        if isinstance(judged, Permit):
            claims.append(_book(db, by, row, judged, at, channel, address))
            known[row.debtor] = permits.contacted(known[row.debtor], request)
        else:
            permits.put_off(db, row.id, judged, at)
    return claims, len(due)


def _book(
    db: Connection, by: Claimer, row: Any, permit: Permit, at: datetime, channel: Channel, address: str
) -> MessageClaim:
    values = {
        "case": row.id,
        "debtor": row.debtor,
        "channel": channel.value,
        "step": row.step,
        "template": row.content,
        "address": address,
        "lease_s": by.lease_s,
        "pack": permit.pack,
        "version": permit.version,
        "at": at,
    }
    number = int(db.execute(_BOOK, values).scalar_one())
    facts = permits.case_row(row).facts(at.date())
    return MessageClaim(number, channel, row.step, row.content, address, facts)


def _address(row: Any, channel: Channel) -> str:
    match channel:
        case Channel.SMS:
            return row.number or row.phone or ""
        case Channel.EMAIL:
            return row.email or ""
        case Channel.PUSH:
            return row.push_token or ""
    return ""


def ended(db: Connection, message_id: int, state: str, told: str, at: datetime | None) -> bool:
    """sent, failed or unknown; `told`: the provider's number, or why. False: it had its ending already."""
    assert state in ("sent", "failed", "unknown"), state
    values = {"id": message_id, "state": state, "told": told, "at": at}
    return bool(db.execute(_ENDED, values).scalar_one())


def reap(db: Connection) -> int:
    """Messages whose sender vanished become unknown."""
    return int(db.execute(_REAP).scalar_one())


def receipt(db: Connection, channel: Channel, provider_id: str, state: str, error: str | None) -> None:
    """What the provider says became of it: delivered or failed. Raises NotFound."""
    values = {"channel": channel.value, "provider_id": provider_id, "state": state, "error": error}
    if db.execute(_RECEIPT, values).rowcount == 0:
        raise NotFound(f"{channel} {provider_id}: no such message was sent")


def replied(db: Connection, number: str, words: str) -> int:
    """Somebody answered a message. Debtors who want no more of them get none; how many that are."""
    if not OPTS_OUT.match(words):
        return 0
    debtors = db.execute(_OPT_OUT, {"number": number}).scalars().all()
    for debtor in debtors:
        permits.change(db, debtor, {"opted_out": [Channel.SMS.value]})
    return len(debtors)
