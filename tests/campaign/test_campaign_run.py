"""A campaign as ops run it: commands, worker processes, real SIP; nobody needs to say a word."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from openpyxl import Workbook

from voicebot.debtor.process import DebtorProcess
from voicebot.settings import PROJECT_ROOT, Settings
from voicebot.store import Store, open_store

HEADER = ("案件编号", "户名", "手机号", "产品", "卡尾号", "应还总额", "到期日", "sip_uri")
QUIET = 'name: {name}\nabout: {name}\nuser: "{user}"\nanswer: {{kind: {kind}}}\n'


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("personas")
    for name, user, kind in (("is_busy", "1", "busy"), ("rings_on", "2", "no_answer"), ("is_gone", "3", "not_found")):
        (folder / f"{name}.yaml").write_text(QUIET.format(name=name, user=user, kind=kind), "utf-8")
    with DebtorProcess([folder], rtp_ports=(48000, 48999)) as debtors:
        yield debtors.port


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder of its own with the weights of the tests' one."""
    there = Settings().data_home
    with TemporaryDirectory(prefix="voicebot-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the private server is another user's under root
        for shared in ("models", "cache"):
            if (there / shared).exists():
                (folder / shared).symlink_to(there / shared)
        monkeypatch.setenv("VOICEBOT_HOME", str(folder))
        monkeypatch.setenv("VOICEBOT__COMPLIANCE__PACK", str(PROJECT_ROOT / "examples" / "simulated_rules.yaml"))
        yield folder


def workbook(path: Path, port: int, users: str) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADER)
    for i, user in enumerate(users, start=1):
        row = (f"C{i:03d}", "王强", f"1380000{i:04d}", "信用卡", "3344", 3280.5, "-5d", f"sip:{user}@127.0.0.1:{port}")
        sheet.append(row)
    book.save(path)
    return path


def run(*args: str, rc: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "voicebot.cli.main", *args], capture_output=True, text=True, timeout=180
    )
    assert done.returncode == rc, done.stdout + done.stderr
    return done.stdout + done.stderr


def cases(store: Store) -> dict[str, dict[str, object]]:
    return {row["case_id"]: row for row in store.page("cases", {}, None, 100).items}


def test_a_workbook_is_loaded_called_as_the_strategy_says_and_paid(home: Path, phones: int, tmp_path: Path) -> None:
    file = workbook(tmp_path / "cases.xlsx", phones, "132")
    strategy = str(PROJECT_ROOT / "examples" / "demo_strategy.yaml")
    run("campaign", "create", "m1", "--strategy", strategy)
    assert "no column name/姓名" in run("batch", "load", str(file), "--campaign", "m1", rc=2)
    named = ("--source", "cards", "--map", "户名=name", "--map", "应还总额=amount_due")
    assert "新增 3" in run("batch", "load", str(file), "--campaign", "m1", *named)
    assert "新增 0" in run("batch", "load", str(file), "--campaign", "m1", "--source", "cards")
    os.environ["VOICEBOT__SIP__RING_TIMEOUT_S"] = "2"
    try:
        run("worker", "--lines", "3", "--campaign", "m1", "--until-done")
    finally:
        del os.environ["VOICEBOT__SIP__RING_TIMEOUT_S"]
    with open_store(Settings(home=home)) as store:
        found = cases(store)
        assert {c: (f["status"], f["attempts"], f["handed_to"]) for c, f in found.items()} == {
            "C001": ("waiting", 1, None),  # busy: tomorrow
            "C002": ("handed", 1, "lost_contact"),  # no such number, and no other
            "C003": ("waiting", 1, None),  # rang in vain: tomorrow
        }
        endings = {a["case_id"]: a["disposition"] for a in store.page("attempts", {}, None, 10).items}
        assert endings == {"C001": "busy", "C002": "invalid_number", "C003": "no_answer"}
    paid = tmp_path / "paid.csv"
    paid.write_text("流水号,案件编号,还款金额,还款时间\nx1,C001,3280.5,2026-11-27 09:00\n", "utf-8")
    assert "1 件结清" in run("payments", "load", str(paid))
    assert "0 笔入账，1 笔已有" in run("payments", "load", str(paid))
    run("worker", "--campaign", "m1", "--until-done")
    with open_store(Settings(home=home)) as store:
        assert cases(store)["C001"]["status"] == "closed"


def test_a_worker_that_is_asked_to_leave_finishes_its_calls_and_takes_no_more(
    home: Path, phones: int, tmp_path: Path
) -> None:
    strategy = str(PROJECT_ROOT / "examples" / "demo_strategy.yaml")
    file = workbook(tmp_path / "cases.xlsx", phones, "2222")
    run("campaign", "create", "m2", "--strategy", strategy)
    run("batch", "load", str(file), "--campaign", "m2", "--map", "户名=name", "--map", "应还总额=amount_due")
    worker = subprocess.Popen(
        [sys.executable, "-m", "voicebot.cli.main", "worker", "--lines", "1", "--campaign", "m2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"VOICEBOT__SIP__RING_TIMEOUT_S": "4"},
    )
    try:
        with open_store(Settings(home=home)) as store:
            deadline = time.monotonic() + 90
            while not any(a["state"] == "dialing" for a in store.page("attempts", {}, None, 10).items):
                assert time.monotonic() < deadline, "nobody was dialled"
                time.sleep(0.2)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
            attempts = store.page("attempts", {}, None, 10).items
            assert [(a["state"], a["disposition"]) for a in attempts] == [("done", "no_answer")]
    finally:
        if worker.poll() is None:
            worker.kill()
