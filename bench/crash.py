"""Does every case get exactly what its strategy says, whatever dies in between? A campaign under kill -9, real calls.

    python bench/crash.py                          # 500 cases, 4 workers, every fault in turn
    python bench/crash.py --cases 60 --every 12    # a short one

Workers call simulated debtors over real SIP (busy, dead numbers, nobody there, hanging up, wrong number, promises).
Meanwhile, in turn, every few seconds: a random worker is killed (kill -9) and started again; one is killed and never
comes back (another machine's worker takes its place later); one is frozen (SIGSTOP) past its leases and woken; the
database itself is killed and started again. Afterwards three witnesses are compared: the database, the strategy as a
pure function, and the debtors, who wrote down every INVITE they saw and every word they heard.

Counted as wrong: a dial that the strategy did not want at that moment; a case whose end is not what the strategy makes
of its history; more INVITEs than attempts, or two within the shortest retry; 「登记好了」 heard by a debtor without a
promise in the ledger; so few promises that this proves nothing. Exit code 1 when anything is.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, text

from voicebot.campaign.spec import WorkerSpec
from voicebot.cases import CaseRow
from voicebot.debtor.process import DebtorProcess
from voicebot.debtor.record import read_record
from voicebot.demo.stage import at_any_hour
from voicebot.settings import Settings, load_settings
from voicebot.settings import Store as StoreSettings
from voicebot.store import open_store
from voicebot.store.planning import case_of, events_of
from voicebot.store.server import private_server
from voicebot.strategy.loader import load_strategy
from voicebot.strategy.planning import Handed, Rest, Wish, plan

ZONE = ZoneInfo("Asia/Shanghai")
LEASE_S = 12.0
RETRY_S = 45
LONGEST_CALL_S = 90  # a debtor whose robot was killed hangs up by then; a promise takes some forty seconds
CAMPAIGN = "crash"
FAULTS = ("kill", "kill", "lose", "freeze", "kill", "database")
STRATEGY = f"""
strategy: crash
version: "1"
windows: ["00:00-23:59"]
message_at: "09:30"
segments:
  - name: all
    when: {{}}
    steps:
      - {{name: call, means: voice, content: m1_collection, days: [-400, 400], every_days: 400}}
retries:
  busy: {{after: {RETRY_S // 60 + 1}m, times: 1}}
  no_answer: {{after: {RETRY_S // 60 + 1}m, times: 1}}
  rejected: {{after: next_day, times: 1}}
  powered_off: {{after: next_day, times: 1}}
  unreachable: {{after: next_day, times: 1}}
  call_assistant: {{after: next_day, times: 1}}
  failed: {{after: {RETRY_S // 60 + 1}m, times: 9}}
  invalid_number: {{after: other_number, times: 1}}
  suspended: {{after: other_number, times: 1}}
reactions:
  promised: {{then: quiet}}
  promised_partial: {{then: quiet}}
  already_paid: {{then: quiet, days: 3}}
  callback: {{then: go_on}}
  refused: {{then: go_on, days: 2}}
  hardship: {{then: person}}
  complaint: {{then: person}}
  crisis: {{then: person}}
  transferred: {{then: person}}
  disputed: {{then: hold}}
  do_not_call: {{then: hold}}
  deceased_or_detained: {{then: person}}
  wrong_number: {{then: other_number}}
  third_party: {{then: go_on}}
  no_response: {{then: go_on}}
  unclear: {{then: go_on}}
"""
KINDS = {
    "busy": ("answer: {kind: busy, after_ms: 200}", 6),
    "dead": ("answer: {kind: not_found, after_ms: 200}", 4),
    "nobody": ("answer: {kind: no_answer}", 1),
    "leaves": ("lines:\n  - {hears: any, hang_up: true, delay_ms: 100}", 4),
    "wrong": ("voice: zf_xiaobei\nlines:\n  - {hears: any, say: 你打错了，我不认识这个人。, repeat: always}", 2),
    "pays": (
        'voice: zm_yunxi\nlines:\n  - hears: "[对队]([吗吧嘛妈]|不对)|没错|是这样|[核河合]对|确[认定]"\n'
        "    say: 对，没问题。\n    repeat: 3\n"
        '  - hears: "^(?!.*(今天|逾期)).*(本人|的人吗|先生|女士)"\n    say: 对，我就是，你说吧。\n    repeat: 3\n'
        "  - {hears: 再见|祝您|登记, hang_up: true}\n"
        "  - hears: 今天|今日|哪天|几号|什么时候\n    say: 行，我今天就把它全部还上。\n    repeat: 4\n"
        "otherwise: {say: 今天，今天全部还清。, repeat: 4}",
        5,
    ),
}
"""What a debtor does, and how many of twenty-two there are."""


@dataclass
class Worker:
    process: subprocess.Popen[bytes]
    frozen_until: float = 0.0


@dataclass
class Run:
    settings: Settings
    log: Path
    lines: int
    workers: list[Worker] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def start(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "voicebot.campaign.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self.log.open("ab"),
            start_new_session=True,
        )
        assert process.stdin is not None
        spec = WorkerSpec(self.lines, self.settings.model_dump_json(), campaign=CAMPAIGN, until_done=False)
        process.stdin.write(spec.to_json().encode() + b"\n")
        process.stdin.flush()
        self.workers.append(Worker(process))

    def kill(self, worker: Worker) -> None:
        """With its voice process, as a machine's power cut would."""
        os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
        self.workers.remove(worker)

    def wake(self) -> None:
        for w in self.workers:
            if w.frozen_until and time.monotonic() > w.frozen_until:
                os.killpg(w.process.pid, signal.SIGCONT)
                w.frozen_until = 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--lines", type=int, default=2, help="of each worker")
    parser.add_argument("--every", type=float, default=15.0, help="seconds between faults")
    parser.add_argument("--minutes", type=float, default=40.0, help="give up after so long")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    out = Console(width=max(110, Console().width))
    with tempfile.TemporaryDirectory(prefix="voicebot-crash-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        kinds = _cast(folder / "debtors", options.cases, chance)
        (folder / "crash.yaml").write_text(STRATEGY, "utf-8")
        server = private_server(folder / "pg")
        try:
            # Calls whose robot was killed hold lines until their debtors hang up; full lines are busy, and prove less.
            processes = 3 * -(-options.workers * options.lines // 4)
            with DebtorProcess(
                [folder / "debtors"], record=folder / "heard", processes=processes, log=folder / "debtors.log"
            ) as debtors:
                seen = _Witness(debtors)
                settings = _settings(server.url, debtors.ports)
                with open_store(settings) as store:
                    store.create_campaign(CAMPAIGN, str(folder / "crash.yaml"))
                    rows = [_case(n, debtors.ports) for n in range(options.cases)]
                    store.load_batch("crash", "0" * 64, "", rows, campaign=CAMPAIGN)
                    run = Run(settings, folder / "workers.log", options.lines)
                    began = time.monotonic()
                    try:
                        _drive(run, store, server, options, chance, out)
                    finally:
                        for w in list(run.workers):
                            run.kill(w)
                    spent_s = time.monotonic() - began
                time.sleep(3)
                seen.stop()
            wrong, stories = _check(server.url, folder, seen, kinds)
        finally:
            server.leave()
    table = Table(title=f"{options.cases} cases, {options.workers} workers, {spent_s:.0f} s", title_justify="left")
    table.add_column("fault")
    table.add_column("times", justify="right")
    for fault, n in sorted(run.done.items()):
        table.add_row(fault, str(n))
    out.print(table)
    table = Table(title="what was found", title_justify="left")
    table.add_column("")
    table.add_column("", justify="right")
    for what, n in wrong.items():
        table.add_row(what, str(n))
    out.print(table)
    bad = _wrong(wrong)
    for story in stories:
        out.print(story, markup=False)
    out.print("nothing was wrong" if not bad else f"{bad} were wrong")
    return 1 if bad else 0


def _drive(run: Run, store, server, options, chance, out) -> None:  # type: ignore[no-untyped-def]
    """Faults in turn, until nothing is left to call and the last lease is judged."""
    for _ in range(options.workers):
        run.start()
    ends = time.monotonic() + options.minutes * 60
    next_fault, turn, missing_until = time.monotonic() + options.every * 2, 0, 0.0
    while time.monotonic() < ends:
        time.sleep(1)
        run.wake()
        for w in list(run.workers):
            if w.process.poll() is not None:  # died by itself: the supervisor's part
                run.workers.remove(w)
                run.done["died by itself"] += 1
        if time.monotonic() > missing_until:
            while len(run.workers) < options.workers:
                run.start()
        try:
            progress = store.campaign_progress(CAMPAIGN)
        except Exception as e:  # the database is being killed
            out.print(f"[dim]{e}[/dim]")
            continue
        if not (progress.open or progress.claimed or progress.to_plan or progress.soon):
            return
        if time.monotonic() < next_fault:
            continue
        next_fault = time.monotonic() + options.every
        fault = FAULTS[turn % len(FAULTS)]
        turn += 1
        run.done[fault] += 1
        awake = [w for w in run.workers if not w.frozen_until]
        out.print(f"[dim]{progress.done + progress.handed + progress.waiting}/{progress.total}: {fault}[/dim]")
        match fault:
            case "kill" if awake:
                run.kill(chance.choice(awake))
            case "lose" if awake:
                run.kill(chance.choice(awake))
                missing_until = time.monotonic() + 5 * LEASE_S
            case "freeze" if awake:
                frozen = chance.choice(awake)
                os.killpg(frozen.process.pid, signal.SIGSTOP)
                frozen.frozen_until = time.monotonic() + 2.5 * LEASE_S
            case "database":
                pid = server.pid
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(3)
                server.ensure_running()


class _Witness:
    """What the debtors say of themselves: every INVITE, as it came."""

    def __init__(self, debtors: DebtorProcess) -> None:
        self.invites: dict[str, list[float]] = defaultdict(list)
        self._debtors, self._going = debtors, True
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while self._going:
            for event in self._debtors.events(timeout_s=0.5):
                if event["event"] == "incoming":
                    self.invites[_user(int(event["persona"][1:]))].append(time.time())

    def stop(self) -> None:
        self._going = False
        self._thread.join()


def _check(url: str, folder: Path, seen: _Witness, kinds: list[str]) -> tuple[dict[str, int], list[str]]:
    """What was found, and of every case that something was wrong with, all that the witnesses say."""
    strategy = load_strategy(str(folder / "crash.yaml"))
    found: Counter[str] = Counter()
    stories: list[str] = []
    for what in (
        "dials that the strategy did not want",
        "cases whose end is not the strategy's",
        "more INVITEs than attempts",
        "INVITEs closer than a retry",
        "answered attempts without an INVITE",
        "promises heard and not in the ledger",
        "attempts left without an ending",
        "too few promises to tell",
    ):
        found[f"WRONG {what}"] = 0
    engine = create_engine(url)
    with engine.connect() as db:
        now = db.execute(text("SELECT clock_timestamp()")).scalar_one().astimezone(ZONE)
        rows = db.execute(
            text("SELECT c.*, d.zone, d.do_not_call FROM cases c JOIN debtors d ON d.key = c.debtor")
        ).all()
        events = events_of(db, [r.id for r in rows])
        states = db.execute(text("SELECT * FROM attempts ORDER BY id")).all()
        ledger = set(db.execute(text("SELECT case_id FROM promises WHERE withdrawn_at IS NULL")).scalars())
        promised = db.execute(text("SELECT count(*) FROM promises")).scalar_one()
    answered = Counter(s.case_pk for s in states if s.kind == "answered")
    dialed = Counter(s.case_pk for s in states if s.state in ("done", "unknown", "dialing"))
    found["WRONG attempts left without an ending"] = sum(s.state in ("permitted", "dialing") for s in states)
    for s in states:
        found[f"attempts {s.state} {s.kind or ''} {s.sip_code or ''}"] += 1
    for row in rows:
        before = _wrong(found)
        case, happened = case_of(row, ZONE), events[row.id]
        for i, e in enumerate(happened):
            wished = plan(strategy, case, happened[:i], e.at.astimezone(ZONE))
            ok = isinstance(wished, Wish) and (wished.step, wished.number, wished.again) == (e.step, e.number, e.again)
            if not ok or wished.at > e.at + timedelta(seconds=1):  # type: ignore[union-attr]
                found["WRONG dials that the strategy did not want"] += 1
        last = plan(strategy, case, happened, now)
        expected = {Rest: ("done",), Handed: ("handed",), Wish: ("waiting",)}[type(last)]
        found["WRONG cases whose end is not the strategy's"] += row.status not in expected
        user = row.debtor[-11:]
        invites = seen.invites[user]
        found["INVITEs that debtors saw"] += len(invites)
        found["WRONG more INVITEs than attempts"] += len(invites) > dialed[row.id]
        found["WRONG answered attempts without an INVITE"] += answered[row.id] > len(invites)
        gaps = [b - a for a, b in itertools.pairwise(invites)]
        found["WRONG INVITEs closer than a retry"] += sum(g < RETRY_S for g in gaps)
        if _wrong(found) > before:
            tried = [f"  {dict(s._mapping)}" for s in states if s.case_pk == row.id]
            came = ", ".join(datetime.fromtimestamp(at, ZONE).isoformat() for at in invites) or "none"
            stories.append("\n".join((f"{dict(row._mapping)}", *tried, f"  INVITEs: {came}", f"  the plan: {last}")))
    for path in sorted((folder / "heard").glob("*.json")):
        record = read_record(path)
        words = "".join(h.text for h in record.heard)
        if "登记好" in words or "记好了" in words:
            found["debtors who heard that it is booked"] += 1
            case_id = f"K{int(record.user[-4:]):04d}"
            if case_id not in ledger:
                found["WRONG promises heard and not in the ledger"] += 1
                stories.append(f"{case_id} heard: {words}")
    found["promises in the ledger"] = promised
    found["debtors of whom a promise was to be had"] = kinds.count("pays")
    # Where hardly anybody promised, that no promise was lost proves nothing.
    found["WRONG too few promises to tell"] = int(promised < kinds.count("pays") // 5)
    return dict(sorted(found.items())), stories


def _wrong(found: Mapping[str, int]) -> int:
    return sum(n for what, n in found.items() if what.startswith("WRONG"))


def _cast(folder: Path, count: int, chance: random.Random) -> list[str]:
    """A debtor for each case, with a number of its own."""
    folder.mkdir()
    names = [kind for kind, (_, share) in KINDS.items() for _ in range(share)]
    kinds = [chance.choice(names) for _ in range(count)]
    for n, kind in enumerate(kinds):
        head = f'name: k{n:04d}\nabout: {kind}\nuser: "{_user(n)}"\nmax_call_s: {LONGEST_CALL_S}\n'
        (folder / f"k{n:04d}.yaml").write_text(head + KINDS[kind][0] + "\n", "utf-8")
    return kinds


def _user(n: int) -> str:
    return f"1380001{n:04d}"


def _case(n: int, ports: tuple[int, ...]) -> CaseRow:
    """All of one name and one amount: their lines are spoken once. Debtors are spread over the processes."""
    return CaseRow(
        case_id=f"K{n:04d}",
        name="王强",
        gender="male",
        bank="示例银行",
        product="信用卡",
        card_tail="3344",
        amount_due=Decimal("3280.50"),
        min_amount=Decimal("328.05"),
        due_date=(datetime.now(ZONE) - timedelta(days=5)).date(),
        phone=None,
        sip_uri=f"sip:{_user(n)}@127.0.0.1:{ports[n % len(ports)]}",
        debtor=f"+86{_user(n)}",
    )


def _settings(url: str, ports: tuple[int, ...]) -> Settings:
    settings = at_any_hour(load_settings())
    sip = settings.sip.model_copy(
        update={
            "trunk": f"sip:{{phone}}@127.0.0.1:{ports[0]}",
            "trunks": (),
            "bind": "127.0.0.1",
            "ring_timeout_s": 4.0,
        }
    )
    seats = settings.seats.model_copy(update={"addresses": ()})
    store = StoreSettings(url=url, lease_s=LEASE_S)
    return settings.model_copy(update={"sip": sip, "seats": seats, "store": store})


if __name__ == "__main__":
    sys.exit(main())
