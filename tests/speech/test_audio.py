"""Audio at the edges: G.711, wav files, rates, levels."""

from __future__ import annotations

import math
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.speech import audio
from voicebot.speech.api import FRAME_BYTES

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

EVERY_SAMPLE = np.arange(-32768, 32768).astype("<i2").tobytes()


@pytest.mark.parametrize(("law", "decode"), [("alaw", audioop.alaw2lin), ("ulaw", audioop.ulaw2lin)])
def test_every_g711_code_decodes_as_the_reference_does(law, decode):
    codes = bytes(range(256))
    assert audio.decode_g711(codes, law) == decode(codes, 2)


def test_every_sample_encodes_to_a_law_as_the_reference_does():
    assert audio.encode_g711(EVERY_SAMPLE, "alaw") == audioop.lin2alaw(EVERY_SAMPLE, 2)


def test_mu_law_is_the_reference_to_one_step_at_the_borders_between_codes():
    ours = np.frombuffer(audio.encode_g711(EVERY_SAMPLE, "ulaw"), np.uint8).astype(int)
    reference = np.frombuffer(audioop.lin2ulaw(EVERY_SAMPLE, 2), np.uint8).astype(int)
    assert np.abs(ours - reference).max() <= 1
    assert np.mean(ours != reference) < 0.01


@pytest.mark.parametrize("law", ["alaw", "ulaw"])
@given(pcm16=st.binary(max_size=400))
def test_a_line_changes_audio_only_once(law, pcm16):
    once = audio.through_g711(pcm16, law)
    assert audio.through_g711(once, law) == once


@given(pcm16=st.binary(max_size=2000))
def test_frames_are_all_whole_and_lose_nothing(pcm16):
    cut = list(audio.frames(pcm16))
    assert all(len(f) == FRAME_BYTES for f in cut)
    assert b"".join(cut)[: len(pcm16)] == pcm16


def test_pcm16_survives_the_way_to_floats_and_back():
    assert audio.to_pcm16(audio.to_float(EVERY_SAMPLE)) == EVERY_SAMPLE


def test_levels_are_in_decibels_below_full_scale():
    tone = np.sin(np.arange(8000) / 8000 * 2 * np.pi * 400).astype(np.float32)
    assert audio.level_dbfs(audio.to_pcm16(tone * 0.1)) == pytest.approx(-23.0, abs=0.1)
    assert audio.level_dbfs(bytes(320)) == audio.level_dbfs(b"") == audio.SILENCE_DBFS


def test_noise_is_mixed_at_the_ratio_asked_for():
    rng = np.random.default_rng(1)
    speech = rng.standard_normal(8000).astype(np.float32) * 0.1
    noise = rng.standard_normal(1000).astype(np.float32)
    added = audio.mix(speech, noise, 15.0) - speech
    assert 10 * math.log10(float(np.mean(speech**2) / np.mean(added**2))) == pytest.approx(15.0, abs=0.1)


def _wav(path: Path, kind: int, bits: int, data: bytes, channels: int = 1, rate_hz: int = 8000) -> Path:
    block = channels * bits // 8
    fmt = struct.pack("<HHIIHH", kind, channels, rate_hz, rate_hz * block, block, bits)
    body = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


@pytest.mark.parametrize(
    ("kind", "bits", "data"),
    [
        (1, 16, struct.pack("<2h", 16384, -16384)),
        (1, 8, bytes([192, 64])),
        (1, 24, b"\x00\x00\x40\x00\x00\xc0"),
        (1, 32, struct.pack("<2i", 2**30, -(2**30))),
        (3, 32, struct.pack("<2f", 0.5, -0.5)),
    ],
)
def test_wav_files_of_every_usual_coding_are_read_alike(tmp_path, kind, bits, data):
    samples, rate_hz = audio.read_wav(_wav(tmp_path / "a.wav", kind, bits, data))
    assert rate_hz == 8000
    assert samples == pytest.approx([0.5, -0.5], abs=0.005)


@pytest.mark.parametrize(("kind", "law"), [(6, "alaw"), (7, "ulaw")])
def test_recordings_of_telephone_systems_are_read(tmp_path, kind, law):
    code = audio.encode_g711(struct.pack("<2h", 8000, -8000), law)
    samples, _ = audio.read_wav(_wav(tmp_path / "a.wav", kind, 8, code))
    assert samples * 32768 == pytest.approx([8000, -8000], rel=0.05)


def test_a_stereo_recording_at_16_khz_becomes_telephone_audio(tmp_path):
    tone = np.sin(np.arange(16000) / 16000 * 2 * np.pi * 400) * 8000
    both = np.repeat(tone.astype("<i2"), 2).tobytes()
    pcm16 = audio.read_telephone(_wav(tmp_path / "a.wav", 1, 16, both, channels=2, rate_hz=16000))
    assert len(pcm16) == 16000
    assert audio.level_dbfs(pcm16) == pytest.approx(-15.3, abs=0.2)


def test_what_is_written_is_read_back(tmp_path):
    pcm16 = np.random.default_rng(3).integers(-3000, 3000, 800).astype("<i2").tobytes()
    audio.write_wav(tmp_path / "a.wav", pcm16)
    assert audio.read_telephone(tmp_path / "a.wav") == pcm16


@pytest.mark.parametrize("data", [b"", b"ID3 not a wav", b"RIFF\x04\x00\x00\x00WAVE"])
def test_a_file_that_is_no_wav_is_named(tmp_path, data):
    (tmp_path / "song.wav").write_bytes(data)
    with pytest.raises(audio.AudioFileError, match=r"song\.wav"):
        audio.read_wav(tmp_path / "song.wav")


def test_a_coding_that_is_not_understood_is_named(tmp_path):
    with pytest.raises(audio.AudioFileError, match="format 85"):
        audio.read_wav(_wav(tmp_path / "a.wav", 85, 16, b"abcd"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(audio.AudioFileError, match=r"none\.wav"):
        audio.read_wav(tmp_path / "none.wav")
