"""Pacing: never more than lines, never beyond the ceiling; checked against calls that are played out."""

from __future__ import annotations

import random
from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot.campaign.pacing import Situation, abandoned, predictive, progressive

situations = st.builds(
    Situation,
    free_lines=st.integers(0, 80),
    free_seats=st.integers(0, 30),
    busy_seats=st.integers(0, 30),
    ringing=st.integers(0, 30),
    answer_rate=st.floats(0, 1),
    mean_ring_s=st.floats(1, 40),
    mean_talk_s=st.floats(1, 300),
)


def test_progressive_leaves_nobody_without_a_seat() -> None:
    assert progressive(Situation(free_lines=10, free_seats=3)) == 3
    assert progressive(Situation(free_lines=2, free_seats=3)) == 2
    assert progressive(Situation(free_lines=10, free_seats=3, ringing=2)) == 1
    assert progressive(Situation(free_lines=10, free_seats=3, ringing=5)) == 0


@settings(deadline=None, max_examples=150)
@given(situations, st.sampled_from([0.0, 0.01, 0.03, 0.1]))
def test_predictive_dials_more_but_never_past_lines_or_ceiling(s: Situation, ceiling: float) -> None:
    dials = predictive(s, ceiling=ceiling)
    assert progressive(s) <= dials <= s.free_lines
    if dials > progressive(s):
        assert abandoned(s, dials) <= ceiling
        assert dials == s.free_lines or abandoned(s, dials + 1) > ceiling


@settings(deadline=None, max_examples=100)
@given(situations, st.floats(0, 1))
def test_who_answers_less_is_dialled_more(s: Situation, rate: float) -> None:
    rarer = Situation(
        s.free_lines, s.free_seats, s.busy_seats, s.ringing, s.answer_rate * rate, s.mean_ring_s, s.mean_talk_s
    )
    if rarer.answer_rate > 0:
        assert predictive(rarer) >= predictive(s)


def test_calls_that_are_played_out_agree_with_the_expectation() -> None:
    s = Situation(
        free_lines=60, free_seats=6, busy_seats=10, ringing=4, answer_rate=0.35, mean_ring_s=15, mean_talk_s=60
    )
    dials = predictive(s, ceiling=0.03)
    assert dials > progressive(s)
    chance = random.Random(4)
    answered = lost = 0
    freed = 1 - exp(-15 / 60)
    for _ in range(40_000):
        answers = sum(chance.random() < s.answer_rate for _ in range(s.ringing + dials))
        seats = s.free_seats + sum(chance.random() < freed for _ in range(s.busy_seats))
        answered += answers
        lost += max(0, answers - seats)
    assert lost / answered == pytest.approx(abandoned(s, dials), abs=0.003)
    assert lost / answered <= 0.033


def test_a_ceiling_is_a_share() -> None:
    with pytest.raises(ValueError, match="share"):
        predictive(Situation(1, 1), ceiling=3)
