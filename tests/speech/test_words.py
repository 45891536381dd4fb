"""What customers say: estimates that sum to one, favour what was seen, and survive the file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot.settings import Speech
from voicebot.speech.asr.base import MissingWeights
from voicebot.speech.asr.words import END, count, read_words, write_words

TURNS = ["我明天还", "我明天再还", "我后天还", "明天还，行吗", "已经还了", "我已经还了", "我没钱"]


def p(model, before: str, after: str) -> float:
    return float(np.exp(model.log_p(model.places(before).tolist(), model.places([after]))[0]))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text("天还我明再了行", min_size=1, max_size=8), min_size=1, max_size=30),
    st.text("天还我明再了行", max_size=6),
)
def test_after_anything_the_next_character_is_one_of_those_seen_or_none_of_them(turns: list[str], before: str) -> None:
    model = count(turns, "t")
    before = "".join(c for c in before if c in model.characters)
    whole = np.exp(model.log_p(model.places(before).tolist(), np.arange(len(model.characters)))).sum()
    assert 0.5 < whole <= 1.0 + 1e-5  # the rest is for characters that were never seen


def test_what_was_seen_is_likelier_than_what_sounds_like_it() -> None:
    model = count(TURNS, "t")
    assert p(model, "我明天", "还") > 3 * p(model, "我明天", "了")
    assert p(model, "我已经还", "了") > p(model, "我已经还", END)
    assert p(model, "", "我") > p(model, "", "还")


def test_a_context_that_nobody_saw_falls_back_to_its_end() -> None:
    model = count(TURNS, "t")
    assert p(model, "钱明", "天") == pytest.approx(p(model, "了明", "天"))
    unknown = model.places("龘")
    assert unknown.tolist() == [-1]
    beyond = model.log_p([-1, *model.places("明")], model.places(["天"]))
    assert beyond == pytest.approx(model.log_p(model.places("钱明").tolist(), model.places(["天"])), abs=2.0)
    assert model.log_p([], unknown)[0] < model.log_p([], model.places(TURNS[0])).min()


def test_the_file_gives_the_same_model(tmp_path: Path) -> None:
    model, file = count(TURNS, "t"), tmp_path / "words.npz"
    write_words(model, file, {"turns": len(TURNS)})
    again = read_words(file)
    assert again.name == "t" and again.characters == model.characters
    every = np.arange(len(model.characters))
    before = model.places("我明").tolist()
    np.testing.assert_allclose(again.log_p(before, every), model.log_p(before, every), atol=0.01)
    assert [f.name for f in tmp_path.iterdir()] == ["words.npz"]
    with np.load(file) as z:
        assert json.loads(str(z["about"])) == {"name": "t", "turns": 7}


@pytest.mark.parametrize("content", [b"", b"not a zip", None])
def test_a_file_that_is_none_is_named_with_the_way_out(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "words.npz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(MissingWeights, match=r"words\.npz.*asr_words"):
        read_words(file)


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(ValueError, match="no turn"):
        count(["……", " "], "t")


def test_the_shipped_words_know_the_trade() -> None:
    file = Speech().asr_words
    assert file is not None
    model = read_words(file)
    assert p(model, "转人", "工") > 0.3
    assert p(model, "最低还", "款") > 0.3
