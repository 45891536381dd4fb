"""Who has the floor? A pure reducer over what is heard and what is being said.

Rules of this file
- Everything that decides about the floor lives here: endpointing, barge-in, backchannel, silence. No clock, no I/O:
  time is the call's sample clock (8 kHz), carried by every event as `at`.
- `step(state, event, timing) -> (state, commands)` changes nothing in place. The shell carries the commands out and
  reports back with events.
- `next_deadline(state, timing)` says when the shell must send the next Tick; earlier Ticks do nothing.

The floor is a pair, and TRANSITIONS lists every way each half can move (tests hold the reducer to it):

    robot      SILENT --started--> SPEAKING --paused--> PAUSED --resumed--> SPEAKING
    customer   SILENT --speech--> SPEAKING --quiet--> TRAILING --speech--> SPEAKING
                                                      TRAILING --taken / let go--> SILENT

A customer turn, end of speech to the robot's answer:

    speech ......|<- silence ->|
                 ^ AskEars     ^ TakeTurn, after a wait that depends on how finished the words sound (Timing.wait_ms)

Speech over the robot's voice:

    onset |<- duck_after ->| lower the voice |<- .. stop_after ->| pause |   words came: let the rest go, take the turn
                                                                         |   only 嗯, 哦, noise: resume where it stopped

A sound like 嗯 gets a little longer before the pause. After 嗯, 哦, 好, after anything that short, the voice goes on
the moment that the sound ends, before the ears have said what it was; if it was words after all, they stop it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from dialogue.understanding import Completeness

SAMPLES_PER_MS = 8
PREROLL_MS = 500  # audio before the onset that the ears get: the recogniser mishears words that begin at once
PARTIAL_OVER_ROBOT_MS = 250  # how often the ears are asked while the customer speaks over the robot: words stop it
PARTIAL_MS = 1500  # ... and otherwise: nothing hangs on it, and an ear that is busy answers the last question late
EARS_PATIENCE_MS = 3000  # ears that have not answered by then are taken for deaf in this turn
ALMOST_DONE_MS = 700  # speech this close to the end of the robot's words is an answer, not a backchannel
HUM_MS = 800  # the longest 嗯嗯
BLIP_MS = 400  # 哦, 啊, 好, 对
NOISE_MS = 1500  # sound over the robot in which the ears find no word by then is noise
STIRRING_MS = 80  # how long a sound that may become speech holds a decision back; by then the VAD has made up its mind
TAKE_BACK_MS = 1200  # speech that goes on this soon after a taken turn continues it


class Robot(StrEnum):
    SILENT = "silent"
    SPEAKING = "speaking"
    PAUSED = "paused"


class Customer(StrEnum):
    SILENT = "silent"
    SPEAKING = "speaking"
    TRAILING = "trailing"  # fell silent; whether the turn is over is not decided


TRANSITIONS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "robot": (
        ("silent", "RobotStarted", "speaking"),
        ("speaking", "RobotStarted", "speaking"),
        ("speaking", "RobotFinished", "silent"),
        ("speaking", "PauseRobot", "paused"),
        ("paused", "ResumeRobot", "speaking"),
        ("paused", "DropRobot", "silent"),
    ),
    "customer": (
        ("silent", "SpeechStarted", "speaking"),
        ("speaking", "SpeechStopped", "trailing"),
        ("trailing", "SpeechStarted", "speaking"),
        ("trailing", "TakeTurn", "silent"),
        ("trailing", "LetGo", "silent"),
        (
            "speaking",
            "TakeTurn",
            "speaking",
        ),  # max_turn_ms: the turn is cut, the speech goes on as the next one
    ),
}


@dataclass(frozen=True, slots=True)
class Timing:
    """The waits, in milliseconds. See Settings.turns."""

    complete_ms: int = 280
    likely_ms: int = 640
    open_ms: int = 700
    hanging_ms: int = 1000
    duck_after_ms: int = 60
    stop_after_ms: int = 150
    hum_stop_after_ms: int = 200
    max_turn_ms: int = 20000

    def wait_ms(self, completeness: Completeness) -> int:
        return {
            Completeness.COMPLETE: self.complete_ms,
            Completeness.LIKELY: self.likely_ms,
            Completeness.OPEN: self.open_ms,
            Completeness.HANGING: self.hanging_ms,
        }[completeness]


# ---- events ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    at: int
    since: int  # first sample of speech


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    at: int
    since: int  # first sample of the silence
    humming: bool = False  # the speech sounded like 嗯 from its beginning to its end


@dataclass(frozen=True, slots=True)
class Heard:
    """The ears' words for `turn`, from audio up to sample `covers`."""

    at: int
    turn: int
    covers: int
    text: str
    completeness: Completeness
    backchannel: bool  # nothing that takes the floor: 嗯, 哦, 好, 喂
    stirring: bool = False  # a sound just now that may become speech


@dataclass(frozen=True, slots=True)
class RobotQueued:
    """The robot is about to speak; its voice may still be on its way. Silence is its own until then."""

    at: int


@dataclass(frozen=True, slots=True)
class RobotStarted:
    at: int
    interruptible: bool


@dataclass(frozen=True, slots=True)
class RobotPaused:
    at: int
    remaining_ms: int
    cut: tuple[tuple[str, float], ...] = ()  # (line id, share heard) of what is not said yet, in order


@dataclass(frozen=True, slots=True)
class RobotFinished:
    """Everything queued has been played."""

    at: int


@dataclass(frozen=True, slots=True)
class ListenFrom:
    """The dialogue awaits an answer: silence counts once nobody speaks."""

    at: int
    silence_ms: int


@dataclass(frozen=True, slots=True)
class Tick:
    at: int
    humming: bool = False  # the speech so far sounds like 嗯
    stirring: bool = False  # a sound just now that may become speech


TurnEvent = (
    SpeechStarted | SpeechStopped | Heard | RobotQueued | RobotStarted | RobotPaused | RobotFinished | ListenFrom | Tick
)

# ---- commands --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenEars:
    turn: int
    from_sample: int


@dataclass(frozen=True, slots=True)
class AskEars:
    turn: int
    final: bool  # the customer fell silent: give the best words, not quick ones


@dataclass(frozen=True, slots=True)
class LetGo:
    """The turn was no turn: noise or a backchannel."""

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class TakeTurn:
    """The customer's turn is over. `continues`: it goes on where the turn before was taken too early."""

    turn: int
    text: str
    from_sample: int
    to_sample: int
    continues: bool


@dataclass(frozen=True, slots=True)
class Duck:
    pass


@dataclass(frozen=True, slots=True)
class Unduck:
    pass


@dataclass(frozen=True, slots=True)
class PauseRobot:
    """Silence at once, keep the rest. Answered at once by RobotPaused."""


@dataclass(frozen=True, slots=True)
class ResumeRobot:
    pass


@dataclass(frozen=True, slots=True)
class DropRobot:
    """Forget whatever has not been said."""


@dataclass(frozen=True, slots=True)
class SilenceElapsed:
    at: int


TurnCommand = (
    OpenEars | AskEars | LetGo | TakeTurn | Duck | Unduck | PauseRobot | ResumeRobot | DropRobot | SilenceElapsed
)

# ---- state -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TurnState:
    robot: Robot = Robot.SILENT
    interruptible: bool = True
    ducked: bool = False
    remaining_ms: int = 0  # of the robot's words while paused
    customer: Customer = Customer.SILENT
    turn: int = 0
    onset: int = 0
    silence_since: int = 0
    barging: bool = False  # the turn began over the robot's voice
    asked_at: int = 0
    covers: int = -1
    text: str = ""
    completeness: Completeness = Completeness.OPEN
    backchannel: bool = False
    queued: bool = False  # the robot has words that have not begun to sound
    listening: bool = False
    silence_ms: int = 0
    quiet_from: int = 0  # since when nobody has spoken
    last_taken_end: int | None = None  # where the turn before ended, unless it was cut by max_turn_ms


Result = tuple[TurnState, tuple[TurnCommand, ...]]


def step(state: TurnState, event: TurnEvent, timing: Timing) -> Result:
    """One event in, the new state and what to do out."""
    return _HANDLERS[type(event)](state, event, timing)


def next_deadline(state: TurnState, timing: Timing) -> int | None:
    """The sample at which the next Tick can matter; None when only an event can change anything."""
    due: list[int] = []
    if state.customer is Customer.SPEAKING:
        due.append(state.asked_at + _partial_every(state))
        due.append(state.onset + timing.max_turn_ms * SAMPLES_PER_MS)
        if _may_be_stopped(state):
            if not state.ducked:
                due.append(state.onset + timing.duck_after_ms * SAMPLES_PER_MS)
            due.append(state.onset + timing.stop_after_ms * SAMPLES_PER_MS)
    elif state.customer is Customer.TRAILING:
        if not _holds_protected(state):
            due.append(_settle_at(state, timing))
    elif _silence_counts(state):
        due.append(state.quiet_from + state.silence_ms * SAMPLES_PER_MS)
    return min(due) if due else None


# ---- handlers --------------------------------------------------------------------------------------------------


def _speech_started(s: TurnState, e: SpeechStarted, timing: Timing) -> Result:
    if s.customer is Customer.TRAILING:
        return replace(s, customer=Customer.SPEAKING, asked_at=e.at), ()
    if s.customer is Customer.SPEAKING:
        return s, ()
    s = _open_turn(s, e.at, e.since, barging=s.robot is Robot.SPEAKING)
    return s, (OpenEars(s.turn, max(0, e.since - PREROLL_MS * SAMPLES_PER_MS)),)


def _speech_stopped(s: TurnState, e: SpeechStopped, timing: Timing) -> Result:
    if s.customer is not Customer.SPEAKING:
        return s, ()
    s = replace(s, customer=Customer.TRAILING, silence_since=e.since, asked_at=e.at)
    out: tuple[TurnCommand, ...] = (AskEars(s.turn, final=True),)
    short = e.since - s.onset <= (HUM_MS if e.humming else BLIP_MS) * SAMPLES_PER_MS
    if short and s.robot is Robot.PAUSED and _robot_is_mid_line(s):
        return replace(s, robot=Robot.SPEAKING), (*out, ResumeRobot())
    return s, out


def _heard(s: TurnState, e: Heard, timing: Timing) -> Result:
    if e.turn != s.turn or s.customer is Customer.SILENT:
        return s, ()
    s = replace(s, covers=e.covers, text=e.text, completeness=e.completeness, backchannel=e.backchannel)
    if s.customer is Customer.SPEAKING:
        # Words that are more than a backchannel stop the robot even when the speech sounded like a hum.
        if _may_be_stopped(s) and s.text and not s.backchannel:
            return _pause(s)
        # Noise that goes on and on does not hold the robot back, and does not stop it again.
        wordless = not s.text and e.at - s.onset >= NOISE_MS * SAMPLES_PER_MS
        if s.robot is Robot.PAUSED and wordless:
            return replace(s, robot=Robot.SPEAKING, barging=False), (ResumeRobot(),)
        return s, ()
    return _settle(s, e.at, timing, e.stirring)


def _robot_queued(s: TurnState, e: RobotQueued, timing: Timing) -> Result:
    return replace(s, queued=True), ()


def _robot_started(s: TurnState, e: RobotStarted, timing: Timing) -> Result:
    return replace(s, robot=Robot.SPEAKING, interruptible=e.interruptible, queued=False), ()


def _robot_paused(s: TurnState, e: RobotPaused, timing: Timing) -> Result:
    s = replace(s, remaining_ms=e.remaining_ms)
    return _settle(s, e.at, timing) if s.customer is Customer.TRAILING else (s, ())


def _robot_finished(s: TurnState, e: RobotFinished, timing: Timing) -> Result:
    if s.robot is Robot.PAUSED:
        return s, ()
    out: tuple[TurnCommand, ...] = (Unduck(),) if s.ducked else ()
    s = replace(s, robot=Robot.SILENT, ducked=False, barging=False, queued=False, quiet_from=e.at)
    if s.customer is not Customer.TRAILING:
        return s, out
    s, more = _settle(s, e.at, timing)
    return s, out + more


def _listen_from(s: TurnState, e: ListenFrom, timing: Timing) -> Result:
    return replace(s, listening=True, silence_ms=e.silence_ms, quiet_from=max(s.quiet_from, e.at)), ()


def _tick(s: TurnState, e: Tick, timing: Timing) -> Result:
    if s.customer is Customer.SPEAKING:
        return _tick_speaking(s, e, timing)
    if s.customer is Customer.TRAILING:
        return _settle(s, e.at, timing, e.stirring)
    if _silence_counts(s) and e.at >= s.quiet_from + s.silence_ms * SAMPLES_PER_MS:
        return replace(s, listening=False), (SilenceElapsed(e.at),)
    return s, ()


def _tick_speaking(s: TurnState, e: Tick, timing: Timing) -> Result:
    out: tuple[TurnCommand, ...] = ()
    spoken_ms = (e.at - s.onset) // SAMPLES_PER_MS
    if _may_be_stopped(s):
        if not s.ducked and spoken_ms >= timing.duck_after_ms:
            s, out = replace(s, ducked=True), (Duck(),)
        if spoken_ms >= (timing.hum_stop_after_ms if e.humming else timing.stop_after_ms):
            s, more = _pause(s)
            return s, out + more
    if spoken_ms >= timing.max_turn_ms and (s.robot is not Robot.SPEAKING or s.interruptible):
        if s.robot is Robot.SPEAKING:
            s, more = _pause(s)
        else:
            s, more = _take(replace(s, silence_since=e.at), keep_speaking_from=e.at)
        return s, out + more
    if e.at >= s.asked_at + _partial_every(s):
        s, out = replace(s, asked_at=e.at), (*out, AskEars(s.turn, final=False))
    return s, out


# ---- decisions -------------------------------------------------------------------------------------------------


def _settle(s: TurnState, at: int, timing: Timing, stirring: bool = False) -> Result:
    """The customer is quiet: is the turn over, was it one, or do we wait? Not while the voice may be coming back."""
    deaf = at >= s.silence_since + EARS_PATIENCE_MS * SAMPLES_PER_MS
    if s.covers < s.silence_since and not deaf:
        return s, ()
    takes_floor = bool(s.text) and not (s.backchannel and _robot_is_mid_line(s))
    if not takes_floor and s.robot is Robot.SPEAKING:
        return _let_go(s, at)
    if _holds_protected(s):
        return s, ()
    if takes_floor and s.robot is Robot.SPEAKING:
        return _pause(s)  # RobotPaused, which says what was cut, settles the rest
    if at < _settle_at(s, timing) + stirring * STIRRING_MS * SAMPLES_PER_MS:
        return s, ()
    return _take(s) if takes_floor else _let_go(s, at)


def _settle_at(s: TurnState, timing: Timing) -> int:
    if s.covers < s.silence_since:
        return s.silence_since + EARS_PATIENCE_MS * SAMPLES_PER_MS
    says_something = s.text and not (s.backchannel and _robot_is_mid_line(s))
    wait_ms = timing.wait_ms(s.completeness) if says_something else timing.complete_ms
    return s.silence_since + wait_ms * SAMPLES_PER_MS


def _open_turn(s: TurnState, at: int, onset: int, *, barging: bool) -> TurnState:
    return replace(
        s,
        customer=Customer.SPEAKING,
        turn=s.turn + 1,
        onset=onset,
        barging=barging,
        asked_at=at,
        covers=-1,
        text="",
        completeness=Completeness.OPEN,
        backchannel=False,
    )


def _take(s: TurnState, keep_speaking_from: int | None = None) -> Result:
    goes_on_until = None if s.last_taken_end is None else s.last_taken_end + TAKE_BACK_MS * SAMPLES_PER_MS
    continues = goes_on_until is not None and s.onset <= goes_on_until
    taken = TakeTurn(s.turn, s.text, s.onset, s.silence_since, continues)
    out: tuple[TurnCommand, ...] = (taken,) if s.robot is Robot.SILENT else (DropRobot(), taken)
    s = replace(
        s,
        customer=Customer.SILENT,
        robot=Robot.SILENT,
        ducked=False,
        queued=False,
        listening=False,
        last_taken_end=s.silence_since if keep_speaking_from is None else None,
    )
    if keep_speaking_from is not None:
        s = _open_turn(s, keep_speaking_from, keep_speaking_from, barging=False)
        out = (*out, OpenEars(s.turn, keep_speaking_from))
    return s, out


def _let_go(s: TurnState, at: int) -> Result:
    out: tuple[TurnCommand, ...] = (LetGo(s.turn, s.text),)
    if s.robot is Robot.PAUSED:
        out = (*out, ResumeRobot())
    elif s.ducked:
        out = (*out, Unduck())
    robot = Robot.SPEAKING if s.robot is Robot.PAUSED else s.robot
    return replace(s, customer=Customer.SILENT, robot=robot, ducked=False, quiet_from=max(s.quiet_from, at)), out


def _pause(s: TurnState) -> Result:
    return replace(s, robot=Robot.PAUSED, ducked=False), (PauseRobot(),)


def _partial_every(s: TurnState) -> int:
    over_robot = s.barging and s.robot is not Robot.SILENT
    return (PARTIAL_OVER_ROBOT_MS if over_robot else PARTIAL_MS) * SAMPLES_PER_MS


def _silence_counts(s: TurnState) -> bool:
    return s.listening and s.robot is Robot.SILENT and not s.queued


def _may_be_stopped(s: TurnState) -> bool:
    return s.robot is Robot.SPEAKING and s.interruptible and s.barging


def _robot_is_mid_line(s: TurnState) -> bool:
    return s.robot is Robot.SPEAKING or (s.robot is Robot.PAUSED and s.remaining_ms > ALMOST_DONE_MS)


def _holds_protected(s: TurnState) -> bool:
    """Words said over a line that must be heard to its end wait for that end."""
    return s.robot is Robot.SPEAKING and not s.interruptible and bool(s.text) and not s.backchannel


_HANDLERS: dict[type[TurnEvent], Callable[..., Result]] = {
    SpeechStarted: _speech_started,
    SpeechStopped: _speech_stopped,
    Heard: _heard,
    RobotQueued: _robot_queued,
    RobotStarted: _robot_started,
    RobotPaused: _robot_paused,
    RobotFinished: _robot_finished,
    ListenFrom: _listen_from,
    Tick: _tick,
}
