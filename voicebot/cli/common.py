"""What every command shares: settings, errors without tracebacks, the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from voicebot.settings import Settings, SettingsError, load_settings

console = Console()
errors = Console(stderr=True)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Settings file; over config/voicebot.yaml. Also VOICEBOT_CONFIG.")
]
ScriptOption = Annotated[str, typer.Option("--script", help="Call script: a name from the script folders, or a file.")]


def fail(message: object) -> NoReturn:
    """Say what went wrong on stderr and leave with exit code 2."""
    errors.print(f"[red]voicebot:[/red] {message}", highlight=False, soft_wrap=True)
    raise typer.Exit(2)


def settings_or_fail(config: Path | None) -> Settings:
    try:
        return load_settings(config)
    except SettingsError as e:
        fail(e)


@contextmanager
def user_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Turn the errors a user can mend into one line on stderr."""
    try:
        yield
    except kinds as e:
        fail(e)
