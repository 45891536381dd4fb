"""What did the robot say? The debtor's own ears: the project's recogniser, on threads of their own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dialogue.protocol import Expectation
from voicebot.speech.api import FRAME_BYTES, AsrEngine


@dataclass(frozen=True, slots=True)
class Transcript:
    text: str
    confidence: float


class Transcriber:
    """Transcribes whole utterances of all calls of a process. Close it when the calls are over."""

    def __init__(self, engine: AsrEngine, threads: int = 2) -> None:
        self._engine = engine
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="debtor-ears")

    def submit(self, pcm16: bytes) -> asyncio.Future[Transcript]:
        """Begin to transcribe one utterance (8 kHz pcm16)."""
        return asyncio.get_running_loop().run_in_executor(self._pool, self.transcribe, pcm16)

    def transcribe(self, pcm16: bytes) -> Transcript:
        stream = self._engine.stream(Expectation())
        for at in range(0, len(pcm16), FRAME_BYTES):
            stream.feed(pcm16[at : at + FRAME_BYTES])
        hypothesis = stream.final()
        return Transcript(hypothesis.text, hypothesis.confidence)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
