"""`voicebot campaign`: batches of cases that a strategy follows from day to day."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from voicebot.campaign.scripts import find_script
from voicebot.cli.common import ConfigOption, settings_or_fail, user_errors
from voicebot.settings import Settings
from voicebot.store import BatchProgress, Campaign, Store, open_store
from voicebot.strategy.loader import load_strategy
from voicebot.strategy.model import Means

app = typer.Typer(help="Campaigns: batches of cases that a strategy follows from day to day.", no_args_is_help=True)
out = Console(highlight=False)

Name = Annotated[str, typer.Argument(help="The campaign's name.")]
StrategyOption = Annotated[str, typer.Option("--strategy", help="A name in config/strategies, or a file.")]
PriorityOption = Annotated[int | None, typer.Option("--priority", help="Smaller is called earlier.")]
LinesOption = Annotated[
    int | None, typer.Option("--lines", min=1, help="The most calls at the same time, over all workers.")
]
STATES = {"running": "进行中", "paused": "已暂停", "stopped": "已停止"}


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="campaign")


@app.command()
def create(
    name: Name,
    strategy: StrategyOption = "default",
    priority: PriorityOption = None,
    lines: LinesOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a campaign. Its cases come with: voicebot batch load FILE --campaign NAME."""
    settings = settings_or_fail(config)
    with user_errors():
        _check(strategy, settings)
        with open_store(settings) as store:
            _show(store, store.create_campaign(name, strategy, priority=priority or 0, lines=lines))


@app.command()
def change(
    name: Name,
    strategy: Annotated[str | None, typer.Option("--strategy", help="Another strategy.")] = None,
    priority: PriorityOption = None,
    lines: LinesOption = None,
    config: ConfigOption = None,
) -> None:
    """Another strategy, priority or number of lines. Everything that waits is planned anew."""
    settings = settings_or_fail(config)
    with user_errors():
        if strategy is not None:
            _check(strategy, settings)
        with open_store(settings) as store:
            _show(store, store.change_campaign(name, strategy=strategy, priority=priority, lines=lines))


@app.command()
def replan(name: Name, config: ConfigOption = None) -> None:
    """Plan everything that waits anew: the strategy's file has changed."""
    settings = settings_or_fail(config)
    with user_errors(), open_store(settings) as store:
        _check(store.campaign(name).strategy, settings)
        out.print(f"{name}: {store.plan_again(name)} 件将重新规划")


@app.command()
def pause(name: Name, config: ConfigOption = None) -> None:
    """Make no new calls, from this moment on, on all machines; running calls go on to their ends."""
    _set(name, "paused", config)


@app.command()
def resume(name: Name, config: ConfigOption = None) -> None:
    """Go on after a pause."""
    _set(name, "running", config)


@app.command()
def stop(name: Name, config: ConfigOption = None) -> None:
    """End it: nothing more is done with its cases until it is resumed."""
    _set(name, "stopped", config)


@app.command(name="list")
def list_(config: ConfigOption = None) -> None:
    """All campaigns and how far they are."""
    settings = settings_or_fail(config)
    with user_errors(), open_store(settings) as store:
        _table(store, store.campaigns())


@app.command()
def show(name: Name, config: ConfigOption = None) -> None:
    """One campaign and how far it is."""
    settings = settings_or_fail(config)
    with user_errors(), open_store(settings) as store:
        _show(store, store.campaign(name))


def _set(name: str, state: str, config: ConfigOption) -> None:
    settings = settings_or_fail(config)
    with user_errors(), open_store(settings) as store:
        _show(store, store.change_campaign(name, state=state))


def _check(name: str, settings: Settings) -> None:
    """Before anybody is called by it: can the strategy be followed, and are its scripts there?"""
    strategy = load_strategy(name)
    for segment in strategy.segments:
        for step in segment.steps:
            if step.means is Means.VOICE:
                find_script(step.content, settings)


NAMES = {
    "to_plan": "待规划",
    "open": "待拨",
    "claimed": "进行中",
    "waiting": "等待时间",
    "to_send": "待发消息",
    "held": "不可联系",
    "handed": "已移交",
    "closed": "已结清",
    "done": "已完成",
    "failed": "失败",
}


def _show(store: Store, campaign: Campaign) -> None:
    p = store.campaign_progress(campaign.name)
    table = Table(title=campaign.name, title_justify="left", show_header=False)
    lines = "不限" if campaign.lines is None else str(campaign.lines)
    for name, value in (("策略", campaign.strategy), ("状态", STATES[campaign.state]), ("线路", lines)):
        table.add_row(name, value)
    table.add_row("优先级", str(campaign.priority))
    table.add_section()
    table.add_row("案件", str(p.total))
    for status, name in NAMES.items():
        if n := getattr(p, status):
            table.add_row(f"  {name} {status}", str(n))
    out.print(table)


def _table(store: Store, campaigns: tuple[Campaign, ...]) -> None:
    table = Table()
    for column in ("活动", "策略", "状态", "案件", "在办", "通话", "移交", "结清"):
        table.add_column(column, overflow="fold")
    for c in campaigns:
        p: BatchProgress = store.campaign_progress(c.name)
        ahead = p.to_plan + p.open + p.waiting + p.to_send
        counts = map(str, (p.total, ahead, p.claimed, p.handed, p.closed))
        table.add_row(c.name, c.strategy, STATES[c.state], *counts)
    out.print(table)
