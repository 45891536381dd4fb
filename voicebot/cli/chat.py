"""`voicebot chat`: the dialogue of a call by typing, for people who write scripts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape

from dialogue.protocol import CaseFacts, Command, Handoff, Speak
from dialogue.script import Script
from dialogue.understanding import Slots, Understander, Understanding
from voicebot.call.typed import TypedCall
from voicebot.campaign.scripts import find_script
from voicebot.cases import load_case
from voicebot.cli.common import ConfigOption, ScriptOption, fail, settings_or_fail, user_errors
from voicebot.intent.understander import understander_of

out = Console(highlight=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    app.command()(chat)


def chat(
    script: ScriptOption = "m1_collection",
    case: Annotated[Path, typer.Option("--case", help="The case, as JSON.")] = Path("examples/case.json"),
    now: Annotated[
        str | None, typer.Option("--now", help="The call's clock, e.g. 2026-11-20T10:00; the real one if not given.")
    ] = None,
    bridged: Annotated[bool, typer.Option("--seat/--no-seat", help="Whether a person takes handed-off calls.")] = True,
    config: ConfigOption = None,
) -> None:
    """Talk with the robot by typing. An empty line is silence, Ctrl-D hangs up. Nothing is stored."""
    settings = settings_or_fail(config)
    zone = ZoneInfo(settings.timezone)
    try:
        clock = datetime.fromisoformat(now) if now else datetime.now(zone)
    except ValueError:
        fail(f"--now {now}: not a time; write it like 2026-11-20T10:00")
    clock = clock.replace(tzinfo=zone) if clock.tzinfo is None else clock.astimezone(zone)
    with user_errors():
        told = find_script(script, settings)
        facts = load_case(case, clock, zone, default_bank=settings.bank)
        understander = understander_of(settings)
    _Chat(told, facts, clock, understander, bridged).run(_typed())


def _typed() -> Iterator[str]:
    """The customer's turns, one a line, until the end of the input."""
    while True:
        if sys.stdin.isatty():
            out.print("[bold]客户[/] ", end="")
        line = sys.stdin.readline()
        if not line:
            return
        yield line.strip()


class _Chat:
    """Shows a typed call while it goes on."""

    def __init__(
        self, script: Script, case: CaseFacts, now: datetime, understander: Understander, bridged: bool
    ) -> None:
        self.call = TypedCall(script, case, now, understander, bridged=bridged, watch=self._show)

    def run(self, typed: Iterator[str]) -> None:
        while not self.call.over:
            words = next(typed, None)
            if words is None:
                out.print("[dim]（客户挂机）[/]")
                self.call.hang_up()
                continue
            if not words:
                out.print("[dim]  （沉默）[/]")
            self.call.say(words)
        self._summary()

    def _show(self, happened: Command | Understanding) -> None:
        match happened:
            case Understanding():
                acts = escape(f"[{' '.join(happened.acts)}]")
                out.print(f"[dim]  {acts} {escape(_slots(happened.slots))} {happened.confidence:.2f}[/]")
            case Speak():
                out.print(f"[bold cyan]机器人[/] {escape(happened.text)}")
            case Handoff():
                out.print(f"[dim]  （转接人工：{escape(happened.reason)}）[/]")

    def _summary(self) -> None:
        out.print(f"\n[bold]结果[/] {self.call.disposition or '-'}")
        if self.call.promise is not None:
            kind = "，部分" if self.call.promise.partial else ""
            out.print(
                f"[bold]承诺[/] {self.call.promise.pay_date} {self.call.promise.amount}元{kind}（试聊，没有入库）"
            )
        if self.call.callback is not None:
            out.print(f"[bold]回电[/] {self.call.callback.at or '未约时间'}（{self.call.callback.reason}）")
        if self.call.flags:
            out.print(f"[bold]标记[/] {' '.join(self.call.flags)}")


def _slots(slots: Slots) -> str:
    named = {
        "pay_date": slots.pay_date,
        "pay_amount": slots.pay_amount,
        "amount_kind": slots.amount_kind,
        "callback_at": slots.callback_at,
    }
    return " ".join(f"{key}={value}" for key, value in named.items() if value is not None)
