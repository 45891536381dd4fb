"""What the tests of the store put into it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from voicebot.cases import CaseRow
from voicebot.settings import PROJECT_ROOT, Compliance
from voicebot.store import NewPromise

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
SIMULATED = Compliance(pack=str(PROJECT_ROOT / "examples" / "simulated_rules.yaml"))
"""Rules that let tests call the same debtor at any hour."""


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


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """For a server of the test's own. Not pytest's folder: every pytest that starts closes that to other users, and
    under root the server is another user."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30
    with TemporaryDirectory(
        prefix="voicebot-test-", dir=memory if roomy else None, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


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
