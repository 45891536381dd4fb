"""What was heard and what was played, tick by tick?

One `LegMedia` per leg stands between two threads: the bridge clock, which every 20 ms pulls a frame for the far end
and then pushes what came from it, and the program, which writes speech and takes frames whenever it likes. What the
clock does is O(1) and never waits for more than a slice of a buffer.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np

from telephony.settings import FRAME_BYTES, FRAME_MS

SILENCE = bytes(FRAME_BYTES)
RING_FRAMES = 30_000 // FRAME_MS
"""How much of a call may wait to be taken: 30 s. Older frames are dropped and counted."""


@dataclass(frozen=True, slots=True)
class MediaFrame:
    """Both directions of one 20 ms tick: 320 bytes of pcm16 each, silence where nothing flowed.

    `index` counts ticks since the media came up, so a gap shows dropped frames. `at_s`: monotonic time of the tick.
    While bridged, `tx` is what the far end heard from the other leg.
    """

    index: int
    rx: bytes
    tx: bytes
    at_s: float


class LegMedia:
    """The two buffers of a leg. `pull` and `push` belong to the bridge clock; the rest to any thread."""

    def __init__(self, playout_limit_ms: int = 30000) -> None:
        self._limit_bytes = playout_limit_ms // FRAME_MS * FRAME_BYTES
        self._queue = bytearray()
        self._lock = threading.Lock()
        self._ring: deque[MediaFrame] = deque(maxlen=RING_FRAMES)
        self._ticks = 0
        self._gain = 1.0
        self._pending_tx: bytes | None = None
        self._last_rx = SILENCE
        self._source: LegMedia | None = None
        self.written = 0
        self.played = 0
        self.dropped_frames = 0

    def write(self, pcm16: bytes) -> int:
        """Queue audio for the far end. Returns the bytes accepted: whole samples, up to the playout limit."""
        with self._lock:
            room = self._limit_bytes - len(self._queue)
            accepted = max(0, min(room, len(pcm16))) & ~1
            self._queue += pcm16[:accepted]
            self.written += accepted // 2
        return accepted

    def flush(self) -> int:
        """Forget what is queued. Returns the samples dropped; they stay counted as written, never as played."""
        with self._lock:
            dropped = len(self._queue) // 2
            self._queue.clear()
        return dropped

    @property
    def queued(self) -> int:
        """Samples that wait to be played."""
        return len(self._queue) // 2

    def set_gain(self, db: float) -> None:
        """Loudness of what is pulled from the next tick on, in decibels relative to what was written."""
        self._gain = 1.0 if db == 0 else float(10 ** (db / 20))

    def take_frames(self) -> list[MediaFrame]:
        """All ticks since the last call, oldest first. Never waits."""
        frames: list[MediaFrame] = []
        try:
            while True:
                frames.append(self._ring.popleft())
        except IndexError:
            return frames

    def hear(self, other: LegMedia | None) -> None:
        """From now on the far end hears `other`'s far end instead of our playout (None: our playout again)."""
        self._source = other

    def pull(self) -> bytes:
        """The next frame for the far end. Bridge clock only."""
        with self._lock:
            chunk = bytes(self._queue[:FRAME_BYTES])
            del self._queue[:FRAME_BYTES]
            self.played += len(chunk) // 2
        if chunk:
            if self._gain != 1.0:
                chunk = _scaled(chunk, self._gain)
            frame = chunk.ljust(FRAME_BYTES, b"\0")
        else:
            frame = SILENCE
        self._pending_tx = frame
        return frame

    def push(self, pcm16: bytes | None) -> None:
        """What came from the far end in this tick, None for nothing; completes the tick. Bridge clock only."""
        rx = pcm16 if pcm16 is not None and len(pcm16) == FRAME_BYTES else SILENCE
        source = self._source
        tx = source._last_rx if source is not None else self._pending_tx or SILENCE
        self._pending_tx = None
        self._last_rx = rx
        if len(self._ring) == RING_FRAMES:
            self.dropped_frames += 1
        self._ring.append(MediaFrame(self._ticks, rx, tx, time.monotonic()))
        self._ticks += 1


def _scaled(pcm16: bytes, gain: float) -> bytes:
    samples = np.frombuffer(pcm16, "<i2").astype(np.float32) * gain
    return bytes(np.clip(samples, -32768, 32767).astype("<i2").tobytes())
