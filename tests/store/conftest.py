"""One private PostgreSQL for all tests of the store; each test works on a batch of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest

from voicebot.cases import CaseRow
from voicebot.settings import Settings
from voicebot.store import NewCall, NewPromise, Store, open_store
from voicebot.store.server import private_server

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=ZoneInfo("Asia/Shanghai"))

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _own_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOICEBOT_HOME", raising=False)


@pytest.fixture
def own_folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """For a server of the test's own. Not pytest's folder: every pytest that starts closes that to other users, and
    under root the server is another user."""
    with TemporaryDirectory(prefix="voicebot-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    with temporary_folder() as folder:
        server = private_server(folder / "pg")
        yield folder
        server.leave()


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home=home)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with open_store(settings, now=lambda: NOW) as opened:
        yield opened


def case(number: int, **other: object) -> CaseRow:
    values = {
        "case_id": f"D{number:04d}",
        "name": "王强",
        "gender": "male",
        "bank": "示例银行",
        "product": "信用卡",
        "card_tail": "3344",
        "amount_due": Decimal("1235.60"),
        "min_amount": Decimal("123.56"),
        "due_date": date(2026, 11, 17),
        "phone": f"+86138{number:08d}",
    }
    return CaseRow(**values | other)  # type: ignore[arg-type]


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


def promise(call_id: str, **other: object) -> NewPromise:
    values = {
        "pay_date": date(2026, 11, 27),
        "amount": Decimal("1235.60"),
        "partial": False,
        "recording": Path("/calls/recording.wav"),
        "said_turn": 4,
        "said_text": "周五吧",
        "from_sample": 160_000,
        "to_sample": 224_000,
        "confirmed_turn": 5,
        "confirmed_text": "对",
    }
    return NewPromise(call_id, **values | other)  # type: ignore[arg-type]
