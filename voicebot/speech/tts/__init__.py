"""Voices: which one do the settings ask for? (kokoro, coqui, human recordings before either)"""

from __future__ import annotations

from voicebot.settings import Settings
from voicebot.speech.api import Voice
from voicebot.speech.tts.errors import VoiceError
from voicebot.speech.tts.kokoro import KokoroVoice
from voicebot.weights import Weights, WeightsError

__all__ = ["VoiceError", "make_voice"]


def make_voice(settings: Settings) -> Voice:
    """The voice that the settings describe. Cheap: weights load with the first line.

    `auto` takes the local Coqui model where one is named, else Kokoro. Raises VoiceError with the way out.
    """
    speech = settings.speech
    if speech.tts == "coqui" or (speech.tts == "auto" and speech.tts_model is not None):
        voice = _coqui(settings)
    else:
        voice = _kokoro(settings)
    if speech.recordings is None:
        return voice
    from voicebot.speech.tts.recordings import RecordedVoice, Recordings

    return RecordedVoice(Recordings(speech.recordings), voice)


def _kokoro(settings: Settings) -> Voice:
    try:
        folder = Weights(settings.data_home).require("kokoro")
    except WeightsError as e:
        raise VoiceError(str(e)) from e
    return KokoroVoice(folder, settings.speech.voice, settings.speech.threads)


def _coqui(settings: Settings) -> Voice:
    from voicebot.speech.tts.coqui import CoquiVoice

    if settings.speech.tts_model is None:
        raise VoiceError("speech.tts is coqui, but speech.tts_model names no local model folder")
    speaker = settings.speech.voice
    return CoquiVoice(settings.speech.tts_model, None if speaker.startswith(("zf_", "zm_")) else speaker)
