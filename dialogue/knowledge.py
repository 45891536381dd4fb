"""Is there an answer in the bank's knowledge to a question that no act covers? Retrieval by characters, pure.

A knowledge file lists questions as customers put them, each group with one answer; a question is matched by the cosine
of its characters and pairs of characters, weighted by how few groups use them. No match is better than a wrong one.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

SURE = 0.5
"""From this similarity on an answer is given; tests/dialogue/test_knowledge.py shows what lies on either side."""

LINE_PREFIX = "know_"
_NOT_WORDS = re.compile(r"[\W_]+|[呢啊吗嘛吧呀哦嗯呃哎喂的了么]")

Vector = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that the bank knows: the ways of asking, and the answer as it is said."""

    id: str
    asks: tuple[str, ...]
    answer: str
    place: str = ""

    @property
    def line_id(self) -> str:
        return LINE_PREFIX + self.id


@dataclass(frozen=True)
class Knowledge:
    """What `find` searches. Empty knows nothing."""

    entries: tuple[Entry, ...] = ()

    def find(self, words: str) -> tuple[Entry, float] | None:
        """The entry that answers these words and how similar they are, or None below SURE."""
        asked = self._vector(words)
        if not asked:
            return None
        best: tuple[Entry, float] | None = None
        for entry, ways in self._index:
            similar = max(_cosine(asked, way) for way in ways)
            if similar >= SURE and (best is None or similar > best[1]):
                best = (entry, similar)
        return best

    @cached_property
    def _weights(self) -> Vector:
        held = Counter(g for entry in self.entries for g in {g for ask in entry.asks for g in grams(ask)})
        return {g: math.log((1 + len(self.entries)) / n) + 0.1 for g, n in held.items()}

    @cached_property
    def _index(self) -> tuple[tuple[Entry, tuple[Vector, ...]], ...]:
        return tuple((entry, tuple(self._vector(ask) for ask in entry.asks)) for entry in self.entries)

    def _vector(self, words: str) -> Vector:
        unknown = math.log(1 + len(self.entries)) + 0.1
        weighted = {g: n * self._weights.get(g, unknown) for g, n in Counter(grams(words)).items()}
        norm = math.sqrt(sum(w * w for w in weighted.values()))
        return {g: w / norm for g, w in weighted.items()} if norm else {}


NOTHING_KNOWN = Knowledge()


def grams(words: str) -> list[str]:
    plain = _NOT_WORDS.sub("", words.lower())
    return [*plain, *(plain[i : i + 2] for i in range(len(plain) - 1))]


def _cosine(a: Vector, b: Vector) -> float:
    if len(a) > len(b):
        a, b = b, a
    return sum(w * b.get(g, 0.0) for g, w in a.items())
