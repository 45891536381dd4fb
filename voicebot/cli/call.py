"""`voicebot call`: one call to any softphone or PBX."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from dialogue.protocol import CaseFacts
from dialogue.rendering import all_fixed_clauses, case_clauses, day_clauses, likely_clauses
from dialogue.script import Script
from voicebot.call.dialer import Attempted, Dialer
from voicebot.campaign.scripts import find_script
from voicebot.cases import columns, load_case
from voicebot.cli.common import ConfigOption, ScriptOption, console, fail, settings_or_fail, user_errors
from voicebot.cli.prepare import prepare_voice
from voicebot.cli.view import CallView
from voicebot.compliance import Refusal, judge
from voicebot.settings import Settings
from voicebot.store import open_store


def register(app: typer.Typer) -> None:
    @app.command()
    def call(
        uri: Annotated[str, typer.Argument(help="Whom to call: sip:someone@host, or a phone number for the trunk.")],
        case: Annotated[Path, typer.Option("--case", help="The case to talk about, a JSON file (examples/case.json).")],
        script: ScriptOption = "m1_collection",
        config: ConfigOption = None,
    ) -> None:
        """Call a softphone, a PBX or a number and talk to the robot yourself. Ctrl-C ends the call politely.

        A phone number is called only if the rules permit it now (compliance.pack); a SIP address is whoever you name.
        """
        settings = settings_or_fail(config)
        with user_errors():
            facts = load_case(case, datetime.now(UTC), settings.timezone, default_bank=settings.bank)
            told = find_script(script, settings)
            target = uri if uri.startswith(("sip:", "sips:")) else settings.sip.trunk.format(phone=uri)
            if target != uri:
                _ask_the_gate(settings, uri)
            today = datetime.now(ZoneInfo(settings.timezone)).date()
            prepare_voice(settings, [*all_fixed_clauses(told), *day_clauses(told, today)])
            attempted = asyncio.run(_call(settings, target, facts, told))
        if attempted is not None and attempted.result is not None:
            r = attempted.result
            console.print(f"录音 {r.recording}\n日志 {r.log}", highlight=False, soft_wrap=True)


def _ask_the_gate(settings: Settings, phone: str) -> None:
    try:
        number = columns.phone(phone)
    except columns.CellError as e:
        fail(e)
    with open_store(settings) as store:
        pack, facts, request = store.would_call(number)
    judged = judge(pack, facts, request)
    if isinstance(judged, Refusal):
        why = "; ".join(f"{o.rule} {o.zh}" for o in judged.objections)
        when = judged.next_allowed
        later = (
            f"{when.astimezone(ZoneInfo(settings.timezone)):%Y-%m-%d %H:%M} 起可以" if when else "等待不会使其变为可以"
        )
        fail(f"{phone}: 现在不可以联系: {why}; {later}")


async def _call(settings: Settings, uri: str, case: CaseFacts, script: Script) -> Attempted | None:
    with await asyncio.to_thread(open_store, settings) as store:
        async with Dialer(settings, store) as dialer:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGINT, lambda: dialer.hurry("ended by the operator"))
            now = dialer.now()
            clauses = (*case_clauses(script, case, now), *likely_clauses(script, case, now))
            console.print(f"[dim]{dialer.engines}[/dim]")
            with CallView(console) as view:
                return await dialer.place(uri, case, script, view.show, clauses=clauses)
