"""What did the customer say? Vosk (Kaldi), a recogniser that truly streams.

Any Vosk model folder works; for Mandarin calls it is vosk-model-small-cn-0.22 or larger. An expectation with closed
answers becomes a grammar: a second recogniser hears only those answers, or something else; what it accepts stands.
Models with a fixed graph cannot take a grammar; they are heard freely. Telephone audio is brought to the rate the model
was trained at: Kaldi refuses another.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from dialogue.protocol import Expectation
from voicebot.speech.api import RATE_HZ, AsrStream, Hypothesis
from voicebot.speech.asr.base import MissingExtra, MissingWeights, TurnAudio, spoken

ACCEPT_CONFIDENCE = 0.75  # mean of a closed answer's words
TAIL_MS = 200  # of silence behind the last word, without which Kaldi keeps it back
_UNKNOWN = "[unk]"
_CJK_GAP = re.compile(r"(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])")


class VoskAsr:
    """A Vosk model folder. Thread-safe; raises MissingExtra, MissingWeights."""

    name = "vosk"

    def __init__(self, folder: Path) -> None:
        try:
            import vosk
        except ImportError as e:
            raise MissingExtra("vosk", "vosk") from e
        way_out = "unpack a Vosk model there (vosk-model-small-cn-0.22), or name its folder in speech.asr_model"
        if not folder.is_dir():
            raise MissingWeights("vosk", folder, "no such folder", way_out)
        for needed in (("am/final.mdl", "final.mdl"), ("conf/mfcc.conf", "mfcc.conf")):
            if not any((folder / n).is_file() for n in needed):
                raise MissingWeights("vosk", folder / needed[0], "no such file", way_out)
        vosk.SetLogLevel(-1)
        try:
            self._model = vosk.Model(model_path=str(folder))
        except Exception as e:
            raise MissingWeights("vosk", folder, "damaged, Vosk cannot load it", way_out) from e
        self._vosk = vosk
        self._takes_grammar = (folder / "graph" / "Gr.fst").is_file()
        self._rate_hz = _model_rate_hz(folder)

    def stream(self, expectation: Expectation) -> AsrStream:
        free = self._vosk.KaldiRecognizer(self._model, self._rate_hz)
        free.SetWords(True)
        closed = None
        answers = {self._in_words(a): a for a in expectation.answers}
        answers = {words: a for words, a in answers.items() if words}
        if answers and self._takes_grammar:
            grammar = json.dumps([*answers, _UNKNOWN], ensure_ascii=False)
            closed = self._vosk.KaldiRecognizer(self._model, self._rate_hz, grammar)
            closed.SetWords(True)
        return _Turn(free, closed, answers, self._rate_hz)

    def _in_words(self, answer: str) -> str:
        """A grammar wants words of the model's lexicon, spaced. Chinese is cut greedily; "" when it cannot be."""
        text = answer.strip().lower()
        if not any("\u3400" <= c <= "\u9fff" for c in text):
            words = text.split()
            return " ".join(words) if all(self._knows(w) for w in words) else ""
        text, words, at = spoken(text), [], 0
        while at < len(text):
            end = next((e for e in range(len(text), at, -1) if self._knows(text[at:e])), 0)
            if not end:
                return ""
            words.append(text[at:end])
            at = end
        return " ".join(words)

    def _knows(self, word: str) -> bool:
        return bool(self._model.vosk_model_find_word(word) >= 0)


class _Turn:
    """`feed` only queues; the recognisers run in `partial` and `final`, on what has come since."""

    def __init__(self, free: Any, closed: Any | None, answers: dict[str, str], rate_hz: int) -> None:
        self._free, self._closed, self._answers = free, closed, answers
        self._audio = TurnAudio()
        self._resampler = soxr.ResampleStream(RATE_HZ, rate_hz, 1, dtype="int16")
        self._heard = 0  # bytes the recognisers have taken
        self._words: list[dict[str, Any]] = []  # of the pieces that Vosk has closed by itself
        self._closed_words: list[dict[str, Any]] = []
        self._final: Hypothesis | None = None

    def feed(self, pcm16: bytes) -> None:
        self._audio.feed(pcm16)

    def partial(self) -> Hypothesis:
        began = time.thread_time()
        pcm16 = self._take()
        growing = json.loads(self._free.PartialResult()).get("partial", "")
        text = _join([*(w["word"] for w in self._words), growing])
        closed = (
            self._answers.get(json.loads(self._closed.PartialResult()).get("partial", "")) if self._closed else None
        )
        if not text:
            closed = None
        return self._hypothesis(closed or text, _mean(self._words, 0.5), False, pcm16, began, closed)

    def final(self) -> Hypothesis:
        if self._final is not None:
            return self._final
        began = time.thread_time()
        pcm16 = self._take()
        silence = self._at_model_rate(bytes(RATE_HZ * TAIL_MS // 1000 * 2), last=True)
        words = self._words + self._finish(self._free, silence, self._words)
        text = _join([w["word"] for w in words])
        confidence, closed = _mean(words, 0.0), None
        if self._closed is not None:
            said = self._closed_words + self._finish(self._closed, silence, self._closed_words)
            answer = self._answers.get(" ".join(w["word"] for w in said))
            if answer and text and _mean(said, 0.0) >= ACCEPT_CONFIDENCE:
                text = closed = answer
                confidence = _mean(said, 0.0)
        self._final = self._hypothesis(text, confidence, True, pcm16, began, closed)
        return self._final

    def _take(self) -> bytes:
        pcm16 = self._audio.snapshot()
        new = pcm16[self._heard :]
        self._heard = len(pcm16)
        if new and self._final is None:
            at_model_rate = self._at_model_rate(new)
            self._push(self._free, at_model_rate, self._words)
            if self._closed is not None:
                self._push(self._closed, at_model_rate, self._closed_words)
        return pcm16

    def _at_model_rate(self, pcm16: bytes, *, last: bool = False) -> bytes:
        samples = np.frombuffer(pcm16, "<i2")
        return bytes(self._resampler.resample_chunk(samples, last=last).astype("<i2").tobytes())

    @staticmethod
    def _push(recogniser: Any, pcm16: bytes, words: list[dict[str, Any]]) -> None:
        if recogniser.AcceptWaveform(pcm16):
            words += _known_words(recogniser.Result())

    def _finish(self, recogniser: Any, silence: bytes, words: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self._push(recogniser, silence, words)
        return _known_words(recogniser.FinalResult())

    def _hypothesis(
        self, text: str, confidence: float, final: bool, pcm16: bytes, began: float, closed: str | None
    ) -> Hypothesis:
        cpu_ms = (time.thread_time() - began) * 1000
        return Hypothesis(text, confidence if text else 0.0, final, self._audio.ms(pcm16), cpu_ms, closed)


def _model_rate_hz(folder: Path) -> int:
    conf = next(f for f in (folder / "conf" / "mfcc.conf", folder / "mfcc.conf") if f.is_file())
    stated = re.search(r"--sample-frequency=(\d+)", conf.read_text("utf-8"))
    return int(stated[1]) if stated else 16000


def _known_words(result: str) -> list[dict[str, Any]]:
    return list(json.loads(result).get("result", []))


def _mean(words: list[dict[str, Any]], empty: float) -> float:
    return sum(float(w["conf"]) for w in words) / len(words) if words else empty


def _join(words: list[str]) -> str:
    """Words with spaces between them as Vosk gives them; none between Chinese characters, and no unknown ones."""
    known = " ".join(w for w in words if w).replace(_UNKNOWN, " ")
    return _CJK_GAP.sub("", " ".join(known.split()))
