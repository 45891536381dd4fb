"""How does a bank's own Coqui TTS model become a voice?

A local folder with config.json and weights is loaded; nothing is downloaded.
Needs the extra `voicebot[coqui]` (the package coqui-tts, which brings torch with it).
"""

from __future__ import annotations

import functools
import importlib.util
import threading
from pathlib import Path
from typing import Any

import numpy as np

from voicebot.speech.api import RATE_HZ
from voicebot.speech.audio import resample, to_pcm16
from voicebot.speech.normalise import for_speech
from voicebot.speech.tts.errors import VoiceError
from voicebot.speech.tts.shape import at_level, trimmed

LANGUAGE = "zh-cn"
WEIGHTS = ("model.pth", "best_model.pth", "model_file.pth")


class CoquiVoice:
    """A Coqui model folder as a voice; lines are rendered one at a time.

    `voice` picks the speaker of a model with several.
    Raises VoiceError for a folder that is no model, or when the package is missing.
    """

    def __init__(self, model_dir: Path, voice: str | None = None) -> None:
        if not (model_dir / "config.json").is_file():
            raise VoiceError(f"{model_dir}: no Coqui model here (config.json is missing); set speech.tts_model")
        weights = next((model_dir / name for name in WEIGHTS if (model_dir / name).is_file()), None)
        if weights is None:
            raise VoiceError(f"{model_dir}: no weights here; one of {', '.join(WEIGHTS)} is needed")
        if importlib.util.find_spec("TTS") is None:
            raise VoiceError("coqui is not installed; `pip install 'voicebot[coqui]'`")
        self._dir, self._weights, self._speaker = model_dir, weights, voice
        self._lock = threading.Lock()
        self.name = f"coqui/{model_dir.resolve().name}-{weights.stat().st_size}/{voice or 'default'}/1"

    def render(self, text: str, speed: float = 1.0) -> bytes:
        """`text` -> pcm16. Raises VoiceError when the model fails."""
        line = for_speech(text)
        if not line:
            return b""
        with self._lock:
            engine = self._engine
            try:
                wave = np.asarray(engine.tts(text=line, **self._options(engine, speed)), np.float32)
                rate_hz = int(engine.synthesizer.output_sample_rate)
            except Exception as e:
                raise VoiceError(f"coqui could not say {line!r}: {e}") from e
        return to_pcm16(at_level(resample(trimmed(wave, rate_hz), rate_hz, RATE_HZ)))

    @functools.cached_property
    def _engine(self) -> Any:
        try:
            from TTS.api import TTS

            return TTS(model_path=str(self._weights), config_path=str(self._dir / "config.json"), progress_bar=False)
        except Exception as e:
            raise VoiceError(f"{self._dir}: coqui cannot load this model: {e}") from e

    def _options(self, engine: Any, speed: float) -> dict[str, Any]:
        """Coqui refuses what a model has no use for, so each option goes only to the models that know it."""
        options: dict[str, Any] = {}
        if engine.is_multi_speaker and self._speaker is not None:
            options["speaker"] = self._speaker
        if engine.is_multi_lingual:
            options["language"] = LANGUAGE
        net = engine.synthesizer.tts_model
        if hasattr(net, "length_scale"):  # VITS and Glow-TTS
            net.length_scale = 1.0 / speed
        elif "xtts" in str(engine.config.model):
            options["speed"] = speed
        elif speed != 1.0:
            raise VoiceError("this model speaks at one speed only; set speech.speed to 1.0")
        return options
