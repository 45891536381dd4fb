"""`voicebot say`: try the voice alone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from voicebot.settings import SettingsError, load_settings


def register(app: typer.Typer) -> None:
    app.command()(say)


def say(
    text: Annotated[str, typer.Argument(help="What to say, as a person would write it (digits allowed).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Wav file to write (8 kHz, 16 bit).")] = Path(
        "out.wav"
    ),
    voice: Annotated[str | None, typer.Option(help="Speaker, e.g. zf_xiaoyi; the settings' own if not given.")] = None,
    speed: Annotated[float | None, typer.Option(min=0.5, max=2.0, help="1.0 is natural; larger is faster.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Settings file.")] = None,
) -> None:
    """Say TEXT with the configured voice and write it as telephone audio."""
    from voicebot.speech.api import RATE_HZ
    from voicebot.speech.audio import write_wav
    from voicebot.speech.normalise import for_speech
    from voicebot.speech.tts import VoiceError, make_voice

    try:
        settings = load_settings(config)
        if voice is not None:
            speech = settings.speech.model_copy(update={"voice": voice})
            settings = settings.model_copy(update={"speech": speech})
        if not output.parent.is_dir():
            raise VoiceError(f"{output}: there is no folder {output.parent}")
        chosen = make_voice(settings)
        began = time.perf_counter()
        pcm16 = chosen.render(text, speed or settings.speech.speed)
        took_s = time.perf_counter() - began
        if not pcm16:
            raise VoiceError(f"there is nothing to say in {text!r}")
        write_wav(output, pcm16)
    except (SettingsError, VoiceError, OSError) as e:
        typer.echo(f"voicebot say: {e}", err=True)
        raise typer.Exit(2) from e
    length_s = len(pcm16) / 2 / RATE_HZ
    typer.echo(f"{output}: {length_s:.2f} s of {chosen.name}, rendered in {took_s:.2f} s (loading included)")
    typer.echo(f"said as: {for_speech(text)}")
