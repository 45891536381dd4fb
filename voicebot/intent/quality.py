"""How well are turns understood? Figures over labelled turns: what was meant, what was answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dialogue.acts import Act

CRITICAL = (
    Act.CRISIS,
    Act.STOP_CALLING,
    Act.COMPLAINT,
    Act.REQUEST_HUMAN,
    Act.WRONG_PERSON,
    Act.THIRD_PARTY,
    Act.DISPUTE_DEBT,
)
"""Acts whose loss hurts somebody: missing one is worse than any confusion among the rest."""

Answers = Sequence[tuple[Act, ...]]


@dataclass(frozen=True, slots=True)
class ActFigures:
    """One act over all turns, wherever it stands in them. `support`: turns that have it."""

    act: Act
    precision: float
    recall: float
    support: int

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(frozen=True, slots=True)
class Bin:
    """Turns of similar confidence: how sure the understander was of them, and how often it was right."""

    turns: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Quality:
    """`primary`: share of turns with the right first act. `set_f1`: F1 over all acts of all turns together.
    `macro_f1`: mean over the acts. `critical_recall`: the worst recall among CRITICAL."""

    turns: int
    primary: float
    set_f1: float
    macro_f1: float
    critical_recall: float
    acts: tuple[ActFigures, ...]
    confusions: tuple[tuple[Act, Act, int], ...]  # meant, answered, how often; most often first
    calibration: tuple[Bin, ...] = ()

    @property
    def calibration_error(self) -> float:
        """Expected calibration error: mean distance between confidence and share right, weighted by turns."""
        return sum(b.turns * abs(b.confidence - b.right) for b in self.calibration) / max(1, self.turns)


def assess(meant: Answers, answered: Answers, confidence: Sequence[float] = ()) -> Quality:
    """Compare. Acts stand primary first in both; `confidence` of each answer, if there is one."""
    if not len(meant) == len(answered) or not meant:
        raise ValueError(f"{len(meant)} turns and {len(answered)} answers: expected as many of both, and some")
    pairs = list(zip(meant, answered, strict=True))
    hits = [m[0] is a[0] for m, a in pairs]
    figures = tuple(_figures(act, pairs) for act in Act)
    held = [f for f in figures if f.support]
    common = sum(len(set(m) & set(a)) for m, a in pairs)
    confused = Counter((m[0], a[0]) for m, a in pairs if m[0] is not a[0])
    return Quality(
        turns=len(pairs),
        primary=sum(hits) / len(hits),
        set_f1=2 * common / sum(len(set(m)) + len(set(a)) for m, a in pairs),
        macro_f1=sum(f.f1 for f in held) / len(held),
        critical_recall=min((f.recall for f in held if f.act in CRITICAL), default=1.0),
        acts=figures,
        confusions=tuple((m, a, n) for (m, a), n in confused.most_common()),
        calibration=_bins(hits, confidence) if confidence else (),
    )


def _figures(act: Act, pairs: Sequence[tuple[tuple[Act, ...], tuple[Act, ...]]]) -> ActFigures:
    meant = sum(act in m for m, _ in pairs)
    answered = sum(act in a for _, a in pairs)
    both = sum(act in m and act in a for m, a in pairs)
    return ActFigures(act, both / answered if answered else float(not meant), both / meant if meant else 1.0, meant)


def _bins(hits: Sequence[bool], confidence: Sequence[float], count: int = 10) -> tuple[Bin, ...]:
    found: list[list[int]] = [[] for _ in range(count)]
    for i, c in enumerate(confidence):
        found[min(count - 1, int(c * count))].append(i)
    return tuple(
        Bin(len(b), sum(confidence[i] for i in b) / len(b), sum(hits[i] for i in b) / len(b)) for b in found if b
    )
