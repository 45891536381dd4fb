"""`voicebot run`: call a file of cases."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape

from dialogue.rendering import all_fixed_clauses, case_clauses, day_clauses, likely_clauses
from voicebot.call.news import News, Observer
from voicebot.campaign.group import WorkerGroup
from voicebot.campaign.scripts import find_script
from voicebot.campaign.spec import WorkerSpec
from voicebot.cases import CaseFile
from voicebot.cli.common import ConfigOption, ScriptOption, console, errors, settings_or_fail, user_errors
from voicebot.cli.prepare import prepare_voice
from voicebot.cli.view import CallView
from voicebot.reports.batch import BatchFigures, figures_table, write_report
from voicebot.settings import Settings
from voicebot.store import BatchProgress, Store, open_store
from voicebot.strategy.loader import load_strategy
from voicebot.strategy.model import Means

SHOWN_ERRORS = 10
PREPARED_CASES = 16  # cases whose first lines are spoken before the first dial; the rest while the phones ring
PREPARED_CLAUSES = 10  # of each of them: greeting, facts, the readback's beginning
PREPARED_LIKELY = 4  # of each of the first `lines`: the readback's day and sum; later cases have the time of a call


@dataclass(frozen=True, slots=True)
class BatchDone:
    """What a batch left behind."""

    batch_id: int
    stopped: bool
    figures: BatchFigures
    report_csv: Path


def register(app: typer.Typer) -> None:
    @app.command()
    def run(
        cases: Annotated[Path, typer.Argument(help="Cases as CSV (examples/cases.csv shows the columns).")],
        script: ScriptOption = "m1_collection",
        lines: Annotated[int, typer.Option("--lines", help="Calls at the same time.", min=1)] = 1,
        round: Annotated[str, typer.Option("--round", help="Name of another round over the same file.")] = "",
        report: Annotated[Path | None, typer.Option("--report", help="Where the report CSV goes.")] = None,
        prepare: Annotated[bool, typer.Option(help="Speak all lines before the first dial.")] = True,
        config: ConfigOption = None,
    ) -> None:
        """Call a batch and report. Ctrl-C ends running calls politely; running it again goes on where it stopped."""
        settings = settings_or_fail(config)
        with user_errors():
            done = run_batch(cases, script, lines, settings, round=round, report=report, prepare=prepare)
        console.print(figures_table(done.figures))
        console.print(f"报表 {done.report_csv}", highlight=False, soft_wrap=True)
        if done.stopped:
            console.print("[yellow]已停止；再次运行同一命令，从停下的地方继续。[/yellow]")
            raise typer.Exit(130)


def run_batch(
    cases: Path,
    script_name: str,
    lines: int,
    settings: Settings,
    *,
    round: str = "",
    report: Path | None = None,
    label: str = "批次",
    prepare: bool = True,
    observer: Observer | None = None,
) -> BatchDone:
    """Load the file, call every case that is still open, report. Raises the errors of the parts it uses.

    `observer` gets every piece of news, beside the terminal.
    """
    with open_store(settings) as store:
        file = _case_file(cases, settings)
        name = find_script(script_name, settings).name
        loaded = store.load_batch(cases.name, file.sha256, name, file, round=round)
        _tell_rejects(file)
        progress = store.batch_progress(loaded.batch_id)
        if prepare and not progress.finished:
            _prepare(cases, script_name, lines, settings)
        work = WorkerSpec(lines, settings.model_dump_json(), loaded.batch_id, script_name)
        stopped = not progress.finished and _call(work, progress, label, observer)
        return _report(store, settings, loaded.batch_id, stopped, report)


def run_campaign(
    cases: Path,
    campaign: str,
    strategy: str,
    lines: int,
    settings: Settings,
    *,
    processes: int = 1,
    label: str = "活动",
    observer: Observer | None = None,
) -> BatchDone:
    """Load the file into a campaign of that name and call what its strategy wants called now. Raises the errors of the
    parts it uses."""
    scripts = {s.content for g in load_strategy(strategy).segments for s in g.steps if s.means is Means.VOICE}
    with open_store(settings) as store:
        file = _case_file(cases, settings)
        store.create_campaign(campaign, strategy)
        loaded = store.load_batch(cases.name, file.sha256, "", file, campaign=campaign)
        _tell_rejects(file)
        for script in sorted(scripts):
            _prepare(cases, script, lines, settings)
        work = WorkerSpec(lines, settings.model_dump_json(), campaign=campaign)
        stopped = _call(work, store.batch_progress(loaded.batch_id), label, observer, processes)
        return _report(store, settings, loaded.batch_id, stopped, None)


def _case_file(cases: Path, settings: Settings) -> CaseFile:
    today = datetime.now(ZoneInfo(settings.timezone)).date()
    return CaseFile(cases, today, settings.bank, settings.data_home / "rejects" / f"{cases.stem}.csv")


def _tell_rejects(file: CaseFile) -> None:
    for bad in file.errors[:SHOWN_ERRORS]:
        errors.print(f"[yellow]{escape(str(bad))}[/yellow]", highlight=False, soft_wrap=True)
    if file.rejected:
        errors.print(f"[yellow]{file.rejected} 行未导入，见 {file.rejects}[/yellow]", highlight=False, soft_wrap=True)


def _prepare(cases: Path, script_name: str, lines: int, settings: Settings) -> None:
    """Speak what will be needed first, before anybody's phone rings."""
    script, now = find_script(script_name, settings), datetime.now(ZoneInfo(settings.timezone))
    today = now.date()
    soon = [row.facts(today) for row in islice(CaseFile(cases, today, settings.bank), PREPARED_CASES)]
    own = [clause for case in soon for clause in case_clauses(script, case, now)[:PREPARED_CLAUSES]]
    own += [clause for case in soon[:lines] for clause in likely_clauses(script, case, now, PREPARED_LIKELY)]
    prepare_voice(settings, [*all_fixed_clauses(script), *own, *day_clauses(script, today)])


def _call(work: WorkerSpec, progress: BatchProgress, label: str, observer: Observer | None, processes: int = 1) -> bool:
    """True when it was stopped."""
    with CallView(console, total=progress.total, done=progress.done + progress.failed, label=label) as view:

        def show(news: News) -> None:
            view.show(news)
            if observer is not None:
                observer(news)

        return asyncio.run(drive(WorkerGroup(work, show, processes=processes)))


async def drive(group: WorkerGroup) -> bool:
    """Run the workers; True when Ctrl-C or SIGTERM stopped them."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        group.observer(News("", "trouble", text="正在礼貌结束通话……再按一次 Ctrl-C 立即结束"))
        group.stop()

    loop.add_signal_handler(signal.SIGINT, stop)
    loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        await group.run()
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGTERM)
    return group.stopping


def _report(store: Store, settings: Settings, batch_id: int, stopped: bool, path: Path | None) -> BatchDone:
    target = path or settings.data_home / "reports" / f"batch-{batch_id}.csv"
    return BatchDone(batch_id, stopped, write_report(store.report_rows(batch_id), target), target)
