"""Claiming: a case is dialled by one worker, once, whatever happens to the workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from store_samples import NOW, case

from voicebot.settings import Settings
from voicebot.store import AttemptEnd, AttemptState, BatchProgress, CaseStatus, ReportRow, Store, open_store

Load = Callable[[int], int]


@pytest.fixture
def hasty(settings: Settings) -> Iterator[Store]:
    """A store whose leases last 0.2 s."""
    with open_store(settings, lease_s=0.2, now=lambda: NOW) as opened:
        yield opened


def only_row(store: Store, batch_id: int) -> ReportRow:
    [row] = store.report_rows(batch_id)
    return row


def test_a_claim_carries_the_case_as_of_today(store: Store, batch: Load) -> None:
    [claim] = store.claim_due("a", 1, batch(1))
    assert claim.case == case(0).facts(NOW.date())
    assert (claim.case.days_overdue, claim.case.stage) == (5, "M1")
    assert claim.script == "m1_collection"
    assert claim.dial_uri("sip:{phone}@carrier") == "sip:+8613800000000@carrier"


def test_a_sip_address_wins_over_the_trunk(store: Store) -> None:
    softphone = case(1, phone=None, sip_uri="sip:alice@127.0.0.1:5099")
    loaded = store.load_batch("one.csv", "a" * 64, "m1_collection", [softphone])
    [claim] = store.claim_due("a", 1, loaded.batch_id)
    assert claim.dial_uri("sip:{phone}@carrier") == "sip:alice@127.0.0.1:5099"


def test_claims_come_by_priority_then_in_the_order_of_the_file(store: Store) -> None:
    rows = [case(1, priority=5), case(2), case(3, priority=-1), case(4)]
    loaded = store.load_batch("p.csv", "b" * 64, "m1_collection", rows)
    claims = store.claim_due("a", 9, loaded.batch_id)
    assert [c.case.case_id for c in claims] == ["D0003", "D0002", "D0004", "D0001"]


def test_two_claimers_at_once_never_get_the_same_case(store: Store, settings: Settings, batch: Load) -> None:
    batch_id = batch(240)

    def claim_all(boot: str) -> list[str]:
        mine: list[str] = []
        with open_store(settings) as own:
            while claims := own.claim_due(boot, 3, batch_id):
                mine += [c.case.case_id for c in claims]
        return mine

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(claim_all, "abcd"))
    claimed = [case_id for share in shares for case_id in share]
    assert len(claimed) == len(set(claimed)) == 240
    assert sum(bool(share) for share in shares) > 1, "more than one got a share"


def test_dialling_starts_once_and_only_for_the_claimer(store: Store, batch: Load) -> None:
    [claim] = store.claim_due("a", 1, batch(1))
    assert not store.start_dialing(claim.attempt_id, "b")
    assert store.start_dialing(claim.attempt_id, "a")
    assert not store.start_dialing(claim.attempt_id, "a")


def test_an_attempt_ends_once(store: Store, batch: Load) -> None:
    batch_id = batch(1)
    [claim] = store.claim_due("a", 1, batch_id)
    assert not store.end_attempt(claim.attempt_id, AttemptEnd("busy")), "nothing was dialled yet"
    store.start_dialing(claim.attempt_id, "a")
    assert store.end_attempt(claim.attempt_id, AttemptEnd("busy", 486, 17))
    assert not store.end_attempt(claim.attempt_id, AttemptEnd("answered", 200))
    row = only_row(store, batch_id)
    assert (row.status, row.attempt_state, row.outcome, row.sip_code) == (
        CaseStatus.DONE,
        AttemptState.DONE,
        "busy",
        486,
    )


def test_a_released_claim_is_open_for_the_next(store: Store, batch: Load) -> None:
    batch_id = batch(1)
    [claim] = store.claim_due("a", 1, batch_id)
    assert not store.release(claim.attempt_id, "b")
    assert store.release(claim.attempt_id, "a")
    assert not store.start_dialing(claim.attempt_id, "a")
    [again] = store.claim_due("b", 1, batch_id)
    assert again.attempt_id != claim.attempt_id
    assert again.case == claim.case


def test_a_dialled_attempt_cannot_be_released(store: Store, batch: Load) -> None:
    batch_id = batch(1)
    [claim] = store.claim_due("a", 1, batch_id)
    store.start_dialing(claim.attempt_id, "a")
    assert not store.release(claim.attempt_id, "a")
    assert store.claim_due("b", 1, batch_id) == []


def test_a_vanished_claimer_loses_what_it_had_not_dialled(hasty: Store, batch: Load) -> None:
    batch_id = batch(1)
    [claim] = hasty.claim_due("gone", 1, batch_id)
    hasty.reap()
    assert only_row(hasty, batch_id).attempt_state is AttemptState.PERMITTED, "its lease still runs"
    time.sleep(0.3)
    hasty.reap()
    row = only_row(hasty, batch_id)
    assert (row.status, row.attempt_state) == (CaseStatus.OPEN, AttemptState.LOST)
    assert not hasty.start_dialing(claim.attempt_id, "gone"), "a zombie that wakes up must not dial"
    [again] = hasty.claim_due("b", 1, batch_id)
    assert hasty.start_dialing(again.attempt_id, "b")


def test_a_vanished_dialler_leaves_an_unknown_attempt_that_nobody_redials(hasty: Store, batch: Load) -> None:
    batch_id = batch(1)
    [claim] = hasty.claim_due("gone", 1, batch_id)
    hasty.start_dialing(claim.attempt_id, "gone")
    time.sleep(0.3)
    _, unknown = hasty.reap()
    assert unknown >= 1
    assert hasty.claim_due("b", 1, batch_id) == []
    row = only_row(hasty, batch_id)
    assert (row.status, row.attempt_state) == (CaseStatus.FAILED, AttemptState.UNKNOWN)


def test_a_late_real_ending_wins_over_unknown(hasty: Store, batch: Load) -> None:
    batch_id = batch(1)
    [claim] = hasty.claim_due("slow", 1, batch_id)
    hasty.start_dialing(claim.attempt_id, "slow")
    time.sleep(0.3)
    hasty.reap()
    assert hasty.end_attempt(claim.attempt_id, AttemptEnd("answered", 200))
    row = only_row(hasty, batch_id)
    assert (row.status, row.attempt_state, row.outcome) == (CaseStatus.DONE, AttemptState.DONE, "answered")


def test_a_renewed_lease_is_not_reaped(hasty: Store, batch: Load) -> None:
    batch_id = batch(2)
    kept, let_go = hasty.claim_due("a", 2, batch_id)
    for _ in range(4):
        time.sleep(0.1)
        assert hasty.renew("a", [kept.attempt_id]) == {kept.attempt_id}
    assert hasty.renew("b", [kept.attempt_id]) == frozenset(), "leases are renewed by their holder"
    hasty.reap()
    assert hasty.renew("a", [kept.attempt_id, let_go.attempt_id]) == {kept.attempt_id}


def test_progress_counts_every_case_once(store: Store, batch: Load) -> None:
    batch_id = batch(5)
    first, second, third = store.claim_due("a", 3, batch_id)
    for claim, kind in ((first, "answered"), (second, "failed")):
        store.start_dialing(claim.attempt_id, "a")
        store.end_attempt(claim.attempt_id, AttemptEnd(kind))
    assert store.batch_progress(batch_id) == BatchProgress(open=2, claimed=1, done=1, failed=1)
    assert not store.batch_progress(batch_id).finished
    store.release(third.attempt_id, "a")
    assert store.batch_progress(batch_id).open == 3


def test_a_case_grows_older_between_loading_and_calling(settings: Settings) -> None:
    later = NOW.replace(month=12, day=2)
    with open_store(settings, now=lambda: later) as store:
        loaded = store.load_batch("old.csv", "c" * 64, "m1_collection", [case(1, due_date=date(2026, 11, 1))])
        [claim] = store.claim_due("a", 1, loaded.batch_id)
    assert (claim.case.days_overdue, claim.case.stage) == (31, "M2")
