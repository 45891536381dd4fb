"""One ear per turn, on a thread, never two questions at once; late answers are dropped."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from dialogue.protocol import Expectation
from voicebot.call.listening import Listening
from voicebot.speech.api import Hypothesis


class CountingStream:
    """Says how many samples it was fed; `gate` holds its answers back."""

    def __init__(self, gate: threading.Event) -> None:
        self.bytes = 0
        self.running = 0
        self.most_at_once = 0
        self._gate = gate

    def feed(self, pcm16: bytes) -> None:
        self.bytes += len(pcm16)

    def partial(self) -> Hypothesis:
        return self._answer(final=False)

    def final(self) -> Hypothesis:
        return self._answer(final=True)

    def _answer(self, *, final: bool) -> Hypothesis:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        self._gate.wait(5)
        self.running -= 1
        return Hypothesis(str(self.bytes // 2), 1.0, final, self.bytes // 16)


class Engine:
    name = "counting"

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.streams: list[CountingStream] = []
        self.expected: list[Expectation] = []

    def stream(self, expectation: Expectation) -> CountingStream:
        self.expected.append(expectation)
        self.streams.append(CountingStream(self.gate))
        return self.streams[-1]


class BrokenEngine(Engine):
    def stream(self, expectation: Expectation) -> CountingStream:
        stream = super().stream(expectation)
        stream.final = stream.partial = lambda: 1 / 0  # type: ignore[assignment, method-assign]
        return stream


def ears(engine: Engine) -> tuple[Listening, list[tuple[int, int, str]], list[str]]:
    heard: list[tuple[int, int, str]] = []
    failures: list[str] = []
    listening = Listening(
        engine,
        ThreadPoolExecutor(2),
        lambda turn, covers, h: heard.append((turn, covers, h.text)),
        failures.append,
    )
    return listening, heard, failures


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0.005)


async def test_a_turn_begins_with_the_audio_before_it_was_noticed() -> None:
    listening, heard, _ = ears(Engine())
    for i in range(1, 51):
        listening.push(bytes(320), i * 160)
    listening.open(1, 40 * 160)
    listening.push(bytes(320), 51 * 160)
    listening.ask(1, final=True)
    await settle()
    assert heard == [(1, 51 * 160, str(11 * 160))]


async def test_questions_that_come_while_one_is_answered_become_one_more() -> None:
    engine = Engine()
    listening, heard, _ = ears(engine)
    listening.open(1, 0)
    engine.gate.clear()
    for i in range(1, 6):
        listening.push(bytes(320), i * 160)
        listening.ask(1, final=False)
        await asyncio.sleep(0.005)
    engine.gate.set()
    await settle()
    assert [covers for _, covers, _ in heard] == [160, 5 * 160]
    assert engine.streams[0].most_at_once == 1


async def test_the_answer_to_a_turn_that_is_over_is_dropped() -> None:
    engine = Engine()
    listening, heard, _ = ears(engine)
    listening.open(1, 0)
    engine.gate.clear()
    listening.ask(1, final=True)
    await asyncio.sleep(0.02)
    listening.close()
    engine.gate.set()
    await settle()
    assert heard == []


async def test_the_ears_are_told_what_the_dialogue_expects() -> None:
    engine = Engine()
    listening, _, _ = ears(engine)
    listening.expectation = Expectation(answers=("是", "不是"))
    listening.open(1, 0)
    assert engine.expected == [Expectation(answers=("是", "不是"))]


async def test_an_engine_that_fails_costs_the_words_and_not_the_call() -> None:
    listening, heard, failures = ears(BrokenEngine())
    listening.open(1, 0)
    listening.ask(1, final=True)
    await settle()
    assert heard == [(1, 0, "")]
    assert "ZeroDivisionError" in failures[0]
