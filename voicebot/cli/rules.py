"""`voicebot rules`: may this debtor be contacted now, and what do the rule packs say?"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.table import Table

from voicebot.cli.common import ConfigOption, fail, settings_or_fail, user_errors
from voicebot.cli.jsonl import answer_lines
from voicebot.compliance import (
    Channel,
    Consent,
    Contact,
    Facts,
    Pack,
    Party,
    Permit,
    Refusal,
    Request,
    Status,
    judge,
    load_pack,
    pack_names,
)
from voicebot.store import open_store

app = typer.Typer(help="The law on contacting debtors, as data: judge, list, explain.", no_args_is_help=True)
out = Console(highlight=False)

PackOption = Annotated[str, typer.Option("--pack", help="cn, us, hk, in, or a file of your own (docs/compliance.md).")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PastContact(_Strict):
    at: AwareDatetime
    channel: Channel = Channel.VOICE
    reached: bool | None = False
    outbound: bool = True
    loan: str = ""
    number: str = ""
    agency: str = ""


class Asked(_Strict):
    """One line of the input."""

    id: str | int = ""
    now: AwareDatetime
    channel: Channel = Channel.VOICE
    loan: str = ""
    number: str = ""
    party: Party = Party.DEBTOR
    automated: bool = True
    debtor: str = ""
    zone: str | None = None
    contacts: list[PastContact] | None = []
    statuses: list[Status] = []
    consents: list[Consent] = []
    do_not_call: list[str] = []
    opted_out: list[Channel] = []
    unreachable: bool = False

    def facts(self) -> Facts:
        past = None if self.contacts is None else tuple(Contact(**c.model_dump()) for c in self.contacts)
        return Facts(
            debtor=self.debtor,
            zone=self.zone,
            contacts=past,
            statuses=frozenset(self.statuses),
            consents=frozenset(self.consents),
            do_not_call=frozenset(self.do_not_call),
            opted_out=frozenset(self.opted_out),
            unreachable=self.unreachable,
        )

    def request(self) -> Request:
        return Request(self.now, self.channel, self.loan, self.number, self.party, self.automated)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="rules")


@app.command()
def check(pack: PackOption = "cn") -> None:
    """Judge JSON Lines of facts and a request from stdin; write a decision for each.

    {"id": 1, "now": "2026-11-27T21:59:00+08:00", "contacts": [{"at": "...", "reached": true}]}
    gives {"id": 1, "permitted": false, "rules": ["CN-TIME"], "next_allowed": "..."} or a permit with "valid_until".
    """
    rules = _pack(pack)
    answer_lines(Asked, lambda asked: _told(asked, judge(rules, asked.facts(), asked.request()), _zone(rules, asked)))


@app.command("list")
def show(pack: PackOption = "cn") -> None:
    """Show a pack: every rule, where it stands, how sure its reading is."""
    rules = _pack(pack)
    table = Table(title=f"{rules.name}, version {rules.version}", title_justify="left", show_lines=True)
    for column in ("rule", "what it says", "instrument", "certainty"):
        table.add_column(column)
    for r in rules.rules:
        where = " ".join(x for x in (r.instrument, r.article, f"({r.effective} 起)" if r.effective else "") if x)
        table.add_row(r.id, f"{r.zh}\n[dim]{r.en}[/dim]", where, r.certainty)
    out.print(table)
    out.print(f"packs: {', '.join(pack_names())}")


@app.command()
def explain(
    case: Annotated[
        str | None, typer.Argument(help="A case's number in the database; without it, one JSON object on stdin.")
    ] = None,
    pack: PackOption = "cn",
    config: ConfigOption = None,
) -> None:
    """Say in Chinese why a case may be contacted now or not.

    A case is judged by the installation's own rules (compliance.pack); JSON, as `rules check` takes it, by --pack.
    """
    if case is not None:
        settings = settings_or_fail(config)
        with user_errors(), open_store(settings) as store:
            rules, facts, request = store.would_contact(case)
    else:
        rules = _pack(pack)
        try:
            asked = Asked.model_validate_json(sys.stdin.read())
        except ValidationError as e:
            first = e.errors()[0]
            fail(f"stdin: {'.'.join(map(str, first['loc'])) or 'input'}: {first['msg']}")
        facts, request = asked.facts(), asked.request()
    _explain(judge(rules, facts, request), _zone(rules, facts))


@app.command()
def note(
    debtor: Annotated[str, typer.Argument(help="The bank's number of the person, else the phone number (E.164).")],
    status: Annotated[list[Status] | None, typer.Option("--status", help="Stands in the way of contacts.")] = None,
    consent: Annotated[list[Consent] | None, typer.Option("--consent", help="The debtor agreed, on record.")] = None,
    do_not_call: Annotated[list[str] | None, typer.Option("--do-not-call", help="A number, or * for all.")] = None,
    opt_out: Annotated[list[Channel] | None, typer.Option("--opt-out", help="A channel.")] = None,
    strike: Annotated[bool, typer.Option("--strike", help="It holds no longer: take it off the record.")] = False,
    config: ConfigOption = None,
) -> None:
    """Write down what is known of a debtor, or strike it; their cases are judged anew."""
    said = {"statuses": status, "consents": consent, "do_not_call": do_not_call, "opted_out": opt_out}
    known = {name: list(map(str, values)) for name, values in said.items() if values}
    if not known:
        fail("nothing to write down: name a --status, --consent, --do-not-call or --opt-out")
    settings = settings_or_fail(config)
    with user_errors(), open_store(settings) as store:
        store.change_debtor(debtor, {} if strike else known, known if strike else None)
    out.print(f"{debtor}: {'已撤销' if strike else '已登记'} {', '.join(v for some in known.values() for v in some)}")


def _explain(judged: Permit | Refusal, zone: ZoneInfo) -> None:
    if isinstance(judged, Permit):
        until = f",须在 {_wall(judged.valid_until, zone)} 之前开始" if judged.valid_until else ""
        out.print(f"可以联系{until}。")
        if judged.better_at:
            out.print(f"更合适的时间:{_wall(judged.better_at, zone)}。")
        return
    out.print("现在不可以联系:")
    for o in judged.objections:
        where = f"{o.instrument} {o.article}".strip()
        until = f";{_wall(o.until, zone)} 起不再受此限制" if o.until else ""
        out.print(f"  {o.rule}  {o.zh}({where or '系统'}){until}")
    if judged.next_allowed:
        out.print(f"最早可以联系的时间:{_wall(judged.next_allowed, zone)}。")
    else:
        out.print("等待不会使其变为可以;须先改变上述情况。")


def _pack(name: str) -> Pack:
    with user_errors():
        return load_pack(name)


def _zone(pack: Pack, asked: Asked | Facts) -> ZoneInfo:
    """For showing times; what is wrong with a zone, the judge says."""
    try:
        return ZoneInfo(asked.zone or pack.zone or "UTC")
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def _told(asked: Asked, judged: Permit | Refusal, zone: ZoneInfo) -> dict[str, Any]:
    head: dict[str, Any] = {"id": asked.id, "permitted": isinstance(judged, Permit), "pack": judged.pack}
    head["version"] = judged.version
    if isinstance(judged, Permit):
        return head | {"valid_until": _iso(judged.valid_until, zone), "better_at": _iso(judged.better_at, zone)}
    told = [
        {"rule": o.rule, "zh": o.zh, "instrument": o.instrument, "article": o.article, "until": _iso(o.until, zone)}
        for o in judged.objections
    ]
    rules = [o.rule for o in judged.objections]
    return head | {"rules": rules, "next_allowed": _iso(judged.next_allowed, zone), "objections": told}


def _iso(moment: datetime | None, zone: ZoneInfo) -> str | None:
    return moment.astimezone(zone).isoformat() if moment else None


def _wall(moment: datetime | None, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M") if moment else ""
