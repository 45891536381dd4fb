"""The shell around one call: frames in, the core decides, the commands are carried out. Holds no decision of its own.

One session per leg; `tick` runs every 20 ms on the worker's event loop and must stay short: recognition runs on an
executor, the database in threads, synthesis in another process.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dialogue.acts import Disposition
from dialogue.expectations import PICKUP
from dialogue.protocol import (
    BookCallback,
    CustomerHungUp,
    Flag,
    Handoff,
    HandoffEnded,
    HandoffResult,
    HangUp,
    LineHeard,
    Listen,
    Speak,
    StorePromise,
    TimeUp,
    WithdrawPromise,
)
from telephony import CallOutcome, Leg
from voicebot.call import turns
from voicebot.call.booking import Booking, Ledger
from voicebot.call.chronicle import Chronicle, Span
from voicebot.call.core import (
    CallBasis,
    CallCore,
    EarsHeard,
    FromOutside,
    Input,
    Output,
    TurnTaken,
    TurnTiming,
)
from voicebot.call.gate import START_WINDOW, SpeechGate
from voicebot.call.listening import Listening
from voicebot.call.news import Observer
from voicebot.call.playout import LineBegun, LineOver, Playout, Prompts
from voicebot.call.watchdog import Watchdog
from voicebot.presence.announcements import announced
from voicebot.presence.tones import TONE_MEANS, Tone, ToneListener
from voicebot.speech.api import RATE_HZ, AsrEngine, Hypothesis, Vad
from voicebot.speech.hum import HumDetector


@dataclass(frozen=True, slots=True)
class CallKit:
    """What all calls of a worker share."""

    asr: AsrEngine
    vad: Vad
    prompts: Prompts
    executor: Executor
    duck_db: float
    max_call_s: float
    grace_s: float
    max_seat_talk_s: float = 3600.0
    hand_off: Callable[[CallSession, str], Awaitable[HandoffResult]] | None = None


@dataclass(frozen=True, slots=True)
class CallResult:
    call_id: str
    disposition: Disposition
    flags: tuple[str, ...]
    promise: StorePromise | None
    outcome: CallOutcome
    customer_turns: int
    response_ms: tuple[int, ...]
    recording: Path
    log: Path
    handoff: HandoffResult | None
    troubles: tuple[str, ...]


@dataclass(slots=True)
class _Clock:
    """Times of the turn being answered, for TurnTiming."""

    turn: int = 0
    end_sample: int = 0
    words_at: int = 0
    decided_at: int = 0
    ears_cpu_ms: float = 0.0
    understanding_ms: float = 0.0
    waiting: bool = False


class CallSession:
    """`await session.run()` from the answered leg to its end."""

    def __init__(
        self,
        call_id: str,
        leg: Leg,
        basis: CallBasis,
        core: CallCore,
        kit: CallKit,
        ledger: Ledger,
        folder: Path,
        observer: Observer,
    ) -> None:
        self.call_id = call_id
        self.leg = leg
        self.other_leg: Leg | None = None  # the seat's, while bridged
        self._basis = basis
        self._core = core
        self._kit = kit
        self._chronicle = Chronicle(call_id, basis.case.case_id, folder, observer)
        self._booking = Booking(ledger, self._chronicle)
        self._vad = kit.vad.stream()
        self._gate = SpeechGate()
        self._hum: HumDetector | None = None
        self._tones = ToneListener()
        self._gone: Tone | None = None  # the tone that said that nobody is there any more
        self._just_before: deque[bytes] = deque(maxlen=START_WINDOW)
        self._playout = Playout(leg, kit.prompts, kit.duck_db)
        self._ears = Listening(kit.asr, kit.executor, self._on_heard, self.trouble)
        self._ears.expectation = PICKUP
        self._inputs: deque[Input] = deque()
        self._feeding = False
        self._broken = False
        self._deaf = False  # during a handoff and after the goodbye the robot records and does not react
        self._after_words: Callable[[], None] | None = None  # what to do once everything queued was said
        self._jobs: set[asyncio.Task[Any]] = set()
        self._clock = _Clock()
        self._handoff: HandoffResult | None = None
        self._finished = asyncio.Event()
        self._chronicle.log("note", basis)

    @property
    def recording_path(self) -> Path:
        return self._chronicle.recording_path

    @property
    def log_path(self) -> Path:
        return self._chronicle.log_path

    @property
    def _at(self) -> int:
        return self._chronicle.at

    def trouble(self, what: str) -> None:
        """Something went wrong that the call survives: kept with the call and shown."""
        self._chronicle.trouble(what)

    # ---- life ----

    async def run(
        self, add_tick: Callable[[Callable[[], None]], None], remove_tick: Callable[[Callable[[], None]], None]
    ) -> CallResult:
        """Talk until the leg has ended. Registers `tick` with the worker's heartbeat while the call lasts."""
        self._watchdog = Watchdog(self._kit.max_call_s, self._kit.grace_s, self._time_up, self._end_leg)
        self.leg.take_frames()  # early media: the call's clock starts now
        add_tick(self.tick)
        try:
            async with self._watchdog:
                outcome = await self.leg.wait_ended()
        finally:
            remove_tick(self.tick)
        self.tick()
        for line_id, heard in self._playout.pause()[1]:
            self._feed(FromOutside(self._at, LineHeard(line_id, heard)))
        self._playout.drop()
        self._feed(FromOutside(self._at, CustomerHungUp(self._core.now(self._at))))
        if self.other_leg is not None:
            await self.other_leg.hangup()
        while self._jobs:  # one may start another
            await asyncio.wait(tuple(self._jobs))
        return await asyncio.to_thread(self._close, outcome)

    def hurry(self, reason: str) -> None:
        """Ask for a polite end now."""
        self._watchdog.hurry(reason)

    def tick(self) -> None:
        """Take what arrived since the last tick; let the core decide; top up what is being said.

        A tick that fails would leave someone on a silent line: the call is ended instead.
        """
        try:
            self._tick()
        except Exception as e:
            self._break(e)

    def _break(self, e: BaseException) -> None:
        if not self._broken:
            self._broken = self._deaf = True
            self._inputs.clear()
            self.trouble(f"call ended by a fault: {e!r}")
            self.keep(self._end_leg())

    def _tick(self) -> None:
        if self.other_leg is not None:
            self.other_leg.take_frames()
        for frame in self.leg.take_frames():
            self._chronicle.record(frame)
            if self._deaf:
                continue
            self._ears.push(frame.rx, self._at)
            self._listen_for_hum(frame.rx)
            self._listen_for_tones(frame.rx)
            edge = self._gate.push(self._vad.push(frame.rx), self._at)
            if edge is not None and edge.speech:
                self._feed(turns.SpeechStarted(edge.at, edge.since))
            elif edge is not None:
                self._feed(turns.SpeechStopped(edge.at, edge.since, self._humming))
            deadline = self._core.next_deadline()
            if deadline is not None and self._at >= deadline:
                self._feed(turns.Tick(self._at, self._humming, self._gate.stirring))
        self._speak_on()

    @property
    def _humming(self) -> bool:
        return self._hum is not None and self._hum.hum_like

    def _listen_for_hum(self, frame: bytes) -> None:
        """Judge the beginning of speech over the robot's voice, the frames before the VAD noticed it included."""
        if self._gate.speaking and not self._playout.idle:
            if self._hum is None:
                self._hum = HumDetector()
                for before in self._just_before:
                    self._hum.push(before)
            self._hum.push(frame)
        else:
            self._hum = None
        self._just_before.append(frame)

    def _listen_for_tones(self, frame: bytes) -> None:
        """A busy tone in an answered call: the far end is gone and its exchange has not said so. Nobody is kept on."""
        tone = self._tones.push(np.frombuffer(frame, "<i2").astype(np.float64))
        if tone in TONE_MEANS and self._gone is None:
            self._gone = tone
            self._chronicle.tell("tone", str(tone))
            self.keep(self._end_leg())

    # ---- inputs ----

    def _feed(self, event: Input) -> None:
        """Give the core one input and carry out what it answers. Inputs raised meanwhile wait their turn."""
        self._inputs.append(event)
        if self._feeding:
            return
        self._feeding = True
        try:
            while self._inputs:
                given = self._inputs.popleft()
                self._chronicle.log("in", given)
                began = time.perf_counter()
                outputs = self._core.feed(given)
                self._clock.understanding_ms = (time.perf_counter() - began) * 1000
                for output in outputs:
                    self._chronicle.log("out", output)
                    self._carry_out(output)
        except Exception as e:
            self._break(e)
        finally:
            self._feeding = False

    def _on_heard(self, turn: int, covers: int, h: Hypothesis) -> None:
        self._clock.words_at, self._clock.ears_cpu_ms = self._at, h.cpu_ms
        confidence = round(h.confidence, 4)
        self._feed(EarsHeard(self._at, turn, covers, h.text, confidence, h.others, self._gate.stirring))

    def _time_up(self, reason: str) -> None:
        self._feed(FromOutside(self._at, TimeUp(reason)))

    # ---- commands ----

    def _carry_out(self, output: Output) -> None:
        match output:
            case turns.OpenEars():
                self._ears.open(output.turn, output.from_sample)
            case turns.AskEars():
                self._ears.ask(output.turn, final=output.final)
            case turns.LetGo():
                self._ears.close()
                if output.text:
                    self._chronicle.tell("let_go", output.text)
            case turns.Duck():
                self._playout.duck()
            case turns.Unduck():
                self._playout.unduck()
            case turns.PauseRobot():
                remaining_ms, cut = self._playout.pause()
                self._feed(turns.RobotPaused(self._at, remaining_ms, cut))
            case turns.ResumeRobot():
                self._playout.resume()
            case turns.DropRobot():
                self._playout.drop()
            case TurnTaken():
                self._turn_taken(output)
            case Speak():
                self._playout.say(output)
            case Listen():
                self._ears.expectation = output.expectation
            case StorePromise():
                self.keep(self._store_promise(output))
            case WithdrawPromise():
                self.keep(self._booking.withdraw(output))
            case BookCallback():
                self.keep(self._booking.call_back(output))
            case Handoff():
                self._after_words = lambda: self._begin_handoff(output.reason)
            case HangUp():
                self._after_words = lambda: self.keep(self._end_leg())
            case Flag():
                self.keep(self._booking.flag(output.name))

    def _turn_taken(self, t: TurnTaken) -> None:
        self._ears.close()
        if t.took_back:
            self._playout.drop()
        u = t.understanding
        self._chronicle.keep_words(self._core.customer_turns, Span(t.from_sample, t.to_sample, u.text))
        self._clock = _Clock(
            t.turn,
            t.to_sample,
            self._clock.words_at,
            self._at,
            self._clock.ears_cpu_ms,
            self._clock.understanding_ms,
            waiting=True,
        )
        slots = [
            f"{k}={v}" for k in ("pay_date", "pay_amount", "callback_at") if (v := getattr(u.slots, k)) is not None
        ]
        self._chronicle.tell(
            "customer", u.text, acts=tuple(a.value for a in u.acts), detail=" ".join([*slots, f"{u.confidence:.2f}"])
        )

    async def _store_promise(self, promise: StorePromise) -> None:
        self._feed(FromOutside(self._at, await self._booking.store(promise)))

    def _begin_handoff(self, reason: str) -> None:
        self._deaf = True
        self._chronicle.tell("handoff", reason)
        self.keep(self._hand_off(reason))

    async def _hand_off(self, reason: str) -> None:
        result = HandoffResult.NO_ANSWER
        if self._kit.hand_off is not None:
            try:
                result = await self._kit.hand_off(self, reason)
            except Exception as e:
                self.trouble(f"handoff: {e!r}")
        self._handoff = result
        self._chronicle.tell("handoff", result.value)
        if result is HandoffResult.BRIDGED:
            self._watchdog.extend(self._kit.max_seat_talk_s)
        else:
            self._deaf = self._core.over
        self._feed(FromOutside(self._at, HandoffEnded(result, self._core.now(self._at))))

    async def _end_leg(self) -> None:
        await self.leg.hangup()

    # ---- speaking ----

    def _speak_on(self) -> None:
        for happened in self._playout.advance():
            match happened:
                case LineBegun(line):
                    # A goodbye is heard to its end: nothing that is said over it could be answered any more.
                    self._feed(turns.RobotStarted(self._at, line.interruptible and not self._core.over))
                    self._line_begun(line)
                case LineOver(line_id, heard, failed):
                    self._feed(FromOutside(self._at, LineHeard(line_id, heard)))
                    if failed:
                        # Half a question must not be taken for asked: who answers it has not understood it.
                        self._time_up("the voice failed")
        for failure in self._playout.failures:
            self.trouble(f"voice: {failure}")
        self._playout.failures.clear()
        if self._playout.idle:
            if self._core.turn_state.robot is turns.Robot.SPEAKING:
                self._feed(turns.RobotFinished(self._at))
            if self._playout.idle and self._after_words is not None:
                then, self._after_words = self._after_words, None
                self._deaf = True
                then()

    def _line_begun(self, line: Speak) -> None:
        response_ms = None
        c = self._clock
        if c.waiting:
            c.waiting = False

            def ms(sample: int) -> int:
                return (sample - c.end_sample) * 1000 // RATE_HZ

            response_ms = ms(self._at)
            self._chronicle.response_ms.append(response_ms)
            self._chronicle.log(
                "note",
                TurnTiming(
                    c.turn,
                    ms(c.words_at),
                    ms(c.decided_at),
                    response_ms,
                    round(c.ears_cpu_ms, 1),
                    round(c.understanding_ms, 2),
                ),
            )
        self._chronicle.tell("robot", line.text, response_ms=response_ms)

    # ---- work beside the ticks ----

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work of this call beside its ticks; the call waits for it before it closes."""
        job = asyncio.get_running_loop().create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._job_done)

    def _job_done(self, job: asyncio.Task[Any]) -> None:
        self._jobs.discard(job)
        if not job.cancelled() and (e := job.exception()) is not None:
            self._break(e)

    def _close(self, outcome: CallOutcome) -> CallResult:
        disposition = self._core.disposition or Disposition.UNCLEAR
        if self._gone is not None and not self._core.customer_turns:
            disposition = TONE_MEANS[self._gone]
        elif disposition is Disposition.CALL_ASSISTANT:
            disposition = announced(self._chronicle.said()) or disposition
        self._chronicle.close()
        return CallResult(
            self.call_id,
            disposition,
            tuple(self._core.flags),
            self._booking.promise,
            outcome,
            self._core.customer_turns,
            tuple(self._chronicle.response_ms),
            self.recording_path,
            self.log_path,
            self._handoff,
            tuple(self._chronicle.troubles),
        )
