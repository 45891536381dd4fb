"""Who is on the line, by words and pauses: with ears that say what they are told, so that time is the only clock."""

from __future__ import annotations

import numpy as np
import pytest

from dialogue.acts import Disposition
from dialogue.protocol import Expectation
from voicebot.presence.announcements import announced, is_machine
from voicebot.presence.listener import Kind, LineListener, Verdict
from voicebot.speech.api import FRAME_BYTES, FRAME_SAMPLES, Hypothesis

SPEECH = (np.random.default_rng(3).normal(0, 2000, FRAME_SAMPLES)).astype("<i2").tobytes()
QUIET = bytes(FRAME_BYTES)


class Ears:
    name = "told"

    def __init__(self, text: str) -> None:
        self.text = text

    def stream(self, expectation: Expectation) -> Ears:
        return self

    def feed(self, pcm16: bytes) -> None:
        pass

    def partial(self) -> Hypothesis:
        return Hypothesis(self.text, 1.0, False, 0)

    def final(self) -> Hypothesis:
        return Hypothesis(self.text, 1.0, True, 0)


class Activity:
    name = "loud"

    def stream(self) -> Activity:
        return self

    def push(self, pcm16: bytes) -> float:
        return 1.0 if pcm16 == SPEECH else 0.0


def verdict(text: str, speech_ms: int, then_ms: int) -> Verdict:
    listener = LineListener(Ears(text), Activity())
    for frame in [QUIET] * 20 + [SPEECH] * (speech_ms // 20) + [QUIET] * (then_ms // 20):
        if (found := listener.listen(frame)) is not None:
            return found
    return listener.guess()


def test_who_says_something_and_waits_is_a_person() -> None:
    found = verdict("喂", 300, 1000)
    assert found.kind is Kind.PERSON and found.at_ms < 1300
    assert verdict("你打错电话了", 1500, 1000).is_person


def test_the_network_s_words_are_typed() -> None:
    found = verdict("您好您拨打的电话已平机", 2600, 1500)
    assert (found.kind, found.disposition) == (Kind.ANNOUNCEMENT, Disposition.SUSPENDED)
    assert verdict("我是通信助理请留言", 2600, 1500).kind is Kind.MACHINE


def test_what_is_not_clear_is_not_a_person() -> None:
    assert verdict("您拨打的用户", 1500, 3000).kind is Kind.UNCERTAIN
    assert verdict("说个不停", 11_000, 0).kind is Kind.UNCERTAIN
    assert verdict("嗯", 300, 2000).kind is Kind.UNCERTAIN
    assert verdict("", 0, 3000).kind is Kind.SILENCE


@pytest.mark.parametrize(
    ("text", "disposition"),
    [
        ("对不起你怎么打的号码", None),
        ("您拨打的号码是空号", Disposition.INVALID_NUMBER),
        ("您不叫的用户正忙请稍后再拨", Disposition.BUSY),
        ("您拨打的用户正在通话中请不要挂断", None),  # it may be answered yet
        ("电话里说不清楚你等会儿打", None),
        ("网络吗请稍后再拨", Disposition.UNREACHABLE),
        ("我手机停机了昨天才交的话费", None),
    ],
)
def test_words_of_the_network_and_of_people(text: str, disposition: Disposition | None) -> None:
    assert announced([text]) is disposition


def test_a_person_who_speaks_of_helpers_is_no_machine() -> None:
    assert not is_machine("购房主力之一") and is_machine("我是他的智能助手")
