"""What every command shares: settings, errors without tracebacks, the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from dialogue.script import ScriptError
from telephony import TelephonyError
from voicebot.call.eventlog import LogError
from voicebot.call.recording import RecordingError
from voicebot.call.replay import ReplayError
from voicebot.campaign.group import WorkersFailed
from voicebot.cases import CasesError
from voicebot.compliance import PackError
from voicebot.debtor.persona import PersonaError
from voicebot.debtor.process import DebtorFailed
from voicebot.debtor.record import RecordError
from voicebot.intent.classifier import ModelError
from voicebot.intent.data import DataError
from voicebot.settings import Settings, SettingsError, load_settings
from voicebot.speech.asr.base import AsrError
from voicebot.speech.tts.errors import VoiceError
from voicebot.store import StoreError
from voicebot.strategy.loader import StrategyError
from voicebot.weights.errors import WeightsError

USER_ERRORS: tuple[type[Exception], ...] = (
    TelephonyError,
    CasesError,
    ScriptError,
    AsrError,
    VoiceError,
    StoreError,
    WeightsError,
    WorkersFailed,
    LogError,
    ReplayError,
    RecordingError,
    DebtorFailed,
    PersonaError,
    RecordError,
    ModelError,
    DataError,
    PackError,
    StrategyError,
    OSError,
)

console = Console()
errors = Console(stderr=True)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Settings file; over config/voicebot.yaml. Also VOICEBOT_CONFIG.")
]
ScriptOption = Annotated[str, typer.Option("--script", help="Call script: a name from the script folders, or a file.")]


def fail(message: object) -> NoReturn:
    """Say what went wrong on stderr and leave with exit code 2."""
    errors.print(f"[red]voicebot:[/red] {escape(str(message))}", highlight=False, soft_wrap=True)
    raise typer.Exit(2)


def settings_or_fail(config: Path | None) -> Settings:
    try:
        return load_settings(config)
    except SettingsError as e:
        fail(e)


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn the errors that a user can mend into one line on stderr and exit code 2."""
    try:
        yield
    except USER_ERRORS as e:
        fail(e)
