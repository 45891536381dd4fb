"""Trunks: never more calls than they carry nor faster than they take them, by many workers; a dead one rests."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from store_samples import SIMULATED, case, temporary_folder

from voicebot.settings import Settings, Sip, Trunk
from voicebot.store import AttemptEnd, Store, open_store
from voicebot.store.server import private_server

_files = (f"{n:064x}" for n in itertools.count(1))
ONE = Trunk(name="one", uri="sip:{phone}@one", calls=3, per_second=20, breaker_failures=2, breaker_s=60)
TWO = Trunk(name="two", uri="sip:{phone}@two", calls=2)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with temporary_folder() as folder:
        server = private_server(folder / "pg")
        yield folder
        server.leave()


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home=home, compliance=SIMULATED, sip=Sip(trunks=(ONE, TWO)))


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with open_store(settings) as opened:
        opened._db.run(lambda db: db.execute(text("UPDATE attempts SET state = 'lost'")))
        opened._db.run(lambda db: db.execute(text("DELETE FROM trunks")))
        yield opened


def load(store: Store, n: int) -> int:
    return store.load_batch("t.csv", next(_files), "m1_collection", map(case, range(n))).batch_id


def test_no_trunk_gets_more_than_it_carries_however_many_claim(store: Store) -> None:
    batch = load(store, 30)
    with ThreadPoolExecutor(8) as pool:
        claims = [c for some in pool.map(lambda n: store.claim_due(f"w{n}", 4, batch), range(8)) for c in some]
    assert Counter(c.trunk for c in claims) == {"one": 3, "two": 2}
    assert store.claim_due("w", 4, batch) == []
    done = next(c for c in claims if c.trunk == "two")
    boot = next(f"w{n}" for n in range(8) if store.start_dialing(done.attempt_id, f"w{n}"))
    assert boot and store.end_attempt(done.attempt_id, AttemptEnd("busy"))
    (next_one,) = store.claim_due("w", 4, batch)
    assert next_one.trunk == "two"


def test_dials_take_turns_at_the_trunk_s_pace(store: Store) -> None:
    store.dial_slot("one")
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        at = sorted(time.monotonic() - began + wait for wait in pool.map(lambda _: store.dial_slot("one"), range(20)))
    apart = [b - a for a, b in itertools.pairwise(at)]
    assert at[-1] - at[0] >= 19 / 20 - 0.2 and sum(apart) / len(apart) == pytest.approx(1 / 20, abs=0.015)
    assert store.dial_slot("two") == 0.0 and store.dial_slot(None) == 0.0


def test_a_trunk_that_fails_rests_and_is_tried_with_one_call(store: Store) -> None:
    batch = load(store, 20)

    def fail() -> None:
        claim = next(c for c in store.claim_due("w", 1, batch) if c.trunk == "one")
        assert store.start_dialing(claim.attempt_id, "w")
        store.end_attempt(claim.attempt_id, AttemptEnd("failed", 503))

    fail()
    fail()
    claims = store.claim_due("w", 9, batch)
    assert {c.trunk for c in claims} == {"two"}
    store._db.run(lambda db: db.execute(text("UPDATE trunks SET closed_until = now() WHERE name = 'one'")))
    (tried,) = store.claim_due("w", 9, batch)
    assert tried.trunk == "one" and store.claim_due("w", 9, batch) == []
    assert store.start_dialing(tried.attempt_id, "w")
    store.end_attempt(tried.attempt_id, AttemptEnd("no_answer"))
    assert len(store.claim_due("w", 9, batch)) == 3


def test_a_batch_without_trunks_is_not_counted(home: Path) -> None:
    with open_store(Settings(home=home, compliance=SIMULATED)) as store:
        claims = store.claim_due("w", 9, load(store, 9))
        assert len(claims) == 9 and {c.trunk for c in claims} == {None}
