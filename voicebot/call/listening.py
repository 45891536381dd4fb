"""What does the customer say? Keeps the recent audio, runs one ASR stream per customer turn off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from dialogue.protocol import Expectation
from voicebot.speech.api import RATE_HZ, AsrEngine, AsrStream, Hypothesis

HISTORY_S = 30  # audio kept for pre-roll; longer than any turn
_BYTES_PER_SAMPLE = 2


@dataclass(slots=True)
class _Turn:
    number: int
    stream: AsrStream
    fed_until: int
    job: asyncio.Task[None] | None = None
    asked_again: bool | None = None  # a request that came while one was running, and whether it was final


class Listening:
    """The ears of one call. `on_heard(turn, covers, hypothesis)` runs on the event loop."""

    def __init__(
        self,
        engine: AsrEngine,
        executor: Executor,
        on_heard: Callable[[int, int, Hypothesis], None],
        on_failure: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._executor = executor
        self._on_heard = on_heard
        self._on_failure = on_failure
        self._history = bytearray()
        self._end = 0
        self._turn: _Turn | None = None
        self.expectation = Expectation()

    def push(self, pcm16: bytes, end_sample: int) -> None:
        """One frame of the customer's audio, ending at call sample `end_sample`."""
        self._history += pcm16
        if len(self._history) > 2 * HISTORY_S * RATE_HZ * _BYTES_PER_SAMPLE:
            del self._history[: -HISTORY_S * RATE_HZ * _BYTES_PER_SAMPLE]
        self._end = end_sample
        if self._turn is not None:
            self._turn.stream.feed(pcm16)
            self._turn.fed_until = end_sample

    def open(self, turn: int, from_sample: int) -> None:
        """Begin a turn with the audio since `from_sample`."""
        stream = self._engine.stream(self.expectation)
        wanted = min((self._end - from_sample) * _BYTES_PER_SAMPLE, len(self._history))
        if wanted > 0:
            stream.feed(bytes(self._history[-wanted:]))
        self._turn = _Turn(turn, stream, self._end)

    def ask(self, turn: int, *, final: bool) -> None:
        """Ask for words; answered by on_heard. Requests that come while one runs are joined into one."""
        t = self._turn
        if t is None or t.number != turn:
            return
        if t.job is not None:
            t.asked_again = final or bool(t.asked_again)
            return
        t.job = asyncio.get_running_loop().create_task(self._answer(t, final))

    def close(self) -> None:
        """The turn is over; late answers are dropped."""
        self._turn = None

    async def _answer(self, t: _Turn, final: bool) -> None:
        loop = asyncio.get_running_loop()
        while True:
            covers = t.fed_until
            try:
                hypothesis = await loop.run_in_executor(self._executor, t.stream.final if final else t.stream.partial)
            except Exception as e:  # an engine that fails costs the words of this turn, never the call
                self._on_failure(f"{self._engine.name}: {e!r}")
                hypothesis = Hypothesis("", 0.0, final, 0)
            if self._turn is not t:
                return
            again, t.asked_again = t.asked_again, None
            if again is None:
                t.job = None
            self._on_heard(t.number, covers, hypothesis)  # reports its own faults
            if again is None or self._turn is not t:
                return
            final = again
