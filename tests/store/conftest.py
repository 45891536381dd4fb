"""One private PostgreSQL for all tests of the store; each test works on a batch of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_samples import NOW, SIMULATED, case, temporary_folder

from voicebot.settings import Settings
from voicebot.store import NewCall, Store, open_store
from voicebot.store.server import private_server

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _own_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOICEBOT_HOME", raising=False)


@pytest.fixture
def own_folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    with temporary_folder() as folder:
        server = private_server(folder / "pg")
        yield folder
        server.leave()


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home=home, compliance=SIMULATED)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with open_store(settings, now=lambda: NOW) as opened:
        yield opened


@pytest.fixture
def batch(store: Store) -> Callable[[int], int]:
    """Loads so many cases as a batch nobody else uses; returns its id."""

    def load(n: int) -> int:
        sha256 = f"{next(_numbers):064d}"
        return store.load_batch("test.csv", sha256, "m1_collection", map(case, range(n))).batch_id

    return load


@pytest.fixture
def call(store: Store) -> Callable[..., str]:
    """Starts a call outside any batch; returns its id."""

    def start(**other: object) -> str:
        call_id = f"call-{next(_numbers)}"
        store.start_call(NewCall(call_id, "D0001", "m1_collection", NOW, **other))  # type: ignore[arg-type]
        return call_id

    return start
