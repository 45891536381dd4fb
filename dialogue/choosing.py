"""Of several values named in one turn, which one does the customer mean?

A value is read by its clause: the words from it to the next value. 周一我在外地周日吧: what follows 周一 rules it out.
十五号发工资十六号还: the 15th is an aside, since another day is the one that is paid on. Of what is left the first
counts, unless the customer takes it back for a later one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol, TypeVar


class Role(IntEnum):
    """What the words around a value make of it; a lower one is preferred."""

    MEANT = 0
    ASIDE = 1  # counts only when nothing is meant more plainly
    OUT = 2


class Mention(Protocol):
    """Anything that stands in `text[start:end]`."""

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...


M = TypeVar("M", bound=Mention)

PAYS = (
    r"(?:(?<![没归偿])还(?![不没是在有要得差剩欠哪能款日]|早[呢着])|[转汇](?!人工|告|达|正)|打(?=过去|给[你您]|进|钱|款|到)|[存付交结充缴](?!期|代|通|折|单|款吗|警)|[凑补塞扣挪划]|"
    r"处理|搞定|弄(?!不)|办(?!公|法|不)|给(?:[你您]|过去)|过数|去银行|去柜台|拿给|全款|全额|最低|一半|清了)"
)
"""Words that say that money will move."""

_YES = r"没问题|可以(?!前)|行[吧吗么不嘛啦]|差不多|稳"
PAYS_OR_AGREES = re.compile(rf"{PAYS}|{_YES}|先[还转给]?[一二两三四五六七八九十\d]|[百千万块]")

HARD_NO = (
    r"(?<!行)不行|(?<!能)不能|(?<!可)不可以|(?<!成)不成|还不[了上起]|转不了|取不[了出]|来不及|(?<!方)不方便|办不到|说不[准好]|不好说|不一定|^看看吧|不现实|不可能|做不到|"
    r"拿不出|凑不[齐出够]|弄不到|不太(?:行|方便|可能)|不够|不在|不上班|不开门|不办|不营业|不放款|不[得有]闲|不得空|走不开|"
    r"(?<!有)没(?:有(?!问题)|钱|空|时间|法|办法|发|到|下来|戏|电|带|开)|钱还没|够呛|限额|关门|"
    r"(?:有[点些]|比较|太|挺|很|蛮|实在)(?:悬|难|紧|困难|吃力)|悬(?=$|[了啊呀哦])|手头紧"
)
_SOFT_NO = r"在外地|在外面|出差|有事|开[一半]?[天上下]?午?会|值班|放假|加班(?!费)|考试|手术|住院|要上班"
_NO = re.compile(HARD_NO)
_BUSY = re.compile(_SOFT_NO)
_OTHER_FRAME = re.compile(r"^[吧呗]|这[两几]天|最近|这个?(?:礼拜|星期|周|月)|平时|前面|之前都")
_REACH = 12  # characters within which a no still speaks of the value before it

CORRECTION = re.compile(
    r"不对|[啊哦噢唉嗯呃哎诶吧]不是(?!说)|不是不是|[啊哦噢唉嗯呃哎诶]不(?![行能会用要是])|不不|错了|改成|改到|改(?!天)|算了|要不|或者说|应该是|还是|干脆|索性|等等|大概|估计|"
    r"不行(?!的话)|不$|^[啊吧呢]?那(?:就|改|改成)$|^(?:[吧嗯呃啊那哦]|也行|也可以)*就(?:是|定)?$"
)
_EMPTY = re.compile(r"[啊呀哦嗯呃额那和跟或者到、的]*$")


_HUM = re.compile(r"(?:[呃嗯啊哎呀额]|那个|这个|就)*")


def clauses(text: str, mentions: Sequence[Mention]) -> list[str]:
    """For each value the words between it and the next one, or the end."""
    if not mentions:
        return []
    ends = [m.start for m in mentions[1:]] + [len(text)]
    return [text[m.end : max(m.end, end)] for m, end in zip(mentions, ends, strict=True)]


def is_ruled_out(clause: str) -> bool:
    """今天我一分都拿不出来 is; 今天先还五百多的没有 is not, nor is 周五出差回来就还."""
    if frame := _OTHER_FRAME.search(clause[:_REACH]):
        clause = clause[: frame.start()]  # 大后天吧这两天走不开: the no is said of 这两天
    no = _NO.search(clause[:_REACH])
    if no is not None:
        pays = PAYS_OR_AGREES.search(clause)
        return pays is None or pays.start() >= no.start()
    return _BUSY.search(clause[:_REACH]) is not None and PAYS_OR_AGREES.search(clause) is None


def is_empty(clause: str) -> bool:
    """周四周五我都没空: what is said of the second holds for the first."""
    return _EMPTY.match(clause) is not None


def _is_restarted(text: str, first: Mention, later: Mention) -> bool:
    """五点呃五点半: the same again, and more of it."""
    again = text[later.start : later.end]
    begun = text[first.start : first.end]
    return _HUM.fullmatch(text[first.end : later.start]) is not None and again != begun and again.startswith(begun)


def chosen_of(text: str, mentions: Sequence[M], roles: Sequence[Role]) -> M | None:
    """The value that counts. `roles` go with `mentions`, which stand in the order of the text."""
    best = min(roles, default=Role.OUT)
    if best is Role.OUT:
        return None
    n = roles.index(best)
    for later in range(n + 1, len(mentions)):
        gaps = (text[mentions[before].end : mentions[later].start] for before in {n, later - 1})
        taken_back = roles[later] is not Role.OUT and any(CORRECTION.search(gap) for gap in gaps)
        if taken_back or _is_restarted(text, mentions[n], mentions[later]) or roles[later] < roles[n]:
            n = later
    return mentions[n]
