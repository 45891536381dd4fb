"""The gate with a real database: who is called, who waits, and that no cap is ever passed by many at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from store_samples import NOW, case, promise, temporary_folder

from dialogue.acts import Disposition
from voicebot.compliance import Contact
from voicebot.settings import Settings
from voicebot.store import AttemptEnd, CallEnd, CaseStatus, NewCall, NotFound, Store, open_store
from voicebot.store.server import private_server

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Clock:
    def __init__(self) -> None:
        self.now = NOW


@pytest.fixture(scope="module")
def own_home() -> Iterator[Path]:
    with temporary_folder() as folder:
        server = private_server(folder / "pg")
        yield folder
        server.leave()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(own_home: Path, clock: Clock) -> Iterator[Store]:
    with open_store(Settings(home=own_home), now=lambda: clock.now) as store:
        yield store


_batches = iter(range(10_000))


def load(gate: Store, *cases_: object) -> int:
    return gate.load_batch("t.csv", f"{next(_batches):064x}", "m1_collection", cases_).batch_id  # type: ignore[arg-type]


def row_of(gate: Store, batch: int, case_id: str):
    return next(r for r in gate.report_rows(batch) if r.case_id == case_id)


def talk(gate: Store, claim, at: datetime, disposition: Disposition = Disposition.REFUSED) -> str:
    """One call from dial to end."""
    call_id = f"call-{claim.attempt_id}"
    assert gate.start_dialing(claim.attempt_id, "w")
    gate.start_call(NewCall(call_id, claim.case.case_id, "m1_collection", at, claim.attempt_id))
    gate.end_call(call_id, CallEnd(at, disposition, answered_at=at))
    gate.end_attempt(claim.attempt_id, AttemptEnd("answered"))
    return call_id


def test_at_night_nobody_is_called_and_everybody_waits_for_eight(gate: Store, clock: Clock) -> None:
    clock.now = NOW.replace(hour=22)
    batch = load(gate, *(case(n, debtor=f"night-{n}") for n in range(5)))
    assert gate.claim_due("w", 3, batch) == []
    rows = list(gate.report_rows(batch))
    assert {r.status for r in rows} == {CaseStatus.WAITING} and {r.refused_by for r in rows} == {("CN-TIME",)}
    assert {r.not_before for r in rows} == {datetime(2026, 11, 23, 8, tzinfo=SHANGHAI)}
    assert gate.batch_progress(batch).finished and gate.batch_progress(batch).waiting == 5
    clock.now = datetime(2026, 11, 23, 8, tzinfo=SHANGHAI)
    claims = gate.claim_due("w", 9, batch)
    assert len(claims) == 5 and claims[0].valid_until == clock.now.replace(hour=22)


def test_no_dial_after_the_hours_of_the_permit(gate: Store, clock: Clock) -> None:
    clock.now = NOW.replace(hour=21, minute=59)
    batch = load(gate, case(1, debtor="late"))
    (claim,) = gate.claim_due("w", 1, batch)
    clock.now = NOW.replace(hour=22)
    assert not gate.start_dialing(claim.attempt_id, "w")


def test_one_debtor_with_many_loans_has_one_count(gate: Store, clock: Clock) -> None:
    batch = load(gate, *(case(n, debtor="many", phone=f"+861390000{n:04d}") for n in range(5)))
    first = gate.claim_due("w", 5, batch)
    assert len(first) == 3  # three open calls may all become conversations
    for claim in first:
        talk(gate, claim, clock.now)
    clock.now += timedelta(hours=3)
    assert gate.claim_due("w", 5, batch) == []
    waiting = [r for r in gate.report_rows(batch) if r.status is CaseStatus.WAITING]
    assert {r.refused_by for r in waiting} == {("CN-FREQ-TALK",)}
    clock.now = datetime(2026, 11, 23, 8, tzinfo=SHANGHAI)
    assert len(gate.claim_due("w", 5, batch)) == 2


def test_a_dial_that_is_booked_and_not_yet_made_counts_as_now(gate: Store, clock: Clock) -> None:
    batch = load(gate, case(1, debtor="slow", phone="+8613911110000"), case(2, debtor="slow", phone="+8613911110000"))
    (first,) = gate.claim_due("w", 1, batch)
    clock.now += timedelta(seconds=61)
    assert gate.claim_due("v", 1, batch) == []
    assert row_of(gate, batch, "D0002").refused_by == ("CN-CARRIER-MINUTE",)
    assert gate.start_dialing(first.attempt_id, "w")


def test_what_an_agency_did_counts_too(gate: Store, clock: Clock) -> None:
    batch = load(gate, case(1, debtor="shared"))
    talks = [Contact(clock.now - timedelta(hours=h), reached=True, agency="a") for h in (1, 2, 3)]
    gate.add_outside_contacts("shared", talks + talks)
    assert gate.claim_due("w", 1, batch) == []
    assert row_of(gate, batch, "D0001").refused_by == ("CN-FREQ-TALK",)


@pytest.mark.parametrize(
    ("disposition", "rule"),
    [
        (Disposition.DISPUTED, "HOUSE-DISPUTE"),
        (Disposition.CRISIS, "HOUSE-VULNERABLE"),
        (Disposition.DO_NOT_CALL, "HOUSE-DO-NOT-CALL"),
        (Disposition.WRONG_NUMBER, "HOUSE-DO-NOT-CALL"),
    ],
)
def test_what_a_call_learned_holds_for_every_later_batch(gate: Store, clock: Clock, disposition, rule: str) -> None:
    debtor = f"learned-{disposition}"
    (claim,) = gate.claim_due("w", 1, load(gate, case(1, debtor=debtor)))
    talk(gate, claim, clock.now, disposition)
    clock.now += timedelta(days=2)
    later = load(gate, case(1, debtor=debtor))
    assert gate.claim_due("w", 1, later) == []
    row = row_of(gate, later, "D0001")
    assert (row.status, row.refused_by) == (CaseStatus.HELD, (rule,))


def test_who_promised_is_left_in_peace_until_the_day_has_passed(gate: Store, clock: Clock) -> None:
    (claim,) = gate.claim_due("w", 1, load(gate, case(1, debtor="promised")))
    call_id = talk(gate, claim, clock.now, Disposition.PROMISED)
    gate.store_promise(promise(call_id, pay_date=date(2026, 11, 25)))
    clock.now = datetime(2026, 11, 25, 12, tzinfo=SHANGHAI)
    later = load(gate, case(1, debtor="promised"))
    assert gate.claim_due("w", 1, later) == []
    assert row_of(gate, later, "D0001").refused_by == ("HOUSE-PROMISE",)
    clock.now += timedelta(days=1)
    again = load(gate, case(1, debtor="promised"))
    assert len(gate.claim_due("w", 1, again)) == 1


def test_what_is_struck_from_the_record_frees_the_cases(gate: Store) -> None:
    batch = load(gate, case(1, debtor="struck"))
    gate.change_debtor("struck", {"statuses": ["dispute"], "do_not_call": ["*"]})
    assert gate.claim_due("w", 1, batch) == []
    gate.change_debtor("struck", {}, {"statuses": ["dispute"]})
    assert gate.claim_due("w", 1, batch) == []
    gate.change_debtor("struck", {}, {"do_not_call": ["*"]})
    assert len(gate.claim_due("w", 1, batch)) == 1


def test_a_debtor_that_nobody_knows_is_an_error(gate: Store) -> None:
    with pytest.raises(NotFound, match="no such debtor"):
        gate.change_debtor("nobody", {"statuses": ["dispute"]})
    with pytest.raises(NotFound, match="no such case"):
        gate.would_contact("nobody")


def test_every_decision_is_kept(gate: Store, clock: Clock) -> None:
    from sqlalchemy import text

    batch = load(gate, case(1, debtor="kept"), case(2, debtor="kept-2"))
    gate.change_debtor("kept-2", {"statuses": ["legal_hold"]})
    gate.claim_due("w", 2, batch)
    query = text(
        "SELECT p.attempt_id IS NOT NULL, p.refused_by, p.pack, p.version FROM permits p "
        "JOIN cases c ON c.id = p.case_pk WHERE c.batch_id = :b ORDER BY c.id"
    )
    kept = gate._db.run(lambda db: db.execute(query, {"b": batch}).all())
    assert [tuple(k)[:3] for k in kept] == [(True, [], "cn"), (False, ["HOUSE-LEGAL-HOLD"], "cn")]


def test_many_claimers_at_the_same_debtors_pass_no_cap(gate: Store, clock: Clock) -> None:
    """Eight workers, four debtors with thirty loans each on two numbers: three open calls each, not one more."""
    loans = [
        case(d * 100 + n, debtor=f"hammered-{d}", phone=f"+86137{d}000000{n % 2}") for n in range(30) for d in range(4)
    ]
    batches = [load(gate, *loans[i::2]) for i in range(2)]
    taken: list[object] = []
    failed: list[BaseException] = []
    lock = threading.Lock()

    def hammer(worker: int) -> None:
        try:
            for i in range(6):
                claims = gate.claim_due(f"w{worker}", 4, batches[(worker + i) % 2])
                with lock:
                    taken.extend(claims)
        except BaseException as e:
            failed.append(e)

    threads = [threading.Thread(target=hammer, args=(w,)) for w in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed
    numbers = [(c.case.case_id[:3], c.phone) for c in taken]  # type: ignore[attr-defined]
    assert len(numbers) == len(set(numbers)) == 8  # one dial a minute to each of the two numbers of four debtors
