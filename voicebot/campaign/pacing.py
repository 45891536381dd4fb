"""How many calls may be begun now? Pure: the numbers of this moment in, a number of dials out.

Progressive: one dial per free line, and where a person must take over, per free seat. Predictive: more dials than
seats, because not everybody answers and seats become free while phones ring, but never so many that more than the
ceiling of those who answer would find no seat. A robot's own lines need no prediction: who answers is talked to by the
machine that dialled; it is for campaigns whose calls go to people.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp


@dataclass(frozen=True, slots=True)
class Situation:
    """Counts of this moment; `answer_rate` and `mean_*_s` as measured of late (answers per dial, seconds)."""

    free_lines: int
    free_seats: int
    busy_seats: int = 0
    ringing: int = 0
    answer_rate: float = 1.0
    mean_ring_s: float = 20.0
    mean_talk_s: float = 60.0


LONGEST_LOOK = 400
"""Dials beyond the free seats that are tried out; no site has more seats free at once than this."""


def progressive(s: Situation) -> int:
    """Dials to begin so that everybody who answers finds a line and a seat, whatever happens."""
    return max(0, min(s.free_lines, s.free_seats - s.ringing))


def predictive(s: Situation, *, ceiling: float = 0.03) -> int:
    """Dials to begin so that, of those who answer, at most the share `ceiling` is expected to find no seat.

    Answers are taken as independent, seats as freed at random while a phone rings. Without figures (an answer rate of
    0) it is as careful as `progressive`. Raises ValueError for a ceiling that is no share.
    """
    if not 0 <= ceiling < 1:
        raise ValueError(f"ceiling {ceiling}: a share of those who answer expected, from 0 to less than 1")
    careful = progressive(s)
    rate = min(1.0, s.answer_rate)
    if rate <= 0 or ceiling == 0:
        return careful
    best = careful
    for dials in range(careful + 1, min(s.free_lines, careful + LONGEST_LOOK) + 1):
        if abandoned(s, dials) > ceiling:
            break
        best = dials
    return best


def abandoned(s: Situation, dials: int) -> float:
    """Of those who answer when so many more are dialled, the share expected to find no seat."""
    rate = min(1.0, max(0.0, s.answer_rate))
    calls = s.ringing + dials
    expected = calls * rate
    if expected == 0:
        return 0.0
    freed = _freed(s)
    answers = _binomial(calls, rate)
    seats = _shifted(_binomial(s.busy_seats, freed), s.free_seats)
    lost = sum(p * q * (n - k) for n, p in enumerate(answers) if p > 0 for k, q in enumerate(seats) if q > 0 and n > k)
    return lost / expected


def _freed(s: Situation) -> float:
    """How likely a busy seat is free again by the time that a phone which rings now is answered."""
    return 1 - exp(-s.mean_ring_s / s.mean_talk_s) if s.mean_talk_s > 0 else 1.0


def _binomial(n: int, p: float) -> list[float]:
    """Probabilities of 0..n successes, by convolution: exact enough for every n that occurs, and never overflowing."""
    found = [1.0]
    for _ in range(n):
        longer = [0.0] * (len(found) + 1)
        for i, x in enumerate(found):
            longer[i] += x * (1 - p)
            longer[i + 1] += x * p
        found = longer
    return found


def _shifted(distribution: list[float], by: int) -> list[float]:
    return [0.0] * max(0, by) + distribution
