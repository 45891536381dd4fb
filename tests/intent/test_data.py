"""Labelled turns: what is read, and what a wrong line is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialogue.acts import Act, Pending
from voicebot.intent.data import DataError, read_examples, read_test_turns
from voicebot.settings import PROJECT_ROOT

DATA = PROJECT_ROOT / "models" / "intent" / "data"


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_turns_are_read_in_order_and_once(tmp_path: Path) -> None:
    file = write(
        tmp_path / "own.tsv",
        "# our branch in Jinan",
        "",
        "ask_pay_today\tpromise_pay\t下午我转过去",
        "ask_pay_today\tpromise_pay\t下午我转过去",
        "none\tstop_calling,complaint\t再打我找12378",
    )
    first, second = read_examples([file])
    assert (first.pending, first.acts, first.text) == (Pending.ASK_PAY_TODAY, (Act.PROMISE_PAY,), "下午我转过去")
    assert second.acts == (Act.STOP_CALLING, Act.COMPLAINT) and second.origin == "own"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ask_pay_today\tpromise_pay", "2 fields between tabs, 3 expected"),
        ("ask_pay_now\tpromise_pay\t好", "'ask_pay_now' is no pending question"),
        ("none\tpromise\t好", "'promise' is no act"),
        ("none\thardship,promise_pay\t没钱周五还", "not in the contract's order; write promise_pay,hardship"),
        ("none\tpromise_pay\t ", "1 to 120 characters"),
        ("none\tpromise_pay\t" + "好" * 121, "1 to 120 characters, this one 121"),
    ],
)
def test_a_wrong_line_is_named_with_the_way_out(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError) as e:
        read_examples([write(tmp_path / "own.tsv", "none\taffirm\t好", line)])
    assert message in str(e.value) and "own.tsv:2" in str(e.value)


def test_two_labels_for_one_turn_are_a_contradiction(tmp_path: Path) -> None:
    one = write(tmp_path / "one.tsv", "none\taffirm\t好")
    two = write(tmp_path / "two.tsv", "none\tacknowledge\t好")
    with pytest.raises(DataError, match=r"two\.tsv:1.*acknowledge, but affirm at .*one\.tsv:1"):
        read_examples([one, two])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.tsv: cannot be read"):
        read_examples([tmp_path / "gone.tsv"])


def test_test_turns_carry_question_and_values(tmp_path: Path) -> None:
    file = write(tmp_path / "t.tsv", 'ask_pay_date\t您看哪天\tpromise_pay\t周五\t{"pay_date": "2026-11-20"}')
    [turn] = read_test_turns([file])
    assert (turn.question, turn.slots) == ("您看哪天", {"pay_date": "2026-11-20"})
    with pytest.raises(DataError, match="no JSON object"):
        read_test_turns([write(tmp_path / "t.tsv", "none\tq\taffirm\t好\t{")])
    with pytest.raises(DataError, match="unknown slot 'date'"):
        read_test_turns([write(tmp_path / "t.tsv", 'none\tq\taffirm\t好\t{"date": "x"}')])


def test_the_shipped_turns_are_many_of_every_act_and_none_is_a_test_turn() -> None:
    train = read_examples(sorted((DATA / "train").glob("*.tsv")))
    test = [t.example for t in read_test_turns(sorted((DATA / "test").glob("*.tsv")))]
    assert len({e.text for e in train}) >= 12_000
    assert len(test) >= 1_000
    for act in Act:
        assert sum(act in e.acts for e in train) >= 150, act
    # What is longer than a common answer of a word or two would be a copy.
    longer = {e.text for e in test if len(e.text) > 8}
    assert not longer & {e.text for e in train}
