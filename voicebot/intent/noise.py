"""What people and telephones do to words: hesitation, lost syllables, homophones, half sentences. Seeded, for training.

The homophones are those of Mandarin without its tones, which a telephone line and an accent blur first.
"""

from __future__ import annotations

import random
from collections import defaultdict
from functools import cache

_BEFORE = (
    "喂",
    "嗯",
    "呃",
    "啊",
    "那个",
    "就是",
    "哎",
    "诶",
    "不是",
    "我跟你说",
    "哎呀",
    "你好",
    "哦",
    "那",
    "这个",
    "然后",
)
_AFTER = ("啊", "吧", "呗", "嘛", "哈", "呢", "呀", "了", "哦", "嘞", "行吧", "好吧", "对", "就这样")
_SAFE_BEFORE = frozenset(_BEFORE) - {"不是"}


@cache
def _homophones() -> dict[str, tuple[str, ...]]:
    """Common characters by their sound, each with the others of that sound."""
    from pypinyin import Style, pinyin

    groups: dict[str, list[str]] = defaultdict(list)
    for row in range(0xB0, 0xD8):  # the 3755 common characters of GB 2312
        for cell in range(0xA1, 0xFF):
            try:
                character = bytes((row, cell)).decode("gb2312")
            except UnicodeDecodeError:
                continue
            groups[pinyin(character, style=Style.NORMAL)[0][0]].append(character)
    return {c: tuple(o for o in group if o != c) for group in groups.values() for c in group}


def spoil(text: str, chance: random.Random, strength: float = 1.0) -> str:
    """One noisy version of a turn. `strength` 0: as it is."""
    if chance.random() < 0.12 * strength and len(text) > 2:
        text = chance.choice(sorted(_SAFE_BEFORE)) + text
    if chance.random() < 0.08 * strength and len(text) > 3:
        text = text + chance.choice(_AFTER[:9])
    out = []
    for character in text:
        luck = chance.random()
        if luck < 0.012 * strength and len(text) > 4:
            continue
        if luck < 0.035 * strength and (others := _homophones().get(character)):
            character = chance.choice(others)
        elif luck < 0.042 * strength:
            out.append(character)
        out.append(character)
    return "".join(out)


def beginning(text: str, chance: random.Random) -> str | None:
    """A turn that stops half-way, mostly where people breathe (the spaces of the text); None for a single word."""
    breaths = [i for i, c in enumerate(text) if c in " ，," and 0 < i < len(text) - 1]
    if breaths and chance.random() < 0.6:
        return text[: chance.choice(breaths)]
    return text[: chance.randrange(1, len(text))] if len(text) > 2 else None
