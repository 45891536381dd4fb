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

from dialogue.acts import Disposition, Pending
from dialogue.manager import initial_state, step
from dialogue.protocol import (
    BookCallback,
    CallStarted,
    CaseFacts,
    Conclude,
    CustomerHungUp,
    CustomerSaid,
    CustomerSilent,
    Event,
    Flag,
    Handoff,
    HandoffEnded,
    HandoffResult,
    HangUp,
    LineHeard,
    Listen,
    PromiseStored,
    Speak,
    StorePromise,
)
from dialogue.rules import make_understander
from dialogue.script import Script
from dialogue.understanding import Slots
from voicebot.campaign.scripts import find_script
from voicebot.cases import load_case
from voicebot.cli.common import ConfigOption, ScriptOption, fail, settings_or_fail, user_errors

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
    _Chat(told, facts, clock, bridged).run(_typed())


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
    """One typed call: feeds the dialogue, shows what it does, and plays the parts of ledger and seat."""

    def __init__(self, script: Script, case: CaseFacts, now: datetime, bridged: bool) -> None:
        self.script, self.case, self.now, self.bridged = script, case, now, bridged
        self.state = initial_state(script)
        self.understander = make_understander()
        self.pending = Pending.OPENING
        self.over = False
        self.turns = 0
        self.disposition: Disposition | None = None
        self.promise: StorePromise | None = None
        self.callback: BookCallback | None = None
        self.flags: list[str] = []

    def run(self, typed: Iterator[str]) -> None:
        self._feed(CallStarted(self.case, self.now))
        while not self.over:
            words = next(typed, None)
            if words is None:
                out.print("[dim]（客户挂机）[/]")
                self._feed(CustomerHungUp(self.now))
                break
            self._customer(words)
        self._summary()

    def _customer(self, words: str) -> None:
        if not words:
            out.print("[dim]  （沉默）[/]")
            self._feed(CustomerSilent(self.now))
            return
        understood = self.understander.understand(words, pending=self.pending, now=self.now)
        acts = " ".join(understood.acts)
        out.print(f"[dim]  {escape(f'[{acts}]')} {escape(_slots(understood.slots))}[/]")
        self.turns += 1
        self._feed(CustomerSaid(understood, self.turns, self.now))

    def _feed(self, event: Event) -> None:
        events = [event]
        while events:
            self.state, commands = step(self.script, self.state, events.pop(0))
            for command in commands:
                match command:
                    case Speak():
                        out.print(f"[bold cyan]机器人[/] {escape(command.text)}")
                        events.append(LineHeard(command.line_id, 1.0))
                    case Listen():
                        self.pending = command.pending
                    case StorePromise():
                        self.promise = command
                        events.append(PromiseStored("chat"))
                    case Handoff():
                        result = HandoffResult.BRIDGED if self.bridged else HandoffResult.NO_ANSWER
                        out.print(f"[dim]  （转接人工：{escape(command.reason)}，{result.value}）[/]")
                        self.over = self.bridged
                        events.append(HandoffEnded(result, self.now))
                    case BookCallback():
                        self.callback = command
                    case Flag():
                        self.flags.append(command.name)
                    case Conclude():
                        self.disposition = command.disposition
                    case HangUp():
                        self.over = True

    def _summary(self) -> None:
        out.print(f"\n[bold]结果[/] {self.disposition or '-'}")
        if self.promise is not None:
            kind = "，部分" if self.promise.partial else ""
            out.print(f"[bold]承诺[/] {self.promise.pay_date} {self.promise.amount}元{kind}（试聊，没有入库）")
        if self.callback is not None:
            out.print(f"[bold]回电[/] {self.callback.at or '未约时间'}（{self.callback.reason}）")
        if self.flags:
            out.print(f"[bold]标记[/] {' '.join(self.flags)}")


def _slots(slots: Slots) -> str:
    named = {
        "pay_date": slots.pay_date,
        "pay_amount": slots.pay_amount,
        "amount_kind": slots.amount_kind,
        "callback_at": slots.callback_at,
    }
    return " ".join(f"{key}={value}" for key, value in named.items() if value is not None)
