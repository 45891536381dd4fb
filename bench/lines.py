"""How many calls does one machine carry? Full dialogue on every line, against debtors that talk.

    python bench/lines.py                        # 1 and 4 with the wheel from PyPI; 1, 10, 30, 60 with an own build
    python bench/lines.py --lines 1 4 --calls 3  # calls per line

Shown per level: calls that ended without a disposition, CPU and memory of the robot's workers per call, how late the
20 ms heartbeat was, and the response time in the debtor's ear. The debtors are deaf (they say their next line when the
robot falls quiet): their own recognition would take the processor that is being measured. Their CPU is shown apart.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from telephony.library import is_pypi_wheel
from voicebot.call.news import News
from voicebot.campaign.spec import WorkerStats
from voicebot.cli.run import run_batch
from voicebot.debtor.measure import measure_folder, percentile
from voicebot.debtor.process import DebtorProcess
from voicebot.demo.stage import at_any_hour
from voicebot.reports.batch import disposition_of
from voicebot.settings import PROJECT_ROOT, Settings, load_settings
from voicebot.store import open_store

TALKER = PROJECT_ROOT / "examples" / "personas" / "bench" / "talker.yaml"
USER = "13900000020"
WHEEL_LINES, OWN_LINES = (1, 4), (1, 10, 30, 60)
UNFINISHED = {"failed", "unclear", "no_response", "busy", "unreachable", "callback"}


@dataclass(frozen=True, slots=True)
class Level:
    """What was seen at one number of lines."""

    lines: int
    calls: int
    failures: int
    stats: tuple[WorkerStats, ...]
    debtor_cpu_s: float
    wall_s: float
    talk_s: float
    responses_ms: tuple[float, ...]
    gaps: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wheel = is_pypi_wheel()
    parser.add_argument("--lines", type=int, nargs="+", default=list(WHEEL_LINES if wheel else OWN_LINES))
    parser.add_argument("--calls", type=int, default=2, help="calls per line")
    options = parser.parse_args()
    console = Console(width=max(150, Console().width))
    levels = [_level(at_any_hour(load_settings()), lines, options.calls) for lines in options.lines]
    console.print(_table(levels, "wheel from PyPI" if wheel else "own build of PJSIP"))


def _level(settings: Settings, lines: int, calls_per_line: int) -> Level:
    stats: list[WorkerStats] = []

    def note(news: News) -> None:
        if news.kind == "stats":
            stats.append(WorkerStats.from_json(news.detail))

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        processes = -(-lines // 4) if is_pypi_wheel() else 1
        heard = folder / "heard"
        heard.mkdir()
        with DebtorProcess([TALKER], record=heard, processes=processes, rtp_ports=(40000, 49999)) as debtors:
            cases = folder / "cases.csv"
            cases.write_text(_cases(debtors.ports, lines * calls_per_line), "utf-8")
            before, began = _cpu_of_debtors(debtors), time.monotonic()
            done = run_batch(cases, "m1_collection", lines, settings, round=str(began), observer=note)
            debtor_cpu_s, wall_s = _cpu_of_debtors(debtors) - before, time.monotonic() - began
        measured = measure_folder(heard)
    with open_store(settings) as store:
        rows = list(store.report_rows(done.batch_id))
    dispositions = [d.value if (d := disposition_of(row)) else "failed" for row in rows]
    return Level(
        lines=lines,
        calls=len(rows),
        failures=sum(d in UNFINISHED for d in dispositions),
        stats=tuple(stats),
        debtor_cpu_s=debtor_cpu_s,
        wall_s=wall_s,
        talk_s=sum(row.talk_s or 0.0 for row in rows),
        responses_ms=tuple(r.response_ms for m in measured for r in m.responses),
        gaps=sum(len(m.cut_ins) for m in measured),
    )


def _cases(ports: tuple[int, ...], count: int) -> str:
    header = "案件编号,姓名,性别,手机号,产品,卡尾号,应还金额,最低还款,到期日,sip_uri"
    rows = (
        f"L{i:04d},王强,男,1380000{i:04d},信用卡,3344,3280.50,328.05,-5d,sip:{USER}@127.0.0.1:{ports[i % len(ports)]}"
        for i in range(count)
    )
    return "\n".join([header, *rows]) + "\n"


def _cpu_of_debtors(debtors: DebtorProcess) -> float:
    total = 0.0
    for process in (psutil.Process(debtors.pid), *psutil.Process(debtors.pid).children(recursive=True)):
        times = process.cpu_times()
        total += times.user + times.system
    return total


def _table(levels: list[Level], build: str) -> Table:
    table = Table(title=f"Lines on one machine, {build}", title_justify="left")
    columns = (
        "lines", "calls", "failed", "processes", "CPU % per call", "/ one line", "MB per call", "tick late p99 ms",
        "worst ms", "response p50", "p95", "cut-ins", "debtors' CPU %",
    )  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right")
    first: float | None = None
    for level in levels:
        cpu = 100 * sum(s.cpu_s for s in level.stats) / max(level.talk_s, 0.001)
        first = first or cpu
        table.add_row(
            str(level.lines),
            str(level.calls),
            str(level.failures),
            str(len(level.stats)),
            f"{cpu:.1f}",
            f"{cpu / first:.2f}",
            f"{sum(s.peak_rss_mb for s in level.stats) / level.lines:.0f}",
            f"< {max((s.tick_late_p99_ms for s in level.stats), default=0)}",
            f"< {max((s.tick_late_max_ms for s in level.stats), default=0)}",
            f"{percentile(level.responses_ms, 50):.0f}",
            f"{percentile(level.responses_ms, 95):.0f}",
            str(level.gaps),
            f"{100 * level.debtor_cpu_s / level.wall_s:.0f}",
        )
    return table


if __name__ == "__main__":
    main()
