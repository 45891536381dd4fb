"""Every command can be found, explains itself, and answers a user's mistake with one line instead of a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from voicebot.cli.main import COMMANDS
from voicebot.settings import SettingsError, load_settings


def voicebot(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    command = [sys.executable, "-m", "voicebot.cli.main", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | environment)


def test_the_help_lists_every_command() -> None:
    done = voicebot("--help")
    assert done.returncode == 0
    assert all(f" {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    done = voicebot(name, "--help")
    assert done.returncode == 0 and "Usage" in done.stdout


@pytest.mark.parametrize(
    "args",
    [
        ("call", "sip:x@127.0.0.1:5999", "--case", "nowhere.json"),
        ("run", "nowhere.csv"),
        ("run", "examples/cases.csv", "--script", "no_such_script"),
        ("replay", "no-such-call"),
        ("demo", "--personas", "nowhere"),
        ("doctor", "--config", "nowhere.yaml"),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_exit_code_2(args: tuple[str, ...]) -> None:
    done = voicebot(*args)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr and done.stderr.strip()


def test_settings_come_from_file_then_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("sip: {port: 5070, caller_id: '4008001234'}\n", "utf-8")
    monkeypatch.setenv("VOICEBOT__SIP__PORT", "5071")
    monkeypatch.setenv("VOICEBOT__SEATS__ADDRESSES", '["sip:8001@192.0.2.1"]')
    settings = load_settings(mine)
    assert (settings.sip.port, settings.sip.caller_id) == (5071, "4008001234")
    assert settings.seats.addresses == ("sip:8001@192.0.2.1",)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sip: {prot: 5070}\n", "sip.prot"),
        ("sip: [1]\n", "sip"),
        ("a: b: c\n", "YAML"),
        ("sip: {trunk: '{fone}'}\n", "trunk"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, named: str) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=named):
        load_settings(wrong)


def test_the_shipped_settings_are_the_defaults() -> None:
    from voicebot.settings import Settings

    assert load_settings() == Settings()
