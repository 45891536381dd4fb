"""What a persona does, in virtual time: no phone, no clock."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot.debtor.behaviour import (
    GREETING,
    OTHERWISE,
    Action,
    Answered,
    Event,
    HangUp,
    Heard,
    LineEnded,
    Mind,
    RobotStarted,
    Say,
    SendDtmf,
    Tick,
    react,
)
from voicebot.debtor.persona import Persona


def persona(**fields: Any) -> Persona:
    return Persona.model_validate({"name": "p", "about": "test", "user": "1", **fields})


class Play:
    """Drives a persona through a scene: ticks every 20 ms, own lines last `line_ms`."""

    def __init__(self, who: Persona, line_ms: int = 1000) -> None:
        self.who, self.line_ms = who, line_ms
        self.mind, self.now, self.ends = Mind(), 0, -1
        self.done: list[tuple[int, Action]] = []
        self.feed(Answered(0))

    def feed(self, event: Event) -> None:
        self.mind, actions = react(self.who, self.mind, event)
        for action in actions:
            self.done.append((self.now, action))
            if isinstance(action, Say):
                self.ends = self.now + self.line_ms

    def until(self, ms: int) -> Play:
        while self.now < ms:
            self.now += 20
            if self.now == self.ends:
                self.feed(LineEnded(self.now))
            self.feed(Tick(self.now))
        return self

    def robot(self, text: str, lasts_ms: int, quiet_ms: int = 700) -> Play:
        start = self.now
        self.feed(RobotStarted(start))
        self.until(start + lasts_ms + quiet_ms)
        self.feed(Heard(self.now, start + lasts_ms, text))
        return self

    def said(self) -> list[int]:
        return [action.number for _, action in self.done if isinstance(action, Say)]

    def acts(self, kind: type[Action]) -> Sequence[tuple[int, Action]]:
        return [(at, action) for at, action in self.done if isinstance(action, kind)]


def test_it_answers_what_it_heard_after_its_thinking_time() -> None:
    play = Play(persona(lines=[{"hears": "本人", "say": "我是", "delay_ms": 1500}]))
    play.robot("请问是王强先生本人吗", 2000).until(6000)
    assert play.done == [(3500, Say(0, barge_in=False))]


def test_what_fits_nothing_gets_the_line_for_everything_else() -> None:
    play = Play(persona(lines=[{"hears": "本人", "say": "我是"}], otherwise={"say": "啊？", "repeat": "always"}))
    play.robot("今天天气不错", 1000).until(4000).robot("是吧", 500).until(8000)
    assert play.said() == [OTHERWISE, OTHERWISE]


def test_it_asks_back_only_as_often_as_it_is_told() -> None:
    play = Play(persona(otherwise={"say": "啊？", "repeat": 2}))
    for _ in range(4):
        play.robot("嗯", 500).until(play.now + 3000)
    assert play.said() == [OTHERWISE, OTHERWISE]


def test_the_second_time_it_is_asked_it_says_something_else() -> None:
    lines = [{"hears": "今天", "say": "不行"}, {"hears": "今天|哪天", "nth": 2, "say": "周五"}]
    play = Play(persona(lines=lines))
    play.robot("今天能还吗", 1000).until(4000).robot("那您哪天能还", 1000).until(8000)
    assert play.said() == [0, 1]


def test_a_used_up_line_is_not_said_again() -> None:
    play = Play(persona(lines=[{"say": "一"}, {"say": "二", "repeat": 2}]))
    for _ in range(5):
        play.robot("嗯", 500).until(play.now + 3000)
    assert play.said() == [0, 1, 1]


def test_it_interrupts_that_long_after_the_robot_started() -> None:
    play = Play(persona(lines=[{"say": "等一下", "barge_in_after_ms": 800}]))
    play.until(1000).robot("这里是示例银行我是智能助理本次通话将被录音", 5000).until(9000)
    assert play.done == [(1800, Say(0, barge_in=True))]


def test_an_utterance_that_it_interrupted_is_answered_by_the_interruption() -> None:
    lines = [{"say": "等一下", "barge_in_after_ms": 800}, {"say": "什么"}]
    play = Play(persona(lines=lines)).robot("很长的一句话", 3000).until(6000)
    assert play.said() == [0]
    assert play.robot("好的您说", 800).until(10000).said() == [0, 1]


def test_a_hum_into_the_robots_words_leaves_them_to_be_answered() -> None:
    lines = [{"say": "嗯", "barge_in_after_ms": 800, "backchannel": True}, {"say": "好"}]
    play = Play(persona(lines=lines), line_ms=200).robot("很长的一句话", 3000).until(6000)
    assert play.said() == [0, 1]


def test_an_interruption_is_not_made_of_an_utterance_too_short_for_it() -> None:
    play = Play(persona(lines=[{"say": "等一下", "barge_in_after_ms": 3000}, {"say": "好"}]))
    play.robot("短", 500).until(6000)
    assert play.said() == [1]


def test_the_third_utterance_can_be_the_one_that_is_interrupted() -> None:
    play = Play(persona(lines=[{"nth": 3, "say": "停", "barge_in_after_ms": 500}, {"say": "好", "repeat": "always"}]))
    for _ in range(3):
        play.robot("一句话", 2000).until(play.now + 2000)
    assert play.said() == [1, 1, 0]


def test_a_robot_that_goes_on_is_listened_to_before_the_answer() -> None:
    play = Play(persona(lines=[{"hears": "本人.*录音", "say": "我是", "delay_ms": 1000}]))
    play.robot("是王强本人吗", 1000).until(1800)
    play.robot("通话会录音", 1000).until(6000)
    assert play.acts(Say) == [(3800, Say(0, barge_in=False))]


def test_words_understood_only_after_the_robot_is_off_again_do_not_start_an_answer() -> None:
    play = Play(persona(lines=[{"say": "好", "repeat": "always", "delay_ms": 0}]))
    play.feed(RobotStarted(0))
    play.until(2000)
    play.feed(RobotStarted(1900))
    play.feed(Heard(2000, 1000, "第一句"))
    assert play.until(2500).said() == []
    play.feed(Heard(2600, 2500, "第二句"))
    assert play.until(3000).said() == [0]


def test_it_greets_unless_the_robot_was_first() -> None:
    who = persona(greeting={"say": "喂", "delay_ms": 500})
    assert Play(who).until(2000).done == [(500, Say(GREETING, barge_in=False))]
    first = Play(who)
    first.until(200).robot("您好", 500)
    assert first.until(4000).said() == []


def test_it_hangs_up_in_the_middle_of_its_sentence() -> None:
    play = Play(persona(lines=[{"say": "我跟你说……", "hang_up_after_ms": 600, "delay_ms": 0}]), line_ms=3000)
    play.robot("今天能还吗", 1000).until(9000)
    assert play.acts(HangUp) == [(1720 + 600, HangUp("mid_line"))]


def test_it_hangs_up_after_its_line_and_does_nothing_any_more() -> None:
    play = Play(persona(lines=[{"say": "再见", "hang_up": True, "delay_ms": 0}, {"say": "还在", "repeat": "always"}]))
    play.robot("再见", 1000).until(5000).robot("喂", 500).until(9000)
    assert [type(action) for _, action in play.done] == [Say, HangUp]


def test_digits_are_sent_once_the_line_is_over() -> None:
    play = Play(persona(lines=[{"hears": "按", "dtmf": "1#"}, {"say": "好", "dtmf": "2", "delay_ms": 0}]))
    play.robot("请按一", 1000).until(4000).robot("谢谢", 1000).until(8000)
    assert [action for _, action in play.done] == [SendDtmf("1#"), Say(1, barge_in=False), SendDtmf("2")]


def test_a_silent_line_is_used_up_without_a_word() -> None:
    play = Play(persona(lines=[{"silent": True}, {"say": "喂"}]))
    assert play.robot("您好", 500).until(4000).said() == []
    assert play.robot("您好", 500).until(8000).said() == [1]


def test_somebody_who_shouts_never_stops_and_never_listens() -> None:
    who = persona(shouts=True, shout_pause_ms=200, max_call_s=20, lines=[{"say": "一"}, {"say": "二"}])
    play = Play(who).robot("您好", 3000).until(25000)
    starts = [at for at, _ in play.acts(Say)]
    assert play.said() == [n % 2 for n in range(len(starts))]
    assert {b - a for a, b in itertools.pairwise(starts)} == {1200}
    assert play.acts(HangUp) == [(20000, HangUp("max_call_s"))]


EVENTS = st.lists(
    st.one_of(
        st.builds(lambda: ("robot", "")),
        st.builds(lambda text: ("heard", text), st.sampled_from(["今天能还吗", "本人", "再见", ""])),
        st.just(("ended", "")),
        st.just(("tick", "")),
    ),
    max_size=60,
)


@given(EVENTS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_whatever_happens_it_says_one_line_at_a_time_and_hangs_up_once(
    scene: list[tuple[str, str]], shouts: bool
) -> None:
    who = persona(
        shouts=shouts,
        greeting={"say": "喂"},
        lines=[
            {"hears": "本人", "say": "是我", "repeat": 3},
            {"hears": "今天", "say": "慢着", "barge_in_after_ms": 100, "repeat": "always"},
            {"hears": "再见", "say": "再见", "hang_up": True},
        ],
        otherwise={"say": "啊", "repeat": "always"},
    )
    mind, at, saying, ended = Mind(), 0, False, 0
    mind, _ = react(who, mind, Answered(0))
    for kind, text in scene:
        at += 300
        events: dict[str, Event] = {
            "robot": RobotStarted(at),
            "heard": Heard(at, at - 200, text),
            "ended": LineEnded(at),
            "tick": Tick(at),
        }
        if kind == "ended":
            saying = False
        mind, actions = react(who, mind, events[kind])
        assert not ended or not actions
        for action in actions:
            if isinstance(action, Say):
                assert not saying
                saying = True
            ended += isinstance(action, HangUp)
    assert ended <= 1
