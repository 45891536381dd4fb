"""`voicebot script`: check a call script, draw it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dialogue.lint import Severity, lint
from dialogue.loader import load_script
from dialogue.mermaid import draw
from dialogue.script import ScriptError
from voicebot.campaign.scripts import script_file, script_names
from voicebot.cli.common import ConfigOption, fail, settings_or_fail

scripts = typer.Typer(help="Call scripts (话术): check them, draw them.", no_args_is_help=True)

Names = Annotated[
    list[str] | None, typer.Argument(help="Script files, or names from the script folders; none: all of them.")
]


def register(app: typer.Typer) -> None:
    app.add_typer(scripts, name="script")


@scripts.command("lint")
def lint_scripts(
    names: Names = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    config: ConfigOption = None,
) -> None:
    """Check scripts before a customer hears them. Exit code 1 when one has errors, 2 when there is no such script."""
    settings = settings_or_fail(config)
    wrong = False
    for name in names or script_names(settings):
        try:
            path = script_file(name, settings)
            text = _read(path)
        except ScriptError as e:
            fail(e)
        try:
            script = load_script(text, str(path))
        except ScriptError as e:
            typer.echo(f"{e}")
            wrong = True
            continue
        findings = lint(script)
        for finding in findings:
            typer.echo(str(finding))
        errors = [f for f in findings if strict or f.severity is Severity.ERROR]
        wrong = wrong or bool(errors)
        if not errors:
            own = len(script.own_lines), len(script.own_nodes)
            typer.echo(f"{path}: {script.name} {script.version}: good ({own[0]} lines, {own[1]} nodes)")
    if wrong:
        raise typer.Exit(1)


@scripts.command()
def show(
    name: Annotated[str, typer.Argument(help="Script name or file.")],
    config: ConfigOption = None,
) -> None:
    """Draw a script as a Mermaid flowchart (paste it into any Mermaid viewer or a Markdown file)."""
    try:
        path = script_file(name, settings_or_fail(config))
        script = load_script(_read(path), str(path))
    except ScriptError as e:
        fail(e)
    typer.echo(draw(script), nl=False)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as e:
        raise ScriptError(f"{path}: not UTF-8 text ({e.reason} at byte {e.start}); save it as UTF-8") from e
    except OSError as e:
        raise ScriptError(f"{path}: cannot be read: {e.strerror}") from e
