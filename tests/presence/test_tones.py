"""Call-progress tones by their rhythm, as lines bring them: drifting, quiet, noisy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot.presence.tones import Tone, ToneListener, pitch
from voicebot.speech.api import FRAME_SAMPLES, RATE_HZ

RHYTHM = {
    Tone.RINGBACK: [(1000, 4000)],
    Tone.BUSY: [(350, 350)] * 4,
    Tone.CONGESTION: [(700, 700)] * 3,
    Tone.UNOBTAINABLE: [(100, 100), (100, 100), (100, 100), (400, 400)],
}


def played(rhythm: list[tuple[int, int]], hz: float, db: float, noise_db: float = -90, lead_ms: int = 0) -> np.ndarray:
    parts = [np.zeros(lead_ms * 8)]
    for on_ms, off_ms in rhythm:
        t = np.arange(on_ms * 8) / RATE_HZ
        parts += [32768 * 10 ** (db / 20) * np.sin(2 * np.pi * hz * t), np.zeros(off_ms * 8)]
    whole = np.concatenate(parts)
    return whole + np.random.default_rng(1).normal(0, 32768 * 10 ** (noise_db / 20), len(whole))


def heard(samples: np.ndarray) -> Tone | None:
    listener = ToneListener()
    frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    return next((tone for f in frames if (tone := listener.push(f)) is not None), None)


@pytest.mark.parametrize("tone", list(RHYTHM))
@settings(max_examples=40, deadline=None)
@given(
    hz=st.floats(425, 475),
    db=st.floats(-35, -6),
    stretch=st.floats(0.92, 1.08),
    lead_ms=st.integers(0, 50).map(lambda n: n * 7),
)
def test_a_tone_is_named_however_it_drifts(tone: Tone, hz: float, db: float, stretch: float, lead_ms: int) -> None:
    rhythm = [(round(on * stretch), round(off * stretch)) for on, off in RHYTHM[tone]]
    assert heard(played(rhythm, hz, db, lead_ms=lead_ms)) is tone
    assert heard(played(rhythm, hz, db, noise_db=db - 15, lead_ms=lead_ms)) is tone


def test_information_tones_come_in_their_order() -> None:
    three = np.concatenate([played([(330, 0)], hz, -15) for hz in (950, 1400, 1800)])
    assert heard(three) is Tone.INFORMATION
    assert heard(three[::-1]) is None


def test_other_rhythms_and_other_sounds_are_no_tone() -> None:
    assert heard(played([(150, 600)] * 5, 450, -15)) is None
    assert heard(played([(350, 350)] * 5, 700, -15)) is None
    assert heard(np.random.default_rng(2).normal(0, 3000, 5 * RATE_HZ)) is None
    assert heard(np.zeros(5 * RATE_HZ)) is None


def test_the_pitch_of_a_frame() -> None:
    t = np.arange(FRAME_SAMPLES) / RATE_HZ
    assert pitch(np.sin(2 * np.pi * 450 * t)) == pytest.approx(450, abs=15)
    assert pitch(np.sin(2 * np.pi * 450 * t) + np.sin(2 * np.pi * 1200 * t)) is None
