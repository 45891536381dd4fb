"""`voicebot intent`: train, measure and install the classifier that reads what customers mean."""

from __future__ import annotations

import difflib
import hashlib
import random
import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from voicebot.cli.common import ConfigOption, fail, settings_or_fail, user_errors
from voicebot.intent.classifier import FACTS, NETWORK, PIECES, IntentClassifier
from voicebot.intent.data import Example, read_examples, read_test_turns
from voicebot.intent.ending import ENDING
from voicebot.intent.ending import learn as learn_ending
from voicebot.intent.pieces import spoken
from voicebot.intent.report import measure, tables, worse, write_card
from voicebot.settings import PROJECT_ROOT, Settings

DATA = PROJECT_ROOT / "models" / "intent" / "data"
BASE = "use-multilingual"
HEARD_OVER_DB = (None, 20.0, 15.0, 15.0)  # the babble around a turn, in dB under it; None: a quiet room
SHORTEST = 3  # characters; a shorter turn that was misheard may mean anything
RECOGNISABLE = 0.5  # share of a turn that must have come through
MAX_SPOKEN = 24  # characters
FILES = (NETWORK, PIECES, ENDING, FACTS, "CARD.md")

app = typer.Typer(help="The classifier that reads what customers mean: train, measure, install.", no_args_is_help=True)
out = Console(highlight=False)

TestOption = Annotated[
    list[Path] | None, typer.Option("--test", help="Test turns (TSV); the shipped ones if not given.")
]


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="intent")


@app.command()
def train(
    add: Annotated[
        list[Path] | None, typer.Option("--add", help="Your own labelled turns: pending, acts, text between tabs.")
    ] = None,
    weight: Annotated[float, typer.Option("--weight", help="How much one of your own turns counts.")] = 2.0,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Times the data is learned.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed gives another, equally good model.")] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu or cuda; a CUDA device if there is one and nothing is given.")
    ] = None,
    test: TestOption = None,
    install_it: Annotated[
        bool, typer.Option("--install/--no-install", help="Put it in use when it is not worse than the model in use.")
    ] = True,
    config: ConfigOption = None,
) -> None:
    """Train a model on the shipped turns and your own, measure it, and put it in use unless it is worse.

    Takes three quarters of an hour on 2 cores, minutes on a GPU.

    Needs: pip install "voicebot[train]", and voicebot models pull use-multilingual.
    """
    settings = settings_or_fail(config)
    try:
        from voicebot.intent import training
    except ImportError as e:
        fail(f'training needs {e.name}; install it with: pip install "voicebot[train]"')
    from voicebot.intent.base import read_base

    base_folder = settings.data_home / "models" / BASE
    if not (base_folder / "weights.npz").is_file():
        fail(f"{base_folder}: the encoder to start from is not there; fetch it with: voicebot models pull {BASE}")
    with user_errors():
        own = [Example(e.pending, e.acts, e.text, e.origin, weight) for e in read_examples(add or [])]
        shipped = read_examples(sorted((DATA / "train").glob("*.tsv")))
        turns = _test_turns(test)
    examples = _without(shipped, own) + own
    changes: dict[str, object] = {k: v for k, v in (("epochs", epochs), ("seed", seed)) if v is not None}
    plan = training.Plan(device=_device_or_fail(device), **changes)  # type: ignore[arg-type]
    out.print(
        f"{len(examples)} turns ({len(own)} of your own), {plan.epochs} epochs, seed {plan.seed}, on {plan.device}"
    )
    trained = training.train(examples, read_base(base_folder), plan, _tell)
    candidate = settings.data_home / "intent" / f"{datetime.now():%Y%m%d-%H%M%S}"
    facts: dict[str, object] = {
        "trained on": f"{len(examples)} turns, {len({e.text for e in examples})} different",
        "own turns": len(own),
        "data": _digest(examples),
        "epochs": plan.epochs,
        "seed": plan.seed,
        "device": plan.device,
    }
    trained.write(candidate, {"facts": facts})
    quality = measure(IntentClassifier(candidate), turns)
    facts["size"] = f"{sum((candidate / f).stat().st_size for f in (NETWORK, PIECES, ENDING)) / 1e6:.1f} MB"
    write_card(candidate, quality, facts)
    for table in tables(quality, str(candidate)):
        out.print(table)
    if install_it:
        _install(candidate, settings, turns, anyway=False)


@app.command()
def ending(
    folder: Annotated[Path | None, typer.Argument(help="A model's folder; the model in use if none.")] = None,
    add: Annotated[list[Path] | None, typer.Option("--add", help="Your own labelled turns.")] = None,
    config: ConfigOption = None,
) -> None:
    """Learn anew where turns end and where people only draw breath; the acts stay as they are. A minute on 2 cores.

    Part of `voicebot intent train`. Needs: pip install "voicebot[train]".
    """
    settings = settings_or_fail(config)
    try:
        import torch  # noqa: F401
    except ImportError as e:
        fail(f'training needs {e.name}; install it with: pip install "voicebot[train]"')
    with user_errors():
        own = read_examples(add or [])
        examples = _without(read_examples(sorted((DATA / "train").glob("*.tsv"))), own) + own
    where = folder or settings.understanding.model
    if not (where / NETWORK).is_file():
        fail(f"{where}: no intent model is there; train one with: voicebot intent train")
    learn_ending(examples).write(where)
    out.print(f"Learned from {len(examples)} turns: {where / ENDING}")


@app.command()
def hear(
    out_file: Annotated[Path, typer.Option("--out", "-o", help="Where to write the turns as they were heard (TSV).")],
    data: Annotated[list[Path] | None, typer.Argument(help="Labelled turns (TSV); the shipped ones if none.")] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="How many of them, chosen by the seed.")] = 1000,
    seed: Annotated[int, typer.Option("--seed")] = 1,
    part: Annotated[str, typer.Option("--part", help="1/2: only every other of them, for two processes.")] = "1/1",
    rendered: Annotated[
        Path | None, typer.Option("--rendered", help="Folder of lines that `voicebot ears speak` spoke: all of these.")
    ] = None,
    times: Annotated[int, typer.Option("--times", min=1, help="With --rendered: telephones for each line.")] = 2,
    config: ConfigOption = None,
) -> None:
    """Speak labelled turns with several voices, send them through G.711 and babble, write what the ears make of them.

    Turns that came back unharmed, too short, beyond recognition, or as something that is labelled already are left out.
    Two seconds a turn and core; a tenth of that for lines that are rendered already.
    """
    from voicebot.intent.hearing import rendered_and_heard, spoken_and_heard
    from voicebot.speech.asr import make_asr

    settings = settings_or_fail(config)
    if not (named := re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", part)) or int(named[1]) > int(named[2]):
        fail(f"--part {part}: expected which of how many, like 1/2")
    which, of = int(named[1]), int(named[2])
    with user_errors():
        examples = read_examples(data or sorted((DATA / "train").glob("*.tsv")))
        ear = make_asr(settings)
    pairs: Iterator[tuple[Example, str]]
    if rendered is not None:
        if not (shards := sorted(rendered.glob("*-????.npz"))[which - 1 :: of]):
            fail(f"--rendered {rendered}: no shards there; make some with: voicebot ears speak")
        pairs = rendered_and_heard(shards, ear, examples, times, seed)
    else:
        mixed = random.Random(seed).sample(examples, len(examples))
        chosen = [e for e in mixed if 2 <= len(spoken(e.text)) <= MAX_SPOKEN][:count][which - 1 :: of]
        turns = [(e.text, e.pending) for e in chosen]
        answers = spoken_and_heard(settings, ear, turns, HEARD_OVER_DB)
        pairs = ((e, h.text) for e, h in zip(chosen, answers, strict=True))
    # What is labelled already, here or by an earlier line, keeps its label.
    labels = {(e.pending, spoken(e.text)) for e in examples}
    kept = total = 0
    with user_errors(), out_file.open("w", encoding="utf-8") as file:
        for e, heard in pairs:
            total += 1
            likeness = difflib.SequenceMatcher(None, spoken(e.text), heard, autojunk=False).ratio()
            if len(heard) >= SHORTEST and likeness >= RECOGNISABLE and (e.pending, heard) not in labels:
                labels.add((e.pending, heard))
                file.write(f"{e.pending}\t{','.join(e.acts)}\t{heard}\n")
                file.flush()
                kept += 1
    out.print(f"{kept} of {total} texts came back changed and recognisable: {out_file}")


@app.command()
def report(
    model: Annotated[
        Path | None, typer.Option("--model", help="Folder of a model; the one in use if not given.")
    ] = None,
    test: TestOption = None,
    wrong: Annotated[bool, typer.Option("--wrong", help="List every turn that was read wrongly.")] = False,
    config: ConfigOption = None,
) -> None:
    """Measure a model: overview, precision and recall of every act, confusions, calibration."""
    settings = settings_or_fail(config)
    folder = model or settings.understanding.model
    with user_errors():
        turns = _test_turns(test)
        classifier = IntentClassifier(folder)
    for table in tables(measure(classifier, turns), f"{folder} ({classifier.name})"):
        out.print(table)
    if wrong:
        for turn, decided in zip(turns, classifier.decide_all([(e.text, e.pending) for e in turns]), strict=True):
            if turn.acts[0] is not decided.acts[0]:
                meant, answered = ",".join(turn.acts), ",".join(decided.acts)
                out.print(f"{turn.pending}  {turn.text}  {meant} -> {answered} {decided.confidence:.2f}")


@app.command()
def install(
    folder: Annotated[Path, typer.Argument(help="The folder that `voicebot intent train` wrote.")],
    anyway: Annotated[bool, typer.Option("--anyway", help="Even when it is worse than the model in use.")] = False,
    test: TestOption = None,
    config: ConfigOption = None,
) -> None:
    """Put a trained model in use. One that is worse than the model in use is held back."""
    settings = settings_or_fail(config)
    with user_errors():
        IntentClassifier(folder)
        _install(folder, settings, _test_turns(test), anyway)


def _install(candidate: Path, settings: Settings, turns: list[Example], anyway: bool) -> None:
    in_use = settings.understanding.model
    if (in_use / NETWORK).is_file() and not anyway:
        with user_errors():
            reasons = worse(measure(IntentClassifier(candidate), turns), measure(IntentClassifier(in_use), turns))
        if reasons:
            for reason in reasons:
                out.print(f"[yellow]worse[/] {reason}")
            out.print(f"Held back. To use it all the same: voicebot intent install {candidate} --anyway")
            raise typer.Exit(1)
    in_use.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if (candidate / name).is_file():
            fresh = in_use / f"{name}.new"
            shutil.copyfile(candidate / name, fresh)
            fresh.replace(in_use / name)
    out.print(f"In use: {in_use}")


def _device_or_fail(asked: str | None) -> str:
    """The device to train on. Needs the training extra."""
    import torch

    there = torch.cuda.is_available()
    if asked not in (None, "cpu", "cuda"):
        fail(f"--device {asked}: cpu or cuda")
    if asked == "cuda" and not there:
        fail("--device cuda: torch finds no CUDA device here; leave it out to train on the processor")
    return asked or ("cuda" if there else "cpu")


def _test_turns(files: list[Path] | None) -> list[Example]:
    turns = read_test_turns(files or sorted((DATA / "test").glob("*.tsv")))
    if not turns:
        fail("no test turns; name a file with --test")
    return [turn.example for turn in turns]


def _without(shipped: list[Example], own: list[Example]) -> list[Example]:
    """A bank's own label of a turn stands against the shipped one."""
    named = {(e.pending, e.text) for e in own}
    return [e for e in shipped if (e.pending, e.text) not in named]


def _digest(examples: list[Example]) -> str:
    lines = sorted(f"{e.pending}\t{','.join(e.acts)}\t{e.text}\t{e.weight}" for e in examples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _tell(progress: object) -> None:
    from voicebot.intent.training import Progress

    assert isinstance(progress, Progress)
    out.print(
        f"epoch {progress.epoch}/{progress.epochs}  loss {progress.loss:.3f}  "
        f"held out {progress.held_out_primary:.3f}  {progress.seconds:.0f} s"
    )
