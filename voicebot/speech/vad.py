"""Is somebody speaking in this 20 ms of telephone audio?

Silero: a small recurrent network, 8 kHz, windows of 32 ms; good in noise, but it lets go of a word 100-140 ms late,
which every answer would wait for; so a frame that has fallen to the line's background is silence at once.
WebRTC: a Gaussian mixture, 20 ms, no weights; takes noise for speech more often.
`auto` takes Silero when its weight file is present. The session is shared by all calls, the state is each call's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from voicebot.settings import Settings
from voicebot.speech.api import FRAME_BYTES, RATE_HZ, Vad, VadStream
from voicebot.speech.asr.base import AsrError
from voicebot.speech.audio import to_float

SILERO_FILE = Path("silero-vad") / "silero_vad.onnx"
_WINDOW = 256  # samples: 32 ms, fixed by the network
_CONTEXT = 32  # samples of the window before, which the network wants in front


_FALLEN_PROBABILITY = 0.1
_PEAK_FALLS_DB = 0.2  # per frame: 10 dB a second
_FLOOR_RISES_DB = 0.1  # per frame: 5 dB a second
_OVER_FLOOR_DB = 5.0
_UNDER_PEAK_DB = 32.0


class VadError(AsrError):
    """A detector that cannot be had; the message names what is missing and the way out."""


def make_vad(settings: Settings) -> Vad:
    """The detector that the settings name. Raises VadError when the named one is not there."""
    weight = settings.data_home / "models" / SILERO_FILE
    if settings.speech.vad == "silero" or (settings.speech.vad == "auto" and weight.is_file()):
        return SileroVad(weight)
    return WebrtcVad()


class SileroVad:
    """silero_vad.onnx from the silero-vad package, without torch. Thread-safe. Raises VadError."""

    name = "silero"

    def __init__(self, weight: Path) -> None:
        import onnxruntime as ort

        way_out = "fetch it with: voicebot models pull silero-vad, or set speech.vad to webrtc"
        if not weight.is_file():
            raise VadError(f"silero: {weight}: no such file; {way_out}")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(weight), options, providers=["CPUExecutionProvider"])
        except Exception as e:
            raise VadError(f"silero: {weight}: damaged, not an ONNX model ({type(e).__name__}); {way_out}") from e
        if {i.name for i in self._session.get_inputs()} != {"input", "state", "sr"}:
            raise VadError(f"silero: {weight}: not the network of silero-vad 5 or 6; {way_out}")

    def stream(self) -> VadStream:
        return _SileroStream(self._session)


class _SileroStream:
    def __init__(self, session: Any) -> None:
        self._session = session
        self._state = np.zeros((2, 1, 128), np.float32)
        self._rate = np.array(RATE_HZ, np.int64)
        self._waiting = np.zeros(_CONTEXT, np.float32)  # context, then what does not fill a window yet
        self._probability = 0.0
        self._background = Background()

    def push(self, pcm16: bytes) -> float:
        fallen = self._background.push(pcm16)
        self._waiting = np.concatenate([self._waiting, to_float(pcm16)])
        while len(self._waiting) >= _CONTEXT + _WINDOW:
            window = self._waiting[: _CONTEXT + _WINDOW][None]
            out, self._state = self._session.run(None, {"input": window, "state": self._state, "sr": self._rate})
            self._probability = float(out[0, 0])
            self._waiting = self._waiting[_WINDOW:]
        return min(self._probability, _FALLEN_PROBABILITY) if fallen else self._probability


class Background:
    """Has the voice fallen to the background of its line? Follows the loudest and the softest of the last seconds."""

    def __init__(self) -> None:
        self._peak_db = self._floor_db = _UNKNOWN_DB

    def push(self, pcm16: bytes) -> bool:
        x = to_float(pcm16)
        level_db = 10 * float(np.log10(float(np.var(x)) + 1e-9)) if len(x) else -90.0
        self._peak_db = max(level_db, self._peak_db - _PEAK_FALLS_DB)
        self._floor_db = min(level_db, self._floor_db + _FLOOR_RISES_DB)
        return level_db < max(self._floor_db + _OVER_FLOOR_DB, self._peak_db - _UNDER_PEAK_DB)


_UNKNOWN_DB = -60.0  # before anything was heard


class WebrtcVad:
    """The detector of WebRTC. `strictness` 0..3: 3 lets the least noise through and cuts the most soft speech."""

    name = "webrtc"

    def __init__(self, strictness: int = 3) -> None:
        self._strictness = strictness

    def stream(self) -> VadStream:
        return _WebrtcStream(self._strictness)


class _WebrtcStream:
    def __init__(self, strictness: int) -> None:
        import webrtcvad

        self._vad = webrtcvad.Vad(strictness)

    def push(self, pcm16: bytes) -> float:
        return 1.0 if self._vad.is_speech(pcm16[:FRAME_BYTES].ljust(FRAME_BYTES, b"\0"), RATE_HZ) else 0.0
