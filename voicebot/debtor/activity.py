"""Where in telephone audio is somebody heard, to the sample?

Energy is enough here: what is judged is synthetic speech over a loopback line. The threshold stands well above G.711's
idle noise and comfort noise, and well below a voice that was ducked by 12 dB.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicebot.speech.api import FRAME_SAMPLES, RATE_HZ

Samples = NDArray[np.int16]

BLOCK = RATE_HZ * 5 // 1000
"""Samples per energy block: 5 ms."""
MIN_RMS = 40.0
"""About -58 dBFS; A-law's idle noise has an RMS of 8."""
MAX_FLOOR_RMS = 110.0
"""About -49 dBFS: louder than comfort noise, so a floor beyond it is somebody's voice."""
OVER_FLOOR = 3.0


@dataclass(frozen=True, slots=True)
class Span:
    """Samples from `first` to `last`, both included."""

    first: int
    last: int

    @property
    def ms(self) -> float:
        return (self.last - self.first + 1) * 1000 / RATE_HZ


def samples_of(pcm16: bytes) -> Samples:
    return np.frombuffer(pcm16, dtype="<i2")


def rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) if samples.size else 0.0


def speech_spans(samples: Samples, *, join_ms: float = 200, min_ms: float = 30) -> list[Span]:
    """Stretches of speech in a recording; gaps shorter than `join_ms` belong to them, clicks under `min_ms` do not."""
    blocks = samples.size // BLOCK
    if blocks == 0:
        return []
    energies = np.sqrt(np.mean(samples[: blocks * BLOCK].astype(np.float64).reshape(blocks, BLOCK) ** 2, axis=1))
    threshold = _threshold(float(np.percentile(energies, 10)))
    active = np.flatnonzero(energies > threshold)
    if active.size == 0:
        return []
    gaps = np.flatnonzero(np.diff(active) * BLOCK >= join_ms * RATE_HZ / 1000 + BLOCK)
    spans = []
    for run in np.split(active, gaps + 1):
        if run.size * BLOCK < min_ms * RATE_HZ / 1000:
            continue
        first, last = int(run[0]) * BLOCK, (int(run[-1]) + 1) * BLOCK - 1
        loud = np.flatnonzero(np.abs(samples[first : last + 1].astype(np.int32)) > threshold)
        spans.append(Span(first + int(loud[0]), first + int(loud[-1])) if loud.size else Span(first, last))
    return spans


def speech_bounds(samples: Samples) -> Span | None:
    """First and last sample of speech, whatever pauses lie between them."""
    spans = speech_spans(samples)
    return Span(spans[0].first, spans[-1].last) if spans else None


@dataclass(frozen=True, slots=True)
class Started:
    first: int


@dataclass(frozen=True, slots=True)
class WentQuiet:
    """An utterance is over: its span in samples, and its audio with some context on both sides."""

    span: Span
    pcm16: bytes


class Segmenter:
    """Cuts a running stream of 20 ms frames into utterances. `quiet_ms` of silence end one.

    Positions are `frame index * 160` plus the place inside the frame: the caller's own sample clock.
    """

    _LEAD_FRAMES = 15  # 300 ms of context before and after: the recogniser needs some
    _ONSET_BLOCKS = 6  # 30 ms of sound among the last 50 ms begin an utterance
    _WINDOW_BLOCKS = 10
    _MAX_FRAMES = 60 * 50  # a robot that never pauses is cut here, so that memory stays bounded

    def __init__(self, quiet_ms: int) -> None:
        self._quiet_samples = quiet_ms * RATE_HZ // 1000
        self._lead: deque[bytes] = deque(maxlen=self._LEAD_FRAMES)
        self._recent: deque[tuple[int, bool]] = deque(maxlen=self._WINDOW_BLOCKS)
        self._energies: deque[float] = deque(maxlen=400)
        self._threshold = MIN_RMS
        self._first: int | None = None
        self._last = 0
        self._audio: list[bytes] = []

    def audible_since(self, sample: int) -> bool:
        """Whether speech was heard at or after `sample`."""
        return self._first is not None and self._last >= sample

    def push(self, index: int, pcm16: bytes) -> list[Started | WentQuiet]:
        """Take frame number `index` (320 bytes); return what came to pass in it."""
        samples = samples_of(pcm16)
        found: list[Started | WentQuiet] = []
        for block in range(0, FRAME_SAMPLES, BLOCK):
            part = samples[block : block + BLOCK]
            energy = rms(part)
            self._energies.append(energy)
            loud = energy > self._threshold
            at = index * FRAME_SAMPLES + block
            self._recent.append((at, loud))
            if loud and self._first is not None:
                self._last = at + BLOCK - 1
            if self._first is None and sum(is_loud for _, is_loud in self._recent) >= self._ONSET_BLOCKS:
                self._first = next(start for start, is_loud in self._recent if is_loud)
                self._last = at + BLOCK - 1
                self._audio = list(self._lead)
                found.append(Started(self._first))
        if index % 10 == 0:
            self._threshold = _threshold(float(np.percentile(self._energies, 10)))
        if self._first is None:
            self._lead.append(pcm16)
            return found
        self._audio.append(pcm16)
        end = (index + 1) * FRAME_SAMPLES
        if end - 1 - self._last >= self._quiet_samples or len(self._audio) >= self._MAX_FRAMES:
            found.append(self._close())
        return found

    def finish(self) -> WentQuiet | None:
        """The stream is over: the utterance that was still running, if there is one."""
        return self._close() if self._first is not None else None

    def _close(self) -> WentQuiet:
        assert self._first is not None
        done = WentQuiet(Span(self._first, self._last), b"".join(self._audio))
        self._first, self._audio = None, []
        self._recent.clear()
        self._lead.clear()
        return done


def _threshold(floor_rms: float) -> float:
    return max(MIN_RMS, OVER_FLOOR * min(floor_rms, MAX_FLOOR_RMS))
