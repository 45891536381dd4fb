"""Search over a network small enough to reason about: which text wins, and what an expected phrase changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.speech.asr.search import END_LOG_P, Decoded, PhraseTrie, as_ids, beam_search, greedy, score_answers

SIZE = 30


@dataclass(frozen=True)
class Told:
    """A past that only remembers the texts."""

    texts: tuple[tuple[int, ...], ...]

    def pick(self, rows: list[int]) -> Told:
        return Told(tuple(self.texts[r] for r in rows))


class Table:
    """A network that is a table: log-probabilities of the next character, given the characters so far."""

    eos = 0
    unspoken = (1, 2)

    def __init__(self, table: dict[tuple[int, ...], dict[int, float]]) -> None:
        self._table = table

    def start(self, batch: int) -> Told:
        return Told(((),) * batch)

    def step(self, characters, past):
        rows, texts = [], []
        for fed, before in zip(characters.tolist(), past.texts, strict=True):
            row, text = [], before
            for c in fed:
                text = text if c == self.eos else (*text, c)
                row.append(self._next(text))
            rows.append(row)
            texts.append(text)
        return np.log(np.array(rows, np.float32)), Told(tuple(texts))

    def _next(self, text):
        known = self._table.get(text, {0: 0.97})
        rest = (1.0 - sum(known.values())) / (SIZE - len(known))
        return [known.get(c, rest) for c in range(SIZE)]


NET = Table({(): {5: 0.6, 6: 0.3}, (5,): {7: 0.9}, (6,): {8: 0.9}, (5, 7): {0: 0.9}, (6, 8): {0: 0.9}})


def test_greedy_takes_the_likeliest_character_at_every_step():
    found = greedy(NET, 10)
    assert found.ids == (5, 7)
    assert found.log_p == pytest.approx(np.log(0.6 * 0.9 * 0.9), abs=1e-3)


def test_greedy_stops_at_the_length_allowed():
    endless = Table({(9,) * n: {9: 0.9} for n in range(20)})
    assert greedy(endless, 4).ids == (9,) * 5


def test_what_is_never_spoken_is_never_heard():
    assert greedy(Table({(): {1: 0.9, 5: 0.05}}), 5).ids == (5,)


def test_answers_are_scored_as_wholes():
    first, second, part = score_answers(NET, [(5, 7), (6, 8), (5,)])
    assert first.log_p == pytest.approx(np.log(0.6 * 0.9 * 0.9), abs=1e-3)
    assert second.log_p == pytest.approx(np.log(0.3 * 0.9 * 0.9), abs=1e-3)
    assert part.log_p < first.log_p - 3


def test_an_answer_that_cannot_reach_the_floor_is_not_scored():
    every = score_answers(NET, [(5, 7), (6, 8), (9,)])
    some = score_answers(NET, [(5, 7), (6, 8), (9,)], floor=-2.0)
    assert some == [every[0], every[1], None]
    assert score_answers(NET, [(9,)], floor=-2.0) == [None]


def test_no_answers_no_scores():
    assert score_answers(NET, []) == []


def best_of(*args) -> Decoded:
    return beam_search(*args)[0].decoded


class ShortIsLikely:
    """Words that end at once are far likelier than any that go on."""

    def log_p(self, before, candidates):
        return np.where(candidates == Table.eos, 0.0, -30.0).astype(np.float32)


def test_likely_words_end_no_text_where_the_network_hears_no_end():
    found = beam_search(NET, 10, PhraseTrie([]), ShortIsLikely())
    assert (5,) not in {s.decoded.ids for s in found}
    assert all(s.decoded.log_ps[-1] >= END_LOG_P for s in found)


def test_a_beam_finds_words_where_the_network_hears_some():
    table = Table({(): {0: 0.5, 5: 0.4}, (5,): {0: 0.9}})
    assert all(s.decoded.ids for s in beam_search(table, 10, PhraseTrie([]), ShortIsLikely()))


def test_without_phrases_the_beam_agrees_with_greedy_where_greedy_is_right():
    assert best_of(NET, 10, PhraseTrie([])).ids == (5, 7)


def test_an_expected_phrase_wins_a_close_race():
    found = best_of(NET, 10, PhraseTrie([(6, 8)]))
    assert found.ids == (6, 8)
    assert found.log_p == pytest.approx(np.log(0.3 * 0.9 * 0.9), abs=1e-3)


def test_an_expected_phrase_does_not_win_against_the_evidence():
    sure = Table({(): {5: 0.98}, (5,): {7: 0.98}, (5, 7): {0: 0.98}})
    assert best_of(sure, 10, PhraseTrie([(6, 8)])).ids == (5, 7)


def test_half_a_phrase_earns_nothing():
    cut_off = Table({(): {5: 0.6, 6: 0.3}, (5,): {0: 0.9}, (6,): {0: 0.9}})
    assert best_of(cut_off, 10, PhraseTrie([(6, 8, 9)])).ids == (5,)


class Liking:
    """Likes one character; finds the others equally unlikely."""

    def __init__(self, liked: int) -> None:
        self._liked = liked

    def log_p(self, before, candidates):
        return np.where(candidates == self._liked, -0.1, -4.0)


def test_likely_words_win_a_close_race_and_no_other():
    assert best_of(NET, 10, PhraseTrie([]), Liking(6)).ids == (6, 8)
    assert best_of(NET, 10, PhraseTrie([]), Liking(9)).ids == (5, 7)
    sure = Table({(): {5: 0.98}, (5,): {7: 0.98}, (5, 7): {0: 0.98}})
    assert best_of(sure, 10, PhraseTrie([]), Liking(6)).ids == (5, 7)


def test_the_texts_come_best_first_each_once_and_with_the_score_that_ranked_them():
    found = beam_search(NET, 10, PhraseTrie([]))
    texts = [s.decoded.ids for s in found]
    assert texts[:2] == [(5, 7), (6, 8)] and len(set(texts)) == len(texts)
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
    assert found[0].score == pytest.approx(found[0].decoded.log_p)  # nothing was favoured


def test_words_leave_the_probability_as_the_network_has_it():
    found = best_of(NET, 10, PhraseTrie([]), Liking(6))
    assert found.log_p == pytest.approx(np.log(0.3 * 0.9 * 0.9), abs=1e-3)


characters = st.lists(st.integers(3, 8), min_size=1, max_size=5).map(tuple)


@given(st.lists(characters, max_size=4), st.lists(st.integers(3, 8), max_size=12))
def test_a_text_without_a_whole_phrase_ends_with_no_boost(phrases, text):
    trie, total, under_way = PhraseTrie(phrases), 0.0, ()
    for c in text:
        change, under_way = trie.step(under_way, c)
        total += change
    total += trie.end(under_way)
    joined = "".join(map(chr, text))
    if not any("".join(map(chr, p)) in joined for p in phrases):
        assert total == pytest.approx(0.0, abs=1e-6)
    assert total > -1e-6


@given(characters)
def test_a_whole_phrase_earns_its_length(phrase):
    trie, total, under_way = PhraseTrie([phrase], boost=1.0), 0.0, ()
    for c in phrase:
        change, under_way = trie.step(under_way, c)
        total += change
    assert total + trie.end(under_way) >= len(phrase) - 1e-6


def test_a_text_with_an_unknown_character_has_no_ids():
    assert as_ids("是不", {"是": 4, "不": 9}) == (4, 9)
    assert as_ids("是☃", {"是": 4}) is None
    assert as_ids("", {"是": 4}) is None
