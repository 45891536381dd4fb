"""Can many workers together break the law? They hammer at the same debtors; every cap is counted afterwards.

    python bench/gate.py                       # 32 processes, 60 debtors with 30 loans each on two numbers, 30 seconds

Each process claims under the real rules (cn) as fast as it can, ends every dial at once as answered or as busy, and
goes on; time runs 1,500 times as fast as on the wall, so that a run goes through a working day. Then the attempts are
read from the database and counted on their own: conversations a day and debtor, unanswered dials a day and number,
dials a minute and an hour to one number, dials outside the hours, and the deadlocks that PostgreSQL saw.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, text

from voicebot.cases import CaseRow
from voicebot.settings import Settings
from voicebot.settings import Store as StoreSettings
from voicebot.store import AttemptEnd, open_store
from voicebot.store.server import private_server

ZONE = ZoneInfo("Asia/Shanghai")
MORNING = datetime(2026, 11, 27, 7, 30, tzinfo=ZONE)
FASTER = 1500.0
LOANS = 30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=32)
    parser.add_argument("--debtors", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = private_server(Path(folder) / "pg")
        try:
            with open_store(Settings(store=StoreSettings(url=server.url))) as store:
                rows = [_case(d, n) for n in range(LOANS) for d in range(options.debtors)]
                batch = store.load_batch("gate", "0" * 64, "m1_collection", rows).batch_id
            began = time.time() + 5.0  # all of them are awake by then
            jobs = [(server.url, batch, n, began, options.seconds) for n in range(options.workers)]
            with ProcessPoolExecutor(options.workers, multiprocessing.get_context("spawn")) as pool:
                booked = sum(pool.map(_hammer, *zip(*jobs, strict=True)))
            broken, deadlocks, refusals = _count(server.url)
        finally:
            server.leave()
    table = Table(
        title=f"{options.workers} workers, {options.debtors} debtors, {options.seconds:.0f} s", show_header=False
    )
    table.add_row("dials permitted and booked", f"{booked:,}")
    table.add_row("refusals", f"{sum(refusals.values()):,}")
    for name, times in broken.items():
        table.add_row(f"over the cap: {name}", f"{times}")
    table.add_row("deadlocks", f"{deadlocks}")
    for rule, n in refusals.most_common(5):
        table.add_row(f"refused by {rule}", f"{n:,}")
    Console(width=100).print(table)
    return 1 if any(broken.values()) or deadlocks else 0


def _case(debtor: int, loan: int) -> CaseRow:
    return CaseRow(
        case_id=f"D{debtor}-{loan}",
        name="王强",
        gender="male",
        bank="示例银行",
        product="信用卡",
        card_tail="3344",
        amount_due=Decimal(1000),
        min_amount=Decimal(100),
        due_date=date(2026, 11, 20),
        phone=f"+861380000{debtor:03d}{loan % 2}",
        debtor=f"P{debtor}",
    )


def _hammer(url: str, batch: int, number: int, began: float, seconds: float) -> int:
    chance, boot, booked = random.Random(number), f"worker-{number}", 0

    def now() -> datetime:
        return MORNING + timedelta(seconds=max(0.0, time.time() - began) * FASTER)

    with open_store(Settings(store=StoreSettings(url=url)), now=now) as store:
        while (passed := time.time() - began) < seconds:
            if passed < 0:
                time.sleep(-passed)
            claims = store.claim_due(boot, 3, batch)
            for claim in claims:
                if store.start_dialing(claim.attempt_id, boot):
                    booked += 1
                    store.end_attempt(claim.attempt_id, AttemptEnd(chance.choice(("answered", "busy", "busy"))))
            if not claims:
                time.sleep(0.02)
    return booked


def _count(url: str) -> tuple[dict[str, int], int, Counter[str]]:
    """Counted from the rows alone: (times over each cap, deadlocks, refusals by rule)."""
    engine = create_engine(url)
    with engine.connect() as db:
        rows = db.execute(
            text(
                "SELECT c.debtor, c.phone, a.dialed_at, a.kind FROM attempts a JOIN cases c ON c.id = a.case_pk "
                "WHERE a.dialed_at IS NOT NULL ORDER BY a.dialed_at"
            )
        ).all()
        refused = db.execute(text("SELECT unnest(refused_by) FROM permits")).scalars()
        refusals = Counter(refused)
        deadlocks = db.execute(
            text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        ).scalar_one()
    engine.dispose()
    talks: Counter[tuple[str, date]] = Counter()
    silent: Counter[tuple[str, date]] = Counter()
    dials: dict[str, list[datetime]] = defaultdict(list)
    broken = dict.fromkeys(("3 conversations a day", "6 unanswered a day", "1 a minute", "5 an hour", "8:00-22:00"), 0)
    for r in rows:
        local = r.dialed_at.astimezone(ZONE)
        answered = r.kind == "answered"
        talks[r.debtor, local.date()] += answered
        silent[r.phone, local.date()] += not answered
        broken["3 conversations a day"] += talks[r.debtor, local.date()] > 3 and answered
        broken["6 unanswered a day"] += silent[r.phone, local.date()] > 6 and not answered
        broken["8:00-22:00"] += not 8 <= local.hour < 22
        before = dials[r.phone]
        broken["1 a minute"] += any((local - b).total_seconds() < 60 for b in before)
        broken["5 an hour"] += sum((local - b).total_seconds() < 3600 for b in before) >= 5
        before.append(local)
    return broken, deadlocks, refusals


if __name__ == "__main__":
    sys.exit(main())
