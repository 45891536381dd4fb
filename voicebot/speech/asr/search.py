"""Given a network that says how likely each next character is, which words were said?

Pure search, no audio: greedy for what is heard freely, the likelihood of whole answers for a closed question, and a
beam that favours expected phrases and what such people say. The network comes in as a `Stepper`; MuggleNet is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Ids = tuple[int, ...]

BEAM = 8
BOOST = 0.7  # natural log per character of an expected phrase
END_LOG_P = -5.0  # a text may end where the network hears an end; that likely words are short is no reason to stop
_REACH = 20  # the likeliest characters among which a phrase may go on, and words decide
WORDS_WEIGHT = 0.4  # of what people say beside what was heard
WORDS_LENGTH = 0.9  # per character, for what its likelihood among words costs; chosen with WORDS_WEIGHT on data/dev


class PastLike(Protocol):
    def pick(self, rows: list[int]) -> Any: ...


class Favour(Protocol):
    """What is likely to be said, whatever was heard: `log_p(before, candidates)` in natural logs, both as ids."""

    def log_p(self, before: Ids, candidates: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]: ...


class Stepper(Protocol):
    """One utterance, ready to be decoded. `step` as in MuggleNet, bound to what was heard."""

    @property
    def eos(self) -> int: ...

    @property
    def unspoken(self) -> tuple[int, ...]:
        """ids that never belong to a text"""
        ...

    def start(self, batch: int) -> PastLike: ...

    def step(self, characters: npt.NDArray[np.int64], past: Any) -> tuple[npt.NDArray[np.float32], PastLike]: ...


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text as ids, and the log-probability of each of its characters and of its end."""

    ids: Ids
    log_ps: tuple[float, ...]

    @property
    def log_p(self) -> float:
        """log P(text | audio)"""
        return sum(self.log_ps)

    @property
    def confidence(self) -> float:
        """Geometric mean of the characters' probabilities, 0..1."""
        return float(np.exp(self.log_p / len(self.log_ps))) if self.log_ps else 0.0


def greedy(net: Stepper, max_length: int) -> Decoded:
    """The likeliest character at every step. Stops at the end symbol or after `max_length` characters."""
    ids: list[int] = []
    log_ps: list[float] = []
    past, last = net.start(1), net.eos
    for _ in range(max_length + 1):
        log_p, past = net.step(np.array([[last]], np.int64), past)
        row = log_p[0, -1].copy()
        row[list(net.unspoken)] = -np.inf
        last = int(row.argmax())
        log_ps.append(float(row[last]))
        if last == net.eos:
            break
        ids.append(last)
    return Decoded(tuple(ids), tuple(log_ps))


def score_answers(net: Stepper, answers: Sequence[Ids], floor: float = -np.inf) -> list[Decoded | None]:
    """log P(answer | audio) of whole answers, in one pass of the network after one step for their first characters.

    None for an answer whose first character alone is less likely than `floor`: the whole can only be less so.
    """
    if not answers:
        return []
    first, _ = net.step(np.array([[net.eos]], np.int64), net.start(1))
    rows = [row for row, ids in enumerate(answers) if ids and first[0, 0, ids[0]] >= floor]
    found: list[Decoded | None] = [None] * len(answers)
    if not rows:
        return found
    length = max(len(answers[row]) for row in rows) + 1
    fed = np.full((len(rows), length), net.eos, np.int64)
    for at, row in enumerate(rows):
        fed[at, 1 : len(answers[row]) + 1] = answers[row]
    log_p, _ = net.step(fed, net.start(len(rows)))
    for at, row in enumerate(rows):
        ids = answers[row]
        found[row] = Decoded(ids, tuple(float(log_p[at, i, c]) for i, c in enumerate((*ids, net.eos))))
    return found


# ---- phrases --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Node:
    next: dict[int, _Node] = field(default_factory=dict)
    ends: bool = False


Open = tuple[tuple[_Node, float], ...]
"""Phrases under way: where in the trie, and the boost that is paid back should the phrase not be completed."""


class PhraseTrie:
    """Expected phrases. A phrase earns `boost` per character; one that breaks off pays back what it got."""

    def __init__(self, phrases: Sequence[Ids], boost: float = BOOST) -> None:
        self._root, self._boost = _Node(), boost
        for ids in phrases:
            node = self._root
            for c in ids:
                node = node.next.setdefault(c, _Node())
            node.ends = bool(ids)

    def step(self, under_way: Open, character: int) -> tuple[float, Open]:
        """(change of the score, phrases under way after this character)"""
        change, after = 0.0, []
        for node, owed in under_way:
            following = node.next.get(character)
            if following is None:
                change -= owed
                continue
            change += self._boost
            if following.next:
                after.append((following, 0.0 if following.ends else owed + self._boost))
        first = self._root.next.get(character)
        if first is not None and not after:
            change += self._boost
            if first.next:
                after.append((first, 0.0 if first.ends else self._boost))
        return change, tuple(after)

    def end(self, under_way: Open) -> float:
        return -sum(owed for _, owed in under_way)

    def goes_on(self, under_way: Open) -> set[int]:
        return set(self._root.next).union(*(node.next for node, _ in under_way))


@dataclass(frozen=True, slots=True)
class Scored:
    """A text that a beam finished, with the score that it was ranked by: log P(text | audio), boosts, likely words."""

    decoded: Decoded
    score: float


@dataclass(frozen=True, slots=True)
class _Path:
    ids: Ids
    log_ps: tuple[float, ...]
    score: float  # log-probability, plus boosts, plus how likely the words are in themselves
    under_way: Open


def beam_search(
    net: Stepper, max_length: int, trie: PhraseTrie, words: Favour | None = None, beam: int = BEAM
) -> list[Scored]:
    """The finished texts, the best first, when expected phrases and likely words count more. There is one, and
    none is empty.

    The probabilities in them are the network's own.
    """
    paths = [_Path((), (), 0.0, ())]
    done: list[_Path] = []
    past, last = net.start(1), np.array([[net.eos]], np.int64)
    for _ in range(max_length + 1):
        log_p, past = net.step(last, past)
        grown: list[tuple[_Path, int, int]] = []
        for row, path in enumerate(paths):
            candidates = _candidates(log_p[row, -1], path, trie, net, _REACH if words else beam + 2)
            extra = _words_score(words, path.ids, candidates, net.eos)
            for c, more in zip(candidates, extra, strict=True):
                if c == net.eos and (not path.ids or log_p[row, -1, c] < END_LOG_P):
                    continue
                grown.append((_grow(path, c, float(log_p[row, -1, c]), more, trie, net.eos), row, c))
        grown.sort(key=lambda g: -g[0].score)
        kept: list[tuple[_Path, int, int]] = []
        for path, row, c in grown:
            if c == net.eos:
                done.append(path)
            else:
                kept.append((path, row, c))
            if len(kept) >= beam:
                break
        if not kept or (done and max(d.score for d in done) > kept[0][0].score + _CATCH_UP):
            break
        paths = [path for path, _, _ in kept]
        past = past.pick([row for _, row, _ in kept])
        last = np.array([[c] for _, _, c in kept], np.int64)
    best_first = sorted(done or paths, key=lambda p: -p.score)
    return [Scored(Decoded(p.ids, p.log_ps), p.score) for p in best_first]


_CATCH_UP = 3.0  # how far behind a finished path an unfinished one may be and still win by a phrase's boosts


def _candidates(row: npt.NDArray[np.float32], path: _Path, trie: PhraseTrie, net: Stepper, best: int) -> list[int]:
    likeliest = np.argpartition(-row, _REACH)[:_REACH]
    likeliest = likeliest[np.argsort(-row[likeliest])]
    expected = trie.goes_on(path.under_way)
    return [
        int(c) for rank, c in enumerate(likeliest) if int(c) not in net.unspoken and (rank < best or int(c) in expected)
    ]


def _words_score(words: Favour | None, before: Ids, candidates: list[int], eos: int) -> list[float]:
    if words is None:
        return [0.0] * len(candidates)
    likely = words.log_p(before, np.array(candidates, np.int64))
    lengths = [0.0 if c == eos else WORDS_LENGTH for c in candidates]
    return [WORDS_WEIGHT * float(p) + more for p, more in zip(likely, lengths, strict=True)]


def _grow(path: _Path, c: int, log_p: float, more: float, trie: PhraseTrie, eos: int) -> _Path:
    log_ps, score = (*path.log_ps, log_p), path.score + log_p + more
    if c == eos:
        return _Path(path.ids, log_ps, score + trie.end(path.under_way), ())
    change, under_way = trie.step(path.under_way, c)
    return _Path((*path.ids, c), log_ps, score + change, under_way)


def as_ids(text: str, ids: Mapping[str, int]) -> Ids | None:
    """A text as ids; None when the network does not know one of its characters."""
    found = [ids.get(c) for c in text]
    return tuple(i for i in found if i is not None) if found and None not in found else None
