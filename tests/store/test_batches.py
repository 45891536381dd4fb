"""Loading: the same file again changes nothing, so a stopped run goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from store_samples import case

from voicebot.cases import CaseRow
from voicebot.store import AttemptEnd, BatchLoaded, NotFound, Store
from voicebot.store.store import LOAD_CHUNK


def test_loading_a_file_again_adds_nothing_and_resets_nothing(store: Store) -> None:
    rows = [case(n) for n in range(1200)]
    first = store.load_batch("a.csv", "1" * 64, "m1_collection", rows)
    assert (first.new, first.already) == (1200, 0)
    [claim] = store.claim_due("a", 1, first.batch_id)
    store.start_dialing(claim.attempt_id, "a")
    store.end_attempt(claim.attempt_id, AttemptEnd("busy"))
    again = store.load_batch("renamed.csv", "1" * 64, "m1_collection", rows)
    assert again == BatchLoaded(first.batch_id, new=0, already=1200)
    assert store.batch_progress(first.batch_id).done == 1


def test_a_load_that_broke_off_is_completed_by_the_next(store: Store) -> None:
    def breaks_off() -> Iterator[CaseRow]:
        yield from map(case, range(LOAD_CHUNK + 200))
        raise OSError("the disk was pulled out")

    with pytest.raises(OSError):
        store.load_batch("a.csv", "2" * 64, "m1_collection", breaks_off())
    loaded = store.load_batch("a.csv", "2" * 64, "m1_collection", map(case, range(2 * LOAD_CHUNK)))
    assert loaded.new + loaded.already == 2 * LOAD_CHUNK
    assert loaded.already == LOAD_CHUNK, "whole chunks stay"
    assert store.batch_progress(loaded.batch_id).total == 2 * LOAD_CHUNK


def test_another_script_or_a_named_round_is_another_batch(store: Store) -> None:
    ids = [
        store.load_batch("a.csv", "3" * 64, "m1_collection", [case(1)]).batch_id,
        store.load_batch("a.csv", "3" * 64, "m0_reminder", [case(1)]).batch_id,
        store.load_batch("a.csv", "3" * 64, "m1_collection", [case(1)], round="2").batch_id,
    ]
    assert len(set(ids)) == 3


def test_an_unknown_batch_is_an_error_and_an_empty_one_is_not(store: Store) -> None:
    with pytest.raises(NotFound, match="batch 999999"):
        store.batch_progress(999_999)
    empty = store.load_batch("empty.csv", "4" * 64, "m1_collection", [])
    assert store.batch_progress(empty.batch_id).total == 0
    assert store.batch_progress(empty.batch_id).finished


def test_report_rows_stand_in_calling_order(store: Store, batch: Callable[[int], int]) -> None:
    rows = list(store.report_rows(batch(1100)))
    assert [r.case_id for r in rows] == [f"D{n:04d}" for n in range(1100)]
    assert all(r.call_id is None and r.talk_s is None for r in rows)
