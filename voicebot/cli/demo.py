"""`voicebot demo`: the main job on one machine, against simulated debtors."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape

from voicebot.cli.common import ConfigOption, console, settings_or_fail, user_errors
from voicebot.cli.run import BatchDone, run_campaign
from voicebot.debtor.measure import measure_folder, percentile
from voicebot.debtor.persona import load_personas, normalise_user
from voicebot.debtor.record import read_record
from voicebot.demo.compare import Compared, compare, heard_each_other, table_of
from voicebot.demo.stage import stage
from voicebot.reports.batch import figures_table
from voicebot.settings import PROJECT_ROOT, Settings
from voicebot.store import open_store

STRATEGY = PROJECT_ROOT / "examples" / "demo_strategy.yaml"
SEAT = "seat.yaml"


def register(app: typer.Typer) -> None:
    @app.command()
    def demo(
        cases: Annotated[Path, typer.Option(help="Cases to call.")] = PROJECT_ROOT / "examples" / "cases.csv",
        personas: Annotated[Path, typer.Option(help="Folder of debtors.")] = PROJECT_ROOT / "examples" / "personas",
        lines: Annotated[list[int] | None, typer.Option(help="Rounds: calls at the same time; repeatable.")] = None,
        processes: Annotated[int, typer.Option("--processes", min=1, help="Worker processes, at least.")] = 1,
        config: ConfigOption = None,
    ) -> None:
        """A campaign of twelve simulated debtors over real SIP: loaded, permitted, called one after the other and then
        four at once, and reported; what was booked is compared with what each was told to do. Exit code 1 when a row
        does not match."""
        settings = settings_or_fail(config)
        with user_errors():
            good = _demo(settings, cases, personas, lines or [1, 4], processes)
        raise typer.Exit(0 if good else 1)


def _demo(settings: Settings, cases: Path, personas: Path, rounds: list[int], processes: int) -> bool:
    zone = ZoneInfo(settings.timezone)
    stamp = f"{datetime.now(zone):%Y%m%d-%H%M%S}"
    cast = {normalise_user(p.user): p for p in load_personas([personas])}
    files = sorted(p for p in personas.glob("*.yaml") if p.name != SEAT)
    by_people = {p.name for p in cast.values() if p.expect is None or p.expect.handoff}
    compared: list[tuple[int, list[Compared]]] = []
    folder = settings.data_home / "demo" / stamp
    console.print("[dim]启动模拟债务人与坐席，首次需要合成他们的台词……[/dim]")
    for lines in rounds:
        with stage(settings, files, folder / f"lines-{lines}", seat=personas / SEAT) as on:
            label = "逐个呼叫" if lines == 1 else f"同时 {lines} 路"
            name = f"demo {stamp} {lines}"
            done = run_campaign(cases, name, str(STRATEGY), lines, on.settings, processes=processes, label=label)
        if done.stopped:
            return False
        with open_store(on.settings) as store:
            rows = list(store.report_rows(done.batch_id))
        compared.append((lines, compare(rows, cast, datetime.now(zone).date())))
        _show_round(compared[-1], done, folder / f"lines-{lines}", by_people)
    matches = sum(c.match for _, cs in compared for c in cs)
    total = sum(len(cs) for _, cs in compared)
    console.print(f"\n[bold]{matches}/{total} 行一致[/bold]")
    console.print(f"机器人的录音与事件日志 {settings.data_home / 'calls'}\n债务人听到的 {folder}", soft_wrap=True)
    return matches == total


def _show_round(result: tuple[int, list[Compared]], done: BatchDone, records: Path, by_people: set[str]) -> None:
    """`by_people`: personas whom a person answers, so that the robot's response time is not about them."""
    lines, compared = result
    console.print(figures_table(done.figures))
    console.print(table_of(compared, f"{'逐个呼叫' if lines == 1 else f'同时 {lines} 路'}：要求与登记"))
    responses = [r.response_ms for m in measure_folder(records) if m.persona not in by_people for r in m.responses]
    if responses:
        console.print(
            f"响应时间（从债务人一侧的录音测得，{len(responses)} 轮）："
            f"p50 {percentile(responses, 50):.0f} ms，p95 {percentile(responses, 95):.0f} ms"
        )
    for who, said, heard in heard_each_other(read_record(p) for p in sorted(records.glob("*.json"))):
        console.print(
            f"[yellow]{who}[/yellow] 说：{escape(said)}\n[yellow]{who}[/yellow] 听到：{escape(heard)}", highlight=False
        )
    console.print(f"报表 {done.report_csv}", highlight=False, soft_wrap=True)
