"""The small interfaces behind which every ear and every voice stands.

Telephone audio: 8 kHz, mono, signed 16-bit little-endian (`pcm16`). An engine that wants another rate converts inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dialogue.protocol import Expectation
from dialogue.understanding import Alternative

RATE_HZ = 8000
FRAME_MS = 20
FRAME_SAMPLES = RATE_HZ * FRAME_MS // 1000
FRAME_BYTES = FRAME_SAMPLES * 2


class VadStream(Protocol):
    """Voice activity of one call. One stream per call; not thread-safe."""

    def push(self, pcm16: bytes) -> float:
        """Take one 20 ms frame; return the probability (0..1) that the latest audio is speech."""
        ...


class Vad(Protocol):
    name: str

    def stream(self) -> VadStream: ...


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What an engine has heard so far.

    `closed` names the expected answer that was accepted by listening with expectation (then `text` equals it).
    `others`: what else it may have been, the likeliest first, from engines that weigh several texts.
    `confidence` 0..1. `audio_ms`: length of the audio behind it. `cpu_ms`: what it cost.
    """

    text: str
    confidence: float
    final: bool
    audio_ms: int
    cpu_ms: float = 0.0
    closed: str | None = None
    others: tuple[Alternative, ...] = ()


class AsrStream(Protocol):
    """One customer turn being heard. `feed` is cheap; `partial` and `final` may cost CPU and run on a worker thread,
    never two at a time for one stream. `feed` may run concurrently with them."""

    def feed(self, pcm16: bytes) -> None: ...

    def partial(self) -> Hypothesis: ...

    def final(self) -> Hypothesis: ...


class AsrEngine(Protocol):
    """Shared by all calls of a process; thread-safe."""

    name: str

    def stream(self, expectation: Expectation) -> AsrStream: ...


class Voice(Protocol):
    """Text to telephone audio. Blocking; thread-safe or serialised inside."""

    name: str  # part of the cache key: engine, voice and version

    def render(self, text: str, speed: float = 1.0) -> bytes:
        """`text` as a person would write it (digits allowed: it is normalised for speech inside). Returns pcm16."""
        ...
