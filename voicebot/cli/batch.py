"""`voicebot batch` and `voicebot payments`: files of cases and of payments."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from voicebot.cases import CaseFile, PaymentFile
from voicebot.cli.common import ConfigOption, console, errors, fail, settings_or_fail, user_errors
from voicebot.store import NewPayment, open_store

SHOWN_ERRORS = 10

batch_app = typer.Typer(help="Files of cases: load them into a campaign.", no_args_is_help=True)
payments_app = typer.Typer(help="Payments: load what came in.", no_args_is_help=True)

SourceOption = Annotated[
    str | None, typer.Option("--source", help="Whose file this is: its column names are remembered by it.")
]
MapOption = Annotated[
    list[str] | None, typer.Option("--map", help="What a column means here, as COLUMN=FIELD; kept with --source.")
]


def register(root: typer.Typer) -> None:
    root.add_typer(batch_app, name="batch")
    root.add_typer(payments_app, name="payments")


@batch_app.command()
def load(
    file: Annotated[Path, typer.Argument(help="Cases as CSV or Excel (docs/cases.md shows the columns).")],
    campaign: Annotated[str, typer.Option("--campaign", help="The campaign they go into.")],
    source: SourceOption = None,
    map_: MapOption = None,
    config: ConfigOption = None,
) -> None:
    """Load cases. The same file again changes nothing; a newer file's figures replace an older one's."""
    settings = settings_or_fail(config)
    zone = ZoneInfo(settings.timezone)
    rejects = settings.data_home / "rejects" / f"{file.stem}.csv"
    with user_errors(), open_store(settings) as store:
        mapping = store.columns_of(source, _mapping(map_)) if source else _mapping(map_)
        cases = CaseFile(file, datetime.now(zone).date(), settings.bank, rejects, mapping)
        shown = Progress(
            SpinnerColumn(), TextColumn("{task.completed:,} 行"), TimeElapsedColumn(), console=console, transient=True
        )
        with shown as bar:
            task = bar.add_task("", total=None)
            loaded = store.load_batch(
                file.name,
                cases.sha256,
                "",
                cases,
                campaign=campaign,
                progress=lambda rows: bar.update(task, completed=rows),
            )
    console.print(f"批次 {loaded.batch_id}：新增 {loaded.new} 件，已有 {loaded.already} 件", highlight=False)
    _tell_rejects(cases.errors, cases.rejected, rejects)


@payments_app.command(name="load")
def load_payments(
    file: Annotated[Path, typer.Argument(help="CSV or Excel: 流水号, 案件编号, 还款金额, 还款时间.")],
    source: Annotated[str, typer.Option("--source", help="Who counts the payments' numbers.")] = "bank",
    map_: MapOption = None,
    config: ConfigOption = None,
) -> None:
    """Load payments: they lower what is owed, close cases, keep promises. The same payment again changes nothing."""
    settings = settings_or_fail(config)
    rejects = settings.data_home / "rejects" / f"{file.stem}.csv"
    with user_errors(), open_store(settings) as store:
        mapping = store.columns_of(f"payments:{source}", _mapping(map_))
        rows = PaymentFile(file, ZoneInfo(settings.timezone), rejects, mapping)
        done = store.add_payments(NewPayment(p.reference, p.case_id, p.amount, p.paid_at, source) for p in rows)
    console.print(
        f"还款 {done.new} 笔入账，{done.already} 笔已有，{done.unknown} 笔无对应在催案件，{done.closed} 件结清",
        highlight=False,
    )
    _tell_rejects(rows.errors, rows.rejected, rejects)


def _mapping(pairs: list[str] | None) -> dict[str, str]:
    found = {}
    for pair in pairs or []:
        column, equals, field = pair.rpartition("=")
        if not equals or not column or not field:
            fail(f"--map {pair}: expected COLUMN=FIELD, like 应还总额=amount_due")
        found[column] = field
    return found


def _tell_rejects(found: list[object] | list, rejected: int, rejects: Path) -> None:  # type: ignore[type-arg]
    for bad in found[:SHOWN_ERRORS]:
        errors.print(f"[yellow]{escape(str(bad))}[/yellow]", highlight=False, soft_wrap=True)
    if rejected:
        errors.print(f"[yellow]{rejected} 行未导入，见 {rejects}[/yellow]", highlight=False, soft_wrap=True)
        raise typer.Exit(1)
