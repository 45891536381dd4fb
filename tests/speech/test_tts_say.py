"""`voicebot say`: a wav file, or one line that says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from voicebot.cli.say import register
from voicebot.settings import load_settings
from voicebot.speech.audio import read_wav

KOKORO = load_settings().data_home / "models" / "kokoro"


def say(*arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["say", *arguments])


@pytest.mark.skipif(not (KOKORO / "model.onnx").exists(), reason="weights are absent: voicebot models pull kokoro")
def test_a_line_becomes_a_telephone_wav_and_its_spoken_form_is_shown(tmp_path: Path) -> None:
    result = say("应还5.60元。", "-o", str(tmp_path / "a.wav"), "--speed", "1.1")
    assert result.exit_code == 0, result.output
    assert "应还五元六角。" in result.output
    samples, rate_hz = read_wav(tmp_path / "a.wav")
    assert rate_hz == 8000 and 0.8 < len(samples) / rate_hz < 3


@pytest.mark.skipif(not (KOKORO / "model.onnx").exists(), reason="weights are absent: voicebot models pull kokoro")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("您好", "--voice", "nobody"), "no voice 'nobody'"),
        (("……",), "nothing to say"),
        (("您好", "-o", "/nowhere/at/all.wav"), "/nowhere/at/all.wav"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments: tuple[str, ...], reason: str) -> None:
    result = say(*arguments)
    assert result.exit_code == 2
    assert reason in result.output and "Traceback" not in result.output


def test_without_weights_it_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path))
    result = say("您好")
    assert result.exit_code == 2
    assert "voicebot models pull kokoro" in result.output


def test_a_speed_that_no_one_speaks_at_is_refused() -> None:
    assert say("您好", "--speed", "9").exit_code == 2
