"""What does the persona do next, given what it has heard?

A pure reducer: `react(persona, mind, event) -> (mind, actions)`. Time is the debtor's own sample clock in milliseconds
and comes with the events; nothing here reads a clock, so a whole call is tested in microseconds.

    RobotStarted ──► arms a line with barge_in_after_ms          (due: start + barge_in_after_ms)
    Heard ─────────► chooses an answer by its regular expression (due: last sample heard + delay_ms)
    Tick ──────────► says what is due
    LineEnded ─────► hangs up, dials digits, or listens on

A robot that goes on talking before a due answer was begun is listened to again, and the answer is chosen afresh.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from voicebot.debtor.persona import Line, Persona

GREETING = -1
OTHERWISE = -2
"""Line numbers beside those of `Persona.lines`."""


@dataclass(frozen=True, slots=True)
class Answered:
    at_ms: int


@dataclass(frozen=True, slots=True)
class RobotStarted:
    """The first sample of a robot utterance."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Heard:
    """The robot has gone quiet, and this is what was understood. `last_ms`: its last sample."""

    at_ms: int
    last_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class LineEnded:
    """The last sample of the persona's own line was sent."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Tick:
    at_ms: int


Event = Answered | RobotStarted | Heard | LineEnded | Tick


@dataclass(frozen=True, slots=True)
class Say:
    """Begin a line now. `barge_in`: the robot is talking, and the persona means to interrupt it."""

    number: int
    barge_in: bool


@dataclass(frozen=True, slots=True)
class SendDtmf:
    digits: str


@dataclass(frozen=True, slots=True)
class HangUp:
    why: str


Action = Say | SendDtmf | HangUp


@dataclass(frozen=True, slots=True)
class Mind:
    """Everything the persona remembers of the call. `due` is the line it is about to say, with the time."""

    answered_ms: int | None = None
    gone: bool = False
    saying: int | None = None
    due: tuple[int, int] | None = None
    hang_up_ms: int | None = None
    robot_talks: bool = False
    robot_started_ms: int = 0
    utterances: int = 0
    settled_utterance: int = 0  # up to here the robot has had its answer
    heard: tuple[str, ...] = ()  # since the persona's own last line
    last_text: str = ""
    uses: tuple[tuple[int, int], ...] = ()
    matches: tuple[tuple[int, int], ...] = ()


def line_of(persona: Persona, number: int) -> Line:
    if number == GREETING:
        assert persona.greeting is not None
        return persona.greeting
    if number == OTHERWISE:
        assert persona.otherwise is not None
        return persona.otherwise
    return persona.lines[number]


def react(persona: Persona, mind: Mind, event: Event) -> tuple[Mind, tuple[Action, ...]]:
    """Take one event in. Events come in the order of their `at_ms`; after a HangUp nothing happens any more."""
    if mind.gone:
        return mind, ()
    match event:
        case Answered(at_ms):
            return _answered(persona, mind, at_ms), ()
        case RobotStarted(at_ms):
            return _robot_started(persona, mind, at_ms), ()
        case Heard():
            return _heard(persona, mind, event), ()
        case LineEnded(at_ms):
            return _line_ended(persona, mind, at_ms)
        case Tick(at_ms):
            return _tick(persona, mind, at_ms)


def _answered(persona: Persona, mind: Mind, at_ms: int) -> Mind:
    mind = replace(mind, answered_ms=at_ms)
    if persona.shouts:
        return replace(mind, due=(_next_shout(persona, None), at_ms + persona.shout_pause_ms))
    if persona.greeting is not None and not mind.robot_talks:
        return replace(mind, due=(GREETING, at_ms + persona.greeting.delay_ms))
    return mind


def _robot_started(persona: Persona, mind: Mind, at_ms: int) -> Mind:
    mind = replace(mind, robot_talks=True, robot_started_ms=at_ms, utterances=mind.utterances + 1)
    if persona.shouts:
        return mind
    for number, line in enumerate(persona.lines):
        if line.barge_in_after_ms is not None and line.fits(mind.last_text):
            mind = _counted(mind, number)
    if mind.saying is not None:
        return mind
    return _arm_interruption(persona, replace(mind, due=None), after_ms=-1)


def _arm_interruption(persona: Persona, mind: Mind, after_ms: int) -> Mind:
    """The first interruption that fits this utterance and lies more than `after_ms` behind its start."""
    fitting = [
        (line.barge_in_after_ms, number)
        for number, line in enumerate(persona.lines)
        if line.barge_in_after_ms is not None
        and line.barge_in_after_ms > after_ms
        and line.fits(mind.last_text)
        and _usable(line, number, mind)
    ]
    if not fitting:
        return mind
    offset_ms, number = min(fitting)
    return replace(mind, due=(number, mind.robot_started_ms + offset_ms))


def _heard(persona: Persona, mind: Mind, event: Heard) -> Mind:
    overtaken = event.last_ms < mind.robot_started_ms  # the robot was off again before this was understood
    mind = replace(mind, last_text=event.text, heard=(*mind.heard, event.text))
    mind = mind if overtaken else replace(mind, robot_talks=False)
    if persona.shouts or mind.utterances <= mind.settled_utterance:
        return mind
    for number, line in enumerate(persona.lines):
        if line.barge_in_after_ms is None and line.fits(event.text):
            mind = _counted(mind, number)
    if mind.saying is not None or overtaken:
        return mind  # answered once the own line, or the robot's next utterance, is over
    return _choose(persona, mind, event.last_ms)


def _choose(persona: Persona, mind: Mind, last_ms: int) -> Mind:
    """Pick the answer: a line that fits the last utterance, else one that fits all that was heard, else otherwise."""
    for text in (mind.last_text, "".join(mind.heard)):
        for number, line in enumerate(persona.lines):
            if line.barge_in_after_ms is None and line.fits(text) and _usable(line, number, mind):
                return replace(mind, due=(number, last_ms + line.delay_ms))
    if persona.otherwise is not None and _usable(persona.otherwise, OTHERWISE, mind):
        return replace(mind, due=(OTHERWISE, last_ms + persona.otherwise.delay_ms))
    return replace(mind, due=None, settled_utterance=mind.utterances)


def _line_ended(persona: Persona, mind: Mind, at_ms: int) -> tuple[Mind, tuple[Action, ...]]:
    if mind.saying is None:
        return mind, ()
    number, line = mind.saying, line_of(persona, mind.saying)
    mind = replace(mind, saying=None)
    actions: tuple[Action, ...] = (SendDtmf(line.dtmf),) if line.dtmf else ()
    if line.hang_up:
        return replace(mind, gone=True), (*actions, HangUp("line"))
    if persona.shouts:
        return replace(mind, due=(_next_shout(persona, number), at_ms + persona.shout_pause_ms)), actions
    if mind.robot_talks:
        if line.backchannel:
            mind = _arm_interruption(persona, mind, after_ms=at_ms - mind.robot_started_ms)
        return mind, actions
    if mind.utterances > mind.settled_utterance and mind.heard:
        mind = _choose(persona, mind, at_ms)
    return mind, actions


def _tick(persona: Persona, mind: Mind, at_ms: int) -> tuple[Mind, tuple[Action, ...]]:
    if mind.hang_up_ms is not None and at_ms >= mind.hang_up_ms:
        return replace(mind, gone=True), (HangUp("mid_line"),)
    if mind.answered_ms is not None and at_ms >= mind.answered_ms + persona.max_call_s * 1000:
        return replace(mind, gone=True), (HangUp("max_call_s"),)
    if mind.due is None or at_ms < mind.due[1] or mind.saying is not None:
        return mind, ()
    number = mind.due[0]
    line = line_of(persona, number)
    barge_in = mind.robot_talks and (line.barge_in_after_ms is not None)
    mind = replace(mind, due=None, uses=_bump(mind.uses, number))
    if not (line.backchannel and mind.robot_talks):
        # A barge-in answers the utterance it interrupts; a 嗯 into it leaves it to be answered at its end.
        mind = replace(mind, settled_utterance=mind.utterances, heard=())
    if line.silent:
        return mind, ()
    if not line.audible:
        mind, actions = _line_ended(persona, replace(mind, saying=number), at_ms)
        return mind, actions
    if line.hang_up_after_ms is not None:
        mind = replace(mind, hang_up_ms=at_ms + line.hang_up_after_ms)
    return replace(mind, saying=number), (Say(number, barge_in),)


def _next_shout(persona: Persona, number: int | None) -> int:
    audible = [n for n, line in enumerate(persona.lines) if line.audible]
    return audible[0] if number not in audible else audible[(audible.index(number) + 1) % len(audible)]


def _usable(line: Line, number: int, mind: Mind) -> bool:
    used, matched = dict(mind.uses).get(number, 0), dict(mind.matches).get(number, 0)
    return used < line.repeat and (line.nth is None or matched >= line.nth)


def _counted(mind: Mind, number: int) -> Mind:
    return replace(mind, matches=_bump(mind.matches, number))


def _bump(counts: tuple[tuple[int, int], ...], number: int) -> tuple[tuple[int, int], ...]:
    found = dict(counts)
    found[number] = found.get(number, 0) + 1
    return tuple(sorted(found.items()))
