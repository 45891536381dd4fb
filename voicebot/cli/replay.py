"""`voicebot replay`: does a call's log lead to the same words again?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from dialogue.rules import make_understander as make_rules
from voicebot.call.assembly import make_core
from voicebot.call.core import CallBasis, CallCore
from voicebot.call.replay import replay as replay_log
from voicebot.campaign.scripts import find_script
from voicebot.cli.common import ConfigOption, console, fail, settings_or_fail, user_errors
from voicebot.intent.understander import understander_of
from voicebot.settings import Settings
from voicebot.speech.api import RATE_HZ


def register(app: typer.Typer) -> None:
    @app.command()
    def replay(
        call: Annotated[str, typer.Argument(help="A call's id, its folder, or its events.jsonl.")],
        script: Annotated[str | None, typer.Option("--script", help="Try another script version on this call.")] = None,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the verdict.")] = False,
        config: ConfigOption = None,
    ) -> None:
        """Feed a call's log to the robot again and compare every decision and word. Exit code 1 when they differ."""
        settings = settings_or_fail(config)

        changed: list[str] = []

        def core_for(basis: CallBasis) -> CallCore:
            told = find_script(script or basis.script, settings)
            reads = make_rules() if basis.understander == make_rules().name else understander_of(settings)
            changed.extend(_changes(basis, told.name, told.version, reads.name))
            return make_core(basis, told, reads)

        with user_errors():
            done = replay_log(_find(call, settings), core_for)
        if not quiet:
            for at, who, text in done.words:
                label = "机器人" if who == "robot" else "客户  "
                console.print(f"[dim]{at / RATE_HZ:8.2f}s[/dim] {label} {escape(text)}")
        for change in changed:
            console.print(f"[yellow]{escape(change)}[/yellow]", highlight=False)
        if done.cut_short:
            console.print("[yellow]记录到此中断：通话进行时程序退出了[/yellow]")
        d = done.difference
        if d is None:
            console.print(f"一致：{done.inputs} 个输入，{done.outputs} 个输出，逐字相同")
            return
        console.print(f"[red]不同[/red]：第 {d.index} 条，{d.at / RATE_HZ:.2f}s", highlight=False)
        console.print(f"  记录 {d.logged}\n  重放 {d.replayed}", highlight=False, markup=False)
        raise typer.Exit(1)


def _changes(basis: CallBasis, script: str, version: str, understander: str) -> list[str]:
    """What is not as it was in the call, and may be why the words differ."""
    found = []
    if (script, version) != (basis.script, basis.script_version):
        found.append(f"话术不同：通话时 {basis.script} {basis.script_version}，现在 {script} {version}")
    if understander != basis.understander:
        found.append(f"理解模型不同：通话时 {basis.understander}，现在 {understander}")
    return found


def _find(call: str, settings: Settings) -> Path:
    path = Path(call)
    if path.is_file():
        return path
    if path.is_dir():
        return path / "events.jsonl"
    found = sorted((settings.data_home / "calls").glob(f"*/{call}/events.jsonl"))
    if not found:
        fail(f"{call}: no such call under {settings.data_home / 'calls'}; give its id, its folder or its events.jsonl")
    return found[0]
