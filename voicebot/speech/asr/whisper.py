"""What did the customer say? Whisper through CTranslate2 (faster-whisper), for recordings rather than for talks.

It hears a window of 30 s whatever the turn's length: about a second of CPU per decode. Partials are decoded at most
every two seconds of new audio for that reason. The expectation goes in as hot words; a text that is one of the closed
answers is reported as such.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from dialogue.protocol import Expectation
from voicebot.speech.api import RATE_HZ, AsrStream, Hypothesis
from voicebot.speech.asr.base import MissingExtra, MissingWeights, TurnAudio, spoken
from voicebot.speech.asr.muggle_features import find_activity
from voicebot.speech.audio import resample, to_float

NET_HZ = 16000
PARTIAL_EVERY_MS = 2000
MIN_SPEECH_MS = 60
MAX_NO_SPEECH = 0.6  # Whisper's own estimate that nobody speaks
_NEEDED = ("model.bin", "config.json", "tokenizer.json")


class WhisperAsr:
    """A faster-whisper model folder. Thread-safe; raises MissingExtra, MissingWeights."""

    name = "whisper"

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        try:
            import faster_whisper
            import zhconv
        except ImportError as e:
            raise MissingExtra("whisper", str(e.name), "whisper") from e
        way_out = "fetch it with: voicebot models pull whisper-base"
        for name in _NEEDED:
            if not (folder / name).is_file():
                raise MissingWeights("whisper", folder / name, "no such file", way_out)
        try:
            self._model: Any = faster_whisper.WhisperModel(
                str(folder), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
            )
        except (RuntimeError, ValueError, OSError) as e:
            raise MissingWeights("whisper", folder, f"damaged, it cannot be loaded ({e})", way_out) from e
        self._simplified = zhconv.convert
        self._lock = threading.Lock()

    def stream(self, expectation: Expectation) -> AsrStream:
        return _Turn(self, expectation)

    def transcribe(self, pcm16: bytes, hot_words: str | None) -> tuple[str, float]:
        """(simplified text without punctuation, confidence 0..1)"""
        samples = to_float(pcm16)
        if find_activity(samples, RATE_HZ).active_ms < MIN_SPEECH_MS:
            return "", 0.0
        with self._lock:
            found, _ = self._model.transcribe(
                resample(samples, RATE_HZ, NET_HZ),
                language="zh",
                beam_size=1,
                temperature=0.0,
                condition_on_previous_text=False,
                without_timestamps=True,
                hotwords=hot_words,
            )
            segments = [s for s in found if s.no_speech_prob < MAX_NO_SPEECH]
        text = spoken(self._simplified("".join(s.text for s in segments), "zh-cn"))
        confidence = float(np.exp(np.mean([s.avg_logprob for s in segments]))) if text else 0.0
        return text, confidence


class _Turn:
    def __init__(self, engine: WhisperAsr, expectation: Expectation) -> None:
        self._engine = engine
        self._audio = TurnAudio()
        self._answers = {spoken(a): a for a in expectation.answers}
        self._hot_words = " ".join((*expectation.answers, *expectation.phrases)) or None
        self._last = Hypothesis("", 0.0, False, 0)
        self._final: Hypothesis | None = None

    def feed(self, pcm16: bytes) -> None:
        self._audio.feed(pcm16)

    def partial(self) -> Hypothesis:
        pcm16 = self._audio.snapshot()
        if self._audio.ms(pcm16) - self._last.audio_ms >= PARTIAL_EVERY_MS:
            self._last = self._hear(pcm16, final=False)
        return self._last

    def final(self) -> Hypothesis:
        pcm16 = self._audio.snapshot()
        if self._final is None or self._final.audio_ms != self._audio.ms(pcm16):
            self._final = self._hear(pcm16, final=True)
        return self._final

    def _hear(self, pcm16: bytes, *, final: bool) -> Hypothesis:
        began = time.process_time()  # it computes on threads of its own
        text, confidence = self._engine.transcribe(pcm16, self._hot_words)
        cpu_ms = (time.process_time() - began) * 1000
        closed = self._answers.get(text)
        return Hypothesis(closed or text, confidence, final, self._audio.ms(pcm16), cpu_ms, closed)
