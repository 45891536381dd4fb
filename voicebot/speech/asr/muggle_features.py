"""What does the muggle network want to see of a telephone turn?

It was trained on clean wideband speech: 40 log-mel bands at 22 050 Hz, a frame every 10 ms, mean and deviation taken
away over the utterance. A telephone line carries nothing above 3.4-4 kHz, so the upper bands would show the resampler
instead of speech; they are pinned to the utterance mean ("nothing special here"), which at G.711 brings the error
from three and a half times the wideband figure to about one and a half (bench/ears.py).

A turn is framed before it is decoded: 0.2 s of the line's own background around the speech, then faint hiss up to
0.7 s on either side, everything brought to one level. On 125 recordings at G.711 that is an error of .11-.12 where the
bare recording gives .136, the same frame of real background .15 and a loop of that background .14: the network wants
quiet around what it hears, and invents words in noise and at cut edges. Digital silence will not do: it has no
logarithm and would decide the mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voicebot.speech.asr.denoise import without_noise
from voicebot.speech.audio import Samples, resample

Floats = npt.NDArray[np.float32]

NET_HZ = 22050
BANDS = 40
NARROWBAND_TOP = 26  # bands from here on lie above about 3.9 kHz
KEPT_MS = 200  # of the line's own background, on either side of the speech
QUIET_MS = 700  # of background altogether; what is missing is hiss
NOISY_UNDER_DB = 20.0  # a line whose speech stands less than this over its noise (pre-emphasised) is cleaned first
SPEECH_SHARE = 0.4  # at least, of what the mean and the deviation are taken over: a syllable in quiet would be 0.15
LEVEL_DBFS = -26.0  # the speech is brought to this level

_FFT, _FRAME, _HOP = 512, 551, 220
_HISS = 2e-4  # root mean square, -74 dBFS: 48 dB under the speech
_BLOCK_MS = 20
_FAINT_DBFS = -58.0  # whoever talks to us is louder
_DIGITAL_SILENCE_DBFS = -80.0
_MAX_GAIN = 10.0


@dataclass(frozen=True, slots=True)
class Activity:
    """Where in a turn there is sound that may be speech: [start, end) in samples, and how much of it."""

    start: int
    end: int
    active_ms: int


def find_activity(samples: Samples, rate_hz: int) -> Activity:
    """Judge by level alone: blocks of 20 ms that stand out of the turn's own background and are not faint."""
    size = rate_hz * _BLOCK_MS // 1000
    count = len(samples) // size
    if not count:
        return Activity(0, 0, 0)
    blocks = samples[: count * size].reshape(count, size)
    blocks = blocks - blocks.mean(axis=1, keepdims=True)
    level_db = 10 * np.log10(np.mean(blocks**2, axis=1) + 1e-10)
    # Digital silence (lost packets, a muted phone) says nothing about the background of the rest.
    sounding = level_db[level_db > _DIGITAL_SILENCE_DBFS]
    if not len(sounding):
        return Activity(0, 0, 0)
    top, floor = float(np.percentile(sounding, 95)), float(np.percentile(sounding, 10))
    # A turn cut tightly has no background to stand out of; 12 dB under its loudest is speech whatever the floor is.
    threshold = max(_FAINT_DBFS, top - 35.0, min(floor + 10.0, top - 12.0))
    loud = np.flatnonzero(level_db > threshold)
    if not len(loud):
        return Activity(0, 0, 0)
    return Activity(int(loud[0]) * size, (int(loud[-1]) + 1) * size, len(loud) * _BLOCK_MS)


def frame_turn(samples: Samples, rate_hz: int, activity: Activity) -> Samples:
    """The speech with quiet around it, at one level, as the module's docstring says. `activity` is not empty."""
    kept, quiet = rate_hz * KEPT_MS // 1000, rate_hz * QUIET_MS // 1000
    start, end = max(0, activity.start - kept), min(len(samples), activity.end + kept)
    gain = _gain(samples[activity.start : activity.end])
    before = np.zeros(quiet - (activity.start - start), np.float32)
    after = np.zeros(quiet - (end - activity.end), np.float32)
    return np.concatenate([before, samples[start:end] * np.float32(gain), after])


def background(samples: Samples, rate_hz: int, activity: Activity) -> Samples:
    """The noise of the line beside the speech, at the speech's level in frame_turn; empty where there is no telling:
    too little of it (under 100 ms), or too faint to matter."""
    near, gap = rate_hz // 2, rate_hz * _BLOCK_MS // 1000
    before = samples[max(0, activity.start - near) : max(0, activity.start - gap)]
    after = samples[activity.end + gap : activity.end + near]
    noise = np.concatenate([before, after])
    if len(noise) < rate_hz // 10:
        return np.zeros(0, np.float32)
    speech = samples[activity.start : activity.end]
    if _emphasised_power(noise) * 10 ** (NOISY_UNDER_DB / 10) < _emphasised_power(speech):
        return np.zeros(0, np.float32)
    return np.asarray(noise * np.float32(_gain(speech)), np.float32)


def features(
    samples: Samples, rate_hz: int, *, narrowband: bool, noise: Samples | None = None, quiet_ms: int = 0
) -> Floats:
    """[T, 40], T about 100 a second. `samples` in -1..1 at `rate_hz`; `noise` alone, to be taken out of them.

    `quiet_ms` at either end is quiet and counts for the mean and the deviation only up to its share (SPEECH_SHARE):
    the network learned from sentences, and a single syllable would vanish in the statistics of the quiet around it.
    """
    x = resample(samples, rate_hz, NET_HZ).astype(np.float64)
    if noise is not None and len(noise):
        alone = _power(resample(noise, rate_hz, NET_HZ).astype(np.float64)).mean(axis=0)
        power = without_noise(_power(x) + 1e-12, alone + _HISS_POWER)
        power += np.resize(_HISS_FRAMES, power.shape)
    else:
        power = _power(x + np.resize(_HISS_SAMPLES, len(x)))
    bands = 20.0 * np.log10(np.maximum(power @ _MEL, 1e-12))
    weights = _weights(len(bands), quiet_ms * NET_HZ // 1000 // _HOP)
    bands -= weights @ bands
    if narrowband:
        bands[:, NARROWBAND_TOP:] = 0.0
    mean = float(np.sum(weights @ bands)) / BANDS
    deviation = float(np.sqrt(np.sum(weights @ (bands - mean) ** 2) / BANDS))
    return np.asarray((bands - mean) / (deviation + 1e-9), np.float32)


def _weights(count: int, quiet: int) -> npt.NDArray[np.float64]:
    """What each of `count` frames counts for, in sum 1; `quiet` of them at either end are quiet."""
    speech = count - 2 * quiet
    weights = np.ones(count)
    if quiet and 0 < speech < SPEECH_SHARE * count:
        weights[:quiet] = weights[-quiet:] = speech * (1 / SPEECH_SHARE - 1) / (2 * quiet)
    return np.asarray(weights / weights.sum(), np.float64)


def _emphasised_power(samples: Samples) -> float:
    """Hum and rumble, which the network hardly sees, count little in it."""
    return float(np.var(samples[1:] - 0.97 * samples[:-1])) if len(samples) > 1 else 0.0


def _gain(speech: Samples) -> float:
    loudness = float(np.sqrt(np.mean(speech**2)))
    return min(_MAX_GAIN, 10 ** (LEVEL_DBFS / 20) / max(loudness, 1e-6))


def _power(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Power spectra [T, 257], a frame every 10 ms."""
    emphasised = np.append(x[0], x[1:] - 0.97 * x[:-1])
    count = max(1, -(-abs(len(emphasised) - _FRAME) // _HOP))
    padded = np.zeros((count - 1) * _HOP + _FRAME)
    padded[: len(emphasised)] = emphasised[: len(padded)]
    # The network's own front end windows 551 samples and transforms the first 512 of them.
    cut = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP, :_FFT] * _WINDOW
    return np.asarray(np.abs(np.fft.rfft(cut, _FFT)) ** 2 / _FFT)


def _mel_bank() -> npt.NDArray[np.float64]:
    mel = np.linspace(0, 2595 * np.log10(1 + NET_HZ / 2 / 700), BANDS + 2)
    edges = np.floor((_FFT + 1) * 700 * (10 ** (mel / 2595) - 1) / NET_HZ).astype(int)
    bank = np.zeros((BANDS, _FFT // 2 + 1))
    for band, (low, mid, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        bank[band, low:mid] = (np.arange(low, mid) - low) / max(mid - low, 1)
        bank[band, mid:high] = (high - np.arange(mid, high)) / max(high - mid, 1)
    return bank.T.copy()


_MEL = _mel_bank()
_WINDOW = np.hamming(_FRAME)[:_FFT]
# The same for every turn: what is heard must not depend on chance (replay).
_HISS_SAMPLES = np.random.default_rng(NET_HZ).standard_normal(NET_HZ * 4) * _HISS
_HISS_FRAMES = _power(_HISS_SAMPLES)
_HISS_POWER = _HISS_FRAMES.mean(axis=0)
