"""What people and telephones do to words: hesitation, lost syllables, near sounds, half sentences. Only for training.

A recogniser on a bad line writes 新华五百五 for 先还五百五: other characters, nearly the same sounds. So some turns are
left as they are, others lose some of their characters to ones that sound the same or nearly so: without tones, and
without the differences that a telephone line and an accent blur first (n and l, zh and z, in and ing, b and p).
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from functools import cache

_BEFORE = ("喂", "嗯", "呃", "啊", "那个", "就是", "哎", "诶", "我跟你说", "哎呀", "你好", "哦", "那", "这个", "然后")
_AFTER = ("啊", "吧", "呗", "嘛", "哈", "呢", "呀", "了", "哦")
_STRAY = ("你", "啊", "嗯", "那", "我", "对")  # syllables that are heard in noise
CLEAN = 0.55
"""Share of turns without a misheard character."""

WORST = 0.35
"""Share of characters misheard on the worst lines."""

COMMON = 1800
"""Characters that misheard ones become."""

_SAME_SOUND = 0.6  # of the misheard characters; the others only sound nearly the same
_BLURRED = (
    ("n", "l"),
    ("zh", "z"),
    ("ch", "c"),
    ("sh", "s"),
    ("h", "f"),
    ("b", "p"),
    ("d", "t"),
    ("g", "k"),
    ("j", "q"),
    ("r", "l"),
    ("x", "sh"),
    ("an", "ang"),
    ("en", "eng"),
    ("in", "ing"),
    ("ian", "iang"),
    ("uan", "uang"),
    ("ian", "in"),
    ("uo", "ou"),
    ("ai", "ei"),
    ("ao", "ou"),
    ("e", "uo"),
    ("i", "v"),
)


def spoil(text: str, chance: random.Random) -> str:
    """One noisy version of a turn; about half of them come back as they are, but for a hesitation."""
    if chance.random() < 0.12 and len(text) > 2:
        text = chance.choice(_BEFORE) + text
    if chance.random() < 0.08 and len(text) > 3:
        text = text + chance.choice(_AFTER)
    if chance.random() < CLEAN:
        return text
    misheard = chance.uniform(0.03, WORST)
    out = [chance.choice(_STRAY)] if chance.random() < 0.1 else []
    for character in text:
        luck = chance.random()
        if luck < 0.12 * misheard and len(text) > 4:
            continue
        out.append(_other(character, chance) if luck < misheard else character)
    return "".join(out)


def beginning(text: str, chance: random.Random) -> str | None:
    """A turn that stops half-way, mostly where people breathe (the spaces of the text); None for a single word."""
    breaths = [i for i, c in enumerate(text) if c in " ，," and 0 < i < len(text) - 1]
    if breaths and chance.random() < 0.6:
        return text[: chance.choice(breaths)]
    return text[: chance.randrange(1, len(text))] if len(text) > 2 else None


def _other(character: str, chance: random.Random) -> str:
    same, near = _sounds().get(character, ((), ()))
    heard = same if (same and chance.random() < _SAME_SOUND) or not near else near
    return chance.choice(heard) if heard else character


@cache
def _sounds() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Common characters, each with the others of its sound and those of nearly its sound."""
    from pypinyin import Style, pinyin

    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for character in _common():
        initial = pinyin(character, style=Style.INITIALS, strict=False)[0][0]
        final = pinyin(character, style=Style.FINALS, strict=False)[0][0]
        groups[initial, final].append(character)
    sounds = {}
    for (initial, final), group in groups.items():
        near = tuple(c for sound in _nearly(initial, final) for c in groups.get(sound, ()))
        for character in group:
            sounds[character] = (tuple(c for c in group if c != character), near)
    return sounds


def _common() -> list[str]:
    """The characters that a recogniser is likely to write: the most frequent ones of a large dictionary."""
    import jieba

    jieba.setLogLevel(60)
    jieba.initialize()
    uses: Counter[str] = Counter()
    for word, frequency in jieba.dt.FREQ.items():
        for character in word:
            if "\u4e00" <= character <= "\u9fff":
                uses[character] += frequency
    return [character for character, _ in uses.most_common(COMMON)]


def _nearly(initial: str, final: str) -> list[tuple[str, str]]:
    swapped = [(a, b) for pair in _BLURRED for a, b in (pair, pair[::-1])]
    return [(b, final) for a, b in swapped if a == initial] + [(initial, b) for a, b in swapped if a == final]
