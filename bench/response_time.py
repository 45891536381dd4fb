"""How long does the customer wait for an answer? Measured in the audio that the simulated debtor received.

    python bench/response_time.py                 # one call at a time, then four at once
    python bench/response_time.py --lines 1 --rounds 2

Response time: from the last sample of the debtor's speech to the first sample of the robot's answer, both in the
debtor's own recording. Also cut-ins (the robot speaks before a line is over), barge-in (the debtor's first sample to
silence in the debtor's ear) and where the robot's own time goes. The yardstick: a bridge on plain SIP echoes in 50 ms.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from voicebot.call.core import TurnTiming
from voicebot.call.eventlog import read_log
from voicebot.cli.run import run_batch
from voicebot.debtor.measure import Measured, measure_folder, percentile
from voicebot.debtor.persona import load_persona
from voicebot.demo.stage import stage
from voicebot.settings import PROJECT_ROOT, Settings, load_settings
from voicebot.store import open_store

PERSONAS = PROJECT_ROOT / "examples" / "personas"
TALKERS = ("pauses", "asks_questions", "short_answers", "backchannels", "noisy_street")
INTERRUPTERS = ("interrupts_700", "interrupts_1500", "interrupts_2500", "interrupts_4000")
SIP_ECHO_MS = 50
HUM_PAUSE_MS, GAVE_UP_MS = 700, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, action="append", help="calls at the same time; repeatable (1 and 4)")
    parser.add_argument("--rounds", type=int, default=1, help="times each persona is called")
    parser.add_argument("--persona", action="append", help="call only these (file names without .yaml); repeatable")
    parser.add_argument("--keep", type=Path, help="folder for the recordings (a temporary one)")
    options = parser.parse_args()
    settings = load_settings()
    console = Console(width=max(150, Console().width))
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        for lines in options.lines or (1, 4):
            measured, timings = _call_all(settings, lines, options.rounds, options.persona, folder / f"lines-{lines}")
            console.print(_table(lines, measured))
            console.print(_shares(timings))
            console.print(_barge_in(measured))


def _call_all(
    settings: Settings, lines: int, rounds: int, only: list[str] | None, folder: Path
) -> tuple[list[Measured], list[TurnTiming]]:
    """Call every persona `rounds` times, with `lines` at once; return what was measured outside and inside."""
    # Where a person takes over, a person answers: those calls are left out.
    demo = sorted(p for p in PERSONAS.glob("*.yaml") if p.name not in ("seat.yaml", "07_demands_person.yaml"))
    cast = [*(PERSONAS / "bench" / f"{name}.yaml" for name in (*TALKERS, *INTERRUPTERS)), *demo]
    cast = [p for p in cast if not only or p.stem in only]
    folder.mkdir(parents=True, exist_ok=True)
    people = [p for p in map(load_persona, cast) if p.answer.kind.value == "answer" and p.lines and not p.shouts]
    cases = folder / "cases.csv"
    cases.write_text(_cases([p.user for p in people], rounds), "utf-8")
    with stage(settings, cast, folder / "heard", seat=PERSONAS / "seat.yaml") as on:
        done = run_batch(
            cases, "m1_collection", lines, on.settings, round=f"{folder} {time.time()}", label=f"{lines} 路"
        )
    with open_store(settings) as store:
        logs = [row.log for row in store.report_rows(done.batch_id) if row.log is not None]
    timings = [e.value for log in logs for e in read_log(log) if isinstance(e.value, TurnTiming)]
    return [m for m in measure_folder(folder / "heard") if m.persona != "seat"], timings


def _cases(users: list[str], rounds: int) -> str:
    rows = ["案件编号,姓名,性别,手机号,产品,卡尾号,应还金额,最低还款,到期日"]
    rows += [
        f"B{i:03d},王强,男,{user},信用卡,3344,3280.50,328.05,-5d" for i, user in enumerate(users * rounds, start=1)
    ]
    return "\n".join(rows) + "\n"


def _table(lines: int, measured: list[Measured]) -> Table:
    responses = [r.response_ms for m in measured for r in m.responses]
    cut_ins = [c for m in measured for c in m.cut_ins]
    table = Table(title=f"Response time, {lines} at once", title_justify="left")
    for column in ("turns", "p50 ms", "p90 ms", "p95 ms", "max ms", "cut-ins", "per 30 turns", "p50 / SIP echo"):
        table.add_column(column, justify="right")
    turns = len(responses) + len(cut_ins)
    p50 = percentile(responses, 50)
    table.add_row(
        str(turns),
        f"{p50:.0f}",
        f"{percentile(responses, 90):.0f}",
        f"{percentile(responses, 95):.0f}",
        f"{max(responses, default=0):.0f}",
        f"{len(cut_ins)} ({sum(c.in_pause for c in cut_ins)} in pauses)",
        f"{30 * len(cut_ins) / max(1, turns):.2f}",
        f"{p50 / SIP_ECHO_MS:.1f}",
    )
    return table


def _shares(timings: Iterable[TurnTiming]) -> Table:
    """The robot's own view: from the customer's last sample as its VAD saw it."""
    timings = list(timings)
    parts = {
        "words there (VAD, ears)": [t.words_ms for t in timings],
        "turn taken (endpointing)": [t.decided_ms for t in timings],
        "first audio (voice)": [t.spoken_ms for t in timings],
        "- endpointing wait after the words": [max(0, t.decided_ms - t.words_ms) for t in timings],
        "- understanding and dialogue": [t.understanding_ms for t in timings],
        "- voice after the decision": [t.spoken_ms - t.decided_ms for t in timings],
        "ears, CPU of the last decode": [t.ears_cpu_ms for t in timings],
    }
    table = Table(title=f"Where the time goes, inside the robot ({len(timings)} turns)", title_justify="left")
    for column in ("until", "p50 ms", "p95 ms"):
        table.add_column(column, justify="left" if column == "until" else "right")
    for name, values in parts.items():
        table.add_row(name, f"{percentile(values, 50):.1f}", f"{percentile(values, 95):.1f}")
    return table


def _barge_in(measured: list[Measured]) -> Table:
    interruptions = [i for m in measured for i in m.interruptions]
    stops = [i.stop_ms for i in interruptions if not i.backchannel and i.stop_ms is not None]
    table = Table(title="Barge-in, customer's first sample to silence in the customer's ear", title_justify="left")
    for column in (
        "barge-ins",
        "p50 ms",
        "p95 ms",
        "backchannels",
        "paused for",
        "longest pause ms",
        "gave up the line",
    ):
        table.add_column(column, justify="right")
    hums = [i for i in interruptions if i.backchannel]
    # A silence that begins later is the end of a sentence; one of a second is a robot that waits for an answer.
    paused = [i for i in hums if i.stop_ms is not None and i.stop_ms < HUM_PAUSE_MS]
    gave_up = [i for i in paused if i.resumed_after_ms is None or i.resumed_after_ms > GAVE_UP_MS]
    table.add_row(
        str(len(stops)),
        f"{percentile(stops, 50):.0f}",
        f"{percentile(stops, 95):.0f}",
        str(len(hums)),
        str(len(paused)),
        f"{max((i.resumed_after_ms or 0 for i in paused if i not in gave_up), default=0):.0f}",
        str(len(gave_up)),
    )
    return table


if __name__ == "__main__":
    main()
