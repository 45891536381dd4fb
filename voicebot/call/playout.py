"""What is being said, and how much of it was heard?

Lines are queued as clauses; each clause's audio comes from the prompt cache (or is synthesised while the ones before
it play) and is handed to the leg a little ahead of time. What was *played into RTP* is what counts as heard.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from dialogue.protocol import Speak
from voicebot.speech.api import RATE_HZ

LEAD_MS = 240  # audio in the leg's queue ahead of the network: covers a late tick, costs nothing when flushed
VOICE_PATIENCE_S = 12.0  # for one clause; a customer who hears nothing for longer has hung up
REWIND_MS = 160  # a resumed clause starts again this much earlier, about one syllable
PAUSE_AFTER_MS = {"，": 130, "、": 90, "；": 200, "：": 180, "。": 280, "？": 200, "！": 250}
DEFAULT_PAUSE_MS = 100
RENDER_S_PER_CHARACTER = 0.22  # about as long as the character takes to say
_SAMPLE_BYTES = 2


class Leg(Protocol):
    """The part of telephony.Leg that speaking needs."""

    @property
    def queued(self) -> int: ...
    def write(self, pcm16: bytes) -> int: ...
    def flush(self) -> int: ...
    def set_gain(self, db: float) -> None: ...


class Prompts(Protocol):
    """The part of the prompt cache that speaking needs."""

    def get(self, text: str) -> bytes | None: ...
    async def render(self, text: str, *, urgent: bool) -> bytes: ...


@dataclass(frozen=True, slots=True)
class LineOver:
    line_id: str
    heard: float
    failed: bool = False  # something of it could not be voiced


@dataclass(frozen=True, slots=True)
class LineBegun:
    line: Speak


@dataclass(slots=True)
class _Line:
    speak: Speak
    audio: list[bytes | None]  # per clause; None until rendered
    jobs: list[asyncio.Task[bytes]] = field(default_factory=list)
    begun: bool = False
    failed: bool = False  # a clause could not be voiced: the line was not heard as it was written
    clause: int = 0  # next clause to hand over
    offset: int = 0  # bytes of it handed over

    def handed_over(self) -> bool:
        return self.clause >= len(self.audio)

    def handed_bytes(self) -> int:
        return sum(len(a or b"") for a in self.audio[: self.clause]) + self.offset

    def would_stall(self) -> bool:
        """Clauses still being rendered are expected later than the ones before them end: a gap inside the line."""
        ready = 0
        for audio in self.audio:
            if audio is None:
                break
            ready += len(audio)
        else:
            return False
        missing = sum(len(c) for a, c in zip(self.audio, self.speak.clauses, strict=True) if a is None)
        return ready < missing * RENDER_S_PER_CHARACTER * RATE_HZ * _SAMPLE_BYTES

    def total_bytes(self) -> int:
        """Length of the whole line; clauses not rendered yet are guessed from their characters."""
        return sum(
            len(a) if a is not None else int(len(c) * RATE_HZ * _SAMPLE_BYTES / 4.5)
            for a, c in zip(self.audio, self.speak.clauses, strict=True)
        )


class Playout:
    """Speaks queued lines into one leg. Call `advance` every tick; it returns what began and what ended."""

    def __init__(self, leg: Leg, prompts: Prompts, duck_db: float) -> None:
        self._leg = leg
        self._prompts = prompts
        self._duck_db = duck_db
        self._lines: deque[_Line] = deque()
        self._paused = False
        self.failures: list[str] = []

    @property
    def idle(self) -> bool:
        return not self._lines

    def say(self, line: Speak) -> None:
        audio = [self._prompts.get(c) for c in line.clauses]
        entry = _Line(
            line, [_with_pause(a, c) if a is not None else None for a, c in zip(audio, line.clauses, strict=True)]
        )
        for i, clause in enumerate(line.clauses):
            if audio[i] is None:
                entry.jobs.append(asyncio.create_task(self._render(entry, i, clause)))
        self._lines.append(entry)

    def advance(self) -> list[LineBegun | LineOver]:
        happened: list[LineBegun | LineOver] = []
        if self._paused:
            return happened
        while self._lines and self._lines[0].handed_over() and not self._leg.queued:
            over = self._lines.popleft()
            happened.append(LineOver(over.speak.line_id, 0.0 if over.failed else 1.0, over.failed))
        if self._lines:
            self._top_up(self._lines[0], happened)
        return happened

    def pause(self) -> tuple[int, tuple[tuple[str, float], ...]]:
        """Silence at once. Returns (ms not said yet, (line id, share heard) of every line not over)."""
        self._paused = True
        dropped = self._leg.flush() * _SAMPLE_BYTES
        remaining = 0
        cut: list[tuple[str, float]] = []
        for i, line in enumerate(self._lines):
            if i == 0:
                _take_back(line, dropped)
            total, handed = line.total_bytes(), line.handed_bytes()
            remaining += max(0, total - handed)
            cut.append((line.speak.line_id, round(handed / total, 4) if total else 1.0))
        self._leg.set_gain(0.0)
        return remaining * 1000 // (RATE_HZ * _SAMPLE_BYTES), tuple(cut)

    def resume(self) -> None:
        self._paused = False
        if self._lines:
            line = self._lines[0]
            line.offset = max(0, line.offset - REWIND_MS * RATE_HZ // 1000 * _SAMPLE_BYTES)

    def drop(self) -> None:
        """Forget everything not said."""
        self._leg.flush()
        self._leg.set_gain(0.0)
        for line in self._lines:
            for job in line.jobs:
                job.cancel()
        self._lines.clear()
        self._paused = False

    def duck(self) -> None:
        self._leg.set_gain(self._duck_db)

    def unduck(self) -> None:
        self._leg.set_gain(0.0)

    def _top_up(self, line: _Line, happened: list[LineBegun | LineOver]) -> None:
        """Hand audio to the leg up to LEAD_MS ahead."""
        room = LEAD_MS * RATE_HZ // 1000 * _SAMPLE_BYTES - self._leg.queued * _SAMPLE_BYTES
        while room > 0 and not line.handed_over():
            audio = line.audio[line.clause]
            if audio is None:
                return
            if not line.begun:
                if line.would_stall():
                    return
                line.begun = True
                happened.append(LineBegun(line.speak))
            accepted = self._leg.write(audio[line.offset : line.offset + room])
            if accepted == 0 and line.offset < len(audio):
                return
            line.offset += accepted
            room -= accepted
            if line.offset >= len(audio):
                line.clause, line.offset = line.clause + 1, 0

    async def _render(self, line: _Line, index: int, clause: str) -> bytes:
        try:
            pcm = await asyncio.wait_for(self._prompts.render(clause, urgent=True), VOICE_PATIENCE_S)
        except Exception as e:  # a voice that fails must not hold the line: the clause is left out and reported
            self.failures.append(f"{line.speak.line_id}: {clause!r}: {e!r}")
            line.failed = True
            pcm = b""
        line.audio[index] = _with_pause(pcm, clause)
        return pcm


def _with_pause(pcm16: bytes, clause: str) -> bytes:
    pause_ms = PAUSE_AFTER_MS.get(clause[-1:], DEFAULT_PAUSE_MS)
    return pcm16 + bytes(pause_ms * RATE_HZ // 1000 * _SAMPLE_BYTES)


def _take_back(line: _Line, dropped_bytes: int) -> None:
    """Move the line's position back by audio that was handed over but never played."""
    while dropped_bytes > 0 and (line.clause > 0 or line.offset > 0):
        if line.offset == 0:
            line.clause -= 1
            line.offset = len(line.audio[line.clause] or b"")
        step = min(line.offset, dropped_bytes)
        line.offset -= step
        dropped_bytes -= step
