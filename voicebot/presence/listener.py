"""Who or what is on the line? Tones by their rhythm, speech by its words and its pauses, all else by not being either.

    tone with a rhythm ───────────────────────────────> TONE
    speech ──┬── words of the network ────────────────> ANNOUNCEMENT (空号, 停机, 关机, ...)
             ├── words of a letter box, an assistant ─> MACHINE
             ├── and then a pause ────────────────────> PERSON   (喂？ and waits)
             └── on and on ───────────────────────────> UNCERTAIN
    sound that is neither ────────────────────────────> MUSIC
    nothing ──────────────────────────────────────────> SILENCE

What is uncertain counts as a machine: nothing is said to it about anybody. Feed 20 ms frames; `listen` costs what the
ears cost and belongs off the media loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from dialogue.acts import Disposition
from dialogue.protocol import Expectation
from voicebot.call.gate import SpeechGate
from voicebot.presence.announcements import PHRASES, announced, is_machine, is_of_the_network
from voicebot.presence.tones import TONE_MEANS, Tone, ToneListener
from voicebot.speech.api import FRAME_MS, FRAME_SAMPLES, RATE_HZ, AsrEngine, AsrStream, Vad, VadStream

LOOK_EVERY_MS = 600  # while somebody speaks on
PAUSE_MS = 400  # after which a short utterance was a greeting
TALK_MS = 10_000  # the longest that a person says without a pause before anybody has spoken
HEAR_OUT_MS = 9000  # words of the network are heard to their end, so that they can be typed
MUSIC_MS = 1500
PREROLL_MS = 300
HUMS = "嗯啊呃哦额唔"  # what ears make of music as well


class Kind(StrEnum):
    PERSON = "person"
    ANNOUNCEMENT = "announcement"
    MACHINE = "machine"  # letter box, assistant
    TONE = "tone"
    MUSIC = "music"
    SILENCE = "silence"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`at_ms`: since the first frame. `disposition`: what it means for the attempt, where it means anything."""

    kind: Kind
    at_ms: int
    text: str = ""
    tone: Tone | None = None
    disposition: Disposition | None = None

    @property
    def is_person(self) -> bool:
        return self.kind is Kind.PERSON


@dataclass(slots=True)
class LineListener:
    """One line being listened to. Not thread-safe."""

    ears: AsrEngine
    vad: Vad
    _gate: SpeechGate = field(default_factory=SpeechGate)
    _tones: ToneListener = field(default_factory=ToneListener)
    _heard: bytearray = field(default_factory=bytearray)
    _stream: AsrStream | None = None
    _text: str = ""
    _speech_from: int = 0
    _quiet_from: int = 0
    _asked_at: int = 0
    _asked_after_pause: bool = False
    _other_ms: int = 0

    _activity: VadStream = field(init=False)

    def __post_init__(self) -> None:
        self._activity = self.vad.stream()

    @property
    def at_ms(self) -> int:
        return len(self._heard) * 1000 // (2 * RATE_HZ)

    def listen(self, frame: bytes) -> Verdict | None:
        """Take 20 ms; a Verdict as soon as one is certain."""
        self._heard += frame
        at = len(self._heard) // 2
        samples = np.frombuffer(frame, "<i2").astype(np.float64)
        if self._stream is not None:
            self._stream.feed(frame)
        tone = self._tones.push(samples)
        if tone is not None and tone is not Tone.INFORMATION:
            return Verdict(Kind.TONE, self.at_ms, tone=tone, disposition=TONE_MEANS.get(tone))
        edge = self._gate.push(self._activity.push(frame), at)
        if edge is not None and edge.speech:
            self._begins(edge.since)
        elif edge is not None:
            self._quiet_from = edge.since
        loud = float(np.sqrt(np.mean(samples**2))) > 200
        if self._gate.speaking or self._tones.sounding:
            self._other_ms = 0
        elif loud:
            self._other_ms += FRAME_MS
        return self._look(at)

    def listen_to(self, frames: Iterable[bytes]) -> Verdict | None:
        """Several frames at once."""
        return next((v for frame in frames if (v := self.listen(frame)) is not None), None)

    def guess(self) -> Verdict:
        """Time is up: the likeliest of what was heard."""
        if found := self._words(final=True):
            return found
        if self._text:
            return Verdict(Kind.UNCERTAIN, self.at_ms, self._text)
        if self._other_ms >= MUSIC_MS or self._is_loud():
            return Verdict(Kind.MUSIC, self.at_ms)
        return Verdict(Kind.SILENCE, self.at_ms)

    def _begins(self, since: int) -> None:
        self._asked_after_pause = False
        if self._stream is None:
            self._speech_from = since
            self._stream = self.ears.stream(Expectation(phrases=PHRASES))
            self._stream.feed(bytes(self._heard[max(0, since - PREROLL_MS * RATE_HZ // 1000) * 2 :]))
            self._asked_at = since

    def _look(self, at: int) -> Verdict | None:
        if self._stream is None:
            return None
        if self._gate.speaking:
            if _ms(at - self._asked_at) < LOOK_EVERY_MS:
                return None
            self._asked_at = at
            found = self._words(final=False)
            if found is not None:
                return found
            going_on_ms = _ms(at - self._speech_from)
            patience_ms = HEAR_OUT_MS if is_of_the_network(self._text) else TALK_MS
            return Verdict(Kind.UNCERTAIN, self.at_ms, self._text) if going_on_ms > patience_ms else None
        if self._asked_after_pause or _ms(at - self._quiet_from) < PAUSE_MS:
            return None
        self._asked_after_pause = True
        found = self._words(final=True)
        if found is not None or is_of_the_network(self._text):
            return found  # an announcement that draws breath is heard out
        said_ms = _ms(self._quiet_from - self._speech_from)
        if self._text.strip(HUMS) and said_ms <= TALK_MS:
            return Verdict(Kind.PERSON, self.at_ms, self._text)
        return None

    def _words(self, *, final: bool) -> Verdict | None:
        """What the words say, where they say it."""
        if self._stream is None:
            return None
        self._text = (self._stream.final() if final else self._stream.partial()).text
        if (disposition := announced([self._text])) is not None:
            return Verdict(Kind.ANNOUNCEMENT, self.at_ms, self._text, disposition=disposition)
        if is_machine(self._text):
            return Verdict(Kind.MACHINE, self.at_ms, self._text, disposition=Disposition.CALL_ASSISTANT)
        return None

    def _is_loud(self) -> bool:
        samples = np.frombuffer(bytes(self._heard), "<i2").astype(np.float64)
        frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
        return bool(len(frames)) and float((np.sqrt((frames**2).mean(1)) > 200).mean()) > 0.5


def _ms(samples: int) -> int:
    return samples * 1000 // RATE_HZ
