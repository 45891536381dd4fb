"""Turns as numbers: the same for the same words, for any words."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from voicebot.intent.pieces import GRAMS, MAX_GRAMS, MAX_PIECES, UNKNOWN, Vocabulary, grams, spoken

WORDS = Vocabulary((("▁", -2.0), ("我", -3.0), ("明天", -4.0), ("还", -3.5), ("▁我", -3.0), ("明", -6.0), ("天", -6.0)))


def test_punctuation_width_and_case_are_no_difference() -> None:
    assert spoken("我，明天 还……ＡＢ？") == spoken("我明天还ab") == "我明天还ab"
    assert WORDS.encode("我，明天 还！") == WORDS.encode("我明天还")


def test_the_longest_likely_pieces_are_taken() -> None:
    names = ["<pad>", "<unk>", *(piece for piece, _ in WORDS.pieces)]
    assert [names[i] for i in WORDS.encode("我明天还")] == ["▁我", "明天", "还"]


def test_what_no_piece_covers_is_unknown_until_it_was_seen_in_training() -> None:
    assert UNKNOWN in WORDS.encode("我冇")
    learned = WORDS.with_characters(["冇钱", "冇", "俾"])
    assert UNKNOWN not in learned.encode("我冇")
    assert UNKNOWN in learned.encode("我俾"), "a character that was seen once is not learned"
    assert len(learned) == len(WORDS) + 1


def test_a_vocabulary_is_read_as_it_was_written(tmp_path: Path) -> None:
    WORDS.write(tmp_path / "pieces.tsv")
    assert Vocabulary.read(tmp_path / "pieces.tsv") == WORDS


def test_runs_know_what_was_asked() -> None:
    today, name = grams("好", "ask_pay_today"), grams("好", "verify_identity")
    assert set(today) != set(name)
    assert set(today) & set(name), "what was said counts whatever was asked"


@given(st.text(max_size=400))
def test_any_words_become_bounded_numbers(text: str) -> None:
    pieces, runs = WORDS.encode(text), grams(text, "none")
    assert 1 <= len(pieces) <= MAX_PIECES and all(0 < i < len(WORDS) for i in pieces)
    assert 1 <= len(runs) <= MAX_GRAMS and all(0 < i < GRAMS for i in runs)
    assert (pieces, runs) == (WORDS.encode(text), grams(text, "none"))
