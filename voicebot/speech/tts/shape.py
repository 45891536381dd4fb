"""What does any synthetic voice need before it goes down a telephone line? Its silence cut off, and the right level."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEVEL_DBFS = -20.0  # RMS of the spoken parts: a clear talker on G.711
PEAK = 0.7  # 3 dB below overload, whatever the level would ask for
EDGE_MS = 12  # kept before the first and after the last sound
ONSET = 0.02  # share of the peak at which a sound begins; breath and net noise lie below
SPOKEN = 0.05  # share of the peak above which a sample counts for the level

Samples = npt.NDArray[np.float32]


def trimmed(wave: Samples, rate_hz: int) -> Samples:
    """`wave` without the silence at both ends, faded in and out over EDGE_MS; empty when nothing sounds."""
    loud = np.flatnonzero(np.abs(wave) > ONSET * float(np.abs(wave).max(initial=0.0)))
    if not len(loud):
        return wave[:0]
    edge = EDGE_MS * rate_hz // 1000
    kept = wave[max(0, loud[0] - edge) : loud[-1] + edge].copy()
    ramp = np.linspace(0.0, 1.0, min(edge, len(kept) // 2), dtype=np.float32)
    kept[: len(ramp)] *= ramp
    kept[len(kept) - len(ramp) :] *= ramp[::-1]
    return kept


def at_level(wave: Samples) -> Samples:
    """`wave` scaled so that its spoken parts have LEVEL_DBFS, without a peak above PEAK."""
    peak = float(np.abs(wave).max(initial=0.0))
    if peak == 0.0:
        return wave
    spoken = wave[np.abs(wave) > SPOKEN * peak]
    rms = float(np.sqrt(np.mean(np.square(spoken, dtype=np.float64))))
    return wave * np.float32(min(10 ** (LEVEL_DBFS / 20) / rms, PEAK / peak))
