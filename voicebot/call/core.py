"""One call as a pure machine: what the shell observed goes in, what the shell must do comes out.

Joins the two reducers (turns, dialogue) with the understanding between them. The same inputs give the same words,
which is what replay checks. Time is the call's sample clock plus the wall-clock time at which it stood at 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from dialogue.acts import Act, Disposition, Pending
from dialogue.protocol import (
    CallStarted,
    CaseFacts,
    Command,
    Conclude,
    CustomerHungUp,
    CustomerSaid,
    CustomerSilent,
    Event,
    Flag,
    HandoffEnded,
    HangUp,
    LineHeard,
    Listen,
    PromiseStored,
    PromiseStoreFailed,
    Speak,
    TimeUp,
)
from dialogue.understanding import Alternative, Completeness, Understander, Understanding
from voicebot.call import turns
from voicebot.speech.api import RATE_HZ

PICKUP_PATIENCE_MS = 900  # people say 喂 when they pick up; the robot lets them, for this long

_BACKCHANNEL = frozenset({Act.FILLER, Act.ACKNOWLEDGE, Act.AFFIRM, Act.GREETING})
_BACKCHANNEL_CHARACTERS = 4
# Over a line that must be heard to its end people also say once more who they are: 对，我是.
_BACKCHANNEL_OVER_PROTECTED = _BACKCHANNEL | {Act.SELF}
_BACKCHANNEL_OVER_PROTECTED_CHARACTERS = 8
_UNSURELY = 0.4  # the ears' confidence under which a word or two may be a cough or a hum
_SHORT_CHARACTERS = 3
_BLIP_MS = 650  # speech and the silence in which its end was noticed

_REVERSIBLE = (Speak, Listen, Flag, Conclude)


@dataclass(frozen=True, slots=True)
class EarsHeard:
    """An ASR hypothesis for `turn`, from audio up to call sample `covers`. `others`: what else it may have been."""

    at: int
    turn: int
    covers: int
    text: str
    confidence: float
    others: tuple[Alternative, ...] = ()
    stirring: bool = False  # see turns.Heard


@dataclass(frozen=True, slots=True)
class FromOutside:
    """Something that happened beside the audio: a line was heard, a promise was stored, time is up, ..."""

    at: int
    event: LineHeard | PromiseStored | PromiseStoreFailed | HandoffEnded | TimeUp | CustomerHungUp


Input = (
    turns.SpeechStarted
    | turns.SpeechStopped
    | EarsHeard
    | turns.RobotStarted
    | turns.RobotPaused
    | turns.RobotFinished
    | turns.Tick
    | FromOutside
)


@dataclass(frozen=True, slots=True)
class TurnTaken:
    """A customer turn reached the dialogue. `took_back`: the turn before it was undone and is part of this one."""

    turn: int
    from_sample: int
    to_sample: int
    pending: Pending
    understanding: Understanding
    took_back: bool


@dataclass(frozen=True, slots=True)
class TurnTiming:
    """Where the time of one response went, in ms after the customer's last sample as the VAD saw it."""

    turn: int
    words_ms: int  # the final hypothesis was there
    decided_ms: int  # the turn was taken
    spoken_ms: int  # the robot's first frame was handed over
    ears_cpu_ms: float
    understanding_ms: float


Output = turns.TurnCommand | Command | TurnTaken


@dataclass(frozen=True, slots=True)
class CallBasis:
    """All that a replay needs beside the inputs."""

    case: CaseFacts
    started_at: datetime  # wall-clock time, timezone-aware, at sample 0
    script: str
    script_version: str
    understander: str
    timing: turns.Timing


DialogueStep = Callable[[Any, Event], tuple[Any, tuple[Command, ...]]]


class CallCore:
    """Holds the two reducers' states. `feed` returns the outputs in the order in which they must be carried out."""

    def __init__(
        self, basis: CallBasis, initial_state: Any, dialogue_step: DialogueStep, understander: Understander
    ) -> None:
        self.basis = basis
        self.dialogue_state = initial_state
        self.pending = Pending.OPENING
        self.disposition: Disposition | None = None
        self.flags: list[str] = []
        self.over = False  # the dialogue has said HangUp
        self._step = dialogue_step
        self._understander = understander
        self.turn_state, _ = turns.step(turns.TurnState(), turns.ListenFrom(0, PICKUP_PATIENCE_MS), basis.timing)
        self._started = False
        self.customer_turns = 0
        self._before_last: _Snapshot | None = None
        self._cut: tuple[tuple[str, float], ...] = ()
        self._pending_before = Pending.OPENING
        self._others: tuple[str, tuple[Alternative, ...]] = ("", ())  # the words heard last, and what else they may be
        self._heard_unsurely = False  # a word or two of which the ears were not sure
        self._over_protected = False  # the turn began over a line that must be heard to its end

    def now(self, at: int) -> datetime:
        return self.basis.started_at + timedelta(seconds=at / RATE_HZ)

    def next_deadline(self) -> int | None:
        return turns.next_deadline(self.turn_state, self.basis.timing)

    def feed(self, event: Input) -> list[Output]:
        out: list[Output] = []
        match event:
            case EarsHeard():
                self._turn_event(self._judge(event), out)
            case FromOutside(event=inner):
                self._dialogue_event(inner, event.at, out)
            case _:
                if isinstance(event, turns.RobotPaused):
                    self._cut = event.cut
                if isinstance(event, turns.SpeechStarted) and self.turn_state.customer is turns.Customer.SILENT:
                    s = self.turn_state
                    self._over_protected = s.robot is turns.Robot.SPEAKING and not s.interruptible
                self._turn_event(event, out)
        return out

    # ---- turns ----

    @property
    def _question(self) -> Pending:
        """What the customer's words answer: over a protected line the question behind it has not been heard yet."""
        return self._pending_before if self._over_protected else self.pending

    def _judge(self, e: EarsHeard) -> turns.Heard:
        self._others = e.text, e.others
        understood = self._understander.understand(e.text, pending=self._question, now=self.now(e.at), others=e.others)
        if self._over_protected:
            light, characters = _BACKCHANNEL_OVER_PROTECTED, _BACKCHANNEL_OVER_PROTECTED_CHARACTERS
        else:
            light, characters = _BACKCHANNEL, _BACKCHANNEL_CHARACTERS
        along = understood.agrees and self._question is Pending.CONFIRM_PROMISE  # 对 in the middle of the read-back
        backchannel = len(e.text) <= characters and (along or light.issuperset(understood.acts))
        # Ears make words of a hum: what is as short as 嗯 and means nothing is one.
        blip = e.covers - self.turn_state.onset <= _BLIP_MS * turns.SAMPLES_PER_MS
        self._heard_unsurely = len(e.text) <= _SHORT_CHARACTERS and e.confidence < _UNSURELY
        if self.turn_state.barging and blip and (self._heard_unsurely or understood.acts == (Act.OUT_OF_SCOPE,)):
            backchannel = True
        if self._started:
            completeness = self._understander.completeness(e.text, pending=self._question)
        else:
            completeness = Completeness.COMPLETE  # whatever is said on picking up, it is the robot's turn then
        return turns.Heard(e.at, e.turn, e.covers, e.text, completeness, backchannel, e.stirring)

    def _turn_event(self, event: turns.TurnEvent, out: list[Output]) -> None:
        self.turn_state, commands = turns.step(self.turn_state, event, self.basis.timing)
        for command in commands:
            match command:
                case turns.ResumeRobot():
                    self._cut = ()
                    out.append(command)
                case turns.TakeTurn():
                    self._take(command, event.at, out)
                case turns.SilenceElapsed():
                    self._silence(event.at, out)
                case _:
                    out.append(command)

    def _take(self, taken: turns.TakeTurn, at: int, out: list[Output]) -> None:
        now = self.now(at)
        if not self._started:
            # Whatever was said on picking up, the robot's first words are the same; a machine is not greeted.
            understood = self._understander.understand(taken.text, pending=Pending.OPENING, now=now)
            out.append(TurnTaken(taken.turn, taken.from_sample, taken.to_sample, Pending.OPENING, understood, False))
            self._start(at, out)
            if understood.primary is Act.CALL_ASSISTANT:
                self.customer_turns += 1
                self._dialogue_event(CustomerSaid(understood, self.customer_turns, now), at, out)
            return
        text, from_sample, took_back = taken.text, taken.from_sample, False
        others = self._others[1] if self._others[0] == taken.text else ()
        before = self._before_last
        if taken.continues and before is not None and before.reversible:
            self._restore(before)
            self._over_protected = False
            text, from_sample, took_back = before.text + text, before.from_sample, True
            others = tuple(replace(o, text=before.text + o.text) for o in others)
        else:
            self._report_cut(at, out)
        self._cut = ()
        pending = self._question
        understood = self._understander.understand(text, pending=pending, now=now, others=others)
        if self._heard_unsurely and not took_back:
            understood = replace(understood, confidence=min(understood.confidence, _UNSURELY))
        out.append(TurnTaken(taken.turn, from_sample, taken.to_sample, pending, understood, took_back))
        snapshot = self._snapshot(text, from_sample)
        self.customer_turns += 1
        mark = len(out)
        self._dialogue_event(CustomerSaid(understood, self.customer_turns, now), at, out)
        reversible = all(isinstance(o, _REVERSIBLE) for o in out[mark:])
        self._before_last = replace(snapshot, reversible=reversible)

    def _report_cut(self, at: int, out: list[Output]) -> None:
        for line_id, heard in self._cut:
            self._dialogue_event(LineHeard(line_id, heard), at, out)

    def _silence(self, at: int, out: list[Output]) -> None:
        if not self._started:
            self._start(at, out)
        else:
            self._before_last = None
            self._dialogue_event(CustomerSilent(self.now(at)), at, out)

    # ---- dialogue ----

    def _start(self, at: int, out: list[Output]) -> None:
        self._started = True
        self._dialogue_event(CallStarted(self.basis.case, self.now(at)), at, out)

    def _dialogue_event(self, event: Event, at: int, out: list[Output]) -> None:
        if self.over and not isinstance(event, LineHeard | CustomerHungUp | PromiseStored | PromiseStoreFailed):
            return
        self.dialogue_state, commands = self._step(self.dialogue_state, event)
        for command in commands:
            match command:
                case Speak():
                    self.turn_state, _ = turns.step(self.turn_state, turns.RobotQueued(at), self.basis.timing)
                case Listen():
                    self._pending_before, self.pending = self.pending, command.pending
                    self.turn_state, _ = turns.step(
                        self.turn_state, turns.ListenFrom(at, command.silence_ms), self.basis.timing
                    )
                case Conclude():
                    self.disposition = command.disposition
                case Flag() if command.name not in self.flags:
                    self.flags.append(command.name)
                case HangUp():
                    self.over = True
            out.append(command)

    def _snapshot(self, text: str, from_sample: int) -> _Snapshot:
        return _Snapshot(
            self.dialogue_state,
            self.pending,
            self.disposition,
            tuple(self.flags),
            self.customer_turns,
            text,
            from_sample,
        )

    def _restore(self, s: _Snapshot) -> None:
        self.dialogue_state, self.pending, self.disposition = s.dialogue_state, s.pending, s.disposition
        self.flags, self.customer_turns = list(s.flags), s.customer_turns


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The dialogue as it stood before the last customer turn, to come back to when that turn went on."""

    dialogue_state: Any
    pending: Pending
    disposition: Disposition | None
    flags: tuple[str, ...]
    customer_turns: int
    text: str
    from_sample: int
    reversible: bool = False
