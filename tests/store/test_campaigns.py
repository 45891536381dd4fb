"""A campaign in virtual time, on a real database: what the strategy wants is what becomes due, whatever happens."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from store_samples import case, promise, temporary_folder

from dialogue.acts import Disposition
from voicebot.settings import Settings
from voicebot.store import (
    AttemptEnd,
    CallEnd,
    CaseStatus,
    Claim,
    NewCall,
    NewPayment,
    NotFound,
    Store,
    StoreError,
    open_store,
)
from voicebot.store.server import private_server
from voicebot.strategy.loader import load_strategy
from voicebot.strategy.model import Strategy

SHANGHAI = ZoneInfo("Asia/Shanghai")
DUE = date(2026, 11, 18)
MONDAY = datetime(2026, 11, 23, 9, 30, tzinfo=SHANGHAI)
STRATEGY = """
strategy: test
version: "1"
windows: ["09:00-11:30", "14:00-17:30"]
message_at: "09:30"
segments:
  - name: late
    when: {stages: [M1], risks: [A]}
    steps:
      - {name: call, means: voice, content: m1_collection, days: [1, 20], every_days: 2}
      - {name: agency, means: agency, content: handover, days: [21, 30]}
  - name: rest
    when: {}
    steps:
      - {name: note, means: sms, content: overdue, days: [0, 400]}
retries:
  busy: {after: 15m, times: 2}
  no_answer: {after: next_window, times: 2}
  rejected: {after: next_day, times: 2}
  powered_off: {after: next_day, times: 2}
  unreachable: {after: next_day, times: 2}
  call_assistant: {after: next_window, times: 2}
  failed: {after: 5m, times: 2}
  invalid_number: {after: other_number, times: 1}
  suspended: {after: other_number, times: 1}
reactions:
  promised: {then: quiet}
  promised_partial: {then: quiet}
  already_paid: {then: quiet, days: 3}
  callback: {then: go_on}
  refused: {then: go_on, days: 2}
  hardship: {then: person}
  complaint: {then: person}
  crisis: {then: person}
  transferred: {then: person}
  disputed: {then: hold}
  do_not_call: {then: hold}
  deceased_or_detained: {then: person}
  wrong_number: {then: other_number}
  third_party: {then: go_on}
  no_response: {then: go_on}
  unclear: {then: go_on}
"""


class Clock:
    now = MONDAY


@pytest.fixture(scope="module")
def own_home() -> Iterator[Path]:
    with temporary_folder() as folder:
        server = private_server(folder / "pg")
        (folder / "test.yaml").write_text(STRATEGY, "utf-8")
        yield folder
        server.leave()


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = MONDAY
    return clock


@pytest.fixture
def store(own_home: Path, clock: Clock) -> Iterator[Store]:
    with open_store(Settings(home=own_home), now=lambda: clock.now) as opened:
        yield opened


_names = (f"campaign-{n}" for n in itertools.count(1))
_people = (f"person-{n}" for n in itertools.count(1))
_files = (f"{n:064x}" for n in itertools.count(1))


class Driven:
    """A campaign with one case of its own, and what a worker would do with it."""

    def __init__(self, store: Store, home: Path, clock: Clock, **other: object) -> None:
        self.store, self.clock, self.name = store, clock, next(_names)
        self.strategies = {str(home / "test.yaml"): load_strategy(str(home / "test.yaml"))}
        store.create_campaign(self.name, str(home / "test.yaml"))
        self.case_id = f"L-{self.name}"
        self.load(**other)

    def load(self, **other: object) -> None:
        row = case(1, case_id=self.case_id, **{"debtor": next(_people), "due_date": DUE, "risk": "A"} | other)
        self.store.load_batch("t.csv", next(_files), "", [row], campaign=self.name)

    def strategy(self, name: str) -> Strategy | None:
        return self.strategies.get(name)

    def claim(self, k: int = 5) -> list[Claim]:
        self.store.plan_due(self.strategy, self.name)
        return self.store.claim_for_campaigns("w", k, self.name)

    def status(self) -> CaseStatus:
        self.store.plan_due(self.strategy, self.name)
        return self.row().status

    def row(self):
        rows = [r for b in self.store.campaign_batches(self.name) for r in self.store.report_rows(b)]
        (row,) = rows
        return row

    def dial(self, claim: Claim, ending: Disposition, *, answered: bool = False) -> str:
        call_id = f"call-{claim.attempt_id}"
        assert self.store.start_dialing(claim.attempt_id, "w")
        if answered:
            self.store.start_call(NewCall(call_id, claim.case.case_id, claim.script, self.clock.now, claim.attempt_id))
            self.store.end_call(call_id, CallEnd(self.clock.now, ending, answered_at=self.clock.now))
        kind = "answered" if answered else ending.value
        self.store.end_attempt(claim.attempt_id, AttemptEnd(kind, disposition=ending))
        return call_id


@pytest.fixture
def driven(store: Store, own_home: Path, clock: Clock) -> Driven:
    return Driven(store, own_home, clock)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=SHANGHAI)


def test_a_busy_number_is_tried_again_a_quarter_of_an_hour_later(driven: Driven, clock: Clock) -> None:
    (claim,) = driven.claim()
    assert (claim.script, claim.dial_uri("sip:{phone}@x")) == ("m1_collection", f"sip:{claim.phone}@x")
    driven.dial(claim, Disposition.BUSY)
    assert driven.claim() == []
    assert driven.row().not_before == MONDAY + timedelta(minutes=15)
    clock.now = MONDAY + timedelta(minutes=15)
    assert len(driven.claim()) == 1


def test_what_rang_in_vain_waits_for_the_next_part_of_the_day(driven: Driven, clock: Clock) -> None:
    (claim,) = driven.claim()
    driven.dial(claim, Disposition.NO_ANSWER)
    assert driven.status() is CaseStatus.WAITING and driven.row().not_before == at(23, 14)


def test_who_promised_is_left_alone_until_the_day_has_passed(driven: Driven, store: Store, clock: Clock) -> None:
    (claim,) = driven.claim()
    assert store.start_dialing(claim.attempt_id, "w")
    call_id = f"call-{claim.attempt_id}"
    store.start_call(NewCall(call_id, claim.case.case_id, "m1_collection", clock.now, claim.attempt_id))
    store.store_promise(promise(call_id, pay_date=date(2026, 11, 26)))
    store.end_call(call_id, CallEnd(clock.now, Disposition.PROMISED, answered_at=clock.now))
    store.end_attempt(claim.attempt_id, AttemptEnd("answered", disposition=Disposition.PROMISED))
    assert driven.claim() == [] and driven.row().not_before == at(27, 9)
    clock.now = at(27, 9, 5)
    assert len(driven.claim()) == 1


def test_a_promise_survives_the_worker_that_heard_it(driven: Driven, store: Store, clock: Clock) -> None:
    """The worker is killed after the promise was confirmed to the customer: nobody calls before its day."""
    (claim,) = driven.claim()
    assert store.start_dialing(claim.attempt_id, "w")
    call_id = f"call-{claim.attempt_id}"
    store.start_call(NewCall(call_id, claim.case.case_id, "m1_collection", clock.now, claim.attempt_id))
    store.store_promise(promise(call_id, pay_date=date(2026, 11, 26)))
    _lease_runs_out(store, claim)
    assert driven.claim() == [] and driven.row().not_before == at(27, 9)


def test_a_dial_whose_worker_vanished_is_tried_again_by_the_strategy_s_rule(
    driven: Driven, store: Store, clock: Clock
) -> None:
    (claim,) = driven.claim()
    assert store.start_dialing(claim.attempt_id, "w")
    _lease_runs_out(store, claim)
    assert driven.claim() == [] and driven.row().not_before == MONDAY + timedelta(minutes=5)
    # The worker was only asleep: its late ending wins, and the plan is made anew with it.
    store.end_attempt(claim.attempt_id, AttemptEnd("no_answer", disposition=Disposition.NO_ANSWER))
    assert driven.claim() == [] and driven.row().not_before == at(23, 14)


def test_a_claim_that_was_never_dialled_is_due_again(driven: Driven, store: Store) -> None:
    (claim,) = driven.claim()
    _lease_runs_out(store, claim)
    (again,) = driven.claim()
    assert again.attempt_id != claim.attempt_id and not store.start_dialing(claim.attempt_id, "w")


def test_a_dead_number_gives_way_to_the_next_and_then_to_those_who_look_for_people(
    store: Store, own_home: Path, clock: Clock
) -> None:
    driven = Driven(store, own_home, clock, other_phones=("+8613900000009",))
    (claim,) = driven.claim()
    driven.dial(claim, Disposition.INVALID_NUMBER)
    (claim,) = driven.claim()
    assert claim.dial_uri("sip:{phone}@x") == "sip:+8613900000009@x"
    driven.dial(claim, Disposition.SUSPENDED)
    assert driven.status() is CaseStatus.HANDED


def test_hardship_goes_to_a_person_and_the_last_days_to_the_agency(
    driven: Driven, store: Store, own_home: Path, clock: Clock
) -> None:
    (claim,) = driven.claim()
    driven.dial(claim, Disposition.HARDSHIP, answered=True)
    assert driven.status() is CaseStatus.HANDED
    late = Driven(store, own_home, clock, due_date=date(2026, 11, 1))
    assert late.status() is CaseStatus.HANDED


def test_a_message_is_due_where_the_strategy_wants_one(store: Store, own_home: Path, clock: Clock) -> None:
    driven = Driven(store, own_home, clock, risk="Z")
    assert driven.claim() == [] and driven.status() is CaseStatus.TO_SEND


def test_the_gate_stands_before_the_strategy(driven: Driven, store: Store, clock: Clock) -> None:
    clock.now = MONDAY.replace(hour=23)
    assert driven.claim() == [] and driven.status() is CaseStatus.WAITING
    assert driven.row().not_before == at(24, 9)


def test_what_was_paid_lowers_what_is_asked_for_and_closes(driven: Driven, store: Store, clock: Clock) -> None:
    some = NewPayment("p1", driven.case_id, Decimal("235.60"), clock.now)
    assert store.add_payments([some]).closed == 0
    (claim,) = driven.claim()
    assert (claim.case.amount_due, claim.case.min_amount) == (Decimal("1000.00"), Decimal("1000.00"))
    # Paid in full while the phone rings: the call goes on, nothing follows it.
    done = store.add_payments([NewPayment("p2", driven.case_id, Decimal("1000"), clock.now)])
    assert (done.new, done.closed) == (1, 1)
    driven.dial(claim, Disposition.NO_ANSWER)
    assert driven.status() is CaseStatus.CLOSED and driven.claim() == []


def test_a_payment_twice_is_one_and_one_for_nobody_is_kept(driven: Driven, store: Store, clock: Clock) -> None:
    paid = NewPayment("p3", driven.case_id, Decimal("100"), clock.now)
    assert store.add_payments([paid]).new == 1
    again = store.add_payments([paid, NewPayment("p4", "nobody", Decimal("5"), clock.now)])
    assert (again.new, again.already, again.unknown) == (1, 1, 1)


def test_promises_are_kept_or_broken_by_what_came_in(driven: Driven, store: Store, clock: Clock) -> None:
    (claim,) = driven.claim()
    assert store.start_dialing(claim.attempt_id, "w")
    call_id = f"call-{claim.attempt_id}"
    store.start_call(NewCall(call_id, claim.case.case_id, "m1_collection", clock.now, claim.attempt_id))
    today = datetime.now(SHANGHAI)  # the ledger's own clock
    store.store_promise(promise(call_id, pay_date=today.date() + timedelta(days=2), amount=Decimal("500")))
    clock.now = today + timedelta(days=5)
    store.settle_promises()
    assert _outcome(store, call_id) == "broken"
    # A payment that was made in time and arrives late mends it.
    in_time = NewPayment("p5", driven.case_id, Decimal("500"), today + timedelta(days=1))
    store.add_payments([in_time])
    assert _outcome(store, call_id) == "kept"


def test_a_paused_campaign_calls_nobody_and_goes_on_when_resumed(driven: Driven, store: Store) -> None:
    store.change_campaign(driven.name, state="paused")
    assert driven.claim() == []
    store.change_campaign(driven.name, state="running")
    assert len(driven.claim()) == 1


def test_no_more_calls_at_once_than_the_campaign_s_lines(store: Store, own_home: Path, clock: Clock) -> None:
    driven = Driven(store, own_home, clock)
    store.change_campaign(driven.name, lines=2)
    rows = [case(n, case_id=f"{driven.name}-{n}", debtor=next(_people), risk="A", due_date=DUE) for n in range(5)]
    store.load_batch("more.csv", next(_files), "", rows, campaign=driven.name)
    claims = driven.claim(9)
    assert len(claims) == 2 and driven.claim(9) == []
    driven.dial(claims[0], Disposition.NO_ANSWER)
    assert len(driven.claim(9)) == 1


def test_a_newer_file_tells_what_holds_and_an_older_one_nothing(driven: Driven, store: Store) -> None:
    old = next(_files)
    row = case(1, case_id=driven.case_id, debtor="d", risk="A", due_date=DUE, amount_due=Decimal("900"))
    first = store.load_batch("old.csv", old, "", [row], campaign=driven.name)
    assert first.new == 0  # known by its number
    assert driven.row().amount_due == Decimal("900.00")
    driven.load(amount_due=Decimal("700"), min_amount=Decimal("70"))
    store.load_batch("old.csv", old, "", [row], campaign=driven.name)
    assert driven.row().amount_due == Decimal("700.00")


def test_another_strategy_takes_hold_at_once(driven: Driven, store: Store, own_home: Path, clock: Clock) -> None:
    (claim,) = driven.claim()
    driven.dial(claim, Disposition.NO_ANSWER)
    assert driven.status() is CaseStatus.WAITING
    eager = own_home / f"{driven.name}.yaml"
    eager.write_text(STRATEGY.replace("no_answer: {after: next_window", "no_answer: {after: 1m"), "utf-8")
    driven.strategies[str(eager)] = load_strategy(str(eager))
    store.change_campaign(driven.name, strategy=str(eager))
    driven.status()
    assert driven.row().not_before == MONDAY + timedelta(minutes=1)


def test_what_was_planned_for_a_day_that_is_over_is_planned_anew(driven: Driven, clock: Clock) -> None:
    assert driven.status() is CaseStatus.OPEN  # due, and no line was free for days
    clock.now = at(25, 15)
    assert driven.claim() == []
    (claim,) = driven.claim()
    assert claim.case.days_overdue == 7


def test_one_campaign_has_one_strategy_and_unknown_ones_are_named(store: Store, own_home: Path) -> None:
    store.create_campaign("m1", "a")
    store.create_campaign("m1", "a")
    with pytest.raises(StoreError, match="campaign change m1"):
        store.create_campaign("m1", "b")
    with pytest.raises(NotFound, match="campaign list"):
        store.campaign("nobody")


def test_a_source_s_column_names_are_kept(store: Store) -> None:
    assert store.columns_of("cards") == {}
    assert store.columns_of("cards", {"应还总额": "amount_due"}) == {"应还总额": "amount_due"}
    assert store.columns_of("cards", {"户名": "name"}) == {"应还总额": "amount_due", "户名": "name"}
    assert store.columns_of("cards") == {"应还总额": "amount_due", "户名": "name"}


def _lease_runs_out(store: Store, claim: Claim) -> None:
    over = text("UPDATE attempts SET lease_until = now() - interval '1 second' WHERE id = :id")
    store._db.run(lambda db: db.execute(over, {"id": claim.attempt_id}))
    store.reap()


def _outcome(store: Store, call_id: str) -> str | None:
    query = text("SELECT outcome FROM promises WHERE call_id = :id")
    return store._db.run(lambda db: db.execute(query, {"id": call_id}).scalar_one())
