"""What came of a call? The SQL behind calls, promises and callbacks."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from dialogue.acts import Disposition
from voicebot.compliance import Status
from voicebot.store import outbox, permits
from voicebot.store.batches import promise_key, promise_number
from voicebot.store.errors import NotFound, PromiseConflict
from voicebot.store.records import CallEnd, NewCall, NewPromise, StoredPromise, Withdrawal
from voicebot.store.tables import attempts, callbacks, calls, cases, promises


def start(db: Connection, call: NewCall) -> None:
    case_pk = None
    if call.attempt_id is not None:
        case_pk = db.execute(select(attempts.c.case_pk).where(attempts.c.id == call.attempt_id)).scalar()
        if case_pk is None:
            raise NotFound(f"attempt {call.attempt_id}: no such attempt")
    db.execute(
        insert(calls)
        .values(
            id=call.call_id,
            attempt_id=call.attempt_id,
            case_pk=case_pk,
            case_id=call.case_id,
            script=call.script,
            started_at=call.started_at,
            recording=str(call.recording) if call.recording else None,
            log=str(call.log) if call.log else None,
        )
        .on_conflict_do_nothing(index_elements=["id"])
    )


def end(db: Connection, call_id: str, how: CallEnd) -> None:
    done = db.execute(
        update(calls)
        .where(calls.c.id == call_id)
        .values(
            answered_at=how.answered_at,
            ended_at=how.ended_at,
            disposition=how.disposition.value,
            flags=list(how.flags),
            turns=how.turns,
            response_ms=how.response_ms,
        )
    )
    if done.rowcount == 0:
        raise NotFound(f"call {call_id}: no such call; start_call comes first")
    _, case_id = _case_of(db, call_id)
    told = {"disposition": how.disposition.value, "answered_at": how.answered_at, "ended_at": how.ended_at}
    outbox.emit(db, "call.ended", {"call_id": call_id, "case_id": case_id, **told, "flags": list(how.flags)})
    _learn(db, call_id, how.disposition)


_STATUS_AFTER = {
    Disposition.DISPUTED: Status.DISPUTE,
    Disposition.CRISIS: Status.VULNERABLE,
    Disposition.DECEASED_OR_DETAINED: Status.VULNERABLE,  # a person finds out which
}
_LEFT_ALONE = (Disposition.DO_NOT_CALL, Disposition.WRONG_NUMBER)


def _learn(db: Connection, call_id: str, disposition: Disposition) -> None:
    """What a call's end means for all later contacts with the debtor."""
    found = db.execute(
        select(cases.c.debtor, func.coalesce(cases.c.phone, cases.c.sip_uri).label("number"))
        .join(calls, calls.c.case_pk == cases.c.id)
        .where(calls.c.id == call_id)
    ).first()
    if found is None:
        return  # made by hand, outside any batch
    if disposition in _STATUS_AFTER:
        permits.change(db, found.debtor, {"statuses": [_STATUS_AFTER[disposition]]})
    elif disposition in _LEFT_ALONE:
        permits.change(db, found.debtor, {"do_not_call": [found.number]})


def add_promise(db: Connection, promise: NewPromise) -> str:
    case_pk, case_id = _case_of(db, promise.call_id)
    values = {
        "call_id": promise.call_id,
        "pay_date": promise.pay_date,
        "amount": promise.amount,
        "partial": promise.partial,
        "recording": str(promise.recording),
        "said_turn": promise.said_turn,
        "said_text": promise.said_text,
        "from_sample": promise.from_sample,
        "to_sample": promise.to_sample,
        "confirmed_turn": promise.confirmed_turn,
        "confirmed_text": promise.confirmed_text,
    }
    added = db.execute(
        insert(promises)
        .values(case_pk=case_pk, case_id=case_id, **values)
        .on_conflict_do_nothing(index_elements=["call_id", "confirmed_turn"])
        .returning(promises.c.id)
    ).first()
    row = db.execute(
        select(promises).where(
            promises.c.call_id == promise.call_id, promises.c.confirmed_turn == promise.confirmed_turn
        )
    ).one()
    stored = _promise(row)
    if stored.promise != promise:
        raise PromiseConflict(
            f"call {promise.call_id}, turn {promise.confirmed_turn}: {stored.promise_id} already says "
            f"{stored.promise.amount} yuan on {stored.promise.pay_date}; a changed promise needs "
            "a confirmation of its own"
        )
    if added is not None:
        told = {name: values[name] for name in ("call_id", "pay_date", "amount", "partial", "said_text")}
        outbox.emit(db, "promise.made", {"promise_id": stored.promise_id, "case_id": case_id, **told})
    return stored.promise_id


def withdraw(db: Connection, promise_id: str, text: str, from_sample: int, to_sample: int) -> None:
    key = promise_key(promise_id)
    struck = db.execute(
        update(promises)
        .where(promises.c.id == key, promises.c.withdrawn_at.is_(None))
        .values(
            withdrawn_at=func.now(),
            withdrawn_text=text,
            withdrawn_from_sample=from_sample,
            withdrawn_to_sample=to_sample,
        )
    )
    if struck.rowcount == 0 and db.execute(select(promises.c.id).where(promises.c.id == key)).first() is None:
        raise NotFound(f"promise {promise_id}: no such promise")
    if struck.rowcount:
        outbox.emit(db, "promise.withdrawn", {"promise_id": promise_id, "said_text": text})


def flag(db: Connection, call_id: str, name: str) -> None:
    with_it = func.array_append(func.array_remove(calls.c.flags, name), name)
    if db.execute(update(calls).where(calls.c.id == call_id).values(flags=with_it)).rowcount == 0:
        raise NotFound(f"call {call_id}: no such call; start_call comes first")


def book_callback(db: Connection, call_id: str, at: datetime | None, reason: str) -> None:
    case_pk, case_id = _case_of(db, call_id)
    new = insert(callbacks).values(call_id=call_id, case_pk=case_pk, case_id=case_id, at=at, reason=reason)
    db.execute(new.on_conflict_do_update(index_elements=["call_id"], set_={"at": at, "reason": reason}))


def promises_of(db: Connection, call_id: str) -> tuple[StoredPromise, ...]:
    found = select(promises).where(promises.c.call_id == call_id).order_by(promises.c.confirmed_turn)
    return tuple(_promise(r) for r in db.execute(found))


def _case_of(db: Connection, call_id: str) -> tuple[int | None, str]:
    found = db.execute(select(calls.c.case_pk, calls.c.case_id).where(calls.c.id == call_id)).one_or_none()
    if found is None:
        raise NotFound(f"call {call_id}: no such call; start_call comes first")
    return found.case_pk, found.case_id


def _promise(row: Row[tuple[object, ...]]) -> StoredPromise:
    withdrawn = None
    if row.withdrawn_at is not None:
        withdrawn = Withdrawal(row.withdrawn_at, row.withdrawn_text, row.withdrawn_from_sample, row.withdrawn_to_sample)
    return StoredPromise(
        withdrawn=withdrawn,
        promise_id=promise_number(row.id),
        case_id=row.case_id,
        created_at=row.created_at,
        promise=NewPromise(
            call_id=row.call_id,
            pay_date=row.pay_date,
            amount=row.amount,
            partial=row.partial,
            recording=Path(row.recording),
            said_turn=row.said_turn,
            said_text=row.said_text,
            from_sample=row.from_sample,
            to_sample=row.to_sample,
            confirmed_turn=row.confirmed_turn,
            confirmed_text=row.confirmed_text,
        ),
    )
