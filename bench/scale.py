"""Does the case store keep its speed as it grows? Import, permits per second, time to pick the next due case.

    python bench/scale.py                        # 10 thousand, 100 thousand and 1 million cases: some ten minutes
    python bench/scale.py --sizes 10000 50000    # a quick look

Each size is a batch file of its own, read row by row as `voicebot run` does and loaded into a fresh private PostgreSQL.
Then eight processes claim, each as fast as it can, under the real rules (cn) on a clock that stands at noon; a claim is
judged, booked and committed. Picking is one claim of one case, timed by a single process on the quiet table.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from voicebot.cases import CaseFile
from voicebot.settings import Settings
from voicebot.settings import Store as StoreSettings
from voicebot.store import Store, open_store
from voicebot.store.server import private_server

NOON = datetime(2026, 11, 27, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
WORKERS = 8
LINES = 4  # cases that a worker claims at once
PICKS = 300
SECONDS = 10.0
_SPAWN = multiprocessing.get_context("spawn")
HEADER = "案件编号,姓名,性别,手机号,产品,卡尾号,应还金额,最低还款,到期日,客户号\n"


def write_cases(path: Path, rows: int, seed: int) -> None:
    """One debtor in five has several loans; one row in a thousand is wrong."""
    chance = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for i in range(rows):
            debtor = i if chance.random() < 0.8 else chance.randrange(i + 1)
            phone = f"138{debtor:08d}" if chance.random() < 0.999 else "1380013800"
            due = f"2026-11-{chance.randint(1, 26):02d}"
            file.write(
                f"C{i:08d},王强,男,{phone},信用卡,{i % 10000:04d},{chance.randint(100, 99999)}.50,100,{due},P{debtor}\n"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options = parser.parse_args()
    table = Table(title=f"case store, {WORKERS} workers claiming {LINES} at a time", title_justify="left")
    for column in ("cases", "import, rows/s", "again, rows/s", "peak RSS, MB", "permits/s", "pick p50, ms", "p95, ms"):
        table.add_column(column, justify="right")
    for size in options.sizes:
        # A process of its own for each size, so that the peak of memory is its own.
        with ProcessPoolExecutor(1, _SPAWN) as pool:
            table.add_row(f"{size:,}", *pool.submit(_measure, size).result())
        Console(width=max(120, Console().width)).print(table)


def _measure(size: int) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as settings:
        path = Path(folder) / "cases.csv"
        write_cases(path, size, seed=size)
        with open_store(settings, now=_noon) as store:
            batch, first_s = _load(store, path)
            _, again_s = _load(store, path)
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            picks = _picks(store, batch)
        with ProcessPoolExecutor(WORKERS, _SPAWN) as pool:
            counts = list(pool.map(_claim_all, [settings.store.url] * WORKERS, [batch] * WORKERS, range(WORKERS)))
        rate = sum(n / s for n, s in counts)
        p95 = statistics.quantiles(picks, n=20)[-1]
        rates = (f"{size / first_s:,.0f}", f"{size / again_s:,.0f}", f"{peak_mb:.0f}", f"{rate:,.0f}")
        return (*rates, f"{statistics.median(picks):.1f}", f"{p95:.1f}")


def _load(store: Store, path: Path) -> tuple[int, float]:
    began = time.perf_counter()
    file = CaseFile(path, date(2026, 11, 27), "示例银行")
    loaded = store.load_batch(path.name, file.sha256, "m1_collection", file)
    return loaded.batch_id, time.perf_counter() - began


def _picks(store: Store, batch: int) -> list[float]:
    """Milliseconds of each claim of one case."""
    found = []
    for i in range(PICKS):
        began = time.perf_counter()
        claims = store.claim_due(f"pick-{i}", 1, batch)
        found.append((time.perf_counter() - began) * 1000)
        assert claims
    return found


def _claim_all(url: str, batch: int, number: int) -> tuple[int, float]:
    """How many were claimed in how many seconds."""
    with open_store(Settings(store=StoreSettings(url=url)), now=_noon) as store:
        store.batch_progress(batch)
        began, claimed = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < SECONDS:
            claims = store.claim_due(f"worker-{number}", LINES, batch)
            claimed += len(claims)
            if not claims:
                break
        return claimed, passed


def _noon() -> datetime:
    return NOON


@contextmanager
def _server(folder: Path) -> Iterator[Settings]:
    server = private_server(folder / "pg")
    try:
        yield Settings(home=folder, store=StoreSettings(url=server.url))
    finally:
        server.leave()


if __name__ == "__main__":
    sys.exit(main())
