"""What does the network say of a number that it answers itself? Carrier announcements, by their words.

Some networks answer a call and then play 您拨打的用户已关机: to the line it was answered, to the business it was never
reached. The words decide, as the recogniser writes them; a phone assistant and a letter box stay what they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pypinyin import lazy_pinyin

from dialogue.acts import Disposition

_SAID: tuple[tuple[Disposition, tuple[str, ...]], ...] = (
    (Disposition.INVALID_NUMBER, ("空号", "号码不存在", "不存在", "号码有误", "已改号", "号码已变更", "未启用")),
    (Disposition.SUSPENDED, ("已停机", "停机", "暂停服务", "已欠费", "欠费停机", "暂停使用", "呼入限制")),
    (Disposition.POWERED_OFF, ("已关机", "关机")),
    (Disposition.BUSY, ("正在通话中", "通话中", "正忙", "占线")),
    (Disposition.NO_ANSWER, ("无人接听", "暂时无人接听", "无应答")),
    (Disposition.UNREACHABLE, ("无法接通", "不在服务区", "无法接听", "网络忙", "线路忙", "线路故障")),
)
"""In the order in which they are looked for: 已停机 may come with 无法接通."""

_OF_THE_NETWORK = re.compile("拨打|拔打|波打|您拨|用户|电话|号码|机主|稍后|再拨|查证|客户")
_ASSISTANT = re.compile("助[理手]|留言|信箱|秘书|滴声|嘀声|转告|转达|来电提醒")


def announced(texts: Iterable[str]) -> Disposition | None:
    """What the announcement says, None where it is none: a person, an assistant, a letter box.

    Characters of the same sound count: 已官机 is 已关机.
    """
    text = "".join(texts)
    if _ASSISTANT.search(text) or not _OF_THE_NETWORK.search(text):
        return None
    sounds = _sounds(text)
    for disposition, phrases in _SAID:
        if any(_sounds(p) in sounds for p in phrases):
            return disposition
    return None


def _sounds(text: str) -> str:
    """Syllables without their tones, each closed by a blank, so that none is found inside another."""
    return " " + "".join(f"{s} " for s in lazy_pinyin(re.sub(r"[^\w]", "", text)))
