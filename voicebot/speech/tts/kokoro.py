"""How does Kokoro-82M say a Chinese line on a telephone?

The line is normalised for speech, cut at its punctuation, spoken piece by piece (24 kHz), freed of the silence around
each piece, joined with pauses as long as the punctuation asks for, brought to telephone level and to 8 kHz.
"""

from __future__ import annotations

import copy
import functools
import json
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voicebot.speech.api import RATE_HZ
from voicebot.speech.audio import resample, to_pcm16
from voicebot.speech.normalise import for_speech
from voicebot.speech.tts.errors import VoiceError
from voicebot.speech.tts.pinyin import phonemes
from voicebot.speech.tts.shape import at_level, trimmed

MODEL_RATE_HZ = 24000
STYLE_WIDTH = 256
MAX_TOKENS = 509  # of 512, less the padding on both sides and one spare row of the style table

# Between the sentences of one text. What follows a text is the playout's to decide.
PAUSE_MS = {"，": 160, ",": 160, "、": 100, "：": 160, ":": 160, "；": 240, ";": 240}
PAUSE_MS |= {"。": 260, "！": 260, "!": 260, "？": 120, "?": 120, "…": 300}
ALONE_CHARACTERS = 2
PIECE_CHARACTERS = 60  # pieces longer than this are cut at commas too: the net loses its way in long sentences

Samples = npt.NDArray[np.float32]
Style = npt.NDArray[np.float32]
"""[510, 256]: a speaker, by the length of what is said."""


class KokoroVoice:
    """One speaker of Kokoro. Thread-safe; the net (about 1 s) and the dictionaries load with the first line.

    Raises VoiceError when the model's folder lacks a file or the speaker does not exist.
    """

    def __init__(self, model_dir: Path, voice: str = "zf_xiaoyi", threads: int = 1) -> None:
        self._dir, self._threads = model_dir, threads
        for needed in ("model.onnx", "tokenizer.json"):
            if not (model_dir / needed).is_file():
                raise VoiceError(f"{model_dir / needed} is missing; run `voicebot models pull kokoro`")
        if not (style := model_dir / "voices" / f"{voice}.bin").is_file():
            there = ", ".join(speakers(model_dir)) or "none"
            raise VoiceError(f"kokoro has no voice {voice!r} in {style.parent}; there are: {there}")
        self._style_file = style
        self.name = f"kokoro-82m/{voice}/3"
        self._lock = threading.Lock()

    def as_spoken_by(self, style: Style) -> KokoroVoice:
        """The same network speaking as somebody else; see voicebot.speech.adapt.mouths."""
        other = copy.copy(self)
        net, vocabulary, _ = self._loaded()
        other.__dict__["_parts"] = (net, vocabulary, style)
        return other

    def render(self, text: str, speed: float = 1.0) -> bytes:
        """`text` -> pcm16, from its first sound to its last. Empty for a line without anything to say.

        Raises VoiceError when the net fails.
        """
        joined: list[Samples] = []
        for piece, pause_ms in pieces(for_speech(text)):
            spoken = trimmed(self._speak(piece, speed), MODEL_RATE_HZ)
            if len(spoken):
                joined += [spoken, np.zeros(int(pause_ms / speed) * MODEL_RATE_HZ // 1000, np.float32)]
        if not joined:
            return b""
        return to_pcm16(at_level(resample(np.concatenate(joined[:-1]), MODEL_RATE_HZ, RATE_HZ)))

    def _speak(self, piece: str, speed: float) -> Samples:
        if not re.search(r"\w", piece):  # the net hums at bare punctuation
            return np.zeros(0, np.float32)
        net, vocabulary, style = self._loaded()
        tokens = [vocabulary[p] for p in phonemes(_closed(piece)) if p in vocabulary][:MAX_TOKENS]
        if not tokens:
            return np.zeros(0, np.float32)
        names = [i.name for i in net.get_inputs()]
        values = (np.array([[0, *tokens, 0]], np.int64), style[len(tokens) - 1][None], np.array([speed], np.float32))
        try:
            wave = net.run(None, dict(zip(names, values, strict=True)))[0]
        except Exception as e:
            raise VoiceError(f"kokoro could not say {piece!r}: {e}") from e
        return np.asarray(wave, np.float32).ravel()

    def _loaded(self) -> tuple[Any, dict[str, int], Samples]:
        with self._lock:
            return self._parts

    @functools.cached_property
    def _parts(self) -> tuple[Any, dict[str, int], Samples]:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            net = onnxruntime.InferenceSession(
                str(self._dir / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
            vocabulary = json.loads((self._dir / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
            style = read_style(self._style_file)
        except Exception as e:
            raise VoiceError(f"{self._dir}: cannot be loaded ({e}); run `voicebot models check kokoro`") from e
        return net, vocabulary, style


def read_style(file: Path) -> Style:
    """A speaker's table. Raises OSError, or ValueError for a file of another size."""
    return np.fromfile(file, np.float32).reshape(-1, STYLE_WIDTH)


def speakers(model_dir: Path) -> list[str]:
    """The Mandarin speakers that lie in a Kokoro folder."""
    return sorted(p.stem for p in (model_dir / "voices").glob("z*.bin"))


def _closed(piece: str) -> str:
    """A word that stands alone, with a full stop: without one the net breaks it up (a blip, a gap, the syllable, a
    blip). Longer pieces are left as they are; they come whole either way."""
    return f"{piece}。" if len(piece) <= ALONE_CHARACTERS and re.fullmatch(r"\w+", piece) else piece


def pieces(text: str) -> list[tuple[str, int]]:
    """A normalised line -> (what is spoken in one breath, with its punctuation; the pause after it in ms)."""
    out = []
    for sentence in re.findall(r"[^。！!？?；;…]+[。！!？?；;…]*", text):
        if len(sentence) <= PIECE_CHARACTERS:
            out.append(sentence)
        else:
            out += re.findall(rf"[^，,、：:]{{1,{PIECE_CHARACTERS}}}[，,、：:]*", sentence)
    return [(p, PAUSE_MS.get(p.rstrip()[-1], 0)) for p in (q.strip() for q in out) if p]
