"""Which sample of which line went out when?

The mouth hands whole lines to the leg and keeps a mirror of what it handed over. Every frame that the leg reports as
sent is compared with the head of that mirror: that, and no clock, says where in the call a line lies.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from voicebot.debtor.activity import Span
from voicebot.debtor.record import LineSaid
from voicebot.debtor.sound import Background, Spoken
from voicebot.speech.api import FRAME_BYTES, FRAME_SAMPLES

_SILENCE = bytes(FRAME_BYTES)


class Playout(Protocol):
    """The part of a leg that the mouth needs: a bounded queue of audio that is sent frame by frame."""

    def write(self, pcm16: bytes) -> int: ...

    def flush(self) -> int: ...

    @property
    def queued(self) -> int: ...


@dataclass(slots=True)
class _Running:
    number: int
    text: str
    spoken: Spoken
    barge_in: bool
    backchannel: bool
    began_frame: int | None = None
    sent: int = 0

    def mark(self, cut_off: bool) -> LineSaid | None:
        """The line as far as it was sent, in the clock of the call; None when no speech of it was."""
        if self.began_frame is None:
            return None
        origin = self.began_frame * FRAME_SAMPLES
        speech, sent = self.spoken.speech, self.sent * FRAME_SAMPLES
        if sent <= speech.first:
            return None
        return LineSaid(
            number=self.number,
            text=self.text,
            first_sample=origin + speech.first,
            last_sample=origin + min(speech.last, sent - 1),
            planned_pauses=tuple(Span(origin + p.first, origin + p.last) for p in self.spoken.pauses if p.first < sent),
            barge_in=self.barge_in,
            backchannel=self.backchannel,
            cut_off=cut_off,
            lost_samples=tuple(origin + n * FRAME_SAMPLES for n in self.spoken.lost if n < self.sent),
        )


class Mouth:
    """Says lines on one call, over background noise if there is any. One line at a time."""

    _NOISE_AHEAD_FRAMES = 4  # 80 ms: outlasts an event loop that is late, and is flushed when a line begins
    _SKIP_FRAMES = 5  # that many sent frames may go unreported without losing the place in a line
    _LINE_AHEAD_FRAMES = 500  # 10 s of a line at once, so that no lateness can tear a hole into it

    def __init__(self, playout: Playout, background: Background | None) -> None:
        self._playout = playout
        self._background = background
        self._handed: deque[bytes] = deque()
        self._waiting: deque[bytes] = deque()
        self._running: _Running | None = None
        self._left = 0
        self._before_line = 0
        self._starved = 0
        self.misread_frames = 0  # sent, but not what was handed over
        self.torn_frames = 0  # frames of a line that came after a hole in it

    @property
    def speaking(self) -> bool:
        return self._running is not None

    def say(self, number: int, text: str, spoken: Spoken, *, barge_in: bool, backchannel: bool) -> None:
        """Begin a line now; noise that is queued before it is dropped. The line must not be empty."""
        dropped = self._playout.flush() // FRAME_SAMPLES
        for _ in range(min(dropped, len(self._handed))):
            self._handed.pop()
        self._running = _Running(number, text, spoken, barge_in, backchannel)
        self._waiting.extend(spoken.frames())
        self._left = len(self._waiting)
        self._before_line = len(self._handed)
        self._hand_over()

    def sent(self, index: int, tx: bytes) -> LineSaid | None:
        """Take the frame that was sent at tick `index`; returns the line that ended with it."""
        done = None
        for _ in range(self._went_out(tx)):
            self._handed.popleft()
            done = self._advanced(index) or done
        self._hand_over()
        return done

    def _went_out(self, tx: bytes) -> int:
        """How many of the handed frames are out by now, `tx` being the latest that was seen."""
        if not self._handed:
            return 0
        if tx == self._handed[0]:
            self._starved = 0
            return 1
        if tx != _SILENCE:
            near = list(islice(self._handed, self._SKIP_FRAMES))
            skipped = near.index(tx) if tx in near else 0
            self.misread_frames += skipped or 1
            return skipped + 1
        self._starved = self._starved + 1 if self._playout.queued == 0 else 0
        if self._starved <= self._SKIP_FRAMES:
            return 0
        # Nothing is left to be sent: the rest went out unseen, for example into a bridge.
        self.misread_frames += len(self._handed)
        return len(self._handed)

    def stop(self) -> LineSaid | None:
        """Fall silent; returns the line that was cut off."""
        running, self._running = self._running, None
        self._handed.clear()
        self._waiting.clear()
        self._playout.flush()
        return running.mark(cut_off=True) if running else None

    def _advanced(self, index: int) -> LineSaid | None:
        running = self._running
        if running is None:
            return None
        if self._before_line:
            self._before_line -= 1
            return None
        if running.began_frame is None:
            running.began_frame = index
        running.sent += 1
        self.torn_frames += index - running.began_frame + 1 > running.sent
        self._left -= 1
        if self._left:
            return None
        self._running = None
        return running.mark(cut_off=False)

    def _hand_over(self) -> None:
        if self._waiting:
            room = max(0, self._LINE_AHEAD_FRAMES - len(self._handed))
            taken = self._write([self._waiting[n] for n in range(min(room, len(self._waiting)))])
            for _ in range(taken):
                self._waiting.popleft()
        elif self._background is not None and len(self._handed) < self._NOISE_AHEAD_FRAMES:
            missing = self._NOISE_AHEAD_FRAMES - len(self._handed)
            noise = self._background.next(missing * FRAME_SAMPLES).astype("<i2").tobytes()
            self._write([noise[at : at + FRAME_BYTES] for at in range(0, len(noise), FRAME_BYTES)])

    def _write(self, frames: list[bytes]) -> int:
        """Hand frames to the leg; returns how many it took."""
        taken = self._playout.write(b"".join(frames)) // FRAME_BYTES if frames else 0
        self._handed.extend(frames[:taken])
        return taken
