"""`voicebot models`: where every weight comes from, its licence and cost; fetch it, check it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

from voicebot.settings import SettingsError, load_settings
from voicebot.weights import Finding, Model, Weights, WeightsError

models = typer.Typer(
    help="The weights behind ears and voice: where they come from, their licence and cost.",
    no_args_is_help=True,
)
out = Console()

Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file (else VOICEBOT_CONFIG, else the defaults).")
]


def register(app: typer.Typer) -> None:
    app.add_typer(models, name="models")


@models.command("list")
def list_models(config: Config = None) -> None:
    """Show every model: its source, licence, size and cost, and whether it is here."""
    weights = _weights(config)
    table = Table(title=f"Weights under {weights.folder}", title_justify="left")
    for heading in ("model", "licence", "MB", "RAM MB", "RTF", "here"):
        table.add_column(heading, justify="right" if heading in ("MB", "RAM MB", "RTF") else "left", no_wrap=True)
    for name, model in weights.manifest.models.items():
        table.add_row(
            f"{name} *" if model.default else name,
            model.licence,
            str(model.download_bytes // 1_000_000) if model.packages else "-",
            str(model.ram_mb),
            f"{model.rtf:g}",
            _state(weights.inspect(name, hashes=False)),
        )
    out.print(table)
    out.print("* fetched by `voicebot models pull` without names. RTF: CPU seconds per second of audio, one core.\n")
    for name, model in weights.manifest.models.items():
        out.print(f"[bold]{name}[/]: {model.purpose}. {_source(model, weights.path(name))} {model.licence_note}")


@models.command()
def pull(
    names: Annotated[list[str] | None, typer.Argument(help="Models to fetch; none: the default set.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that a registry carries.")] = False,
    offline: Annotated[
        Path | None,
        typer.Option(
            help="Take the package files from this folder instead of a registry.", exists=True, file_okay=False
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Fetch weights through pip and npm (your own mirrors apply), check every hash, install."""
    weights = _weights(config)
    wanted = list(names or weights.manifest.defaults)
    if everything:
        wanted = [name for name, model in weights.manifest.models.items() if model.bring_your_own is None]
    failed = 0
    with _Bars() as bars:
        for name in wanted:
            try:
                weights.pull(name, offline=offline, watcher=bars)
            except WeightsError as e:
                failed += 1
                bars.fail(name)
                typer.echo(f"voicebot models: {e}", err=True)
    if failed:
        raise typer.Exit(2)
    weights.tidy()


@models.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Models to check; none: all that are here.")] = None,
    config: Config = None,
) -> None:
    """Compute the hash of every file and compare it with the manifest. Exit code 2 when something is wrong."""
    weights = _weights(config)
    bad = 0
    try:
        findings = [weights.inspect(name) for name in names or weights.manifest.models]
    except WeightsError as e:
        raise _stop(e) from e
    for finding in findings:
        name, asked = finding.model.name, bool(names) or finding.model.default
        if finding.present:
            out.print(f"[green]ok[/]       {name}  {finding.folder}", soft_wrap=True)
        elif finding.problem or asked:
            bad += 1
            problem = finding.problem or f"not here; run `voicebot models pull {name}`"
            typer.echo(f"BAD      {name}  {problem}", err=True)
        else:
            out.print(f"[dim]absent   {name}  (not in the default set)[/]")
    if bad:
        raise typer.Exit(2)


class _Bars:
    """PullWatcher on the terminal: one bar per model."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("{task.fields[note]}"),
            console=out,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def start(self, model: Model) -> None:
        self._tasks[model.name] = self._progress.add_task(model.name, total=model.download_bytes, note="")

    def fetched(self, model: Model, done_bytes: int) -> None:
        self._progress.update(self._tasks[model.name], completed=done_bytes, note="fetching")

    def unpacking(self, model: Model) -> None:
        self._progress.update(self._tasks[model.name], note="unpacking, checking")

    def fail(self, name: str) -> None:
        if name in self._tasks:
            self._progress.update(self._tasks[name], note="[red]failed[/]")

    def finish(self, model: Model, *, already_there: bool) -> None:
        note = "already here" if already_there else "installed"
        self._progress.update(self._tasks[model.name], completed=model.download_bytes, note=note)


def _weights(config: Path | None) -> Weights:
    try:
        return Weights(load_settings(config).data_home)
    except (SettingsError, WeightsError) as e:
        raise _stop(e) from e


def _stop(error: Exception) -> typer.Exit:
    typer.echo(f"voicebot models: {error}", err=True)
    return typer.Exit(2)


def _source(model: Model, folder: Path) -> str:
    if model.bring_your_own is not None:
        return model.bring_your_own.format(folder=folder)
    registry = {"npm": "npm", "pypi-wheel": "PyPI", "pypi-sdist": "PyPI"}
    packages = ", ".join(f"{registry[p.kind]} {p.name} {p.version}" for p in model.packages.values())
    extra = f", engine: pip install 'voicebot\\[{model.extra}]'" if model.extra else ""
    return f"From {packages}{extra}."


def _state(finding: Finding) -> str:
    if finding.present:
        return "[green]yes[/]"
    return "[red]broken[/]" if finding.problem else "no"
