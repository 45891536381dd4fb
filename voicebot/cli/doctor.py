"""`voicebot doctor`: is everything here that a call needs? Each check does the real thing, on this machine."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from dialogue.protocol import Expectation
from telephony import Endpoint
from voicebot.call.dialer import sip_settings
from voicebot.campaign.scripts import find_script, script_names
from voicebot.cli.common import ConfigOption, console, settings_or_fail
from voicebot.settings import Settings
from voicebot.speech.api import FRAME_BYTES
from voicebot.speech.asr import make_asr
from voicebot.speech.tts import make_voice
from voicebot.speech.vad import make_vad
from voicebot.store import open_store
from voicebot.weights import Weights

SENTENCE = "请问您今天方便还款吗"
ROOM_MB = 2000


@dataclass(frozen=True, slots=True)
class Check:
    """`look` returns what it found, or raises with what is wrong and the way out."""

    name: str
    look: Callable[[Settings], str]


class Unwell(RuntimeError):
    """A check that found something wrong."""


def register(app: typer.Typer) -> None:
    @app.command()
    def doctor(config: ConfigOption = None) -> None:
        """Check weights, ears, voice, SIP, database and scripts. Exit code 1 when something is missing."""
        settings = settings_or_fail(config)
        table = Table(title="voicebot doctor", title_justify="left")
        for column in ("check", "", "what was found", "s"):
            table.add_column(column, justify="right" if column == "s" else "left")
        well = True
        for check in CHECKS:
            began = time.monotonic()
            try:
                mark, found = "[green]ok[/green]", check.look(settings)
            except Exception as e:
                mark, found, well = "[red]no[/red]", str(e) or type(e).__name__, False
            table.add_row(check.name, mark, escape(found), f"{time.monotonic() - began:.1f}")
        console.print(table)
        raise typer.Exit(0 if well else 1)


def _python(settings: Settings) -> str:
    if not (3, 11) <= sys.version_info[:2] < (3, 13):
        raise Unwell(f"Python {sys.version.split()[0]}; 3.11 or 3.12 is needed")
    return sys.version.split()[0]


def _home(settings: Settings) -> str:
    home = settings.data_home
    home.mkdir(parents=True, exist_ok=True)
    probe = home / ".doctor"
    probe.write_bytes(b"x")
    probe.unlink()
    free_mb = shutil.disk_usage(home).free // 1_000_000
    if free_mb < ROOM_MB:
        raise Unwell(f"{home}: only {free_mb} MB free; recordings and weights need {ROOM_MB} MB")
    return f"{home}, {free_mb // 1000} GB free"


def _weights(settings: Settings) -> str:
    weights = Weights(settings.data_home)
    missing = [name for name in weights.manifest.defaults if not weights.present(name)]
    if missing:
        raise Unwell(f"{', '.join(missing)} not here; run: voicebot models pull {' '.join(missing)}")
    return ", ".join(weights.manifest.defaults)


def _voice_and_ears(settings: Settings) -> str:
    """Say a sentence, hear it, and compare."""
    voice, asr, vad = make_voice(settings), make_asr(settings), make_vad(settings)
    spoken = voice.render(SENTENCE, settings.speech.speed)
    stream, activity = asr.stream(Expectation()), vad.stream()
    frames = [spoken[i : i + FRAME_BYTES] for i in range(0, len(spoken) - FRAME_BYTES + 1, FRAME_BYTES)]
    speech = sum(activity.push(frame) >= 0.5 for frame in frames)
    stream.feed(bytes(4800) + spoken + bytes(4800))
    heard = stream.final()
    alike = SequenceMatcher(None, SENTENCE, heard.text).ratio()
    if alike < 0.6 or speech < len(frames) // 3:
        raise Unwell(f"said {SENTENCE}, heard {heard.text!r}, {speech} of {len(frames)} frames taken for speech")
    return f"{voice.name}, {asr.name}, {vad.name}: heard {heard.text} ({heard.cpu_ms:.0f} ms)"


def _sip(settings: Settings) -> str:
    async def open_and_close() -> str:
        async with Endpoint(sip_settings(settings)) as endpoint:
            if settings.sip.account.registrar and not await endpoint.wait_registered():
                code, reason = endpoint.registration
                raise Unwell(f"not registered at {settings.sip.account.registrar}: {code} {reason}")
            return f"{endpoint.build}; {endpoint.uri}"

    return asyncio.run(open_and_close())


def _database(settings: Settings) -> str:
    with open_store(settings) as store:
        return "private server" if store.server is not None else "by URL"


def _scripts(settings: Settings) -> str:
    names = script_names(settings)
    for name in names:
        find_script(name, settings)
    if not names:
        raise Unwell(f"no call script in {', '.join(str(Path(p)) for p in settings.scripts)}")
    return ", ".join(names)


CHECKS = (
    Check("Python", _python),
    Check("data folder", _home),
    Check("weights", _weights),
    Check("voice and ears", _voice_and_ears),
    Check("SIP", _sip),
    Check("database", _database),
    Check("call scripts", _scripts),
)
