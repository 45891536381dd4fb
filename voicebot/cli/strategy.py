"""`voicebot strategy`: check a strategy, explain what it does with a case, try it before anybody is called."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.table import Table

from dialogue.acts import Disposition
from voicebot.cases import CaseFile
from voicebot.cli.common import ConfigOption, fail, settings_or_fail, user_errors
from voicebot.compliance import load_pack
from voicebot.strategy.charts import write_charts
from voicebot.strategy.debtors import FILE, load_debtors
from voicebot.strategy.loader import load_strategy
from voicebot.strategy.model import Means
from voicebot.strategy.planning import Case, Event, Handed, Wish, days_overdue, plan, segment_of
from voicebot.strategy.simulation import Outcome, Simulation

app = typer.Typer(help="Who is contacted when, and what follows: check, explain, simulate.", no_args_is_help=True)
out = Console(highlight=False)

StrategyArgument = Annotated[str, typer.Argument(help="A name in config/strategies, or a file.")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Happened(_Strict):
    at: AwareDatetime
    step: str
    means: Means = Means.VOICE
    number: str = ""
    ending: Disposition | None = None
    again: bool = False
    promise_day: date | None = None
    callback_at: AwareDatetime | None = None


class Told(_Strict):
    """What `explain` reads."""

    case_id: str = "C1"
    due_date: date
    amount: Decimal
    numbers: list[str] = ["+8613800000001"]
    zone: str = "Asia/Shanghai"
    risk: str = ""
    closed: bool = False
    held: bool = False
    now: AwareDatetime | None = None
    events: list[Happened] = []


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="strategy")


@app.command()
def check(strategy: StrategyArgument = "default") -> None:
    """Can this strategy be followed? Shows its segments and steps, or says where it is wrong."""
    with user_errors():
        found = load_strategy(strategy)
    table = Table(title=f"{found.name}, version {found.version}", title_justify="left")
    for column in ("segment", "step", "means", "content", "days overdue", "every", "a day"):
        table.add_column(column)
    for segment in found.segments:
        for i, s in enumerate(segment.steps):
            name = segment.name if i == 0 else ""
            days = f"{s.days_from} … {s.days_to}"
            table.add_row(name, s.name, s.means, s.content, days, f"{s.every_days} d", str(s.per_day))
        table.add_section()
    out.print(table)


@app.command()
def explain(
    strategy: StrategyArgument = "default",
    case: Annotated[Path | None, typer.Option("--case", help="JSON file; stdin if not given.")] = None,
) -> None:
    """Say in Chinese what the strategy does next with a case and why.

    {"due_date": "2026-11-20", "amount": "3000", "numbers": ["+86..."], "events": [{"at": "...", "step": "late_call",
    "ending": "busy", "number": "+86..."}], "now": "2026-11-24T10:00:00+08:00"}
    """
    with user_errors():
        found = load_strategy(strategy)
        text = case.read_text("utf-8") if case else typer.get_text_stream("stdin").read()
    try:
        told = Told.model_validate_json(text)
        zone = ZoneInfo(told.zone)
    except ValidationError as e:
        first = e.errors()[0]
        fail(f"{case or 'stdin'}: {'.'.join(map(str, first['loc'])) or 'input'}: {first['msg']}")
    except (KeyError, ValueError, OSError):
        fail(f"{case or 'stdin'}: zone: {told.zone} is no time zone; one like Asia/Shanghai expected")
    known = Case(told.case_id, told.due_date, told.amount, tuple(told.numbers), zone, told.risk, told.closed, told.held)
    events = [Event(**h.model_dump()) for h in told.events]
    now = (told.now or datetime.now(zone)).astimezone(zone)
    if unknown := {e.step for e in events} - {s.name for g in found.segments for s in g.steps} - {"reminder"}:
        fail(f"{case or 'stdin'}: events: {found.name} has no step {min(unknown)}; see: voicebot strategy check")
    segment = segment_of(found, known, events, now.date())
    out.print(f"{now:%Y-%m-%d %H:%M},逾期 {days_overdue(known, now.date())} 天,分群:{segment.name}")
    match plan(found, known, events, now):
        case Wish() as w:
            again = ",为上一次的重试" if w.again else ""
            number = f",号码 {w.number}" if w.means is Means.VOICE else ""
            out.print(f"下一步:{w.at:%Y-%m-%d %H:%M} {w.means} {w.content}(步骤 {w.step}{again}{number})")
            out.print(f"原因:{w.why}")
        case Handed() as h:
            out.print(f"已交给 {h.to};原因:{h.why}")
        case rest:
            out.print(f"不再联系;原因:{rest.why}")


@app.command()
def simulate(
    strategy: StrategyArgument = "default",
    cases: Annotated[Path | None, typer.Option("--cases", help="Case file; invented cases if not given.")] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Invented cases.")] = 10_000,
    days: Annotated[int, typer.Option("--days", min=1)] = 60,
    pack: Annotated[str, typer.Option("--pack", help="Rules that every contact must pass.")] = "cn",
    debtors: Annotated[Path, typer.Option("--debtors", help="How debtors behave.")] = FILE,
    seed: Annotated[int, typer.Option("--seed")] = 1,
    folder: Annotated[Path | None, typer.Option("--out", help="Where charts and summary.json go.")] = None,
    start: Annotated[datetime | None, typer.Option("--start", formats=["%Y-%m-%d"], help="First day.")] = None,
    config: ConfigOption = None,
) -> None:
    """Follow a strategy over cases on a virtual clock, under the law, before anybody is called."""
    settings = settings_or_fail(config)
    zone = ZoneInfo(settings.timezone)
    first = (start or datetime.now()).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=zone)
    with user_errors():
        followed, rules, model = load_strategy(strategy), load_pack(pack), load_debtors(debtors)
        chosen = _from_file(cases, first, settings.bank, zone) if cases else _invented(count, first, zone, seed)
        outcome = Simulation(followed, rules, model, first, days, seed).run(chosen)
        target = folder or settings.data_home / "simulations" / f"{followed.name}-{first:%Y%m%d}-{seed}"
        target.mkdir(parents=True, exist_ok=True)
        (target / "summary.json").write_text(json.dumps(_summary(outcome), ensure_ascii=False, indent=1), "utf-8")
        charts = write_charts(outcome, first.date(), target)
    out.print(_table(outcome, f"{followed.name}, {days} days from {first:%Y-%m-%d}, seed {seed}"))
    out.print(f"图表 {', '.join(c.name for c in charts)};summary.json:{target}", soft_wrap=True)


def _from_file(path: Path, first: datetime, bank: str, zone: ZoneInfo) -> Iterator[Case]:
    for row in CaseFile(path, first.date(), bank):
        numbers = tuple(n for n in (row.phone, row.sip_uri) if n)[:1]
        yield Case(row.case_id, row.due_date, row.amount_due, numbers, zone)


def _invented(count: int, first: datetime, zone: ZoneInfo, seed: int) -> Iterator[Case]:
    """Due from three days ahead to twenty days ago, amounts as of cards, one debtor in three with a second number."""
    chance = random.Random(seed)
    for i in range(count):
        due = first.date() - timedelta(days=chance.randint(-3, 20))
        amount = Decimal(round(min(200_000.0, max(100.0, chance.lognormvariate(8.3, 1.1))), 2)).quantize(
            Decimal("0.01")
        )
        numbers = (f"a{i}", f"b{i}") if chance.random() < 0.33 else (f"a{i}",)
        yield Case(f"S{i:07d}", due, amount, numbers, zone)


def _summary(o: Outcome) -> dict[str, object]:
    by_means: dict[str, int] = {}
    for (_, means), n in o.contacts.items():
        by_means[means] = by_means.get(means, 0) + n
    return {
        "cases": o.cases,
        "days": o.days,
        "contacts": by_means,
        "conversations": o.reached.total(),
        "promises": o.promised.total(),
        "promises_kept": o.kept.total(),
        "paid": o.paid.total(),
        "amount": str(o.amount),
        "recovered": str(o.recovered),
        "cost": round(o.cost, 2),
        "handed": dict(o.handed),
        "refusals": dict(o.refusals),
        "endings": {str(k): n for k, n in o.endings.most_common()},
        "open": o.still_open,
        "contacts_by_day": [{m: o.contacts[d, m] for m in Means if o.contacts[d, m]} for d in range(o.days)],
    }


def _table(o: Outcome, title: str) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("案件 cases", f"{o.cases:,}")
    for means in Means:
        if n := sum(v for (_, m), v in o.contacts.items() if m is means):
            table.add_row(f"联系 {means}", f"{n:,}")
    table.add_row("接通 conversations", f"{o.reached.total():,}")
    table.add_row("承诺 promises", f"{o.promised.total():,}")
    table.add_row("兑现 kept", f"{o.kept.total():,}")
    table.add_row("结清 paid", f"{o.paid.total():,}")
    table.add_row("回收 recovered", f"￥{o.recovered:,.0f} / ￥{o.amount:,.0f}")
    table.add_row("成本 cost", f"￥{o.cost:,.0f}")
    table.add_section()
    for to, n in o.handed.most_common():
        table.add_row(f"移交 {to}", f"{n:,}")
    table.add_row("仍在进行 still open", f"{o.still_open:,}")
    table.add_section()
    for rule, n in o.refusals.most_common():
        table.add_row(f"被拒 {rule}", f"{n:,}")
    return table
