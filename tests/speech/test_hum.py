"""嗯 or words? The detector that lets a hum pass and stops for the rest."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from voicebot.speech.audio import frames, through_g711, to_pcm16
from voicebot.speech.hum import MIN_FRAMES, HumDetector


def voiced(formants_hz: list[tuple[float, float]], ms: int = 240, pitch_hz: float = 130.0) -> np.ndarray:
    """Harmonics of a voice, each as loud as it is near to one of the formants (Hz, gain)."""
    t = np.arange(ms * 8) / 8000
    out = np.zeros(len(t))
    for hz in np.arange(pitch_hz, 3400, pitch_hz):
        gain = sum(g / (1 + ((hz - f) / 90) ** 2) for f, g in formants_hz)
        out += gain * np.sin(2 * np.pi * hz * t)
    return (out / np.abs(out).max() * 0.2).astype(np.float32)


def hum_like(samples: np.ndarray) -> bool:
    detector = HumDetector()
    for frame in frames(through_g711(to_pcm16(samples))):
        detector.push(frame)
    return detector.hum_like


MURMUR = voiced([(260, 1.0)])
OPEN_VOWEL = voiced([(800, 1.0), (1300, 0.8)])
HISS = np.random.default_rng(4).standard_normal(1920).astype(np.float32) * 0.05


def test_a_steady_murmur_is_a_hum():
    assert hum_like(MURMUR)


def test_an_open_vowel_is_not():
    assert not hum_like(OPEN_VOWEL)


def test_a_hiss_is_not():
    assert not hum_like(HISS)


def test_a_murmur_that_opens_into_a_vowel_is_not():
    assert not hum_like(np.concatenate([MURMUR[:960], OPEN_VOWEL[:960]]))


def test_silence_is_not():
    assert not hum_like(np.zeros(1920, np.float32))


def test_nothing_is_said_before_there_is_enough_to_compare():
    detector = HumDetector()
    for frame in list(frames(to_pcm16(MURMUR)))[: MIN_FRAMES - 1]:
        detector.push(frame)
    assert not detector.hum_like


@given(st.lists(st.binary(min_size=320, max_size=320), max_size=12))
def test_the_same_frames_always_give_the_same_answer(pushed):
    one, other = HumDetector(), HumDetector()
    for frame in pushed:
        one.push(frame)
        other.push(frame)
    assert one.hum_like == other.hum_like
