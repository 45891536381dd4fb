"""`voicebot run` as its user runs it: real processes, real SIP, a database; nobody needs to say a word."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from voicebot.debtor.process import DebtorProcess
from voicebot.settings import PROJECT_ROOT

HEADER = "案件编号,姓名,性别,手机号,产品,卡尾号,应还金额,最低还款,到期日,sip_uri"
QUIET_LINES = """
name: {name}
about: {name}
user: "{user}"
answer: {{kind: {kind}}}
"""


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("personas")
    for name, user, kind in (("is_busy", "1", "busy"), ("rings_on", "2", "no_answer"), ("is_gone", "3", "not_found")):
        (folder / f"{name}.yaml").write_text(QUIET_LINES.format(name=name, user=user, kind=kind), "utf-8")
    with DebtorProcess([folder], rtp_ports=(48000, 48999)) as debtors:
        yield debtors.port


@pytest.fixture(autouse=True)
def _at_any_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEBOT__COMPLIANCE__PACK", str(PROJECT_ROOT / "examples" / "simulated_rules.yaml"))


def write_cases(path: Path, port: int, users: str) -> Path:
    rows = [
        f"C{i:03d},王强,男,1380000{i:04d},信用卡,3344,3280.50,328.05,-5d,sip:{user}@127.0.0.1:{port}"
        for i, user in enumerate(users, start=1)
    ]
    path.write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
    return path


def command(cases: Path, report: Path, *more: str) -> list[str]:
    run = [sys.executable, "-m", "voicebot.cli.main", "run", str(cases), "--report", str(report), "--no-prepare"]
    return [*run, *more]


def rows(report: Path) -> list[dict[str, str]]:
    with report.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_batch_is_called_and_reported_and_a_second_run_has_nothing_left_to_do(phones: int, tmp_path: Path) -> None:
    cases, report = write_cases(tmp_path / "cases.csv", phones, "113131"), tmp_path / "report.csv"
    done = subprocess.run(command(cases, report, "--lines", "3"), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert [r["disposition"] for r in rows(report)] == [
        "busy", "busy", "invalid_number", "busy", "invalid_number", "busy",
    ]  # fmt: skip
    again = subprocess.run(command(cases, report, "--lines", "3"), capture_output=True, text=True, timeout=120)
    assert again.returncode == 0 and "呼叫" not in again.stdout
    assert all(r["attempts"] == "1" for r in rows(report))


def test_bad_rows_are_named_and_the_good_ones_are_called(phones: int, tmp_path: Path) -> None:
    cases, report = write_cases(tmp_path / "cases.csv", phones, "11"), tmp_path / "report.csv"
    text = cases.read_text("utf-8").splitlines()
    text.insert(2, f"C900,李四,男,1380013800,信用卡,3344,12x,1,-5d,sip:1@127.0.0.1:{phones}")
    cases.write_text("\n".join(text) + "\n", "utf-8")
    done = subprocess.run(command(cases, report), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0
    assert "row 3" in done.stderr and "应还金额" in done.stderr
    assert len(rows(report)) == 2


def test_ctrl_c_ends_politely_and_the_next_run_goes_on(phones: int, tmp_path: Path) -> None:
    cases, report = write_cases(tmp_path / "cases.csv", phones, "1213"), tmp_path / "report.csv"
    # An environment of its own keeps a parent's ignored SIGINT away.
    running = subprocess.Popen(command(cases, report), stdout=subprocess.PIPE, text=True, env=os.environ.copy())
    assert running.stdout is not None
    for line in running.stdout:
        if "呼叫 sip:2@" in line:
            break
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    running.stdout.read()
    assert running.wait(60) == 130
    stopped = [r["disposition"] for r in rows(report)]
    assert stopped[0] == "busy" and stopped[1:] == ["", "", ""], "the ringing call was given up and is open again"

    settings = {"VOICEBOT__SIP__RING_TIMEOUT_S": "2"}
    done = subprocess.run(
        command(cases, report), capture_output=True, text=True, timeout=240, env=os.environ | settings
    )
    assert done.returncode == 0, done.stderr
    assert [r["disposition"] for r in rows(report)] == ["busy", "no_answer", "busy", "invalid_number"]
    assert [r["attempts"] for r in rows(report)] == ["1", "2", "1", "1"]


def test_outside_the_hours_nobody_is_called_and_the_report_says_why(
    phones: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = tmp_path / "never.yaml"
    never.write_text(
        "pack: never\nversion: '1'\nzone: Asia/Shanghai\nrules:\n  - {id: CLOSED, kind: hours, windows: "
        f"['{_an_hour_from_now()}'], instrument: i, certainty: policy, zh: 不可, en: no}}\n",
        "utf-8",
    )
    monkeypatch.setenv("VOICEBOT__COMPLIANCE__PACK", str(never))
    cases, report = write_cases(tmp_path / "cases.csv", phones, "11"), tmp_path / "report.csv"
    done = subprocess.run(command(cases, report), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    found = rows(report)
    assert {r["status"] for r in found} == {"waiting"} and {r["refused_by"] for r in found} == {"CLOSED"}
    assert {r["attempts"] for r in found} == {"0"} and all(r["not_before"] for r in found)
    assert "must wait" in done.stdout


def _an_hour_from_now() -> str:
    """A window of the day that is not open now, nor soon."""
    return "06:00-07:00" if datetime.now(ZoneInfo("Asia/Shanghai")).hour >= 8 else "20:00-21:00"
