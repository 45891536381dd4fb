"""Calls, promises, callbacks: what was written is what is read, and writing twice writes once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tuned
from hypothesis import strategies as st
from store_samples import NOW, promise

from dialogue.acts import Disposition
from voicebot.store import CallEnd, NewCall, NotFound, PromiseConflict, Store, StoreError


def test_the_story_of_a_case_comes_together_in_the_report(store: Store, batch: Callable[[int], int]) -> None:
    batch_id = batch(1)
    [claim] = store.claim_due("a", 1, batch_id)
    store.start_dialing(claim.attempt_id, "a")
    store.start_call(
        NewCall("story", claim.case.case_id, "m1_collection", NOW, claim.attempt_id, Path("/r.wav"), Path("/e.jsonl"))
    )
    promise_id = store.store_promise(promise("story", partial=True, amount=Decimal("500.00")))
    store.book_callback("story", NOW + timedelta(days=1), "asked for it")
    store.end_call(
        "story", CallEnd(NOW + timedelta(seconds=90), Disposition.PROMISED_PARTIAL, NOW, ("hardship",), 6, 412)
    )
    [row] = store.report_rows(batch_id)
    assert (row.call_id, row.disposition, row.flags) == ("story", Disposition.PROMISED_PARTIAL, ("hardship",))
    assert (row.turns, row.response_ms, row.talk_s) == (6, 412, 90.0)
    assert (row.promise_id, row.promised_amount, row.promised_partial) == (promise_id, Decimal("500.00"), True)
    assert row.promised_date == date(2026, 11, 27)
    assert row.callback_booked and row.callback_at == NOW + timedelta(days=1)
    assert (row.recording, row.log) == (Path("/r.wav"), Path("/e.jsonl"))
    [stored] = store.promises_of("story")
    assert stored.case_id == claim.case.case_id


def test_a_promise_is_read_as_it_was_written(store: Store, call: Callable[..., str]) -> None:
    made = promise(call())
    promise_id = store.store_promise(made)
    [stored] = store.promises_of(made.call_id)
    assert (stored.promise_id, stored.promise) == (promise_id, made)
    assert stored.created_at.tzinfo is not None


@tuned(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    amount=st.decimals(Decimal("0.01"), Decimal("999999999999.99"), places=2),
    text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
)
def test_no_fen_and_no_character_of_a_promise_is_lost(
    store: Store, call: Callable[..., str], amount: Decimal, text: str
) -> None:
    made = promise(call(), amount=amount, said_text=text)
    store.store_promise(made)
    assert [s.promise for s in store.promises_of(made.call_id)] == [made]


def test_the_same_promise_again_is_the_same_promise(store: Store, call: Callable[..., str]) -> None:
    made = promise(call())
    assert store.store_promise(made) == store.store_promise(made)
    assert len(store.promises_of(made.call_id)) == 1


def test_another_promise_needs_another_confirmation(store: Store, call: Callable[..., str]) -> None:
    made = promise(call())
    store.store_promise(made)
    with pytest.raises(PromiseConflict, match=r"1235\.60 yuan on 2026-11-27"):
        store.store_promise(replace(made, amount=Decimal("1.00")))
    store.store_promise(replace(made, pay_date=date(2026, 11, 28), confirmed_turn=7))
    assert [s.promise.pay_date.day for s in store.promises_of(made.call_id)] == [27, 28]


@pytest.mark.parametrize("wrong", [{"amount": Decimal(0)}, {"from_sample": 9, "to_sample": 9}, {"from_sample": -1}])
def test_the_database_itself_refuses_a_promise_that_makes_no_sense(
    store: Store, call: Callable[..., str], wrong: dict[str, object]
) -> None:
    with pytest.raises(StoreError, match="ck_promises"):
        store.store_promise(promise(call(), **wrong))


def test_nothing_hangs_in_the_air(store: Store) -> None:
    with pytest.raises(NotFound, match="start_call comes first"):
        store.store_promise(promise("nobody"))
    with pytest.raises(NotFound, match="start_call comes first"):
        store.book_callback("nobody", None, "busy")
    with pytest.raises(NotFound, match="start_call comes first"):
        store.end_call("nobody", CallEnd(NOW, Disposition.UNCLEAR))
    with pytest.raises(NotFound, match="attempt 0:0"):
        store.start_call(NewCall("nobody", "D1", "m1_collection", NOW, "0:0"))


def test_of_two_bookings_in_one_call_the_last_counts(store: Store, batch: Callable[[int], int]) -> None:
    batch_id = batch(1)
    [claim] = store.claim_due("a", 1, batch_id)
    store.start_call(NewCall("twice", claim.case.case_id, "m1_collection", NOW, claim.attempt_id))
    store.book_callback("twice", None, "no time agreed")
    store.book_callback("twice", NOW, "now")
    [row] = store.report_rows(batch_id)
    assert row.callback_at == NOW


def test_a_withdrawn_promise_stays_in_the_ledger_and_leaves_the_report(
    store: Store, batch: Callable[[int], int]
) -> None:
    batch_id = batch(1)
    [claim] = store.claim_due("a", 1, batch_id)
    store.start_call(NewCall("second-thoughts", claim.case.case_id, "m1_collection", NOW, claim.attempt_id))
    promise_id = store.store_promise(promise("second-thoughts"))
    store.withdraw_promise(promise_id, "不对我还不了", 160_000, 176_000)
    store.withdraw_promise(promise_id, "again", 1, 2)
    [stored] = store.promises_of("second-thoughts")
    assert stored.withdrawn is not None
    assert (stored.withdrawn.text, stored.withdrawn.from_sample, stored.withdrawn.to_sample) == (
        "不对我还不了",
        160_000,
        176_000,
    )
    [row] = store.report_rows(batch_id)
    assert row.promise_id is None and row.promised_amount is None


@pytest.mark.parametrize("promise_id", ["P99999999", "Q1", "P", "", "P1x"])
def test_withdrawing_what_was_never_promised_is_an_error(store: Store, promise_id: str) -> None:
    with pytest.raises(NotFound, match="promise"):
        store.withdraw_promise(promise_id, "", 0, 1)


def test_a_wish_is_written_while_the_call_goes_on(store: Store, batch: Callable[[int], int]) -> None:
    batch_id = batch(1)
    [claim] = store.claim_due("a", 1, batch_id)
    store.start_call(NewCall("wishes", claim.case.case_id, "m1_collection", NOW, claim.attempt_id))
    for name in ("stop_calling", "hardship", "stop_calling"):
        store.flag_call("wishes", name)
    [row] = store.report_rows(batch_id)
    assert sorted(row.flags) == ["hardship", "stop_calling"]
    with pytest.raises(NotFound):
        store.flag_call("nobody", "stop_calling")
