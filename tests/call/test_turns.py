"""Who has the floor, played in virtual time: a line of events, and what the reducer says to it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from dialogue.understanding import Completeness
from voicebot.call import turns
from voicebot.call.turns import (
    AskEars,
    Customer,
    DropRobot,
    Duck,
    Heard,
    LetGo,
    ListenFrom,
    OpenEars,
    PauseRobot,
    ResumeRobot,
    Robot,
    RobotFinished,
    RobotPaused,
    RobotStarted,
    SilenceElapsed,
    SpeechStarted,
    SpeechStopped,
    TakeTurn,
    Tick,
    Timing,
    TurnState,
    Unduck,
)

COMPLETE, OPEN, HANGING = Completeness.COMPLETE, Completeness.OPEN, Completeness.HANGING


@dataclass
class Floor:
    """Runs the reducer on a millisecond clock, ticking whenever a deadline is due, and keeps what came out and when."""

    timing: Timing = field(default_factory=Timing)
    state: TurnState = field(default_factory=TurnState)
    now_ms: int = 0
    out: list[tuple[int, object]] = field(default_factory=list)
    humming: bool = False
    stirring: bool = False
    remaining_ms: int = 3000

    moves: set[tuple[str, str, str, str]] = field(default_factory=set)  # half, before, cause, after

    def feed(self, event: turns.TurnEvent) -> None:
        before = self.state
        self.state, commands = turns.step(self.state, event, self.timing)
        self._note_moves(before, [type(event).__name__, *(type(c).__name__ for c in commands)])
        for c in commands:
            self.out.append((self.now_ms, c))
            if isinstance(c, PauseRobot):
                self.feed(RobotPaused(self.now_ms * 8, self.remaining_ms, (("line", 0.4),)))

    def _note_moves(self, before: TurnState, names: list[str]) -> None:
        for half, own in (
            ("robot", ("PauseRobot", "ResumeRobot", "DropRobot", "RobotStarted", "RobotFinished")),
            ("customer", ("TakeTurn", "LetGo", "SpeechStarted", "SpeechStopped")),
        ):
            was, became = getattr(before, half), getattr(self.state, half)
            cause = next((name for name in own if name in names), names[0])
            again = (half == "robot" and cause == "RobotStarted") or (was is Customer.SPEAKING and cause == "TakeTurn")
            if was is not became or again:
                self.moves.add((half, str(was), cause, str(became)))

    def wait(self, ms: int) -> None:
        until = self.now_ms + ms
        while self.now_ms < until:
            self.now_ms += 20
            deadline = turns.next_deadline(self.state, self.timing)
            if deadline is not None and self.now_ms * 8 >= deadline:
                self.feed(Tick(self.now_ms * 8, self.humming, self.stirring))

    def speech(self, ms: int) -> None:
        """The customer speaks for `ms`; the gate notices 60 ms after the onset and 80 ms after the end."""
        onset = self.now_ms
        self.wait(60)
        self.feed(SpeechStarted(self.now_ms * 8, onset * 8))
        self.wait(ms - 60)
        end = self.now_ms
        self.wait(80)
        self.feed(SpeechStopped(self.now_ms * 8, end * 8, self.humming))

    def words(self, text: str, completeness: Completeness = COMPLETE, *, backchannel: bool = False) -> None:
        """The ears answer for all audio so far."""
        at = self.now_ms * 8
        self.feed(Heard(at, self.state.turn, at, text, completeness, backchannel, self.stirring))

    def robot(self, *, interruptible: bool = True) -> None:
        self.feed(RobotStarted(self.now_ms * 8, interruptible))

    def of(self, kind: type) -> list[tuple[int, object]]:
        return [(ms, c) for ms, c in self.out if isinstance(c, kind)]


def waited_ms(completeness: Completeness) -> int:
    floor = Floor()
    floor.speech(1000)
    floor.words("我明天还", completeness)
    floor.wait(2000)
    [(ms, taken)] = floor.of(TakeTurn)
    assert taken == TakeTurn(1, "我明天还", 0, 8000, False)
    return ms - 1000


def test_a_complete_answer_ends_the_turn_after_a_short_silence() -> None:
    assert waited_ms(COMPLETE) in range(280, 301)


def test_an_open_answer_waits_longer_and_a_hanging_one_longest() -> None:
    assert waited_ms(Completeness.LIKELY) in range(640, 661)
    assert waited_ms(OPEN) in range(700, 721)
    assert waited_ms(HANGING) in range(1000, 1021)


def test_a_pause_inside_a_hanging_line_does_not_cut_it() -> None:
    floor = Floor()
    floor.speech(800)
    floor.words("我明天那个", HANGING)
    floor.wait(360)
    floor.speech(700)
    floor.words("我明天那个下午还")
    floor.wait(1000)
    [(_, taken)] = floor.of(TakeTurn)
    assert isinstance(taken, TakeTurn)
    assert (taken.from_sample, taken.to_sample) == (0, (800 + 80 + 360 + 700) * 8)
    assert len(floor.of(OpenEars)) == 1, "one turn, one ear"


def test_a_voice_that_comes_back_as_the_turn_is_about_to_end_continues_it() -> None:
    floor = Floor()
    floor.speech(800)
    floor.words("我是", COMPLETE)
    floor.wait(180)  # 260 ms of silence
    floor.stirring = True
    floor.speech(700)  # its edge comes 60 ms after its onset, when the wait of 280 ms is over
    floor.stirring = False
    floor.words("我是他姐姐")
    floor.wait(1000)
    [(_, taken)] = floor.of(TakeTurn)
    assert isinstance(taken, TakeTurn) and taken.text == "我是他姐姐"


def test_a_crackle_holds_a_turn_back_for_four_frames_at_most() -> None:
    for late_words in (False, True):
        floor = Floor(stirring=True)
        floor.speech(1000)
        if late_words:
            floor.wait(220)
        floor.words("我明天还")
        floor.wait(2000)
        [(ms, _)] = floor.of(TakeTurn)
        assert ms - 1000 in range(360, 381)


def test_late_ears_hold_the_turn_open_until_they_answer() -> None:
    floor = Floor()
    floor.speech(800)
    floor.wait(1200)
    assert not floor.of(TakeTurn)
    floor.words("好的")
    floor.wait(20)
    assert len(floor.of(TakeTurn)) == 1


def test_deaf_ears_do_not_hold_the_floor_for_ever() -> None:
    floor = Floor()
    floor.feed(ListenFrom(0, 6000))
    floor.speech(800)
    floor.wait(12000)
    assert floor.of(LetGo) and floor.of(SilenceElapsed)


def test_the_ears_are_asked_while_the_customer_speaks_and_at_once_when_they_stop() -> None:
    floor = Floor()
    floor.speech(4000)
    finals = [c.final for _, c in floor.of(AskEars) if isinstance(c, AskEars)]
    assert finals == [False, False, True]


def test_the_ears_are_asked_more_often_while_the_customer_speaks_over_the_robot() -> None:
    floor = Floor(humming=True, timing=Timing(hum_stop_after_ms=5000))
    floor.robot()
    floor.speech(1500)
    assert len(floor.of(AskEars)) == 6


def test_speech_over_the_robot_lowers_its_voice_then_stops_it() -> None:
    floor = Floor()
    floor.robot()
    floor.wait(1000)
    floor.speech(1200)
    floor.words("我已经还过了")
    floor.wait(500)
    onset = 1000
    [(ducked_ms, _)] = floor.of(Duck)
    [(paused_ms, _)] = floor.of(PauseRobot)
    assert ducked_ms - onset <= 80
    assert paused_ms - onset <= Timing().stop_after_ms + 20
    assert [type(c) for _, c in floor.out[-2:]] == [DropRobot, TakeTurn]
    assert floor.state.robot is Robot.SILENT


def test_a_short_hum_lowers_the_voice_and_does_not_stop_it() -> None:
    floor = Floor(humming=True)
    floor.robot()
    floor.wait(1000)
    floor.speech(60)
    floor.words("嗯", backchannel=True)
    floor.wait(1000)
    assert not floor.of(PauseRobot)
    assert [type(c) for _, c in floor.out if isinstance(c, Duck | Unduck | LetGo)] == [Duck, LetGo, Unduck]


def test_a_longer_hum_stops_the_voice_only_until_it_ends() -> None:
    floor = Floor(humming=True)
    floor.robot()
    floor.wait(1000)
    floor.speech(350)
    [(paused_ms, _)], [(resumed_ms, _)] = floor.of(PauseRobot), floor.of(ResumeRobot)
    assert 0 <= paused_ms - 1000 - Timing().hum_stop_after_ms <= 20
    assert resumed_ms - 1350 <= 100
    floor.words("嗯", backchannel=True)
    floor.wait(1000)
    assert len(floor.of(PauseRobot)) == 1 and floor.of(LetGo) and floor.state.robot is Robot.SPEAKING


def test_words_that_sounded_like_a_hum_stop_the_robot_again() -> None:
    floor = Floor(humming=True)
    floor.robot()
    floor.wait(1000)
    floor.speech(400)
    floor.words("你们是谁")
    floor.wait(600)
    assert len(floor.of(PauseRobot)) == 2 and len(floor.of(TakeTurn)) == 1
    assert floor.state.robot is Robot.SILENT


def test_a_backchannel_that_stopped_the_robot_lets_it_go_on_where_it_was() -> None:
    floor = Floor()
    floor.robot()
    floor.wait(1000)
    floor.speech(400)
    floor.words("哦好", backchannel=True)
    floor.wait(600)
    assert floor.of(PauseRobot) and floor.of(ResumeRobot) and not floor.of(TakeTurn)
    assert floor.state.robot is Robot.SPEAKING


def test_noise_over_the_robot_is_let_go() -> None:
    floor = Floor(humming=True)
    floor.robot()
    floor.speech(60)
    floor.words("")
    floor.wait(800)
    assert not floor.of(TakeTurn) and not floor.of(PauseRobot)


def test_yes_in_the_last_moment_of_the_question_is_an_answer() -> None:
    floor = Floor(remaining_ms=300)
    floor.robot()
    floor.wait(1000)
    floor.speech(400)
    floor.words("好的", backchannel=True)
    floor.wait(600)
    assert floor.of(TakeTurn) and not floor.of(ResumeRobot)


def test_yes_after_the_question_is_an_answer() -> None:
    floor = Floor()
    floor.robot()
    floor.wait(1000)
    floor.feed(RobotFinished(floor.now_ms * 8))
    floor.wait(200)
    floor.speech(300)
    floor.words("嗯", backchannel=True)
    floor.wait(600)
    assert len(floor.of(TakeTurn)) == 1


def test_the_voice_comes_back_up_when_the_line_ends_while_it_is_lowered() -> None:
    floor = Floor(humming=True)
    floor.robot()
    floor.wait(1000)
    floor.feed(SpeechStarted(floor.now_ms * 8, floor.now_ms * 8))
    floor.wait(140)
    assert floor.of(Duck)
    floor.feed(RobotFinished(floor.now_ms * 8))
    assert floor.of(Unduck)


def test_noise_that_goes_on_does_not_hold_the_robot_back() -> None:
    floor = Floor()
    floor.robot()
    floor.feed(SpeechStarted(480, 0))
    floor.wait(1000)
    assert floor.of(PauseRobot)
    floor.wait(800)
    floor.words("")
    assert floor.of(ResumeRobot) and floor.state.robot is Robot.SPEAKING
    floor.wait(3000)
    assert len(floor.of(PauseRobot)) == 1


def test_a_protected_line_is_neither_lowered_nor_cut_and_the_words_wait_for_its_end() -> None:
    floor = Floor()
    floor.robot(interruptible=False)
    floor.wait(500)
    floor.speech(1500)
    floor.words("我要投诉你们")
    floor.wait(2000)
    assert not floor.of(Duck) and not floor.of(PauseRobot) and not floor.of(TakeTurn)
    floor.feed(RobotFinished(floor.now_ms * 8))
    [(ms, _)] = floor.of(TakeTurn)
    assert ms == floor.now_ms


def test_the_customer_who_goes_on_after_a_short_pause_continues_the_turn() -> None:
    floor = Floor()
    floor.speech(700)
    floor.words("可以")
    floor.wait(300)
    floor.robot()
    floor.speech(700)
    floor.words("我明天还")
    floor.wait(400)
    first, second = (c for _, c in floor.of(TakeTurn))
    assert isinstance(first, TakeTurn) and isinstance(second, TakeTurn)
    assert (first.continues, second.continues) == (False, True)


def test_silence_counts_from_the_end_of_the_robots_words_and_only_once() -> None:
    floor = Floor()
    floor.feed(ListenFrom(0, 6000))
    floor.robot()
    floor.wait(4000)
    floor.feed(RobotFinished(floor.now_ms * 8))
    floor.wait(20000)
    assert [ms for ms, _ in floor.of(SilenceElapsed)] == [10000]


def test_silence_does_not_count_while_the_robots_voice_is_still_on_its_way() -> None:
    floor = Floor()
    floor.feed(turns.RobotQueued(0))
    floor.feed(ListenFrom(0, 6000))
    floor.wait(9000)
    assert not floor.of(SilenceElapsed)
    floor.robot()
    floor.wait(1000)
    floor.feed(RobotFinished(floor.now_ms * 8))
    floor.wait(7000)
    assert [ms for ms, _ in floor.of(SilenceElapsed)] == [16000]


def test_someone_who_never_stops_shouting_is_cut_in_turns_and_the_robot_gets_to_speak() -> None:
    floor = Floor(timing=Timing(max_turn_ms=5000))
    floor.feed(SpeechStarted(480, 0))
    floor.wait(4000)
    floor.words("啊啊啊啊你们")
    floor.wait(1500)
    assert len(floor.of(TakeTurn)) == 1
    floor.robot()
    floor.wait(3000)
    assert not floor.of(PauseRobot), "shouting that began before the robot spoke does not stop it"
    floor.feed(RobotFinished(floor.now_ms * 8))
    floor.words("烦死了")
    floor.wait(3000)
    assert len(floor.of(TakeTurn)) == 2


_events = st.one_of(
    st.tuples(st.just("started")),
    st.tuples(st.just("stopped")),
    st.tuples(st.just("words"), st.sampled_from(["", "嗯", "我明天还"]), st.sampled_from(Completeness), st.booleans()),
    st.tuples(st.just("robot"), st.booleans()),
    st.tuples(st.just("finished")),
    st.tuples(st.just("listen")),
    st.tuples(st.just("wait"), st.integers(20, 3000)),
)


@given(st.lists(_events, max_size=60))
def test_any_story_keeps_the_rules_of_the_floor(story: list[tuple[object, ...]]) -> None:
    floor = Floor(timing=Timing(max_turn_ms=5000))
    for what, *args in story:
        at = floor.now_ms * 8
        protected = floor.state.robot is Robot.SPEAKING and not floor.state.interruptible
        before = len(floor.out)
        match what:
            case "started":
                floor.feed(SpeechStarted(at, max(0, at - 480)))
            case "stopped":
                floor.feed(SpeechStopped(at, max(0, at - 640)))
            case "words":
                floor.words(args[0], args[1], backchannel=args[2] and len(args[0]) == 1)  # type: ignore[arg-type]
            case "robot" if floor.state.robot is not Robot.PAUSED:
                floor.robot(interruptible=bool(args[0]))
            case "finished":
                floor.feed(RobotFinished(at))
            case "listen":
                floor.feed(ListenFrom(at, 6000))
            case "wait":
                floor.wait(int(args[0]))  # type: ignore[call-overload]
        if protected and what != "finished":
            assert not [c for _, c in floor.out[before:] if isinstance(c, Duck | PauseRobot | DropRobot)]
    taken = [c.turn for _, c in floor.of(TakeTurn) if isinstance(c, TakeTurn)]
    assert taken == sorted(set(taken)), "a turn is taken at most once"
    let_go = [c.turn for _, c in floor.of(LetGo) if isinstance(c, LetGo)]
    assert not set(taken) & set(let_go)
    assert (
        floor.state.customer is not Customer.TRAILING
        or turns.next_deadline(floor.state, floor.timing)
        or (floor.state.robot is Robot.SPEAKING)
    )


def test_the_floor_moves_as_the_table_says_and_in_no_other_way() -> None:
    chance = random.Random(7)
    moves: set[tuple[str, str, str, str]] = set()
    for _ in range(300):
        floor = Floor(timing=Timing(max_turn_ms=5000))
        for _ in range(60):
            at = floor.now_ms * 8
            match chance.randrange(6):
                case 0:
                    floor.feed(SpeechStarted(at, max(0, at - 480)))
                case 1:
                    floor.feed(SpeechStopped(at, max(0, at - 640)))
                case 2:
                    text = chance.choice(["", "嗯", "我明天还"])
                    floor.words(text, chance.choice(list(Completeness)), backchannel=text == "嗯")
                case 3 if floor.state.robot is not Robot.PAUSED:
                    floor.robot(interruptible=chance.random() < 0.7)
                case 4:
                    floor.feed(RobotFinished(at))
                case _:
                    floor.wait(chance.randrange(20, 3000))
        moves |= floor.moves
    assert moves == {(half, *row) for half, rows in turns.TRANSITIONS.items() for row in rows}
