"""What does the network say of a number that it answers itself? Carrier announcements, by their words.

Some networks answer a call and then play 您拨打的用户已关机: to the line it was answered, to the business it was never
reached. The sounds of the words decide, for the ears write 已平机 for 已停机: syllables without their tones, of which
one that shares its initial or its final with the right one is nearly right. A phone assistant and a letter box stay
what they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from pypinyin import Style, pinyin

from dialogue.acts import Disposition

_SAID: tuple[tuple[Disposition, tuple[str, ...]], ...] = (
    (Disposition.INVALID_NUMBER, ("是空号", "空号", "不存在", "号码有误", "已改号", "号码已变更", "未启用")),
    (Disposition.SUSPENDED, ("已停机", "停机", "暂停服务", "已欠费", "欠费停机", "暂停使用", "呼入限制")),
    (Disposition.POWERED_OFF, ("已关机", "关机")),
    (Disposition.BUSY, ("正在通话中", "通话中", "用户正忙", "电话正忙", "正忙", "占线")),
    (Disposition.NO_ANSWER, ("无人接听", "无应答")),
    (Disposition.UNREACHABLE, ("无法接通", "不在服务区", "无法接听", "网络忙", "线路忙", "线路故障")),
)
"""In the order in which they are looked for where several fit as well: 已停机 may come with 无法接通."""

_OPENINGS = (
    "您拨打的",
    "所拨打的",
    "您拨叫的",
    "拨打的电话",
    "拨打的号码",
    "拨打的用户",
    "稍后再拨",
    "查证后再拨",
    "网络忙",
)
PHRASES = ("您好", "您拨打的电话", "您拨打的号码", "您所拨打的用户", "请稍后再拨", *(p for _, ps in _SAID for p in ps))
"""For the ears to listen for."""

_OF_THE_NETWORK = re.compile("拨打|拔打|波打|您拨|用户|电话|号码|机主|稍后|再拨|查证|客户|网络")
_HELPER = re.compile("助[理手力]")
_ASSISTANT = ("留言", "信箱", "秘书", "滴声", "嘀声", "转告", "转达", "来电提醒")
_HOLD_ON = re.compile("[不别]要?挂[断机]|请不要挂|保持通话|正在.{0,4}转接")  # it may be answered yet
_LONGER_THAN_A_GREETING = 6
NEARLY = 0.4  # what a syllable costs that shares its initial or its final with the right one
_TOO_SHORT = 2  # syllables of a phrase that must be heard exactly: 怎么 is not 正忙
SURE, SURE_OF_THE_NETWORK = 0.22, 0.2  # mean cost of a syllable

Syllable = tuple[str, str]  # initial and final


def announced(texts: Iterable[str]) -> Disposition | None:
    """What the announcement says, None where it is none: a person, an assistant, a letter box."""
    text = "".join(texts)
    network = is_of_the_network(text)
    if is_machine(text) or _HOLD_ON.search(text) or not (network or _OF_THE_NETWORK.search(text)):
        return None
    heard = _syllables(text)
    worst = SURE if network else 0.0
    found = [
        (cost, -len(phrase), disposition)
        for disposition, phrases in _SAID
        for phrase in phrases
        if (cost := _cost(_syllables(phrase), heard)) <= (worst if len(phrase) > _TOO_SHORT else 0)
    ]
    return min(found, key=lambda f: f[:2])[2] if found else None


def is_machine(text: str) -> bool:
    """A letter box, or an assistant that answers in somebody's place."""
    if len(text) < _LONGER_THAN_A_GREETING:
        return False
    heard = _syllables(text)
    return _HELPER.search(text) is not None or any(_cost(_syllables(word), heard) == 0 for word in _ASSISTANT)


def is_of_the_network(text: str) -> bool:
    """The beginning, or the end, of what carriers say."""
    heard = _syllables(text)
    return any(_cost(_syllables(opening), heard) <= SURE_OF_THE_NETWORK for opening in _OPENINGS)


def _cost(phrase: tuple[Syllable, ...], heard: tuple[Syllable, ...]) -> float:
    """How far the phrase is from the nearest place in what was heard: 0 the same sounds, 1 all others."""
    n = len(phrase)
    spans = (heard[i : i + n] for i in range(len(heard) - n + 1))
    return min((sum(map(_apart, phrase, span)) / n for span in spans), default=1.0)


def _apart(one: Syllable, other: Syllable) -> float:
    if one == other:
        return 0.0
    return NEARLY if one[0] == other[0] or one[1] == other[1] else 1.0


@lru_cache(4096)
def _syllables(text: str) -> tuple[Syllable, ...]:
    words = re.sub(r"[^\w]", "", text)
    initials = pinyin(words, style=Style.INITIALS, strict=False)
    finals = pinyin(words, style=Style.FINALS, strict=False)
    return tuple((_INITIALS.get(i[0], i[0]), _NASALS.sub("n", f[0])) for i, f in zip(initials, finals, strict=False))


_INITIALS = {"zh": "z", "ch": "c", "sh": "s", "n": "l"}
_NASALS = re.compile("ng$")
