"""Voice activity: who is detected, how soon, and what keeps calls apart."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from voicebot.settings import Settings, load_settings
from voicebot.speech.api import FRAME_BYTES, FRAME_MS, Vad
from voicebot.speech.asr.muggle_features import find_activity
from voicebot.speech.audio import frames, read_telephone, through_g711, to_float, to_pcm16
from voicebot.speech.vad import SILERO_FILE, SileroVad, VadError, WebrtcVad, make_vad

SILERO = load_settings().data_home / "models" / SILERO_FILE
RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "speech"
needs_silero = pytest.mark.skipif(not SILERO.is_file(), reason="weights are absent: voicebot models pull silero-vad")
needs_recordings = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings of real speech are absent")


@pytest.fixture(params=["webrtc", pytest.param("silero", marks=needs_silero)])
def vad(request) -> Vad:
    return WebrtcVad() if request.param == "webrtc" else SileroVad(SILERO)


def probabilities(vad: Vad, pcm16: bytes) -> list[float]:
    stream = vad.stream()
    return [stream.push(f) for f in frames(pcm16)]


def test_silence_is_not_speech(vad):
    assert max(probabilities(vad, bytes(16000))) < 0.5


def test_the_probability_is_one(vad):
    noise = np.random.default_rng(1).standard_normal(8000).astype(np.float32) * 0.1
    assert all(0.0 <= p <= 1.0 for p in probabilities(vad, to_pcm16(noise)))


def test_a_short_frame_is_taken(vad):
    assert 0.0 <= vad.stream().push(bytes(FRAME_BYTES // 2)) <= 1.0


@needs_recordings
def test_real_speech_is_found_soon_and_let_go_soon(vad):
    onsets_ms, found = [], 0
    for row in list(csv.DictReader((RECORDINGS / "manifest.tsv").open(encoding="utf-8"), delimiter="\t"))[:20]:
        pcm16 = through_g711(read_telephone(RECORDINGS / row["file"]) + bytes(8000))
        speech = [p >= 0.5 for p in probabilities(vad, pcm16)]
        found += any(speech)
        onsets_ms.append((speech.index(True) + 1) * FRAME_MS - find_activity(to_float(pcm16), 8000).start / 8)
        assert not any(speech[-10:])
    assert found == 20
    assert np.median(onsets_ms) <= 80


@needs_recordings
@needs_silero
def test_calls_do_not_hear_each_other():
    vad = SileroVad(SILERO)
    speech = list(frames(read_telephone(RECORDINGS / "BAC009S0150W0001.wav")))
    alone = vad.stream()
    expected = [alone.push(f) for f in speech]
    one, other = vad.stream(), vad.stream()
    beside = []
    for frame in speech:
        beside.append(one.push(frame))
        other.push(bytes(FRAME_BYTES))
    assert beside == expected


@needs_silero
def test_silero_is_taken_when_its_weight_is_there_and_webrtc_when_it_is_not(tmp_path, monkeypatch):
    monkeypatch.delenv("VOICEBOT_HOME", raising=False)
    there = Settings.model_validate({"home": SILERO.parents[2], "speech": {"vad": "auto"}})
    assert make_vad(there).name == "silero"
    assert make_vad(Settings.model_validate({"home": tmp_path})).name == "webrtc"


def test_a_missing_weight_is_named_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.delenv("VOICEBOT_HOME", raising=False)
    with pytest.raises(VadError, match=r"silero_vad\.onnx: no such file; .*models pull silero-vad"):
        make_vad(Settings.model_validate({"home": tmp_path, "speech": {"vad": "silero"}}))


def test_a_damaged_weight_is_named(tmp_path):
    (tmp_path / "silero_vad.onnx").write_bytes(b"half a download")
    with pytest.raises(VadError, match=r"silero_vad\.onnx: damaged"):
        SileroVad(tmp_path / "silero_vad.onnx")
