"""What do all ears share: their errors, a turn's growing audio, and reading the expectation?"""

from __future__ import annotations

import re
import threading
from pathlib import Path

from voicebot.speech.api import RATE_HZ


class AsrError(RuntimeError):
    """An ear that cannot be had; the message names what is missing, where, and the way out."""


class MissingWeights(AsrError):
    """A weight file that is not there or cannot be used."""

    def __init__(self, engine: str, place: Path, reason: str, way_out: str) -> None:
        super().__init__(f"{engine}: {place}: {reason}; {way_out}")
        self.engine, self.place = engine, place


class MissingExtra(AsrError):
    """A Python package that an engine needs and that is not installed."""

    def __init__(self, engine: str, package: str, extra: str | None = None) -> None:
        install = f"'voicebot[{extra}]'" if extra else package
        super().__init__(f"{engine}: the Python package {package} is not installed; pip install {install}")
        self.engine, self.package = engine, package


class TurnAudio:
    """The pcm16 of one customer turn as it grows. `feed` and `snapshot` may be called from different threads."""

    def __init__(self, rate_hz: int = RATE_HZ) -> None:
        self._rate_hz = rate_hz
        self._pcm16 = bytearray()
        self._lock = threading.Lock()

    def feed(self, pcm16: bytes) -> None:
        with self._lock:
            self._pcm16 += pcm16

    def snapshot(self) -> bytes:
        with self._lock:
            return bytes(self._pcm16)

    def ms(self, pcm16: bytes) -> int:
        return len(pcm16) // 2 * 1000 // self._rate_hz


_NOT_SPOKEN = re.compile(r"[\W_]+")


def spoken(text: str) -> str:
    """What of a text is said aloud: letters, digits and Chinese characters; no spaces, no punctuation."""
    return _NOT_SPOKEN.sub("", text)
