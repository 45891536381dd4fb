"""Sounds whose every sample is known, for the tests of the simulated debtor."""

from __future__ import annotations

import numpy as np

from voicebot.debtor.activity import Samples, samples_of
from voicebot.speech.audio import through_g711


def voice(ms: int, level: float = 3000.0, seed: int = 3) -> Samples:
    """Something loud and speech-like that starts and ends at once: noise under a syllable rhythm."""
    rng = np.random.default_rng(seed)
    n = ms * 8
    rhythm = 0.6 + 0.4 * np.cos(2 * np.pi * 4 * np.arange(n) / 8000)
    carrier = np.sin(2 * np.pi * 220 * np.arange(n) / 8000 + 0.7) + 0.3 * rng.standard_normal(n)
    return np.clip(carrier * rhythm * level, -32000, 32000).astype(np.int16)


def silence(ms: int) -> Samples:
    return np.zeros(ms * 8, np.int16)


def on_the_line(*parts: Samples) -> Samples:
    return samples_of(through_g711(np.concatenate(parts).astype("<i2").tobytes()))
