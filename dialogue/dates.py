"""On which day does the customer mean to pay, when several are named?

`dialogue.days` finds the days, `dialogue.times` the moments; here the words around them are read: a day that is ruled
out (今天不行), past (十号已经还了) or the robot's (你后天再打来) is no promise, and a payday or a birthday only counts
when no other day is named.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from dialogue.choosing import CORRECTION, PAYS, PAYS_OR_AGREES, Role, chosen_of, clauses, is_empty, is_ruled_out
from dialogue.days import DateMention, find_dates
from dialogue.numerals import NUMERAL
from dialogue.times import find_times

__all__ = ["DateMention", "find_dates", "find_times", "pay_date", "pay_mention"]

_NEGATED_BEFORE = re.compile(r"(?:不是说?|不在|没说是?|不要|(?:不用|不必|(?<!特)别)等?到?)的?$")
_INCOME = re.compile(
    r"(?:才|就|会|能|要|我们?|公司|单位|那边|老板|可以|人家|他|她|说)*(?:发(?!现)|给我(?:打|转|汇|送)?(?:钱|款|过来)?|开工资|开支|到账|回款|结账|结工钱|出粮|有钱|下来|到期|扣|出账|截止|是最后)"
)
_PAID = re.compile(
    r"(?:那天|我|就|已经|都|才)*(?:还|转|付|存|交|打|扣)(?:过(?![去来])|了(?!就|不|吧|行|再|之后|以后|啊|嘛)|的(?!话|时候)|掉了)"
)
_CALLED = re.compile(
    r"(?:你们?|都|已经|就|才|又|还|一共|上午|下午|早上)*(?:[打催来](?:了|过(?![去来]))|接了)|.{0,3}(?:再打(?!款|钱)|打电话|打来|来电|打给我|联系我)"
)
_DUE_BEFORE = re.compile(
    r"(?:账单日|还款日|到期日?|期限|最后|开庭|(?<![发过完])(?<![发过]了)(?:生日|工资|薪水|奖金|养老金))(?:就|都)?(?:是|在)?的?$"
)
_OTHER_BILL = re.compile(r"[交还付](?:房租|房贷|车贷|学费|水电|花呗|借呗|物业)(?:.{0,2}[交还付]完)?")
_BILL_BEFORE = re.compile(r"(?:房租|房贷|车贷|学费|水电|花呗|借呗|物业)费?(?:是|要|都|得)?$")
_KNOWN = re.compile(r"(?:对吧|是吧|对不对|是不是|对不)(?=[那我])")  # 明天周四对吧那我周五还
_ALREADY_BEFORE = re.compile(r"(?:都|已经)(?:到|是)?$")
_MAY_BE_PAST = re.compile(r"[号日]$|^今")  # 明天还的 is none
_LAST_MONTHS = re.compile(r"月[初中].{0,4}(?<![还转付])了")  # 月初花猛了
_REST_BEFORE = re.compile(
    r"先.*(?:剩下?|余下?|其余|剩余|另外|尾款|后[头面]|其他|其它|另一半)(?:的|那些|部分|就|等|到|我|钱|呢|能不能|可以|可不可以|再|帮|缓|[百千万块元一二两三四五六七八九十\\d])*$"
)
_PAID_FIRST = re.compile(r"先.{0,5}[百千万块\d十][^今明后周]{0,5}$")
_AGAIN = re.compile(r"再[还给转打]|[还给转打]?[一二两三四五六七八九\d]+[百千万块\d]")
_NO_LONGER_BEFORE = re.compile(r"(?:本来|原来|原本|原先)(?:我|就)?(?:说|想|打算|讲|定)?(?:的|好|是|着)*$")
_HOLDS = re.compile(rf"[^先]{{0,5}}(?:就|只|才)(?:有|剩下?)?{NUMERAL}[块元]?钱?(?!.{{0,6}}{PAYS})")
_TODAY_IS = re.compile(r"(?:都|才|就|已经|不|是)*$")
# What may stand between a day and the end of its clause without saying anything else of it.
_PLAIN = re.compile(
    rf"(?:之前|以前|前|的|[吧啊呀哦嗯呃额呢嘛吗呗啦了行好就那我你给]|那天|左右|肯定|一定|保证|绝对|最[晚迟]|上午|下午|晚上|早上|中午|一早|"
    rf"{NUMERAL}点半?|这样|的话|说话算话|记一下)*$"
)


def pay_date(text: str, today: date) -> date | None:
    """The day on which the customer means to pay, or None when none is named or all are ruled out."""
    mention = pay_mention(text, today)
    return mention.day if mention else None


def pay_mention(text: str, today: date) -> DateMention | None:
    """The same with the place in the text."""
    mentions = find_dates(text, today)
    roles = _roles(text, mentions, today)
    chosen = chosen_of(text, mentions, roles)
    if chosen is not None:
        for later, role in zip(mentions, roles, strict=True):
            if role is not Role.OUT and later.start > chosen.start and _same_weekday_today(chosen, later, today):
                return later
    return chosen


def _roles(text: str, mentions: list[DateMention], today: date) -> list[Role]:
    said = clauses(text, mentions)
    refused = [is_ruled_out(said[n]) or _negated(text, m) for n, m in enumerate(mentions)]
    for n in reversed(range(len(mentions) - 1)):
        refused[n] = refused[n] or (is_empty(said[n]) and refused[n + 1])
    roles: list[Role] = []
    for n, mention in enumerate(mentions):
        # 今天啊今天真不行: what is said of the second 今天 holds for the first. 今天上午不行晚上还 offers it again.
        again = any(refused[k] and mentions[k].day == mention.day for k in range(n + 1, len(mentions)))
        if refused[n] or again or _is_out(text, mention, said[n]):
            roles.append(Role.OUT)
        elif _is_aside(text, mentions, said[n], n, today):
            roles.append(Role.ASIDE)
        else:
            roles.append(Role.MEANT)
    for n in reversed(range(len(mentions) - 1)):
        if is_empty(said[n]) and roles[n + 1] is Role.ASIDE and mentions[n].day == mentions[n + 1].day:
            roles[n] = max(roles[n], Role.ASIDE)
    return roles


def _is_out(text: str, mention: DateMention, clause: str) -> bool:
    before = text[: mention.start]
    return (
        (_PAID.match(clause) is not None and _MAY_BE_PAST.search(text[mention.start : mention.end]) is not None)
        or (_LAST_MONTHS.match(text, mention.start) is not None)
        or _is_about_a_call(clause)
        or _BILL_BEFORE.search(before) is not None
        or _REST_BEFORE.search(before) is not None
        or (_AGAIN.match(clause) is not None and _PAID_FIRST.search(before) is not None)
    )


def _is_about_a_call(clause: str) -> bool:
    called = _CALLED.match(clause)
    return called is not None and PAYS_OR_AGREES.search(called[0]) is None


def _is_aside(text: str, mentions: list[DateMention], clause: str, n: int, today: date) -> bool:
    clause, before = _OTHER_BILL.sub("", clause), text[: mentions[n].start]
    if _DUE_BEFORE.search(before) or _NO_LONGER_BEFORE.search(before) or _HOLDS.match(clause):
        return True
    if _KNOWN.match(clause) or (_ALREADY_BEFORE.search(before) and clause.startswith("了")):
        return True
    if _tells_todays_date(text, mentions, n, today):
        return True
    if income := _INCOME.match(clause):
        return PAYS_OR_AGREES.search(clause, income.end()) is None
    return PAYS_OR_AGREES.search(clause) is None and _PLAIN.match(CORRECTION.split(clause)[0]) is None


def _tells_todays_date(text: str, mentions: list[DateMention], n: int, today: date) -> bool:
    """今天都三十号了, 今天都周六了: the two stand side by side and mean the same day."""
    for first, second in ((n, n + 1), (n - 1, n)):
        if first >= 0 and second < len(mentions):
            one, other = mentions[first], mentions[second]
            days = {(one.day - today).days, (other.day - today).days}
            if days in ({0}, {0, 7}) and _TODAY_IS.match(text[one.end : other.start]):
                return True
    return False


def _negated(text: str, mention: DateMention) -> bool:
    """不是今天 rules today out. 周五啊不是周六 does not rule out Saturday: there the speaker corrects himself."""
    before = text[: mention.start]
    return _NEGATED_BEFORE.search(before) is not None and not before.endswith(
        ("是不是", "啊不是", "哦不是", "吧不是", "嗯不是", "呃不是")
    )


def _same_weekday_today(chosen: DateMention, later: DateMention, today: date) -> bool:
    """周五就今天, said on a Friday."""
    return later.day == today and later.start - chosen.end <= 3 and chosen.day - today == timedelta(weeks=1)
