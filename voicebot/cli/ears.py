"""`voicebot ears`: teach the recogniser the telephone and the trade; see what it gained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from dialogue.expectations import ANSWERS
from voicebot.cli.common import ConfigOption, fail, settings_or_fail, user_errors
from voicebot.intent.data import read_examples
from voicebot.settings import PROJECT_ROOT, Settings
from voicebot.speech.adapt import mouths
from voicebot.speech.asr.muggle import COMMON
from voicebot.speech.asr.words import count, write_words

if TYPE_CHECKING:
    from voicebot.speech.adapt import training

TURNS = PROJECT_ROOT / "models" / "intent" / "data" / "train"
WORDS = PROJECT_ROOT / "models" / "ears" / "words.npz"
MISHEARD = ("heard_on_the_line", "dialects_and_mishearings")  # turns as ears wrote them, not as people say them
MAX_CHARACTERS = 24  # longer turns cost more than they teach

app = typer.Typer(help="Teach the recogniser the telephone and the trade.", no_args_is_help=True)
out = Console(highlight=False)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="ears")


@app.command()
def speak(
    shards: Annotated[
        int, typer.Option("--shards", min=1, help=f"Of {mouths.SHARD} lines, about 6 minutes each.")
    ] = 24,
    seed: Annotated[int, typer.Option("--seed", help="Other seeds say other lines.")] = 1,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = 2,
    config: ConfigOption = None,
) -> None:
    """Render lines as debtors say them, by blended voices, for `voicebot ears train`. Goes on where it stopped.

    Needs: voicebot models pull kokoro-world. A shard takes about four minutes of one core.
    """
    settings = settings_or_fail(config)
    turns, answers = said()
    models = settings.data_home / "models"
    with user_errors(), Progress(console=out) as progress:
        task = progress.add_task("speaking", total=shards)
        folders = (models / "kokoro", models / "kokoro-world")
        for _ in mouths.render(folders, turns, answers, spoken_folder(settings), shards, seed, workers):
            progress.advance(task)


def spoken_folder(settings: Settings) -> Path:
    return settings.data_home / "ears" / "spoken"


def said() -> tuple[list[str], list[str]]:
    """What is spoken: training turns that are not too long, and the short answers that scripts expect."""
    turns = {e.text for e in read_examples(sorted(TURNS.glob("*.tsv"))) if len(e.text) <= MAX_CHARACTERS}
    answers = {a for some in ANSWERS.values() for a in some} | set(COMMON)
    return sorted(turns), sorted(answers)


@app.command()
def train(
    name: Annotated[str, typer.Option("--name", help="What the changes are called; `doctor` and logs show it.")],
    write: Annotated[Path, typer.Option("--out", help="File to write.", dir_okay=False)],
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Times the lines are learned.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of what chance decides.")] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 2,
    config: ConfigOption = None,
) -> None:
    """Learn from what `voicebot ears speak` has rendered; name the file in speech.asr_adaptation to use it.

    Some 20 minutes on 2 cores. Needs: pip install "voicebot[train]".
    """
    settings = settings_or_fail(config)
    try:
        from voicebot.speech.adapt import training
    except ImportError as e:
        fail(f'training needs {e.name}; install it with: pip install "voicebot[train]"')
    changes: dict[str, Any] = {k: v for k, v in (("epochs", epochs), ("seed", seed)) if v is not None}
    plan = training.Plan(threads=threads, **changes)
    shards = sorted(spoken_folder(settings).glob("*-????.npz"))
    with user_errors():
        training.train(
            shards,
            settings.data_home / "models" / "muggle",
            plan,
            _tell,
            # After every epoch: a training that is cut off has not been for nothing.
            lambda network: training.write(network, write, name, plan, (len(shards) - 1) * mouths.SHARD),
        )
    out.print(f"written: {write}")


@app.command()
def words(
    write: Annotated[Path, typer.Option("--out", help="File to write.", dir_okay=False)] = WORDS,
    own: Annotated[
        list[Path] | None, typer.Option("--own", help="Your own turns as well, in the form of `voicebot intent train`.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="What the file is called in logs.")] = "turns",
) -> None:
    """Count what customers say, for the recogniser to choose by; name the file in speech.asr_words to use it."""
    with user_errors():
        examples = read_examples([*sorted(TURNS.glob("*.tsv")), *(own or ())])
        turns = sorted({e.text for e in examples if e.origin not in MISHEARD})
        write_words(count(turns, name), write, {"turns": len(turns)})
    out.print(f"written: {write}, from {len(turns)} turns")


def _tell(p: training.Progress) -> None:
    out.print(
        f"epoch {p.epoch} of {p.epochs}: held out, {p.held_out_right:.1%} of the characters right, "
        f"loss {p.held_out_loss:.3f}; {p.seconds:.0f} s"
    )
