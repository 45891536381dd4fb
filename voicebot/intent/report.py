"""How good is a model, for people to read: tables, a card for its folder, and which of two is the better."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from dialogue.acts import Act
from voicebot.intent.classifier import IntentClassifier
from voicebot.intent.data import Example
from voicebot.intent.quality import CRITICAL, Quality, assess

TOLERANCE = 0.003  # a model that is this much worse may be chance
SHOWN_CONFUSIONS = 15


def measure(classifier: IntentClassifier, turns: Sequence[Example]) -> Quality:
    """Let the model read every turn and compare."""
    decided = classifier.decide_all([(e.text, e.pending) for e in turns])
    return assess([e.acts for e in turns], [d.acts for d in decided], [d.confidence for d in decided])


def worse(candidate: Quality, current: Quality) -> list[str]:
    """In what the candidate falls behind the model in use; empty: it may take its place."""
    found = []
    for name, new, old in (
        ("primary act right", candidate.primary, current.primary),
        ("set F1", candidate.set_f1, current.set_f1),
        ("worst recall of a critical act", candidate.critical_recall, current.critical_recall),
    ):
        if new < old - TOLERANCE:
            found.append(f"{name}: {new:.3f}, the model in use has {old:.3f}")
    return found


def tables(quality: Quality, title: str) -> list[Table]:
    """Overview, every act, confusions, calibration."""
    return [_overview(quality, title), _acts(quality), _confusions(quality), _calibration(quality)]


def _overview(q: Quality, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("turns", "primary right", "set F1", "macro F1", "worst critical recall", "calibration error"):
        table.add_column(column, justify="right")
    figures = (q.primary, q.set_f1, q.macro_f1, q.critical_recall, q.calibration_error)
    table.add_row(str(q.turns), *(f"{f:.3f}" for f in figures))
    return table


def _acts(q: Quality) -> Table:
    table = Table(title="every act, wherever it stands in a turn (* critical)", title_justify="left")
    table.add_column("act")
    for column in ("turns", "precision", "recall", "F1"):
        table.add_column(column, justify="right")
    for f in q.acts:
        name = f"{f.act} *" if f.act in CRITICAL else str(f.act)
        table.add_row(name, str(f.support), f"{f.precision:.3f}", f"{f.recall:.3f}", f"{f.f1:.3f}")
    return table


def _confusions(q: Quality) -> Table:
    table = Table(title="first act taken for another, most often first", title_justify="left")
    for column in ("meant", "answered", "turns"):
        table.add_column(column, justify="right" if column == "turns" else "left")
    for meant, answered, n in q.confusions[:SHOWN_CONFUSIONS]:
        table.add_row(meant, answered, str(n))
    return table


def _calibration(q: Quality) -> Table:
    table = Table(title="calibration: how sure, and how often right", title_justify="left")
    for column in ("confidence", "turns", "right", ""):
        table.add_column(column, justify="left" if not column else "right")
    for b in q.calibration:
        table.add_row(f"{b.confidence:.2f}", str(b.turns), f"{b.right:.2f}", "█" * round(b.right * 20))
    return table


def write_card(folder: Path, q: Quality, facts: dict[str, object]) -> None:
    """README.md of a model's folder: what it is, what it was trained on, how good it is, how to make it again."""
    rows = "\n".join(
        f"| {f.act}{' *' if f.act in CRITICAL else ''} | {f.support} | {f.precision:.3f} | {f.recall:.3f} |"
        for f in q.acts
        if f.support
    )
    confused = "\n".join(f"| {m} | {a} | {n} |" for m, a, n in q.confusions[:SHOWN_CONFUSIONS])
    bins = "\n".join(f"| {b.confidence:.2f} | {b.turns} | {b.right:.2f} |" for b in q.calibration)
    facts_rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    (folder / "CARD.md").write_text(
        f"""# Intent classifier

Reads one spoken turn of a customer in the light of the robot's question and says which of {len(Act)} acts it carries.
Written by `voicebot intent train`; the figures are of the int8 file beside this card.

| | |
|---|---|
{facts_rows}

Licence: GPL-3.0-or-later as the project; the embedding and the n-gram convolutions start from Google's Universal
Sentence Encoder, multilingual 3 (Apache-2.0).

## On the test set, {q.turns} turns that never train

| primary act right | set F1 | macro F1 | worst recall of a critical act | calibration error |
|---|---|---|---|---|
| {q.primary:.3f} | {q.set_f1:.3f} | {q.macro_f1:.3f} | {q.critical_recall:.3f} | {q.calibration_error:.3f} |

| act (* critical) | turns | precision | recall |
|---|---|---|---|
{rows}

| meant | answered | turns |
|---|---|---|
{confused}

| confidence | turns | right |
|---|---|---|
{bins}

## Train it again

    pip install "voicebot[train]"
    voicebot models pull use-multilingual
    voicebot intent train            # --add FILE.tsv for a bank's own turns

Not for: other languages, written text, deciding anything about a person. It errs; the dialogue reads promises back
and gives hard turns to people.
""",
        "utf-8",
    )
