"""What does the muggle network want to see of a telephone turn?

It was trained on clean wideband speech: 40 log-mel bands at 22 050 Hz, a frame every 10 ms, mean and deviation taken
away over the utterance. A telephone line carries nothing above 3.4-4 kHz, so the upper bands would show the resampler
instead of speech; they are pinned to the utterance mean ("nothing special here"), which at G.711 brings the error
from three and a half times the wideband figure to about one and a half (bench/ears.py).

A turn is framed before it is decoded: about 0.3 s of background on either side of the speech, no more (the network
then invents words), no less (it then loses the first and the last). Digital silence has no logarithm and would decide
the mean, so a faint constant hiss, far below a line's own, lies under everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voicebot.speech.audio import Samples, resample

Floats = npt.NDArray[np.float32]

NET_HZ = 22050
BANDS = 40
NARROWBAND_TOP = 26  # bands from here on lie above about 3.9 kHz
CONTEXT_MS = 300  # background kept, or made, on either side of the speech

_FFT, _FRAME, _HOP = 512, 551, 220
_HISS = 2e-4  # root mean square, -74 dBFS: the size of the smallest A-law step
_LEVEL_MS = 20


@dataclass(frozen=True, slots=True)
class Activity:
    """Where in a turn there is sound that may be speech: [start, end) in samples, and how much of it."""

    start: int
    end: int
    active_ms: int


def find_activity(samples: Samples, rate_hz: int) -> Activity:
    """Judge by level alone: what stands 10 dB over the turn's own background and is not faint. Never empty speech
    against loud background is cut: where nothing stands out but all of it is loud, all of it counts."""
    size = rate_hz * _LEVEL_MS // 1000
    count = len(samples) // size
    if not count:
        return Activity(0, 0, 0)
    blocks = samples[: count * size].reshape(count, size)
    blocks = blocks - blocks.mean(axis=1, keepdims=True)
    level_db = 10 * np.log10(np.mean(blocks**2, axis=1) + 1e-10)
    top, floor = float(np.percentile(level_db, 95)), float(np.percentile(level_db, 10))
    threshold = max(_FAINT_DBFS, min(floor + 10.0, top - 12.0), top - 35.0)
    loud = np.flatnonzero(level_db > threshold)
    if not len(loud):
        return Activity(0, 0, 0)
    return Activity(int(loud[0]) * size, (int(loud[-1]) + 1) * size, len(loud) * _LEVEL_MS)


_FAINT_DBFS = -55.0  # nobody who talks to us is softer than this on a telephone line


def frame_turn(samples: Samples, rate_hz: int, activity: Activity, *, ended: bool = True) -> Samples:
    """The speech with CONTEXT_MS around it, from the turn where it has that much, of faint hiss where it has not.

    `ended` False: the speech goes on past the last sample, so nothing is put behind it.
    """
    context = rate_hz * CONTEXT_MS // 1000
    start, end = activity.start - context, activity.end + context
    cut = samples[max(0, start) : max(0, min(end, len(samples)))]
    behind = max(0, end - len(samples)) if ended else 0
    return np.concatenate([np.zeros(max(0, -start), np.float32), cut, np.zeros(behind, np.float32)])


def features(samples: Samples, rate_hz: int, *, narrowband: bool) -> Floats:
    """[T, 40], T about 100 a second. `samples` in -1..1 at `rate_hz`."""
    x = resample(samples, rate_hz, NET_HZ).astype(np.float64)
    x = x + _hiss(len(x))
    bands = _log_mel(x)
    bands -= bands.mean(axis=0)
    if narrowband:
        bands[:, NARROWBAND_TOP:] = 0.0
    return ((bands - bands.mean()) / (bands.std() + 1e-9)).astype(np.float32)


def _log_mel(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    emphasised = np.append(x[0], x[1:] - 0.97 * x[:-1])
    count = max(1, -(-abs(len(emphasised) - _FRAME) // _HOP))
    padded = np.zeros((count - 1) * _HOP + _FRAME)
    padded[: len(emphasised)] = emphasised[: len(padded)]
    # The network's own front end windows 551 samples and transforms the first 512 of them.
    cut = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP, :_FFT] * _WINDOW
    power = np.abs(np.fft.rfft(cut, _FFT)) ** 2 / _FFT
    return np.asarray(20.0 * np.log10(np.maximum(power @ _MEL, 1e-12)))


def _mel_bank() -> npt.NDArray[np.float64]:
    mel = np.linspace(0, 2595 * np.log10(1 + NET_HZ / 2 / 700), BANDS + 2)
    edges = np.floor((_FFT + 1) * 700 * (10 ** (mel / 2595) - 1) / NET_HZ).astype(int)
    bank = np.zeros((BANDS, _FFT // 2 + 1))
    for band, (low, mid, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        bank[band, low:mid] = (np.arange(low, mid) - low) / max(mid - low, 1)
        bank[band, mid:high] = (high - np.arange(mid, high)) / max(high - mid, 1)
    return bank.T.copy()


def _hiss(count: int) -> npt.NDArray[np.float64]:
    """The same for every turn: what is heard must not depend on chance (replay)."""
    return np.resize(_HISS_SAMPLES, count)


_MEL = _mel_bank()
_WINDOW = np.hamming(_FRAME)[:_FFT]
_HISS_SAMPLES = np.random.default_rng(22050).standard_normal(NET_HZ * 4) * _HISS
