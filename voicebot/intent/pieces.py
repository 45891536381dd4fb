"""How does a turn become numbers? Word pieces of a unigram vocabulary, and runs of characters beside them.

The pieces are those Chinese ones of a multilingual sentence encoder's vocabulary, with its scores, so that what the
encoder learned about them can be kept, and characters of the training turns that no piece covers: dialect, mishearings.
They stand in one text file, `piece<TAB>score` in the order of their ids; the `tokenizers` library cuts the turns up.
Runs of one to four characters and of two to four syllables, some together with the pending question, are hashed; they
feed the network's linear part. Syllables are Mandarin without its tones: what a telephone leaves of a character.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from pypinyin import lazy_pinyin
from tokenizers import Tokenizer, models

PAD, UNKNOWN = 0, 1
"""Ids that no piece has."""

SPECIALS = 2
MARK = "▁"  # where a turn begins, as the vocabulary writes it
MAX_PIECES = 48
SEEN_OFTEN = 2  # a character that was written once was perhaps mistyped
GRAMS = 1 << 16
"""Places for hashed runs of characters; 0 is none."""

MAX_GRAMS = 400
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

    def encode(self, text: str) -> list[int]:
        """Ids of the pieces of a turn, cut to their limit; never empty."""
        return self._segmenter.encode(MARK + spoken(text)).ids[:MAX_PIECES]

    def sounds(self) -> tuple[list[int], int]:
        """For each id the number of its sound, homophones sharing one, and how many there are; 0 is no sound."""
        numbers: dict[str, int] = {}
        found = [0] * SPECIALS
        for piece, _ in self.pieces:
            said = " ".join(syllable(c) for c in piece.removeprefix(MARK))
            found.append(numbers.setdefault(said, len(numbers) + 1) if said else 0)
        return found, len(numbers) + 1

    def with_characters(self, texts: Iterable[str]) -> Vocabulary:
        """The vocabulary with the characters of these texts that it lacks, at its end."""
        known = {piece for piece, _ in self.pieces}
        found = Counter(c for text in texts for c in spoken(text))
        missing = sorted(c for c, n in found.items() if n >= SEEN_OFTEN and c not in known)
        rarest = min(score for _, score in self.pieces)
        return Vocabulary((*self.pieces, *((c, rarest) for c in missing)))


def grams(text: str, pending: str) -> list[int]:
    """Hashed runs of characters of a turn, some of them together with what the robot waited for; never empty."""
    words = f"^{spoken(text)}$"
    runs = [words[i : i + n] for n in range(1, 5) for i in range(len(words) - n + 1)]
    sounds = [syllable(c) for c in words]
    runs += ["~" + " ".join(sounds[i : i + n]) for n in range(2, 5) for i in range(len(sounds) - n + 1)]
    asked = [f"{pending}:{run}" for run in runs if len(run) <= 2]
    asked.append(f"{pending}:~{' '.join(sounds)}")
    return [zlib.crc32(run.encode()) % (GRAMS - 1) + 1 for run in (*runs, *asked, pending, f"{pending}:{words}")][
        :MAX_GRAMS
    ]


@cache
def syllable(character: str) -> str:
    """How a character sounds, without its tone; itself when it is no Chinese character."""
    return lazy_pinyin(character)[0]


def spoken(text: str) -> str:
    """What the ears could have heard: no punctuation, no spaces, small letters, one form for wide and narrow."""
    return _NOT_SPOKEN.sub("", unicodedata.normalize("NFKC", text).lower())
