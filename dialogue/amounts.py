"""How much does the customer offer? Spoken Chinese amounts of money in yuan.

Only what is promised or offered counts: past payments, debts, fees and wages are passed over. 一半 and 最低 are left to
the case. 一千五 is 1500, 八百来块 800, 千把块 1000; 几百, 两三千 and 一点 are no amounts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from dialogue.choosing import HARD_NO, Role, chosen_of, clauses
from dialogue.numerals import NUMERAL, is_range, parse_number


@dataclass(frozen=True, slots=True)
class AmountMention:
    """An amount named in `text[start:end]`; `kind` instead of `amount` when only the case knows how much it is."""

    amount: Decimal | None
    kind: str | None  # "minimum" | "half" | "full"
    start: int
    end: int


_DIGIT = "一二两三四五六七八九"
_CENTS = rf"(?:零?(?P<fen>[{_DIGIT}\d])(?:分|(?<=[毛角].)))?"
_MONEY = re.compile(
    rf"(?<![.\d])(?<!周)(?<!星期)(?<!礼拜)(?P<number>{NUMERAL}|[百千万](?=把|来|十来))(?:点(?P<tenths>[{_DIGIT}零]{{1,2}})(?=块|元|$))?"
    rf"(?P<about>来|多(?![一的少了出没])|把|几|左右)?(?:(?P<unit>块钱?|元钱?|块儿|大洋|人民币)"
    rf"(?:(?P<jiao>零?[零{_DIGIT}\d])(?:毛|角)(?:钱)?|(?P<short>[{_DIGIT}\d])(?![\d号点天月个分期年百千万十]))?{_CENTS})?"
)
_COINS = re.compile(rf"(?<![{_DIGIT}\d块元])(?P<jiao>[{_DIGIT}\d])[毛角]钱?{_CENTS}")
_NOTES = re.compile(rf"(?P<number>{NUMERAL})张(?![卡单图照脸嘴纸表信床票证])")  # of 100 yuan
_NOT_MONEY_AFTER = re.compile(
    r"号|日(?!元)|月(?![底初])|年|天|点|个|分钟|分(?!两|几|三|四)|小时|钟头|刻钟|秒|周(?![一二三四五六日末])|(?:礼拜|星期)(?![一二三四五六日天])|期|次|遍|回(?!去|来|头)|趟|岁|楼|路|层|位|口人|人|"
    r"家|张|笔|条|台|刻|度|斤|公|里|米|平|亩|头|只|份|件|本(?!金)|句|声|成|倍|折|强|级|万火|%|热线|岁|通|通电话|辆|套|间|户"
)
# The police, the regulator, service numbers of banks and carriers, mobile and card numbers.
_NUMBER_TO_CALL = re.compile(
    r"(?:1[12]0|119|122|1238[16]|123[14578]\d|12378|96\d{3,4}|95\d{3}|100\d{2,3}|1[3-9]\d{9}|\d{8,}|400\d{7})$"
)
_NO_SUM_BEFORE = re.compile(r"(?:尾号|卡号|工号|电话|号码|编号|热线|百分之|第|身份证)(?:是|为|后四位)*$")
_OFFERING = re.compile(
    r"先[把拿从].{0,8}$|"
    r"(?:先|只能|最多|顶多|再)(?:给?[你您]们?|是)?(?:[还转打存付交给凑塞弄拿扣补充汇搞整]|出|上|进|得|个|点|[你您]们?|掉|出来|过去)*$|"
    r"(?:(?<![要得没])还|转|打|存|付|交|给|凑|塞|拿|扣|弄|补|汇|放)(?:给|[你您]们?|本金|得?[起出上]|出来|进去|过去|走|个|掉|它|款|这|那)*$"
)
_NOT_OFFERED_BEFORE = re.compile(
    r"(?:欠(?:款|了|你们|着)?|借了?|贷了?|(?:工资|薪水|底薪|退休金|低保|利息|罚息|费|违约金|滞纳金|收入|欠条)(?:是|才|只有|就|到手|大概|一个月|也就|都|要|得|多出来?|给我|收了?|里|每月|现在|上?写的?)*|本金(?:才|就)|"
    r"已经还了?|(?:还|付|转|交|存|扣|花|刷|充|给|罚|亏|输|赔|收)(?:了|过了?|掉了)(?:我|你们)?|上个?月(?:的?时候)?(?:还|给|转)?了?|"
    r"昨天(?:还|转|给)了?|刚(?:还|转|交|付|花|拿走)了?|(?:一共|总共|拢共|统共|合计|总额|加起来)(?:欠|才|是)*|每(?:次|个?月|期|天|周|星期|礼拜)[^先]{0,6}|一个月|月供|每天|一天|"
    r"多(?:了|出来?|算|收)了?|为这|卖(?:不到|了)?|[挣赚]不到|挣|赚|房租|房贷|车贷|学费|医药费|彩礼|你们(?:说|讲)(?:的|我)?|涨到|变成?|怎么(?:就|又|会)?)"
    r"(?:我|你们|才|就|有|是|要|还|的|又|都|个|大概|也就|只|花了?|扣了?|多还了?|交|快|了|得|到手)*$"
)
_OTHER_DEBT_BEFORE = re.compile(r"(?:借呗|花呗|白条|那边|别家|别的|房东|亲戚|朋友|同事|他们|银行卡|房贷|车贷).{0,5}$")
_REFUSED_AFTER = re.compile(
    rf"(?:[吧啊呀呢嘛吗块钱元我你们]|怕是?|恐怕|估计|现在|实在|真|肯定|一下子?|全部|都|也|是|多|一把|这么多|今天)*(?:{HARD_NO}|太多|[块元]?钱?还我|哪有|哪儿有|没有|有点多|凑不|(?:是|对)吧|是不是)|(?:块钱?|元)?不对(?:$|[^一二两三四五六七八九十\\d].*多算)"
)
_NOT_OFFERED_AFTER = re.compile(
    r"(?:块钱?|元)?(?:的?(?:利息|罚息|费|滞纳金|违约金|工资|房租|学费|房贷|车贷|底薪|额度|欠款|债))|"
    r"(?:块钱?|元)?(?:刚|已经|早就|昨天|上个?月)[^先]{0,3}[还交付转花]|(?:块钱?|元)?在.{1,4}(?:那|手里)|(?:块钱?|元)?[吗么]|(?:块钱?|元)?我?(?:分[两三几四]|一共|知道)"
)
_GIVEN = re.compile(
    r"(?:[块元钱]|都|就|先|我|今天|现在|这些|可以|打算|等下|肯定)*(?:能?给(?![我他她])|先|[还转付交存](?![不没是])|可以|行|没问题)"
)
_HANDED_OVER = re.compile(r"[块元]?钱?(?:(?:先|都|就)*给[你您]们?|先拿去)")
_VAGUE_BEFORE = re.compile(r"(?:几|(?<!位)数|(?<![一二两三四五六七八九十百千万\d])[百千])$")
_IS = re.compile(r"是(?:[还交转给付])?$")
_CHOICE = re.compile(r"是[还交转给付]?[^先]{1,10}还是[还交转给付]?$")
_KINDS = (
    ("minimum", re.compile(r"最低(?!工资|生活|气温)(?:还款额?|额度?|那个|消费)?|最少(?:那个|的)|最小还款")),
    ("half", re.compile(r"(?<!说了)(?<!到)(?<!话)(?<!另)(?<!另外)(?<![减免抹])一半儿?(?!天|会)|百分之五十|50%|对半")),
    ("full", re.compile(r"全部|全还|全额|全款|一次性|都还(?:上|清|了)|还清|结清|一把还")),
)
_ASKED = re.compile(r"(?:那个|额度?|是|要|还(?!剩)|得|交|需|到底|到时|应该)*(?:多少|几多|什么|怎么算)")
_NEGATED_BEFORE = re.compile(r"(?<!是)不是(?:说|还)?$|没说还?$")


def find_amounts(text: str) -> list[AmountMention]:
    """All amounts named in the text, offered or not, in their order."""
    found = [AmountMention(None, kind, m.start(), m.end()) for kind, pattern in _KINDS for m in pattern.finditer(text)]
    for pattern, read in ((_MONEY, _amount), (_NOTES, _notes), (_COINS, _coins)):
        for m in pattern.finditer(text):
            amount = read(m, text)
            if amount is not None and not any(f.start < m.end() and m.start() < f.end for f in found):
                found.append(AmountMention(amount.quantize(Decimal("0.01")), None, m.start(), m.end()))
    return sorted(found, key=lambda f: f.start)


def offered(text: str) -> AmountMention | None:
    """The amount that the customer offers, or None. Of two the first, unless the second corrects it."""
    mentions = find_amounts(text)
    said = clauses(text, mentions)
    roles = [_role(text, m, clause, last=m is mentions[-1]) for m, clause in zip(mentions, said, strict=True)]
    # 不是全部是一半: the first is taken back. 五百不是三百 is a correction of what was said before.
    if len(mentions) > 1 and _NEGATED_BEFORE.search(text[: mentions[0].start]):
        roles[0] = Role.OUT
    return chosen_of(text, mentions, roles)


def _role(text: str, mention: AmountMention, clause: str, *, last: bool) -> Role:
    before = text[: mention.start]
    if _ASKED.match(clause):
        return Role.OUT
    offering = _OFFERING.search(before) is not None
    if _REFUSED_AFTER.match(clause) or (not offering and _NOT_OFFERED_AFTER.match(clause)):
        return Role.OUT
    if _CHOICE.search(before) or (_IS.search(before) and clause.startswith("还是")):
        return Role.OUT
    if mention.kind == "full":
        return Role.ASIDE
    # 借了八百先给你们. In 就一千三给你七百 the giving goes with the sum behind it.
    if (handed := _HANDED_OVER.match(clause)) and (last or handed.end() < len(clause)):
        return Role.MEANT
    if _NOT_OFFERED_BEFORE.search(before) or _OTHER_DEBT_BEFORE.search(before):
        return Role.OUT
    # 就一千三给你七百: 给你 goes with the sum behind it.
    given = _GIVEN.match(clause) is not None and (last or _OFFERING.search(clause) is None)
    return Role.MEANT if given or offering else Role.ASIDE


def _amount(m: re.Match[str], text: str) -> Decimal | None:
    said, has_unit, before, after = m["number"], bool(m["unit"]), text[: m.start()], text[m.end() :]
    number = {"百": Decimal(100), "千": Decimal(1000), "万": Decimal(10_000)}.get(said) or parse_number(said)
    if number is None or is_range(said) or m["about"] == "几" or _VAGUE_BEFORE.search(before):
        return None
    if not has_unit:
        if _NOT_MONEY_AFTER.match(after) or _NO_SUM_BEFORE.search(before) or _NUMBER_TO_CALL.match(said):
            return None
        # Without 块 or 元 only a number that can hardly be anything else is money, or one that is paid.
        round_words = any(c in said for c in "百千万")
        digits = said.replace(".", "").replace(",", "").isdigit() and Decimal(100) <= number < Decimal(10_000_000)
        small = number >= 10 and _OFFERING.search(before) is not None
        small = small or (number > 31 and before.endswith(("今天", "明天", "后天", "今晚")))
        if not round_words and not digits and not small:
            return None
    elif said == "一" and before.endswith(("多", "少", "差")):
        return None
    total = number
    if m["tenths"]:
        total += parse_tenths(m["tenths"])
    if has_unit:
        total += _digit(m["jiao"] or m["short"]) / 10 + _digit(m["fen"]) / 100
    return total


def parse_tenths(digits: str) -> Decimal:
    """八 in 三百点八 is 0.8, 零五 is 0.05."""
    return sum((_digit(d) / 10 ** (n + 1) for n, d in enumerate(digits)), Decimal(0))


def _notes(m: re.Match[str], text: str) -> Decimal | None:
    number = parse_number(m["number"])
    paid = _OFFERING.search(text[: m.start()])
    return number * 100 if number and paid and not is_range(m["number"]) else None


def _coins(m: re.Match[str], text: str) -> Decimal | None:
    return _digit(m["jiao"]) / 10 + _digit(m["fen"]) / 100 if _OFFERING.search(text[: m.start()]) else None


def _digit(said: str | None) -> Decimal:
    return parse_number(said.removeprefix("零") or "零") or Decimal(0) if said else Decimal(0)
