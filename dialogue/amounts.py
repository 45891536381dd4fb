"""How much does the customer offer? Spoken Chinese amounts of money in yuan.

Only what is promised or offered counts: past payments, debts, fees and wages are passed over. 一半 and 最低 are left to
the case. 一千五 is 1500, 八百来块 800; 几百 and 一点 are no amounts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from dialogue.numerals import NUMERAL, parse_number


@dataclass(frozen=True, slots=True)
class AmountMention:
    """An amount named in `text[start:end]`; `kind` instead of `amount` when only the case knows how much it is."""

    amount: Decimal | None
    kind: str | None  # "minimum" | "half" | "full"
    start: int
    end: int


_MONEY = re.compile(
    rf"(?<![.\d])(?P<number>{NUMERAL})(?P<about>来|多|几|左右)?(?P<unit>块钱?|元钱?|块儿|圆)?"
    rf"(?:(?P<jiao>零?[零一二两三四五六七八九\d])(?:毛|角)(?:钱)?|"
    rf"(?P<short>[一二两三四五六七八九\d])(?![\d号点天月个分期年百千万十]))?"
    rf"(?:零?(?P<fen>[一二两三四五六七八九\d])(?:分|(?<=[毛角].)))?"
)
_NOT_MONEY_AFTER = re.compile(
    r"^(?:号|日(?!元)|月(?![底初])|年|天|点|个(?!月)|分钟|小时|周(?![一二三四五六日末])|期|次|遍|岁|楼|路|层|位|人|家|张|笔|条|台|刻|度|%)"
)
_NOT_OFFERED_BEFORE = re.compile(
    r"(?:欠(?:了|你们|着)?|借了?|贷了?|工资(?:才|就|只有|是|有)?|利息(?:要|是|都|就)?|"
    r"罚息(?:要|是|都|就)?|手续费|违约金|收入|"
    r"已经还了?|还了|还过了?|付了|转了|交了|存了|扣了我?|花了|刷了|上个?月还了?|昨天还了?|"
    r"刚还了?|一共(?:才)?|每个月(?:才|就)?|"
    r"挣|赚|房租|尾号|卡号|工号|电话)(?:我|你们|才|就|有|是|都|个|大概|也就)*$"
)
_VAGUE_BEFORE = ("几", "数", "上")
_KINDS = (
    ("minimum", re.compile(r"最低(?:还款额?|额度?|那个|消费)?|最少(?:那个|的)|最小还款")),
    ("half", re.compile(r"一半儿?|百分之五十|50%")),
    ("full", re.compile(r"全部|全额|全款|一次性|都还(?:上|清|了)|还清|结清|一把还")),
)
_ASKED = re.compile(r"多少|几多|是什么|怎么算")
_NEGATED_BEFORE = re.compile(r"(?<!是)不是(?:说|还)?$|没说还?$")
_CORRECTION = re.compile(r"不对|不是|哦不|啊不|错了|还是|改成|改|算了|要不")


def find_amounts(text: str) -> list[AmountMention]:
    """All amounts named in the text, offered or not, in their order."""
    found = [AmountMention(None, kind, m.start(), m.end()) for kind, pattern in _KINDS for m in pattern.finditer(text)]
    for m in _MONEY.finditer(text):
        amount = _amount(m, text)
        if amount is not None and not any(f.start < m.end() and m.start() < f.end for f in found):
            found.append(AmountMention(amount, None, m.start(), m.end()))
    return sorted(found, key=lambda f: f.start)


def _amount(m: re.Match[str], text: str) -> Decimal | None:
    number = parse_number(m["number"])
    if number is None or (m["about"] == "几" and not m["unit"]) or text[: m.start()].endswith(_VAGUE_BEFORE):
        return None
    has_unit = bool(m["unit"])
    if not has_unit:
        if _NOT_MONEY_AFTER.match(text[m.end() :]):
            return None
        # Without 块 or 元 only a number that can hardly be anything else is money.
        round_words = any(c in m["number"] for c in "百千万")
        digits = m["number"].replace(".", "").isdigit() and Decimal(100) <= number < Decimal(10_000_000)
        if not round_words and not digits:
            return None
    total = number
    if has_unit:
        if m["jiao"]:
            total += (parse_number(m["jiao"].removeprefix("零")) or Decimal(0)) / 10
        elif m["short"]:
            total += (parse_number(m["short"]) or Decimal(0)) / 10
        if m["fen"]:
            total += (parse_number(m["fen"]) or Decimal(0)) / 100
    return total.quantize(Decimal("0.01"))


def offered(text: str) -> AmountMention | None:
    """The amount that the customer offers, or None. Of two the first, unless the second corrects it."""
    mentions = [
        m
        for m in find_amounts(text)
        if not _NOT_OFFERED_BEFORE.search(text[: m.start])
        and not _ASKED.search(text[m.end : m.end + 4])
        and not (m.kind == "minimum" and re.search(r"多少|是多", text))
    ]
    if not mentions:
        return None
    # 不是全部是一半: the first is taken back. 五百不是三百 is a correction of what was said before.
    if len(mentions) > 1 and _NEGATED_BEFORE.search(text[: mentions[0].start]):
        mentions = mentions[1:]
    chosen = mentions[0]
    for later in mentions[1:]:
        if _CORRECTION.search(text[chosen.end : later.start]):
            chosen = later
    return chosen
