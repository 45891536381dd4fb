"""What does a line sound like on the wire: its pieces and pauses, the noise around it, the damage on the way?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from voicebot.debtor.activity import Samples, Span, rms, speech_bounds, speech_spans
from voicebot.debtor.persona import Network, Noise
from voicebot.speech.api import FRAME_BYTES, FRAME_MS, FRAME_SAMPLES, RATE_HZ


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line, ready to be sent: whole frames of 20 ms. Spans count samples from its first one.

    `speech`: from the first to the last sample of speech. `pauses`: the planned ones. `lost`: frames that were damaged.
    """

    samples: Samples
    speech: Span
    pauses: tuple[Span, ...] = ()
    lost: tuple[int, ...] = ()

    def frames(self) -> list[bytes]:
        pcm16 = self.samples.astype("<i2").tobytes()
        return [pcm16[at : at + FRAME_BYTES] for at in range(0, len(pcm16), FRAME_BYTES)]


def assemble(parts: Sequence[tuple[Samples, int]]) -> Spoken:
    """Join (audio, pause after it in ms): each piece is cut to its speech, and exactly that silence lies between two.

    Raises ValueError when a piece is silent.
    """
    chunks: list[Samples] = []
    pauses: list[Span] = []
    length = 0
    for number, (samples, pause_ms) in enumerate(parts):
        bounds = speech_bounds(samples)
        if bounds is None:
            raise ValueError(f"piece {number + 1} has no audible speech in it")
        chunks.append(samples[bounds.first : bounds.last + 1])
        length += chunks[-1].size
        gap = pause_ms * RATE_HZ // 1000
        if gap and number + 1 < len(parts):
            pauses.append(Span(length, length + gap - 1))
            chunks.append(np.zeros(gap, np.int16))
            length += gap
    speech = Span(0, length - 1)
    chunks.append(np.zeros(-length % FRAME_SAMPLES, np.int16))
    return Spoken(np.concatenate(chunks).astype(np.int16), speech, tuple(pauses))


def speech_rms(samples: Samples) -> float:
    """Loudness of the speech alone, without the silence around it."""
    spans = speech_spans(samples, join_ms=50)
    return rms(np.concatenate([samples[s.first : s.last + 1] for s in spans])) if spans else 0.0


def damaged(spoken: Spoken, network: Network, rng: np.random.Generator) -> Spoken:
    """Lose frames at random, and hold others up: a frame that comes too late leaves a hole of up to `jitter_ms`.

    The first frame always arrives, so that the marks of the line stay anchored to it.
    """
    count = spoken.samples.size // FRAME_SAMPLES
    gone = rng.random(count) < network.packet_loss_percent / 100
    if network.jitter_ms:
        at = 1
        while at < count:
            at += int(rng.integers(15, 60))
            gone[at : at + int(rng.integers(0, network.jitter_ms // FRAME_MS + 1))] = True
    gone[0] = False
    lost = tuple(int(n) for n in np.flatnonzero(gone))
    samples = spoken.samples.copy()
    for number in lost:
        samples[number * FRAME_SAMPLES : (number + 1) * FRAME_SAMPLES] = 0
    return replace(spoken, samples=samples, lost=lost)


class Background:
    """Endless noise at a fixed level, frame by frame. `source` is what babble and wav are cut from."""

    def __init__(self, noise: Noise, voice_rms: float, source: Samples | None, rng: np.random.Generator) -> None:
        self._rms = voice_rms * 10 ** (-noise.snr_db / 20)
        self._rng = rng
        self._loop = None if source is None or source.size < FRAME_SAMPLES else _at_level(source, self._rms)
        self._at = 0

    def next(self, count: int) -> Samples:
        """The next `count` samples."""
        if self._loop is None:
            noise = self._rng.normal(0.0, self._rms, count)
        else:
            noise = np.take(self._loop, np.arange(self._at, self._at + count), mode="wrap")
            self._at = (self._at + count) % self._loop.size
        return _clipped(noise)

    def under(self, spoken: Spoken) -> Spoken:
        """The line with the noise added; its marks stay those of the speech."""
        mixed = spoken.samples.astype(np.float64) + self.next(spoken.samples.size)
        return replace(spoken, samples=_clipped(mixed))


def babble(voices: Sequence[Samples], rng: np.random.Generator, length_s: float = 12.0) -> Samples:
    """People talking in the background: `voices` laid over each other, each from a place of its own."""
    total = np.zeros(int(length_s * RATE_HZ))
    for samples in voices:
        if samples.size:
            total += np.take(samples, np.arange(total.size) + int(rng.integers(samples.size)), mode="wrap")
    return _clipped(total / max(1.0, np.sqrt(len(voices))))


def _at_level(samples: Samples, target_rms: float) -> np.ndarray:
    return samples.astype(np.float64) * (target_rms / max(rms(samples), 1e-9))


def _clipped(samples: np.ndarray) -> Samples:
    return np.clip(np.round(samples), -32768, 32767).astype(np.int16)
