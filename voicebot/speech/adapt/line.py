"""What does a telephone do to a voice, in all the ways that the ears should have met before?

Somebody larger or smaller, louder or fainter, speaks alone, in hiss, in rumble or among others, through G.711.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voicebot.speech.api import RATE_HZ
from voicebot.speech.audio import Samples, mix, resample, through_g711, to_float, to_pcm16

OTHER_SIZE = 0.6  # share of lines whose speaker is made larger or smaller than they are ...
SIZES = (0.9, 1.1)  # ... by as much: pitch, formants and pace move together
LEVELS_DBFS = (-32.0, -17.0)
BEFORE_S, AFTER_S = (0.25, 0.6), (0.05, 0.4)
NOISY = 0.6  # share of lines in noise; 3 in 5 of them among other people
OVER_NOISE_DB = (10.0, 28.0)
QUIET_DBFS = (-90.0, -55.0)
TALKERS = (3, 8)


def talk_of(clips: Sequence[Samples]) -> Samples:
    """Many lines at one level, one after the other: what babble is made of."""
    return np.concatenate([c / np.float32(_rms(c)) for c in clips])


def travelled(samples: Samples, talk: Samples, chance: np.random.Generator) -> Samples:
    """A line as the robot receives it, with some of the call before and after."""
    if chance.random() < OTHER_SIZE:
        samples = resample(samples, RATE_HZ, int(RATE_HZ * chance.uniform(*SIZES)))
    level = _amplitude(chance.uniform(*LEVELS_DBFS))
    silent = [np.zeros(int(chance.uniform(*s) * RATE_HZ), np.float32) for s in (BEFORE_S, AFTER_S)]
    voice = samples * np.float32(level / _rms(samples))
    call = np.concatenate([silent[0], voice, silent[1]])
    if chance.random() < NOISY:
        noise = noise_of(len(call), talk, chance)
        call = call + noise * np.float32(level * _amplitude(-chance.uniform(*OVER_NOISE_DB)) / _rms(noise))
    else:
        hiss = chance.standard_normal(len(call)).astype(np.float32)
        call = call + hiss * np.float32(_amplitude(chance.uniform(*QUIET_DBFS)))
    return to_float(through_g711(to_pcm16(call)))


def noise_of(length: int, talk: Samples, chance: np.random.Generator) -> Samples:
    """Other people, a rumble with some hiss, or hiss."""
    hiss = chance.standard_normal(length).astype(np.float32)
    kind = chance.random()
    if kind < 0.6:
        starts = chance.integers(0, max(1, len(talk) - length), int(chance.integers(*TALKERS)))
        return np.asarray(sum(np.resize(talk[s : s + length], length) for s in starts), np.float32)
    if kind < 0.8:
        rumble = np.cumsum(hiss)
        return mix(np.asarray(rumble - rumble.mean(), np.float32), hiss, 10.0)
    return hiss


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2))) + 1e-9


def _amplitude(dbfs: float) -> float:
    return float(10 ** (dbfs / 20))
