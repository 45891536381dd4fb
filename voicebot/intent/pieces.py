"""How does a turn become numbers? Word pieces of a unigram vocabulary, and single characters beside them.

The pieces are those Chinese ones of a multilingual sentence encoder's vocabulary, with its scores, so that what the
encoder learned about them can be kept; the segmentation is the `tokenizers` library's. Characters catch what no piece
covers: dialect, mishearings. Both are read from one text file: `piece<TAB>score` in the order of their ids.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tokenizers import Tokenizer, models

PAD, UNKNOWN = 0, 1
"""Ids that no piece has."""

SPECIALS = 2
MARK = "▁"  # where a turn begins, as the vocabulary writes it
MAX_PIECES = 48
MAX_CHARACTERS = 64
_NOT_SPOKEN = re.compile(r"[^\w]|_")


@dataclass(frozen=True)
class Vocabulary:
    """Pieces with their scores; a piece's id is its place + SPECIALS."""

    pieces: tuple[tuple[str, float], ...]

    @classmethod
    def read(cls, path: Path) -> Vocabulary:
        rows = (line.rsplit("\t", 1) for line in path.read_text("utf-8").splitlines())
        return cls(tuple((piece, float(score)) for piece, score in rows))

    def write(self, path: Path) -> None:
        path.write_text("".join(f"{piece}\t{score:.4f}\n" for piece, score in self.pieces), "utf-8")

    def __len__(self) -> int:
        return len(self.pieces) + SPECIALS

    @cached_property
    def _segmenter(self) -> Tokenizer:
        scored = [("<pad>", 0.0), ("<unk>", 0.0), *self.pieces]
        return Tokenizer(models.Unigram(scored, unk_id=UNKNOWN, byte_fallback=False))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {piece: i for i, (piece, _) in enumerate(self.pieces, start=SPECIALS)}

    def encode(self, text: str) -> tuple[list[int], list[int]]:
        """Ids of the pieces and of the characters of a turn, both cut to their limits; never empty."""
        words = spoken(text)
        pieces = self._segmenter.encode(MARK + words).ids[:MAX_PIECES]
        characters = [self._ids.get(c, UNKNOWN) for c in words][:MAX_CHARACTERS]
        return pieces, characters or [UNKNOWN]


def spoken(text: str) -> str:
    """What the ears could have heard: no punctuation, no spaces, small letters, one form for wide and narrow."""
    return _NOT_SPOKEN.sub("", unicodedata.normalize("NFKC", text).lower())
