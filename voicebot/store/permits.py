"""Who may be dialled now, once, and within the law? The one gate before every dial, in one transaction.

    wake what waited long enough
    take due cases ── FOR UPDATE SKIP LOCKED: no other claimer has them
    lock their debtors ── in the order of their keys: two claimers never wait for each other in a circle
    read what was done to those debtors, by whomever, committed before the lock was theirs
    judge each ──┬── permitted: the attempt with its lease, and a contact more for the debtor's next case
                 └── refused: waiting until the next allowed moment, or held where waiting does not help
    keep every decision

A debtor is one row whatever loans, batches and agencies name them, and counts are read under its lock: no cap can be
passed by two workers at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from voicebot.cases.model import CaseRow
from voicebot.compliance import (
    Channel,
    Consent,
    Contact,
    Facts,
    Pack,
    Permit,
    Refusal,
    Request,
    Status,
    judge,
)
from voicebot.settings import Trunk
from voicebot.store import campaigns, trunks
from voicebot.store.errors import NotFound
from voicebot.store.records import Campaign, Claim

ROUNDS = 16  # transactions of one claim, as long as cases are refused
_MOST_AT_ONCE = 64  # cases judged in a transaction: a night's refusals must not hold locks for long
_WOKEN = 256

_WAKE = text(
    """
    UPDATE cases SET status = CASE
        -- What the gate put off may have become pointless meanwhile: the strategy is asked again.
        WHEN step IS NOT NULL AND (refused_by IS NOT NULL OR means IN ('person', 'agency', 'mediation', 'litigation'))
            THEN 'to_plan'
        WHEN coalesce(means, 'voice') = 'voice' THEN 'open' ELSE 'to_send' END
    WHERE id IN (
        SELECT id FROM cases WHERE batch_id = :batch AND status = 'waiting' AND not_before <= :at
        ORDER BY not_before LIMIT :k FOR UPDATE SKIP LOCKED)
    """
)
_DUE = text(
    """
    SELECT c.*, b.script FROM cases c JOIN batches b ON b.id = c.batch_id
    WHERE c.batch_id = :batch AND c.status = 'open'
    ORDER BY c.priority, c.id LIMIT :k
    FOR UPDATE OF c SKIP LOCKED
    """
)
_PLAN_AGAIN = text("UPDATE cases SET status = 'to_plan' WHERE id = ANY(:cases)")
_DEBTORS = text("SELECT * FROM debtors WHERE key = ANY(:keys) ORDER BY key")
_DEBTORS_LOCKED = text("SELECT * FROM debtors WHERE key = ANY(:keys) ORDER BY key FOR UPDATE")
_HISTORY = text(
    """
    SELECT c.debtor, 'voice' AS channel, true AS outbound,
           -- One that is booked and not yet dialled may be dialled at any moment: it counts as now.
           CASE WHEN a.state = 'permitted' THEN greatest(a.created_at, CAST(:at AS TIMESTAMPTZ))
                ELSE coalesce(a.dialed_at, a.created_at) END AS at,
           CASE WHEN a.state = 'done' THEN a.kind = 'answered' END AS reached,
           c.case_id AS loan, coalesce(a.dialed, c.phone, c.sip_uri) AS number, '' AS agency
    FROM cases c JOIN attempts a ON a.case_pk = c.id
    WHERE c.debtor = ANY(:keys) AND a.state <> 'lost' AND a.created_at >= :since
    UNION ALL
    SELECT m.debtor, m.channel, true, m.created_at, CASE WHEN m.state = 'delivered' THEN true ELSE false END,
           c.case_id, m.address, ''
    FROM messages m JOIN cases c ON c.id = m.case_pk
    WHERE m.debtor = ANY(:keys) AND m.state <> 'failed' AND m.created_at >= :since
    UNION ALL
    SELECT debtor, channel, outbound, at, reached, loan, number, agency
    FROM outside_contacts WHERE debtor = ANY(:keys) AND at >= :since
    """
)
_PROMISED = text(
    """
    SELECT DISTINCT c.debtor FROM promises p JOIN cases c ON c.id = p.case_pk
    WHERE c.debtor = ANY(:keys) AND p.withdrawn_at IS NULL AND p.pay_date >= :today
    """
)
_BOOK = text(
    """
    WITH taken AS (
        UPDATE cases SET status = 'claimed', attempts = attempts + 1, not_before = NULL, refused_by = NULL
        WHERE id = :case_pk RETURNING id, attempts, step, again, number
    ), attempt AS (
        INSERT INTO attempts (
            id, case_pk, number, state, boot, lease_until, valid_until, created_at, step, again, dialed,
            trunk)
        SELECT id || ':' || attempts, id, attempts, 'permitted', :boot,
               now() + make_interval(secs => :lease_s), :valid_until, :at, step, again, coalesce(number, :number),
               :trunk
        FROM taken RETURNING id, case_pk
    ), kept AS (
        INSERT INTO permits (case_pk, attempt_id, at, pack, version)
        SELECT case_pk, id, :at, :pack, :version FROM attempt
    )
    SELECT id FROM attempt
    """
)
_PUT_OFF = text(
    """
    WITH kept AS (
        INSERT INTO permits (case_pk, at, pack, version, refused_by, next_allowed)
        VALUES (:case_pk, :at, :pack, :version, :rules, :next)
    )
    UPDATE cases SET status = CASE WHEN CAST(:next AS TIMESTAMPTZ) IS NULL THEN 'held' ELSE 'waiting' END,
                     not_before = :next, refused_by = :rules
    WHERE id = :case_pk
    """
)


@dataclass(frozen=True, slots=True)
class Claimer:
    """Who claims, from which batch, under which rules. `now`: None for the database's clock."""

    batch_id: int
    boot: str
    lease_s: float
    pack: Pack
    zone: ZoneInfo  # the bank's
    now: datetime | None = None
    campaign: Campaign | None = None  # whose lines are not to be passed
    trunks: tuple[Trunk, ...] = ()  # nor these; none: there is one way out and it is not counted


def claim(db: Connection, by: Claimer, k: int) -> tuple[list[Claim], int]:
    """Judge up to `k` due cases of the batch: (those permitted, booked; how many were judged).

    One round only: a transaction that locked more debtors after its first ones could wait for one that does the same.
    """
    at = (by.now or db.execute(text("SELECT clock_timestamp()")).scalar_one()).astimezone(by.zone)
    today = at.date()
    if by.campaign is not None and (free := campaigns.free_lines(db, by.campaign)) is not None:
        k = min(k, free)
        if not k:
            return [], 0
    room = trunks.free(db, by.trunks) if by.trunks else {}
    if by.trunks and not (k := min(k, sum(room.values()))):
        return [], 0
    wake(db, by.batch_id, at)
    due = db.execute(_DUE, {"batch": by.batch_id, "k": min(k, _MOST_AT_ONCE)}).all()
    if not due:
        return [], 0
    claims = []
    stale = [row.id for row in due if _is_stale(row, at)]
    if stale:
        db.execute(_PLAN_AGAIN, {"cases": stale})
        due = [row for row in due if row.id not in set(stale)]
    known = facts_of(db, {row.debtor for row in due}, by.pack, at, today, lock=True)
    for row in due:
        request = request_for(row, at)
        judged = judge(by.pack, known[row.debtor], request)
        if isinstance(judged, Permit):
            trunk = max(room, key=lambda name: room[name]) if room else None
            if trunk is not None:
                room[trunk] -= 1
            claims.append(_book(db, by, row, judged, at, trunk))
            known[row.debtor] = contacted(known[row.debtor], request)
        else:
            put_off(db, row.id, judged, at)
    return claims, len(due) + len(stale)


def wake(db: Connection, batch_id: int, at: datetime) -> None:
    """What waited for a moment that has come is due."""
    db.execute(_WAKE, {"batch": batch_id, "at": at, "k": _WOKEN})


def _is_stale(case: Any, at: datetime) -> bool:
    """Was this planned for a day that has passed, while no line was free?"""
    if case.step is None or case.not_before is None:
        return False
    return bool(case.not_before.astimezone(at.tzinfo).date() < at.date())


def request_for(case: Any, at: datetime) -> Request:
    """The wish to call this case's number for this case's loan."""
    return Request(at, Channel.VOICE, loan=case.case_id, number=_number(case))


def _number(case: Any) -> str:
    return str(case.number or case.sip_uri or case.phone)


def facts_of(
    db: Connection, debtors: Iterable[str], pack: Pack, at: datetime, today: date, *, lock: bool = False
) -> dict[str, Facts]:
    """All that is known about these debtors, as far back as any rule of the pack looks."""
    keys = sorted(debtors)
    rows = db.execute(_DEBTORS_LOCKED if lock else _DEBTORS, {"keys": keys}).all()
    since = at - timedelta(days=2 + max((r.days + r.seconds // 86400 for r in pack.rules), default=0))
    contacts: dict[str, list[Contact]] = defaultdict(list)
    for c in db.execute(_HISTORY, {"keys": keys, "since": since, "at": at}):
        contacts[c.debtor].append(Contact(c.at, Channel(c.channel), c.reached, c.outbound, c.loan, c.number, c.agency))
    promised = set(db.execute(_PROMISED, {"keys": keys, "today": today}).scalars())
    return {
        r.key: Facts(
            debtor=r.key,
            zone=r.zone,
            contacts=tuple(contacts[r.key]),
            statuses=frozenset(map(Status, r.statuses)) | ({Status.PROMISE} if r.key in promised else set()),
            consents=frozenset(map(Consent, r.consents)),
            do_not_call=frozenset(r.do_not_call),
            opted_out=frozenset(map(Channel, r.opted_out)),
            unreachable=r.unreachable,
        )
        for r in rows
    }


def contacted(facts: Facts, request: Request) -> Facts:
    """With the contact that was just permitted, whose end nobody knows yet."""
    assert facts.contacts is not None
    new = Contact(request.now, request.channel, None, loan=request.loan, number=request.number)
    return replace(facts, contacts=(*facts.contacts, new))


def _book(db: Connection, by: Claimer, row: Any, permit: Permit, at: datetime, trunk: str | None) -> Claim:
    values = {
        "case_pk": row.id,
        "boot": by.boot,
        "lease_s": by.lease_s,
        "valid_until": permit.valid_until,
        "at": at,
        "pack": permit.pack,
        "version": permit.version,
        "number": _number(row),
        "trunk": trunk,
    }
    attempt_id = db.execute(_BOOK, values).scalar_one()
    return Claim(
        attempt_id=attempt_id,
        batch_id=row.batch_id,
        case=case_row(row).facts(at.date()),
        phone=row.phone,
        sip_uri=row.sip_uri,
        script=row.content or row.script,
        valid_until=permit.valid_until,
        number=row.number,
        trunk=trunk,
    )


def put_off(db: Connection, case_pk: int, refusal: Refusal, at: datetime) -> None:
    values = {
        "case_pk": case_pk,
        "at": at,
        "pack": refusal.pack,
        "version": refusal.version,
        "rules": [o.rule for o in refusal.objections],
        "next": refusal.next_allowed,
    }
    db.execute(_PUT_OFF, values)


def case_row(row: Any) -> CaseRow:
    """The case as it is owed now."""
    return CaseRow(
        case_id=row.case_id,
        name=row.name,
        gender=row.gender,
        bank=row.bank,
        product=row.product,
        card_tail=row.card_tail,
        amount_due=(owed := row.amount_due - row.paid),
        # What was paid counts against the smallest part first; once that is covered, the rest is asked for.
        min_amount=max(row.min_amount - row.paid, 0) or owed,
        due_date=row.due_date,
        phone=row.phone,
        sip_uri=row.sip_uri,
        priority=row.priority,
        debtor=row.debtor,
    )


# ---- what is known of a debtor ------------------------------------------------------------------------------------

_KNOWN = ("statuses", "consents", "do_not_call", "opted_out")
_ADD = {
    name: text(
        f"UPDATE debtors SET {name} = ARRAY(SELECT DISTINCT unnest({name} || CAST(:values AS TEXT[])) ORDER BY 1) "
        "WHERE key = :key"
    )
    for name in _KNOWN
}
_REMOVE = {
    name: text(
        f"UPDATE debtors SET {name} = ARRAY(SELECT x FROM unnest({name}) x WHERE x <> ALL(CAST(:values AS TEXT[]))) "
        "WHERE key = :key"
    )
    for name in _KNOWN
}
_LOCK_CASES = text("SELECT id FROM cases WHERE debtor = :key AND status IN ('held', 'waiting') ORDER BY id FOR UPDATE")
_FREE = text(
    """
    UPDATE cases c SET status = CASE WHEN b.campaign_id IS NULL THEN 'open' ELSE 'to_plan' END, not_before = NULL
    FROM batches b WHERE b.id = c.batch_id AND c.debtor = :key AND c.status IN ('held', 'waiting')
    """
)


def change(
    db: Connection, debtor: str, add: Mapping[str, Sequence[str]], remove: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Write down or strike what is known of a debtor; cases that were put off are judged again. Raises NotFound."""
    # Cases first, as a claim does: two transactions never wait for each other in a circle.
    db.execute(_LOCK_CASES, {"key": debtor})
    _known_or_fail(db, debtor)
    for statements, values in ((_ADD, add), (_REMOVE, remove or {})):
        for name, some in values.items():
            if some:
                db.execute(statements[name], {"key": debtor, "values": list(some)})
    db.execute(_FREE, {"key": debtor})


def _known_or_fail(db: Connection, debtor: str) -> None:
    if db.execute(_DEBTORS, {"keys": [debtor]}).first() is None:
        raise NotFound(f"debtor {debtor}: no such debtor; they come with their cases: voicebot batch load FILE")


_CASES_NAMED = text(
    "SELECT c.*, b.name AS batch FROM cases c JOIN batches b ON b.id = c.batch_id WHERE c.case_id = :case_id "
    "ORDER BY c.id DESC LIMIT 1"
)


def judged_now(db: Connection, case_id: str, pack: Pack, at: datetime) -> tuple[Facts, Request]:
    """The newest case of this number as the gate would see it at that moment. Raises NotFound."""
    row = db.execute(_CASES_NAMED, {"case_id": case_id}).first()
    if row is None:
        raise NotFound(f"case {case_id}: no such case; voicebot run FILE loads cases")
    return facts_of(db, [row.debtor], pack, at, at.date())[row.debtor], request_for(row, at)


_OUTSIDE = text(
    """
    INSERT INTO outside_contacts (debtor, at, channel, reached, outbound, loan, number, agency)
    VALUES (:debtor, :at, :channel, :reached, :outbound, :loan, :number, :agency) ON CONFLICT DO NOTHING
    """
)


def add_outside(db: Connection, debtor: str, contacts: Sequence[Contact]) -> None:
    """Contacts that an agency or another system made; the same one twice is one. Raises NotFound."""
    _known_or_fail(db, debtor)
    for c in contacts:
        values = {"debtor": debtor, "at": c.at, "channel": c.channel.value, "reached": c.reached}
        values |= {"outbound": c.outbound, "loan": c.loan, "number": c.number, "agency": c.agency}
        db.execute(_OUTSIDE, values)
