"""`voicebot script`: check a call script, draw it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dialogue.knowledge import NOTHING_KNOWN, Knowledge
from dialogue.knowledge_file import load_knowledge, with_knowledge
from dialogue.lint import Severity, lint
from dialogue.loader import load_script
from dialogue.mermaid import draw
from dialogue.script import ScriptError
from voicebot.campaign.scripts import script_file, script_names
from voicebot.cli.common import ConfigOption, fail, settings_or_fail
from voicebot.settings import Settings

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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the findings as JSON Lines, and nothing else.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Prove scripts before a customer hears them: walk every way through the call with everything that can be meant.

    Each finding names its place, its rule, the way out and the way through the call that leads to it. The bank's
    knowledge file is checked along. Exit code 1 when a script has errors, 2 when there is no such script.
    """
    settings = settings_or_fail(config)
    wrong = False
    try:
        knowledge = _knowledge(settings)
    except ScriptError as e:
        fail(e)
    for name in names or script_names(settings):
        try:
            path = script_file(name, settings)
            text = _read(path)
        except ScriptError as e:
            fail(e)
        try:
            script = with_knowledge(load_script(text, str(path)), knowledge)
        except ScriptError as e:
            refused = {"severity": "error", "rule": "not-a-script", "script": str(path), "problem": str(e)}
            typer.echo(json.dumps(refused, ensure_ascii=False) if as_json else f"{e}")
            wrong = True
            continue
        findings = lint(script)
        for finding in findings:
            as_line = {"script": str(path), **finding.as_json()}
            typer.echo(json.dumps(as_line, ensure_ascii=False) if as_json else str(finding))
        errors = [f for f in findings if strict or f.severity is Severity.ERROR]
        wrong = wrong or bool(errors)
        if not errors and not as_json:
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


def _knowledge(settings: Settings) -> Knowledge:
    path = settings.knowledge
    return load_knowledge(_read(path), str(path)) if path is not None else NOTHING_KNOWN


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as e:
        raise ScriptError(f"{path}: not UTF-8 text ({e.reason} at byte {e.start}); save it as UTF-8") from e
    except OSError as e:
        raise ScriptError(f"{path}: cannot be read: {e.strerror}") from e
