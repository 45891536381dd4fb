"""What did the customer say? Any sherpa-onnx model in a local folder.

What kind of model a folder holds is read from its files and from the notes that the export left in the ONNX file:

    tokens.txt + encoder*, decoder*, joiner*    transducer; streaming when its encoder was cut into chunks
    tokens.txt + encoder*, decoder*             streaming Paraformer
    tokens.txt + one other *.onnx               Paraformer, SenseVoice or Zipformer-CTC, as its notes say

A transducer takes the expectation as hot words; the others are heard freely. A text that is one of the closed answers
is reported as such.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from dialogue.protocol import Expectation
from voicebot.speech.api import RATE_HZ, AsrStream, Hypothesis
from voicebot.speech.asr.base import MissingExtra, MissingWeights, TurnAudio, spoken
from voicebot.speech.asr.muggle_features import find_activity
from voicebot.speech.audio import to_float

HOT_WORD_SCORE = 1.5  # sherpa-onnx's own default
MIN_SPEECH_MS = 60
TAIL_MS = 400  # of silence that pushes the last words out of a streaming encoder
_CONFIDENCE = 0.8  # the models report none


class Kind(StrEnum):
    STREAMING_TRANSDUCER = "streaming transducer"
    TRANSDUCER = "transducer"
    STREAMING_PARAFORMER = "streaming paraformer"
    STREAMING_CTC = "streaming ctc"
    PARAFORMER = "paraformer"
    SENSE_VOICE = "sense voice"
    CTC = "ctc"

    @property
    def streams(self) -> bool:
        return self.value.startswith("streaming")

    @property
    def takes_hot_words(self) -> bool:
        return self in (Kind.STREAMING_TRANSDUCER, Kind.TRANSDUCER)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    kind: Kind
    tokens: Path
    parts: dict[str, Path]  # by their argument in sherpa-onnx: encoder, decoder, joiner; or model


def find_model(folder: Path) -> ModelFiles:
    """Recognise the model in a folder; of a file and its int8 twin the int8 is taken. Raises MissingWeights."""
    if not folder.is_dir():
        raise _missing(folder, "no such folder")
    tokens = folder / "tokens.txt"
    if not tokens.is_file():
        raise _missing(tokens, "no such file")
    files = sorted(folder.glob("*.onnx"), key=lambda p: ("int8" not in p.name, p.name))
    if not files:
        raise _missing(folder, "no *.onnx file")
    parts = {
        part: next(p for p in files if part in p.name)
        for part in ("encoder", "decoder", "joiner")
        if any(part in p.name for p in files)
    }
    if {"encoder", "decoder", "joiner"} <= set(parts):
        streams = "decode_chunk_len" in _notes(parts["encoder"])
        return ModelFiles(Kind.STREAMING_TRANSDUCER if streams else Kind.TRANSDUCER, tokens, parts)
    if {"encoder", "decoder"} <= set(parts):
        return ModelFiles(Kind.STREAMING_PARAFORMER, tokens, parts)
    model = next((p for p in files if p not in parts.values()), None)
    if model is None:
        raise _missing(folder, f"{', '.join(p.name for p in files)} is only a part of a model")
    notes = _notes(model)
    return ModelFiles(_single_kind(model, notes), tokens, {"model": model})


def _single_kind(model: Path, notes: dict[str, str]) -> Kind:
    stated = " ".join((notes.get("model_type", ""), notes.get("comment", ""), model.name)).lower()
    if "paraformer" in stated:
        return Kind.PARAFORMER
    if "sense" in stated:
        return Kind.SENSE_VOICE
    if "ctc" in stated or "zipformer" in stated:
        return Kind.STREAMING_CTC if "decode_chunk_len" in notes else Kind.CTC
    raise _missing(model, "neither Paraformer, SenseVoice nor Zipformer-CTC by its notes")


def _notes(file: Path) -> dict[str, str]:
    import onnx

    try:
        return {p.key: p.value for p in onnx.load(str(file), load_external_data=False).metadata_props}
    except Exception as e:
        raise _missing(file, f"damaged, not an ONNX model ({type(e).__name__})") from e


def _missing(place: Path, reason: str) -> MissingWeights:
    way_out = "put a sherpa-onnx model (tokens.txt and its *.onnx) there, or name its folder in speech.asr_model"
    return MissingWeights("sherpa", place, reason, way_out)


class SherpaAsr:
    """A sherpa-onnx model folder. Thread-safe; raises MissingExtra, MissingWeights."""

    name = "sherpa"

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        try:
            import sherpa_onnx
        except ImportError as e:
            raise MissingExtra("sherpa", "sherpa-onnx", "sherpa") from e
        self.files = find_model(folder)
        try:
            self._recogniser = _recogniser(sherpa_onnx, self.files, threads)
        except (RuntimeError, ValueError) as e:
            raise _missing(folder, f"sherpa-onnx cannot load it ({e})") from e
        self._lock = threading.Lock()

    def stream(self, expectation: Expectation) -> AsrStream:
        turn = _StreamingTurn if self.files.kind.streams else _WholeTurn
        return turn(self._recogniser, self._lock, expectation, self.files.kind.takes_hot_words)


def _recogniser(sherpa_onnx: Any, files: ModelFiles, threads: int) -> Any:
    online, offline = sherpa_onnx.OnlineRecognizer, sherpa_onnx.OfflineRecognizer
    common: dict[str, Any] = {"tokens": str(files.tokens), "num_threads": threads}
    parts = {name: str(path) for name, path in files.parts.items()}
    hot = {"decoding_method": "modified_beam_search", "hotwords_score": HOT_WORD_SCORE}
    match files.kind:
        case Kind.STREAMING_TRANSDUCER:
            return online.from_transducer(**common, **parts, **hot)
        case Kind.TRANSDUCER:
            return offline.from_transducer(**common, **parts, **hot)
        case Kind.STREAMING_PARAFORMER:
            return online.from_paraformer(**common, encoder=parts["encoder"], decoder=parts["decoder"])
        case Kind.STREAMING_CTC:
            return online.from_zipformer2_ctc(**common, **parts)
        case Kind.PARAFORMER:
            return offline.from_paraformer(**common, paraformer=parts["model"])
        case Kind.SENSE_VOICE:
            return offline.from_sense_voice(**common, **parts, language="zh", use_itn=False)
        case Kind.CTC:
            return offline.from_zipformer_ctc(**common, **parts)


class _Turn(ABC):
    def __init__(self, recogniser: Any, lock: threading.Lock, expectation: Expectation, hot_words: bool) -> None:
        self._recogniser, self._lock = recogniser, lock
        self._audio = TurnAudio()
        self._answers = {spoken(a): a for a in expectation.answers}
        expected = [spoken(t) for t in (*expectation.answers, *expectation.phrases)]
        # One hot word per "/", its characters spaced: modeling_unit cjkchar.
        self._hot_words = "/".join(" ".join(t) for t in expected if t) if hot_words else ""

    def feed(self, pcm16: bytes) -> None:
        self._audio.feed(pcm16)

    def partial(self) -> Hypothesis:
        return self._hear(final=False)

    def final(self) -> Hypothesis:
        return self._hear(final=True)

    def _hear(self, *, final: bool) -> Hypothesis:
        began = time.process_time()
        pcm16 = self._audio.snapshot()
        text = ""
        if find_activity(to_float(pcm16), RATE_HZ).active_ms >= MIN_SPEECH_MS:
            with self._lock:
                text = spoken(self._text(pcm16, final))
        closed = self._answers.get(text)
        return Hypothesis(
            text=closed or text,
            confidence=_CONFIDENCE if text else 0.0,
            final=final,
            audio_ms=self._audio.ms(pcm16),
            cpu_ms=(time.process_time() - began) * 1000,
            closed=closed,
        )

    def _new_stream(self) -> Any:
        hot_words = {"hotwords": self._hot_words} if self._hot_words else {}
        return self._recogniser.create_stream(**hot_words)

    @abstractmethod
    def _text(self, pcm16: bytes, final: bool) -> str:
        """Decode `pcm16`, all that was said so far. Called under the lock."""


class _StreamingTurn(_Turn):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._stream = self._new_stream()
        self._heard = 0
        self._ended = False

    def _text(self, pcm16: bytes, final: bool) -> str:
        if not self._ended:
            self._stream.accept_waveform(RATE_HZ, to_float(pcm16[self._heard :]))
            self._heard = len(pcm16)
        if final and not self._ended:
            self._stream.accept_waveform(RATE_HZ, to_float(bytes(RATE_HZ * TAIL_MS // 1000 * 2)))
            self._stream.input_finished()
            self._ended = True
        while self._recogniser.is_ready(self._stream):
            self._recogniser.decode_stream(self._stream)
        return str(self._recogniser.get_result(self._stream))


class _WholeTurn(_Turn):
    def _text(self, pcm16: bytes, final: bool) -> str:
        stream = self._new_stream()
        stream.accept_waveform(RATE_HZ, to_float(pcm16))
        self._recogniser.decode_stream(stream)
        return str(stream.result.text)
