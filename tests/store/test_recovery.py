"""Kill -9, at any moment: no promise is lost, and nobody is dialled twice."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from store_samples import NOW, case, promise, temporary_folder

from voicebot.settings import Settings
from voicebot.settings import Store as StoreSettings
from voicebot.store import NewCall, Store, StoreError, StoreUnavailable, open_store
from voicebot.store.server import private_server


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A server of our own: it is going to suffer."""
    with temporary_folder() as folder:
        yield folder


_numbers = itertools.count(1)


def fresh() -> str:
    """The hash of a file that no other test has loaded."""
    return f"{next(_numbers):064d}"


def kill_server(store: Store) -> None:
    assert store.server is not None
    pid = store.server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_a_promise_survives_the_server_s_death_right_after_it(store: Store, call: Callable[..., str]) -> None:
    for round_ in range(3):
        made = promise(call(), said_text=f"第{round_}次")
        promise_id = store.store_promise(made)
        kill_server(store)
        assert [(s.promise_id, s.promise) for s in store.promises_of(made.call_id)] == [(promise_id, made)]


def test_work_goes_on_while_the_server_is_killed_under_it(store: Store) -> None:
    loaded = store.load_batch("a.csv", fresh(), "m1_collection", map(case, range(60)))
    killer = threading.Timer(0.05, kill_server, (store,))
    killer.start()
    stored: list[str] = []
    while claims := store.claim_due("a", 4, loaded.batch_id):
        for claim in claims:
            assert store.start_dialing(claim.attempt_id, "a")
            store.start_call(NewCall(claim.attempt_id, claim.case.case_id, "m1_collection", NOW, claim.attempt_id))
            stored.append(store.store_promise(promise(claim.attempt_id)))
    killer.join()
    booked = [r.promise_id for r in store.report_rows(loaded.batch_id) if r.promise_id]
    assert sorted(booked) == sorted(stored) and len(set(stored)) == len(stored)
    # Only a claim whose answer died with the server may be missing, and that one waits for its lease.
    assert len(stored) >= 56


def test_connections_cut_by_the_administrator_are_opened_again(store: Store, settings: Settings) -> None:
    loaded = store.load_batch("a.csv", fresh(), "m1_collection", map(case, range(3)))
    assert store.server is not None
    admin = create_engine(store.server.url)
    with admin.connect() as db:
        db.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"))
    admin.dispose()
    assert len(store.claim_due("a", 3, loaded.batch_id)) == 3


def test_a_database_that_stays_away_is_an_error_in_the_end(own_folder: Path) -> None:
    server = private_server(own_folder / "pg")
    store = open_store(Settings(store=StoreSettings(url=server.url)), patience_s=0.5)
    server.leave()
    with pytest.raises(StoreUnavailable, match="away for"):
        store.reap()
    with pytest.raises(StoreError):
        list(store.report_rows(1))
    store.close()


WORKER = """
import os, random, sys, time
from voicebot.settings import Settings
from voicebot.store import AttemptEnd, open_store
settings, batch_id, dials = Settings.model_validate_json(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
boot = f"worker-{os.getpid()}-{time.time_ns()}"
with open_store(settings, lease_s=1.0) as store:
    while not store.batch_progress(batch_id).finished:
        for claim in store.claim_due(boot, 2, batch_id):
            if store.start_dialing(claim.attempt_id, boot):
                with open(dials, "a") as f:
                    f.write(f"{claim.case.case_id}\\n")
                time.sleep(random.uniform(0.005, 0.03))
                store.end_attempt(claim.attempt_id, AttemptEnd("answered", 200))
        store.reap()
        time.sleep(0.02)
"""


@pytest.fixture
def workers() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for w in started:
        w.kill()
        w.wait()


def test_no_case_is_dialled_twice_and_none_is_forgotten_under_kill_9(
    store: Store, settings: Settings, tmp_path: Path, workers: list[subprocess.Popen[bytes]]
) -> None:
    n = 120
    loaded = store.load_batch("a.csv", fresh(), "m1_collection", map(case, range(n)))
    dials = tmp_path / "dials"
    dials.touch()

    def start() -> None:
        arguments = [sys.executable, "-c", WORKER, settings.model_dump_json(), str(loaded.batch_id), str(dials)]
        workers.append(subprocess.Popen(arguments, env=os.environ | {"PYTHONPATH": str(Path.cwd())}))

    for _ in range(3):
        start()
    chance = random.Random(7)
    for kills_at in (10, 30, 50, 80):
        while dials.read_text().count("\n") < kills_at:
            time.sleep(0.01)
        victim = chance.choice([w for w in workers if w.poll() is None])
        victim.kill()
        if kills_at == 50:
            kill_server(store)
        start()
    deadline = time.monotonic() + 60
    while not store.batch_progress(loaded.batch_id).finished:
        assert time.monotonic() < deadline, store.batch_progress(loaded.batch_id)
        time.sleep(0.1)
    for w in workers:
        w.wait(timeout=20)
    dialled = Counter(dials.read_text().split())
    assert [c for c, times in dialled.items() if times > 1] == []
    progress = store.batch_progress(loaded.batch_id)
    assert progress.done + progress.failed == n
    # Whoever is marked failed was in the hands of a killed worker: two at most for each of the four.
    assert progress.failed <= 8
    assert progress.done >= len(dialled) - 8
