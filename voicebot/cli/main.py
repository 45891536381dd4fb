"""`voicebot`: one module per command beside this file, each with a `register(app)`."""

from __future__ import annotations

import importlib
import sys

import typer

COMMANDS = (
    "call",
    "run",
    "campaign",
    "batch",
    "payments",
    "worker",
    "serve",
    "api",
    "chat",
    "understand",
    "converse",
    "intent",
    "ears",
    "debtor",
    "models",
    "transcribe",
    "say",
    "doctor",
    "script",
    "rules",
    "strategy",
    "replay",
    "demo",
)

MODULES = {"payments": "batch"}  # a command that lives with another

app = typer.Typer(
    name="voicebot",
    help="An open voice robot for loan collection: calls over SIP, speaks Mandarin, books promises to pay.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _voicebot() -> None:
    """Keeps `voicebot NAME` a subcommand when only one is imported."""


def main() -> None:
    # A command that is named is the only one imported: `voicebot models` works where the SIP library does not.
    named = tuple(arg for arg in sys.argv[1:2] if arg in COMMANDS)
    for name in named or tuple(c for c in COMMANDS if c not in MODULES):
        importlib.import_module(f"voicebot.cli.{MODULES.get(name, name)}").register(app)
    app()


if __name__ == "__main__":
    main()
