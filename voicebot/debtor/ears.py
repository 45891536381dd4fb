"""What did the robot say? The debtor's own ears: the project's recogniser, on threads of their own."""

from __future__ import annotations

import asyncio
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dialogue.protocol import Expectation
from voicebot.debtor.persona import Persona
from voicebot.speech.api import FRAME_BYTES, AsrEngine

EARS_NICE = 10

_WORDS = re.compile(r"[\u4e00-\u9fff]{2,}")


def listened_for(persona: Persona) -> tuple[str, ...]:
    """The words that the persona's `hears` patterns name: what its ears may favour."""
    found = (word for line in persona.lines for word in _WORDS.findall(line.hears))
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Transcript:
    text: str
    confidence: float


class Transcriber:
    """Transcribes whole utterances of all calls of a process. Close it when the calls are over."""

    def __init__(self, engine: AsrEngine, threads: int = 2) -> None:
        self._engine = engine
        # On Linux a thread has a priority of its own: thinking must not make the debtor's voice late.
        self._pool = ThreadPoolExecutor(threads, "debtor-ears", initializer=os.nice, initargs=(EARS_NICE,))

    def submit(self, pcm16: bytes, phrases: tuple[str, ...] = ()) -> asyncio.Future[Transcript]:
        """Begin to transcribe one utterance (8 kHz pcm16); `phrases` are what the persona listens for."""
        return asyncio.get_running_loop().run_in_executor(self._pool, self.transcribe, pcm16, phrases)

    def transcribe(self, pcm16: bytes, phrases: tuple[str, ...] = ()) -> Transcript:
        stream = self._engine.stream(Expectation(phrases=phrases))
        for at in range(0, len(pcm16), FRAME_BYTES):
            stream.feed(pcm16[at : at + FRAME_BYTES])
        hypothesis = stream.final()
        return Transcript(hypothesis.text, hypothesis.confidence)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
