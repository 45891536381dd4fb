"""How does one call of a simulated debtor run? Joins a leg, the ears, the mouth and the mind.

Every decision is taken on the frames' own clock: a frame comes in, the segmenter and the mouth tell what is in it, the
mind reacts. Only ringing, before there are frames, runs on the wall clock.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from telephony import Leg, LegEnded
from voicebot.debtor import behaviour
from voicebot.debtor.activity import Samples, Segmenter, Span, Started, WentQuiet
from voicebot.debtor.behaviour import HangUp, Mind, Say, SendDtmf, line_of, react
from voicebot.debtor.ears import Transcriber, Transcript, listened_for
from voicebot.debtor.lines import ANNOUNCEMENT, Wardrobe
from voicebot.debtor.mouth import Mouth
from voicebot.debtor.persona import AnswerKind, Persona
from voicebot.debtor.record import CallRecord, LineSaid, Recorder, RobotHeard, write_record
from voicebot.debtor.sound import Background, damaged, speech_rms
from voicebot.speech.api import FRAME_MS, FRAME_SAMPLES, RATE_HZ

POLL_S = 0.01
AUDIBLE_MS = 120
"""The robot counts as talking when it was audible this recently."""
DEFAULT_VOICE_RMS = 2000.0
"""About -24 dBFS: the level that noise is set against when a persona never speaks."""
REJECTIONS = {AnswerKind.BUSY: 486, AnswerKind.REJECT: 603, AnswerKind.NOT_FOUND: 404}

Emit = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True)
class _Marks:
    lines: list[LineSaid] = field(default_factory=list)
    heard: list[RobotHeard] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dtmf_heard: str = ""
    dtmf_sent: str = ""
    hung_up: str = ""
    answered_sample: int | None = None
    next_frame: int = 0
    gaps: int = 0


class Conversation:
    """One incoming call, from ringing to its record."""

    def __init__(
        self,
        leg: Leg,
        persona: Persona,
        call: str,
        wardrobe: Wardrobe,
        noise_source: Samples | None,
        transcriber: Transcriber,
        folder: Path | None,
        emit: Emit,
        seed: int = 0,
    ) -> None:
        self._leg, self._persona, self._call = leg, persona, call
        self._wardrobe, self._transcriber = wardrobe, transcriber
        self._phrases = listened_for(persona)
        self._folder, self._emit = folder, emit
        self._rng = np.random.default_rng(seed)
        self._background = self._make_background(noise_source)
        self._mouth = Mouth(leg, self._background)
        self._segmenter = Segmenter(persona.quiet_ms)
        self._mind = Mind()
        self._marks = _Marks()
        self._understanding: deque[tuple[Span, asyncio.Future[Transcript]]] = deque()
        self._recorder: Recorder | None = None
        self._began = datetime.now().astimezone()

    async def run(self) -> CallRecord:
        """Take the call until it is over; returns its record, written to the folder if there is one."""
        dtmf = asyncio.create_task(self._collect_dtmf())
        try:
            with contextlib.suppress(LegEnded):  # the caller may be gone at any step of picking up
                if await self._pick_up():
                    await self._listen_until(lambda: self._leg.outcome is not None)
            outcome = await self._leg.wait_ended()
            await self._take_frames()
            await self._finish_hearing()
        finally:
            dtmf.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await dtmf
            if self._recorder is not None:
                self._recorder.close()
        if (cut := self._mouth.stop()) is not None:
            self._line_over(cut)
        record = self._record(outcome.kind, outcome.ended_by, outcome.sip_code)
        if self._folder is not None:
            write_record(self._folder, record)
        return record

    # ---- picking up ------------------------------------------------------------------------------------------------

    async def _pick_up(self) -> bool:
        """Ring and answer as the persona is told; True once the call is answered."""
        answer = self._persona.answer
        if (code := REJECTIONS.get(answer.kind)) is not None:
            if not await self._ended_within(answer.after_ms):
                await self._leg.reject(code)
            return False
        if answer.kind is AnswerKind.NO_ANSWER:
            await self._leg.ring()
            await self._leg.wait_ended()
            return False
        if answer.kind is AnswerKind.EARLY_MEDIA:
            if not await self._early_media():
                return False
        else:
            await self._leg.ring()
            if await self._ended_within(answer.after_ms):
                return False
        await self._leg.answer()
        if not await self._leg.wait_answered():
            return False
        await self._take_frames()
        self._marks.answered_sample = self._marks.next_frame * FRAME_SAMPLES
        self._emit({"event": "answered", "call": self._call, "persona": self._persona.name})
        await self._react(behaviour.Answered(self._now_ms))
        return True

    async def _early_media(self) -> bool:
        answer = self._persona.answer
        await self._leg.early_media()
        announcement = self._wardrobe.get((self._persona.name, ANNOUNCEMENT))
        if announcement is not None:
            await self._listen_until(lambda: self._leg.outcome is not None or self._marks.next_frame > 0)
            text = answer.announce or ""
            self._mouth.say(ANNOUNCEMENT, text, announcement, barge_in=False, backchannel=False)
        if answer.then_after_ms is None:
            await self._listen_until(lambda: self._leg.outcome is not None)
            return False
        deadline = asyncio.get_running_loop().time() + answer.then_after_ms / 1000
        await self._listen_until(lambda: self._leg.outcome is not None or asyncio.get_running_loop().time() >= deadline)
        if (cut := self._mouth.stop()) is not None:
            self._line_over(cut)
        return self._leg.outcome is None

    async def _ended_within(self, ms: int) -> bool:
        try:
            await asyncio.wait_for(self._leg.wait_ended(), ms / 1000)
        except TimeoutError:
            return False
        return True

    # ---- the frames ------------------------------------------------------------------------------------------------

    @property
    def _now_ms(self) -> int:
        return self._marks.next_frame * FRAME_MS

    async def _listen_until(self, over: Callable[[], bool]) -> None:
        while not over():
            await self._take_frames()
            await asyncio.sleep(POLL_S)

    async def _take_frames(self) -> None:
        for frame in self._leg.take_frames():
            if frame.index > self._marks.next_frame:
                self._marks.gaps += frame.index - self._marks.next_frame
            self._marks.next_frame = frame.index + 1
            self._write(frame.index, frame.rx, frame.tx)
            if (line := self._mouth.sent(frame.index, frame.tx)) is not None:
                self._line_over(line)
                await self._react(behaviour.LineEnded(self._now_ms))
            await self._hear(frame.index, frame.rx)
            await self._react(behaviour.Tick(self._now_ms))
        await self._understand()

    async def _hear(self, index: int, rx: bytes) -> None:
        for found in self._segmenter.push(index, rx):
            match found:
                case Started(first):
                    await self._react(behaviour.RobotStarted(first * 1000 // RATE_HZ))
                case WentQuiet(span, pcm16):
                    self._understanding.append((span, self._transcribe(pcm16)))

    def _transcribe(self, pcm16: bytes) -> asyncio.Future[Transcript]:
        if not self._persona.deaf:
            return self._transcriber.submit(pcm16, self._phrases)
        nothing: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
        nothing.set_result(Transcript("", 1.0))
        return nothing

    async def _understand(self) -> None:
        """Take what the ears have understood by now, in the order in which it was said."""
        while self._understanding and self._understanding[0][1].done():
            span, transcript = self._understanding.popleft()
            await self._heard(span, transcript.result())

    async def _finish_hearing(self) -> None:
        if (rest := self._segmenter.finish()) is not None:
            self._understanding.append((rest.span, self._transcribe(rest.pcm16)))
        while self._understanding:
            span, transcript = self._understanding.popleft()
            await self._heard(span, await transcript)

    async def _heard(self, span: Span, said: Transcript) -> None:
        self._marks.heard.append(RobotHeard(span.first, span.last, said.text, round(said.confidence, 3)))
        self._emit({"event": "heard", "call": self._call, "persona": self._persona.name, "text": said.text})
        await self._react(behaviour.Heard(self._now_ms, span.last * 1000 // RATE_HZ, said.text))

    # ---- acting ----------------------------------------------------------------------------------------------------

    async def _react(self, event: behaviour.Event) -> None:
        self._mind, actions = react(self._persona, self._mind, event)
        for action in actions:
            match action:
                case Say(number, barge_in):
                    self._say(number, barge_in)
                case SendDtmf(digits):
                    self._marks.dtmf_sent += digits
                    with contextlib.suppress(LegEnded):
                        await self._leg.send_dtmf(digits)
                case HangUp(why):
                    self._marks.hung_up = why
                    if (cut := self._mouth.stop()) is not None:
                        self._line_over(cut)
                    if self._leg.outcome is None:
                        await self._leg.hangup()

    def _say(self, number: int, meant: bool) -> None:
        line = line_of(self._persona, number)
        spoken = self._wardrobe[self._persona.name, number]
        if self._background is not None:
            spoken = self._background.under(spoken)
        spoken = damaged(spoken, self._persona.network, self._rng)
        now = self._marks.next_frame * FRAME_SAMPLES
        self._mouth.say(
            number,
            line.words,
            spoken,
            barge_in=meant or self._segmenter.audible_since(now - AUDIBLE_MS * RATE_HZ // 1000),
            backchannel=line.backchannel,
        )

    def _line_over(self, line: LineSaid) -> None:
        self._marks.lines.append(line)
        self._emit({"event": "said", "call": self._call, "persona": self._persona.name, "text": line.text})

    async def _collect_dtmf(self) -> None:
        with contextlib.suppress(LegEnded):
            while True:
                self._marks.dtmf_heard += await self._leg.next_dtmf()

    # ---- keeping ---------------------------------------------------------------------------------------------------

    def _write(self, index: int, rx: bytes, tx: bytes) -> None:
        if self._folder is None:
            return
        try:
            if self._recorder is None:
                self._recorder = Recorder(self._folder / f"{self._call}.wav")
            self._recorder.frame(index, rx, tx)
        except OSError as e:
            self._marks.notes.append(f"recording stopped: {e}")
            self._folder = None

    def _record(self, outcome: str, ended_by: str, sip_code: int) -> CallRecord:
        marks, mouth = self._marks, self._mouth
        if mouth.misread_frames:
            marks.notes.append(f"{mouth.misread_frames} sent frames were not the ones handed over")
        if mouth.torn_frames:
            marks.notes.append(f"{mouth.torn_frames} frames of lines came after a hole: their marks are too early")
        return CallRecord(
            call=self._call,
            persona=self._persona.name,
            about=self._persona.about,
            user=self._persona.user,
            remote=self._leg.remote_uri,
            began=self._began.isoformat(timespec="milliseconds"),
            outcome=str(outcome),
            ended_by=str(ended_by),
            sip_code=sip_code,
            answered_sample=marks.answered_sample,
            ended_sample=marks.next_frame * FRAME_SAMPLES,
            hung_up=marks.hung_up,
            dtmf_heard=marks.dtmf_heard,
            dtmf_sent=marks.dtmf_sent,
            lost_frames=sum(len(line.lost_samples) for line in marks.lines),
            gaps=marks.gaps,
            lines=tuple(marks.lines),
            heard=tuple(marks.heard),
            wav=f"{self._call}.wav" if self._recorder is not None else None,
            notes=tuple(marks.notes),
        )

    def _make_background(self, source: Samples | None) -> Background | None:
        if self._persona.noise is None:
            return None
        own = [s.samples for (name, _), s in self._wardrobe.items() if name == self._persona.name]
        voice_rms = speech_rms(np.concatenate(own)) if own else DEFAULT_VOICE_RMS
        return Background(self._persona.noise, voice_rms, source, self._rng)
