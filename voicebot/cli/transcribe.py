"""`voicebot transcribe`: try the ear alone."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from voicebot.settings import Settings, SettingsError, load_settings


class EngineName(StrEnum):
    AUTO = "auto"
    VOSK = "vosk"
    MUGGLE = "muggle"
    WHISPER = "whisper"
    SHERPA = "sherpa"


def register(app: typer.Typer) -> None:
    app.command()(transcribe)


def transcribe(
    files: Annotated[list[Path], typer.Argument(help="Wav files of any rate (PCM or G.711).", metavar="FILE.wav...")],
    engine: Annotated[EngineName | None, typer.Option(help="The ear; the settings' own if not given.")] = None,
    model: Annotated[Path | None, typer.Option(help="Model folder, for vosk and sherpa.")] = None,
    expect: Annotated[str, typer.Option(help="Whole answers to listen for, separated by commas: 是,不是,打错了")] = "",
    phrases: Annotated[str, typer.Option(help="Fragments to favour in longer turns: 下周五,最低还款")] = "",
    g711: Annotated[bool, typer.Option("--g711", help="Send the audio through A-law first, as a line would.")] = False,
    config: Annotated[Path | None, typer.Option("--config", help="Settings file.")] = None,
) -> None:
    """Write down what is said in FILE.wav: text, confidence and real-time factor, one line a file."""
    from dialogue.protocol import Expectation
    from voicebot.speech.api import RATE_HZ, Hypothesis
    from voicebot.speech.asr import AsrError, make_asr
    from voicebot.speech.audio import AudioFileError, frames, read_telephone, through_g711

    expectation = Expectation(_listed(expect), _listed(phrases))
    failed = False
    try:
        ear = make_asr(_chosen(load_settings(config), engine, model))
    except (SettingsError, AsrError) as e:
        typer.echo(f"voicebot transcribe: {e}", err=True)
        raise typer.Exit(2) from e
    for file in files:
        try:
            pcm16 = read_telephone(file)
        except AudioFileError as e:
            typer.echo(f"voicebot transcribe: {e}", err=True)
            failed = True
            continue
        turn = ear.stream(expectation)
        for frame in frames(through_g711(pcm16) if g711 else pcm16):
            turn.feed(frame)
        began = time.perf_counter()
        heard: Hypothesis = turn.final()
        rtf = (time.perf_counter() - began) / max(len(pcm16) / 2 / RATE_HZ, 0.001)
        expected = "  expected" if heard.closed else ""
        typer.echo(f"{file}\t{heard.text}\tconfidence {heard.confidence:.2f}  RTF {rtf:.3f}  {ear.name}{expected}")
    if failed:
        raise typer.Exit(2)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(t.strip() for t in text.replace("，", ",").split(",") if t.strip())


def _chosen(settings: Settings, engine: EngineName | None, model: Path | None) -> Settings:
    changed: dict[str, object] = {}
    if engine is not None:
        changed["asr"] = engine.value
    if model is not None:
        changed["asr_model"] = model
    return settings.model_copy(update={"speech": settings.speech.model_copy(update=changed)})
