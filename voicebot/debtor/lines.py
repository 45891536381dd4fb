"""Where does the sound of a persona's lines come from? Synthesis or files, rendered before the first call.

A rendered line is kept on disk under the data folder, so only the first start of a persona costs synthesis.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np

from voicebot.debtor.activity import Samples, samples_of
from voicebot.debtor.behaviour import GREETING, OTHERWISE
from voicebot.debtor.persona import Line, Persona, PersonaError, pieces
from voicebot.debtor.sound import Spoken, assemble
from voicebot.settings import Settings
from voicebot.speech.audio import AudioFileError, read_telephone

ANNOUNCEMENT = -3
"""The number, beside those of `behaviour`, of what early media plays."""
_CACHE_VERSION = "1"


class Renderer(Protocol):
    """The part of a Voice that is needed here."""

    def render(self, text: str, speed: float = 1.0) -> bytes: ...


Wardrobe = dict[tuple[str, int], Spoken]
"""(persona name, line number) -> its sound."""


def kokoro_voices(settings: Settings) -> Callable[[str], Renderer]:
    """Voices of the project's Kokoro weights, by name."""

    def make(name: str) -> Renderer:
        from voicebot.speech.tts.kokoro import KokoroVoice

        return KokoroVoice(settings.data_home / "models" / "kokoro", name)

    return make


def render_personas(
    personas: Sequence[Persona],
    make_voice: Callable[[str], Renderer],
    cache: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Wardrobe:
    """The sound of every line of every persona. Blocking; synthesises only what is not in `cache` yet.

    Raises PersonaError for a line that has no audible speech or a file that cannot be read.
    """
    wanted = [(p, number, line) for p in personas for number, line in _audible(p)]
    wanted.sort(key=lambda item: item[0].voice)
    voices: dict[str, Renderer] = {}
    wardrobe: Wardrobe = {}
    for done, (persona, number, line) in enumerate(wanted):

        def spoken(text: str, persona: Persona = persona) -> Samples:
            file = cache / f"{_key(persona.voice, persona.speed, text)}.pcm"
            if (kept := _kept(file)) is not None:
                return kept
            if persona.voice not in voices:
                voices.clear()  # one voice in memory at a time: they come sorted
                voices[persona.voice] = make_voice(persona.voice)
            pcm16 = voices[persona.voice].render(text, persona.speed)
            _keep(file, pcm16)
            return samples_of(pcm16)

        try:
            wardrobe[persona.name, number] = _sound(line, spoken)
        except (ValueError, AudioFileError) as e:
            raise PersonaError(f"persona {persona.name}: {line.say or line.play}: {e}") from e
        if progress is not None:
            progress(done + 1, len(wanted))
    return wardrobe


def _audible(persona: Persona) -> list[tuple[int, Line]]:
    named = [(GREETING, persona.greeting), *enumerate(persona.lines), (OTHERWISE, persona.otherwise)]
    if persona.answer.announce is not None:
        named.append((ANNOUNCEMENT, Line(say=persona.answer.announce)))
    return [(number, line) for number, line in named if line is not None and line.audible]


def _sound(line: Line, spoken: Callable[[str], Samples]) -> Spoken:
    if line.play is not None:
        return assemble([(samples_of(read_telephone(line.play)), 0)])
    assert line.say is not None
    return assemble([(spoken(text), pause_ms) for text, pause_ms in pieces(line.say)])


def _key(voice: str, speed: float, text: str) -> str:
    return hashlib.sha256("\0".join((_CACHE_VERSION, voice, f"{speed:.3f}", text)).encode()).hexdigest()[:32]


def _kept(file: Path) -> Samples | None:
    try:
        pcm16 = file.read_bytes()
    except OSError:
        return None
    return samples_of(pcm16) if pcm16 and len(pcm16) % 2 == 0 else None


def _keep(file: Path, pcm16: bytes) -> None:
    # A full disk only costs the next start its synthesis.
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(pcm16)
            Path(temporary).replace(file)
        finally:
            Path(temporary).unlink(missing_ok=True)


def everything_said(wardrobe: Wardrobe) -> list[Samples]:
    """All rendered lines, longest first: what babble is made of."""
    return sorted((spoken.samples for spoken in wardrobe.values()), key=np.size, reverse=True)
