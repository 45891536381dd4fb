"""Noise for training: the same for the same seed, never nothing, near in sound."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from pypinyin import lazy_pinyin

from voicebot.intent import noise

TURN = "先还五百五剩下的宽我半个月"


def spoiled(seed: int) -> list[str]:
    chance = random.Random(seed)
    return [noise.spoil(TURN, chance) for _ in range(200)]


def test_a_seed_decides_everything_and_about_half_stays_as_it_was() -> None:
    assert spoiled(1) == spoiled(1) != spoiled(2)
    assert 60 <= sum(TURN in text for text in spoiled(1)) <= 150


def test_misheard_characters_sound_the_same_or_nearly() -> None:
    changed = [t for t in spoiled(3) if len(t) == len(TURN) and t != TURN]
    pairs = [(a, b) for t in changed for a, b in zip(TURN, t, strict=True) if a != b]
    same = sum(lazy_pinyin(a) == lazy_pinyin(b) for a, b in pairs)
    assert len(pairs) > 50 and 0.4 < same / len(pairs) < 0.9


@given(st.text(min_size=1, max_size=40), st.integers(0, 1000))
def test_any_turn_can_be_spoiled_and_something_is_left(text: str, seed: int) -> None:
    assert noise.spoil(text, random.Random(seed))
    begun = noise.beginning(text, random.Random(seed))
    assert begun is None or (text.startswith(begun) and 0 < len(begun) < len(text))
