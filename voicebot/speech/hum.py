"""Is what the customer has said so far just 嗯, or the beginning of words?

A hum is voiced and stays what it is: nearly all its power lies under 650 Hz, no frame hisses, and its spectrum at the
end is the one at the beginning. Words move: within a quarter of a second a consonant hisses or a vowel changes. Two
numbers per frame, no network, so that it can be asked at any moment of a barge-in. It errs both ways (bench/ears.py
--hum says how often), so it only buys time: words that the ears make out end the doubt.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicebot.speech.api import FRAME_SAMPLES, RATE_HZ
from voicebot.speech.audio import to_float

MIN_FRAMES = 5  # 100 ms: before that there is nothing to compare
LOW_SHARE = 0.8  # of the power, on average, under LOW_HZ
MAX_HISS_SHARE = 0.4  # of one frame's power over HISS_HZ
MAX_DRIFT = 0.2  # 0: the spectrum stayed; 1: nothing of it is left

LOW_HZ, HISS_HZ = 650.0, 1200.0
_LINE_HZ = (180.0, 3450.0)  # what a telephone line carries
_FAINT_DB = 20.0  # frames this far under the loudest are gaps and edges and do not count
_SILENT = 1e-4  # power of a frame at about -60 dBFS
_ENDS = 3  # frames compared at either end

_FFT = 256
_HZ = np.fft.rfftfreq(_FFT, 1 / RATE_HZ)
_WINDOW = np.hanning(FRAME_SAMPLES)


class HumDetector:
    """One stretch of customer speech, from its first frame on. Pure state: the same frames give the same answer."""

    def __init__(self) -> None:
        self._spectra: list[npt.NDArray[np.float64]] = []

    def push(self, pcm16: bytes) -> None:
        """Take the next 20 ms frame."""
        x = to_float(pcm16)[:FRAME_SAMPLES]
        x = x - x.mean() if len(x) else x  # A-law silence is not zero
        padded = np.pad(x, (0, FRAME_SAMPLES - len(x))) * _WINDOW
        self._spectra.append(np.abs(np.fft.rfft(padded, _FFT)) ** 2)

    @property
    def hum_like(self) -> bool:
        """Could it be 嗯? False before 100 ms of sound have come."""
        if len(self._spectra) < MIN_FRAMES:
            return False
        power = np.array(self._spectra)
        total = power.sum(axis=1)
        heard = total > total.max() * 10 ** (-_FAINT_DB / 10)
        if total.max() < _SILENT or heard.sum() < _ENDS:
            return False
        power, total = power[heard], total[heard]
        low = power[:, _HZ < LOW_HZ].sum(axis=1) / total
        hiss = power[:, _HZ > HISS_HZ].sum(axis=1) / total
        return bool(low.mean() > LOW_SHARE and hiss.max() < MAX_HISS_SHARE and _drift(power) < MAX_DRIFT)


def _drift(power: npt.NDArray[np.float64]) -> float:
    """How far the spectrum has moved from the first frames to the last: 1 - cosine of the two mean amplitudes."""
    line = power[:, (_LINE_HZ[0] <= _HZ) & (_LINE_HZ[1] >= _HZ)]
    amplitude = np.sqrt(line / (line.sum(axis=1, keepdims=True) + 1e-12))
    first, last = amplitude[:_ENDS].mean(axis=0), amplitude[-_ENDS:].mean(axis=0)
    return float(1 - first @ last / (np.linalg.norm(first) * np.linalg.norm(last) + 1e-12))
