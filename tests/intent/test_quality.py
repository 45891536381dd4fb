"""The figures by which models are compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogue.acts import Act, primary_first
from voicebot.intent.quality import CRITICAL, assess
from voicebot.intent.report import worse

PAY, PART, HUMAN, CRISIS = (Act.PROMISE_PAY,), (Act.PROMISE_PARTIAL,), (Act.REQUEST_HUMAN,), (Act.CRISIS,)


def test_right_and_wrong_are_counted_by_first_act_and_by_all() -> None:
    meant = [PAY, PART, (Act.CRISIS, Act.REQUEST_HUMAN), HUMAN]
    answered = [PAY, PAY, (Act.CRISIS,), HUMAN]
    q = assess(meant, answered)
    assert q.primary == 3 / 4
    assert q.set_f1 == 2 * 3 / (5 + 4)
    assert q.confusions == ((Act.PROMISE_PARTIAL, Act.PROMISE_PAY, 1),)
    figures = {f.act: f for f in q.acts}
    assert (figures[Act.REQUEST_HUMAN].recall, figures[Act.REQUEST_HUMAN].support) == (0.5, 2)
    assert figures[Act.PROMISE_PAY].precision == 0.5
    assert q.critical_recall == 0.5


def test_confidence_is_held_against_what_came_true() -> None:
    q = assess([PAY] * 4, [PAY, PAY, PART, PART], [0.95, 0.95, 0.95, 0.15])
    assert [(b.turns, round(b.right, 2)) for b in q.calibration] == [(1, 0.0), (3, 0.67)]
    assert q.calibration_error == pytest.approx((3 * abs(0.95 - 2 / 3) + 0.15) / 4)


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 turns and 0 answers"):
        assess([], [])
    with pytest.raises(ValueError, match="1 turns and 2 answers"):
        assess([PAY], [PAY, PAY])


def test_a_model_that_loses_a_critical_act_is_worse_whatever_else_it_gains() -> None:
    old = assess([PAY, PART, CRISIS], [PAY, PAY, CRISIS])
    new = assess([PAY, PART, CRISIS], [PAY, PART, PAY])
    assert any("critical" in reason for reason in worse(new, old))
    assert worse(old, old) == []


turns = st.lists(st.sets(st.sampled_from(Act), min_size=1, max_size=3).map(primary_first), min_size=1, max_size=30)


@given(turns)
def test_whoever_answers_what_was_meant_is_perfect(meant: list[tuple[Act, ...]]) -> None:
    q = assess(meant, meant)
    assert q.primary == q.set_f1 == q.macro_f1 == q.critical_recall == 1.0
    assert all(f.recall == 1.0 for f in q.acts if f.act in CRITICAL)
