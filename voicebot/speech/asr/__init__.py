"""Which ear listens? `make_asr(settings)` builds the one the settings name, or the best that is present.

`auto` goes by what each costs and gives on a telephone line (docs/engines.md has the figures):
vosk with a Mandarin model (true streaming, known licence), then a local sherpa-onnx model, then muggle (cheap, good
with expectation, weights for evaluation only), then whisper (a second of CPU per utterance: too late for a talk).
"""

from __future__ import annotations

import ctypes
import importlib.util
from contextlib import suppress
from pathlib import Path

from voicebot.settings import Settings
from voicebot.speech.api import AsrEngine
from voicebot.speech.asr.base import AsrError, MissingExtra, MissingWeights

__all__ = ["ENGINES", "AsrError", "MissingExtra", "MissingWeights", "make_asr", "model_folder", "present"]

ENGINES = ("vosk", "sherpa", "muggle", "whisper")  # in the order in which `auto` tries them

_FOLDERS = {"vosk": "vosk-cn", "sherpa": "sherpa", "muggle": "muggle", "whisper": "whisper-base"}
_PACKAGES = {"vosk": "vosk", "sherpa": "sherpa_onnx", "muggle": "onnxruntime", "whisper": "faster_whisper"}


def model_folder(settings: Settings, engine: str) -> Path:
    """Where the engine's weights are looked for. `speech.asr_model` names a folder for vosk and sherpa."""
    named = settings.speech.asr_model
    if named is not None:
        named = named.expanduser()
        kind = "sherpa" if (named / "tokens.txt").is_file() else "vosk"
        if engine == settings.speech.asr or (settings.speech.asr == "auto" and engine == kind):
            return named
    return settings.data_home / "models" / _FOLDERS[engine]


def present(settings: Settings, engine: str) -> bool:
    """Are the engine's package and its folder of weights both there?"""
    return model_folder(settings, engine).is_dir() and importlib.util.find_spec(_PACKAGES[engine]) is not None


def make_asr(settings: Settings) -> AsrEngine:
    """Build the ear. Raises MissingWeights or MissingExtra, with the way out."""
    engine: str = settings.speech.asr
    if engine == "auto":
        engine = next((e for e in ENGINES if present(settings, e)), "muggle")
    folder, threads = model_folder(settings, engine), settings.speech.threads
    if engine == "vosk":
        from voicebot.speech.asr.vosk import VoskAsr

        return VoskAsr(folder)
    if engine == "sherpa":
        from voicebot.speech.asr.sherpa import SherpaAsr

        return SherpaAsr(folder, threads=threads)
    if engine == "whisper":
        from voicebot.speech.asr.whisper import WhisperAsr

        return WhisperAsr(folder, threads=threads)
    from voicebot.speech.asr.lowrank import read_adaptation
    from voicebot.speech.asr.muggle import MuggleAsr
    from voicebot.speech.asr.words import read_words

    learned, said = settings.speech.asr_adaptation, settings.speech.asr_words
    ear = MuggleAsr(
        folder,
        threads=threads,
        adaptation=read_adaptation(learned.expanduser()) if learned is not None else None,
        words=read_words(said.expanduser()) if said is not None else None,
    )
    _give_back_memory()
    return ear


def _give_back_memory() -> None:
    """Graphs and changes in pieces were some 200 MB; glibc keeps what was freed until it is asked. Elsewhere this does
    nothing."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
