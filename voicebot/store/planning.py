"""What comes next for the cases of a campaign? Reads what happened to them, asks the strategy, writes down its wish.

    to_plan ── the case's dials with their endings, promises, messages, money
            ── strategy.planning.plan ──┬── Wish: a call     -> waiting, open from its moment on
                                        ├── Wish: a message  -> waiting, to_send from its moment on
                                        ├── Handed, or a wish to hand over -> handed
                                        └── Rest             -> done, or closed where nothing is owed

Whatever happens to a case only marks it to_plan, in its own transaction; so a worker that dies between the end of a
call and the plan loses nothing, and a strategy that is changed takes hold by marking everything that waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from dialogue.acts import Disposition
from voicebot.store import outbox
from voicebot.store.records import CaseStatus
from voicebot.strategy.model import HANDED_OVER, Means, Strategy
from voicebot.strategy.planning import Case, Event, Handed, Plan, Wish, plan

AT_ONCE = 500  # cases planned in a transaction

_DUE = text(
    """
    SELECT c.*, d.zone, d.do_not_call FROM cases c JOIN debtors d ON d.key = c.debtor
    WHERE c.batch_id = :batch AND c.status = 'to_plan' ORDER BY c.id LIMIT :k
    FOR UPDATE OF c SKIP LOCKED
    """
)
_DIALS = text(
    """
    SELECT a.case_pk, coalesce(a.dialed_at, a.created_at) AS at, coalesce(a.step, '') AS step,
           coalesce(a.dialed, c.phone, c.sip_uri) AS number, a.again, p.pay_date, b.at AS callback_at,
           -- A worker that vanished in the middle of a conversation wrote no ending, but perhaps a promise.
           coalesce(l.disposition, a.disposition,
                    CASE WHEN p.id IS NULL THEN CASE WHEN l.id IS NULL THEN 'failed' ELSE 'unclear' END
                         WHEN p.partial THEN 'promised_partial' ELSE 'promised' END) AS ending
    FROM attempts a JOIN cases c ON c.id = a.case_pk
    LEFT JOIN LATERAL (
        SELECT * FROM calls WHERE calls.attempt_id = a.id ORDER BY started_at DESC, id DESC LIMIT 1) l ON true
    LEFT JOIN LATERAL (
        SELECT * FROM promises WHERE promises.call_id = l.id AND withdrawn_at IS NULL
            AND outcome IS DISTINCT FROM 'kept' ORDER BY confirmed_turn DESC LIMIT 1) p ON true
    LEFT JOIN callbacks b ON b.call_id = l.id
    WHERE a.case_pk = ANY(:cases) AND a.state IN ('done', 'unknown')
    ORDER BY at, a.number
    """
)
_MESSAGES = text(
    """
    SELECT case_pk, coalesce(sent_at, created_at) AS at, step, channel, address FROM messages
    WHERE case_pk = ANY(:cases) AND state <> 'permitted' ORDER BY at, id
    """
)
_WRITE = text(
    """
    UPDATE cases c SET status = g.status, not_before = g.at, step = g.step, means = g.means, content = g.content,
                       number = g.number, again = g.again, handed_to = g.handed_to, why = g.why, refused_by = NULL
    FROM unnest(CAST(:ids AS BIGINT[]), CAST(:statuses AS TEXT[]), CAST(:ats AS TIMESTAMPTZ[]),
                CAST(:steps AS TEXT[]), CAST(:means AS TEXT[]), CAST(:contents AS TEXT[]), CAST(:numbers AS TEXT[]),
                CAST(:agains AS BOOLEAN[]), CAST(:handed AS TEXT[]), CAST(:whys AS TEXT[]))
         AS g (id, status, at, step, means, content, number, again, handed_to, why)
    WHERE c.id = g.id
    """
)


@dataclass(frozen=True, slots=True)
class Planner:
    """Which strategy holds for a batch, and when and where it is now."""

    batch_id: int
    strategy: Strategy
    zone: ZoneInfo
    now: datetime | None = None  # None: the database's clock


def plan_due(db: Connection, by: Planner, k: int = AT_ONCE) -> int:
    """Plan up to `k` cases of the batch; how many there were."""
    at = by.now or db.execute(text("SELECT clock_timestamp()")).scalar_one()
    due = db.execute(_DUE, {"batch": by.batch_id, "k": k}).all()
    if not due:
        return 0
    happened = events_of(db, [row.id for row in due])
    plans = [plan(by.strategy, case_of(row, by.zone), happened[row.id], at.astimezone(by.zone)) for row in due]
    _write(db, due, plans, at)
    return len(due)


def case_of(row: Any, zone: ZoneInfo) -> Case:
    """The case as a strategy sees it."""
    numbers = [n for n in (row.sip_uri or row.phone, *row.other_phones) if n]
    allowed = [n for n in numbers if n not in row.do_not_call]
    return Case(
        case_id=row.case_id,
        due_date=row.due_date,
        amount=row.amount_due - row.paid,
        # Where every number is forbidden the gate says so, and by which rule.
        numbers=tuple(allowed or numbers),
        zone=ZoneInfo(row.zone) if row.zone else zone,
        risk=row.risk,
        closed=row.closed_at is not None,
    )


def events_of(db: Connection, cases: Sequence[int]) -> dict[int, list[Event]]:
    """What happened to each of these cases, in the order of time."""
    found: dict[int, list[Event]] = defaultdict(list)
    for r in db.execute(_DIALS, {"cases": list(cases)}):
        ending = Disposition(r.ending)
        found[r.case_pk].append(Event(r.at, r.step, Means.VOICE, r.number, ending, r.again, r.pay_date, r.callback_at))
    for r in db.execute(_MESSAGES, {"cases": list(cases)}):
        found[r.case_pk].append(Event(r.at, r.step, Means(r.channel), r.address))
    for happened in found.values():
        happened.sort(key=lambda e: e.at)
    return found


def _write(db: Connection, due: Sequence[Any], plans: Sequence[Plan], at: datetime) -> None:
    rows = [_row(p, at, closed=row.closed_at is not None) for row, p in zip(due, plans, strict=True)]
    names = ("statuses", "ats", "steps", "means", "contents", "numbers", "agains", "handed", "whys")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    db.execute(_WRITE, {"ids": [row.id for row in due], **columns})
    handed = [
        {"case_id": case.case_id, "to": row[7], "why": row[8]}
        for case, row in zip(due, rows, strict=True)
        if row[0] is CaseStatus.HANDED and case.handed_to != row[7]
    ]
    outbox.emit(db, "case.handed", *handed)


def _row(p: Plan, at: datetime, *, closed: bool) -> tuple[object, ...]:
    """The columns that a plan fills: status, moment, step, means, content, number, again, handed to, why."""
    match p:
        case Wish() if p.means in HANDED_OVER and p.at <= at:
            return CaseStatus.HANDED, None, p.step, p.means, p.content, None, False, p.means, p.why
        case Wish():
            now = CaseStatus.OPEN if p.means is Means.VOICE else CaseStatus.TO_SEND
            status = now if p.at <= at else CaseStatus.WAITING
            return status, p.at, p.step, p.means, p.content, p.number or None, p.again, None, p.why
        case Handed():
            return CaseStatus.HANDED, None, None, None, None, None, False, p.to, p.why
    status = CaseStatus.CLOSED if closed else CaseStatus.DONE
    return status, None, None, None, None, None, False, None, p.why


_MARK = text(
    """
    UPDATE cases SET status = 'to_plan' WHERE batch_id IN (SELECT id FROM batches WHERE campaign_id = :campaign)
    AND status IN ('open', 'waiting', 'to_send', 'done', 'failed', 'handed')
    """
)


def plan_again(db: Connection, campaign_id: int) -> int:
    """Everything that waits is planned anew: the strategy has changed. How many."""
    return db.execute(_MARK, {"campaign": campaign_id}).rowcount


Strategies = Callable[[str], Strategy | None]
"""From a campaign's strategy, a name or a file, to what it says; None where it cannot be followed now."""
