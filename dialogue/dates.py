"""Which day, which time does the customer name? Spoken Chinese dates and times, resolved against the call's own clock.

Conventions (the same as in the act catalogue): 周五 and 这周五 are this calendar week's if still ahead, else next
week's, so that 周五 said on a Friday is in a week unless 今天 stands beside it; 下周五 is the next calendar week's; N号
the next such day on or after today; 月底 the last of this month; 三天之内 its last day; a bare hour the next one in
waking time; a corrected value replaces the earlier one; of two payments the first counts.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from dialogue.numerals import NUMERAL, parse_number, parse_whole


@dataclass(frozen=True, slots=True)
class DateMention:
    """A day named in `text[start:end]`."""

    day: date
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TimeMention:
    """A moment named in `text[start:end]`."""

    at: datetime
    start: int
    end: int


_N = NUMERAL
_WEEK = "(?:周|星期|礼拜)"
_WEEKDAYS = {"一": 0, "二": 1, "三": 2, "四": 3, "五": 4, "六": 5, "日": 6, "天": 6, "末": 5} | {
    str(n): n - 1 for n in range(1, 8)
}
_DAY_WORDS = {
    "大大后天": 4,
    "大后天": 3,
    "后天": 2,
    "后儿": 2,
    "明天": 1,
    "明儿": 1,
    "明日": 1,
    "明早": 1,
    "明晚": 1,
    "今天": 0,
    "今儿": 0,
    "今日": 0,
    "今晚": 0,
    "今早": 0,
    "当天": 0,
}
_RIGHT_AWAY = re.compile(
    "(?:马上|立刻|立马|现在就|现在还|这就|一会儿?(?!打|说|再打|再说)|等会儿?(?!打|说|再打|再说)|待会儿?(?!打|说|再打)"
    "|(?<![昨前]天)(?:回头就|到家就|回家就|下了?班就|下午就|晚上就|中午就|今儿个))"
)
_MONTH = f"(?P<month>{_N})月(?:份)?"
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "full",
        re.compile(
            rf"(?:(?P<year>\d{{4}}|"
            rf"[二两][零〇][一二三四五六七八九零〇]{{2}})年){_MONTH}(?P<day>{_N})[号日]?"
        ),
    ),
    ("month_day", re.compile(rf"{_MONTH}(?P<day>{_N})(?:[号日]|(?![{'百千万'}块元\d点]))")),
    ("month_part", re.compile(rf"{_MONTH}(?P<part>初|中旬|中|底|末)")),
    ("next_month", re.compile(rf"(?P<lead>下个?月|次月)(?:的)?(?P<day>{_N})[号日]?")),
    ("this_month", re.compile(rf"(?P<lead>这个?月|本月|当月)(?:的)?(?P<day>{_N})[号日]")),
    ("rel_month_part", re.compile(r"(?P<lead>下个?月|这个?月|本月|次月)?(?:的)?(?P<part>月?初|月?中旬|月?底|月?末)")),
    (
        "week",
        re.compile(
            rf"(?P<lead>下下个?|下个?|这个?|本|上个?)?{_WEEK}{{1,2}}(?P<day>[一二三四五六日天末1-6])"
            r"(?!个|天)"
        ),
    ),
    ("weekend", re.compile(r"(?P<lead>下个?|这个?|本)?周末")),
    (
        "within",
        re.compile(
            rf"(?P<n>{_N}|半)(?:个)?(?P<unit>天|日|周|星期|礼拜|月)(?:之内|以内|内|之后|以后|过后|"
            rf"后)"
        ),
    ),
    ("day_word", re.compile("|".join(sorted(_DAY_WORDS, key=len, reverse=True)))),
    ("bare_day", re.compile(rf"(?P<day>{_N})[号日](?!线|楼|门|店)")),
    ("right_away", _RIGHT_AWAY),
)
_PAST = re.compile(
    r"昨天|昨晚|前天|大前天|刚才|刚刚|上个?月|上周|上个?礼拜|上个?星期|去年|之前就|早就|"
    r"前两天|前几天"
)
_CORRECTION = re.compile(r"不对|不是|哦不|啊不|错了|还是|改成|改到|改|算了|要不|或者说|应该是")
_REFUSED_AFTER = re.compile(
    r"(?:[我就都是也啊呀呢嘛哦嗯呃额吧这那]|那个|这个|可能|肯定|真的?|恐怕|估计|应该|暂时|确实|实在|现在|手头|手上|手里|身上|卡[里上])*"
    # One stray character, as the ears put where somebody hesitates; not one that makes it 行不行 or 能不能.
    r"[^行能可好成不没方得来]?(?:真的?|恐怕|可能|肯定)?"
    r"(?:不行|不能|还不了|没法|没办法|不可以|没空|来不及|没有|没钱|不方便|够呛|办不到|"
    r"做不到|不成|还不上|还不起|拿不出|不太行|不太方便|悬|没戏|钱(?:不|没|还没)|不够|没发|没到账|工资(?:还)?没|有(?:点|些)?(?:难|困难|紧))"
)
_NEGATED_BEFORE = re.compile(r"(?:不是说?|不在|没说是?|不要|不用|(?<!特)别)的?$")
_SAID_TO_BE = re.compile(r"(?:是|说|定|要)的?$")
_INCOME_AFTER = re.compile(r"(?:才|就|会|能|要|我们|公司|单位|那边)*(?:发工资|发薪|开工资|到账|回款|结账|结工钱)")


def find_dates(text: str, today: date) -> list[DateMention]:
    """All days named in the text, in their order; past ones, impossible ones and vague ones (过几天) are left out."""
    found: list[DateMention] = []
    taken: list[tuple[int, int]] = [(m.start(), m.end()) for m in _PAST.finditer(text)]
    for kind, pattern in _PATTERNS:
        for m in pattern.finditer(text):
            if any(m.start() < end and start < m.end() for start, end in taken):
                continue
            day = _resolve(kind, m, today)
            if day is not None and day >= today:
                found.append(DateMention(day, m.start(), m.end()))
                taken.append((m.start(), m.end()))
    return sorted(found, key=lambda d: d.start)


def pay_date(text: str, today: date) -> date | None:
    """The day on which the customer means to pay, or None when none is named or all are ruled out."""
    mentions = find_dates(text, today)
    refused = [m for m in mentions if _REFUSED_AFTER.match(text, m.end)]
    # 今天啊今天真不行: what is said of the second 今天 holds for the first. 今天上午不行晚上还 offers it again.
    possible = [
        m
        for n, m in enumerate(mentions)
        if not any(r.day == m.day and r.start >= m.start for r in refused) and not _negated(text, mentions, n, today)
    ]
    if not possible:
        return None
    chosen = possible[0]
    for later in possible[1:]:
        between = text[chosen.end : later.start]
        if _CORRECTION.search(between) or _INCOME_AFTER.match(between) or _same_weekday_today(chosen, later, today):
            chosen = later
    return chosen.day


def _negated(text: str, mentions: list[DateMention], n: int, today: date) -> bool:
    """不是今天 rules today out. 周五啊不是周六 does not rule out Saturday: there the speaker corrects himself."""
    before = text[: mentions[n].start]
    if not _NEGATED_BEFORE.search(before) or before.endswith("是不是"):
        return False
    if n == 0:
        return True
    earlier = mentions[n - 1]
    contrasts = _SAID_TO_BE.search(text[: earlier.start]) is not None and not before.endswith(("啊不是", "哦不是"))
    return contrasts or mentions[n].day == today


def _same_weekday_today(chosen: DateMention, later: DateMention, today: date) -> bool:
    """周五就今天, said on a Friday."""
    return later.day == today and later.start - chosen.end <= 3 and chosen.day - today == timedelta(weeks=1)


def _resolve(kind: str, m: re.Match[str], today: date) -> date | None:
    g = m.groupdict()
    match kind:
        case "full":
            year = parse_whole(g["year"])
            return _date(year, parse_whole(g["month"]), parse_whole(g["day"]))
        case "month_day":
            return _coming(parse_whole(g["month"]), parse_whole(g["day"]), today)
        case "month_part":
            month = parse_whole(g["month"])
            if month is None or not 1 <= month <= 12:
                return None
            year = today.year + (month < today.month)
            return _part_of_month(year, month, g["part"])
        case "next_month":
            year, month = _month_after(today)
            return _date(year, month, parse_whole(g["day"]))
        case "this_month":
            return _date(today.year, today.month, parse_whole(g["day"]))
        case "rel_month_part":
            return _relative_part(g["lead"] or "", g["part"], today)
        case "week":
            return _weekday(g["lead"] or "", _WEEKDAYS[g["day"]], today)
        case "weekend":
            return _weekday(g["lead"] or "", 5, today)
        case "within":
            return _after(g["n"], g["unit"], today)
        case "day_word":
            return today + timedelta(days=_DAY_WORDS[m[0]])
        case "bare_day":
            return _coming_day(parse_whole(g["day"]), today)
        case _:
            return today


def _date(year: int | None, month: int | None, day: int | None) -> date | None:
    try:
        return date(year or 0, month or 0, day or 0)
    except ValueError:
        return None


def _coming(month: int | None, day: int | None, today: date) -> date | None:
    this_year = _date(today.year, month, day)
    if this_year is not None and this_year >= today:
        return this_year
    # A day of the last two months is more likely past than next year's.
    if this_year is not None and (today - this_year).days <= 62:
        return None
    return _date(today.year + 1, month, day)


def _coming_day(day: int | None, today: date) -> date | None:
    if day is None or not 1 <= day <= 31:
        return None
    year, month = today.year, today.month
    for _ in range(4):
        found = _date(year, month, day)
        if found is not None and found >= today:
            return found
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return None


def _month_after(today: date) -> tuple[int, int]:
    return (today.year + 1, 1) if today.month == 12 else (today.year, today.month + 1)


def _part_of_month(year: int, month: int, part: str) -> date:
    if part.endswith("初"):
        return date(year, month, 1)
    if "中" in part:
        return date(year, month, 15)
    return date(year, month, calendar.monthrange(year, month)[1])


def _relative_part(lead: str, part: str, today: date) -> date | None:
    if not lead and not part.startswith("月"):
        return None
    year, month = _month_after(today) if lead[:1] in ("下", "次") else (today.year, today.month)
    found = _part_of_month(year, month, part)
    if found < today and not lead:
        return _part_of_month(*_month_after(today), part)
    return found


def _weekday(lead: str, weekday: int, today: date) -> date | None:
    monday = today - timedelta(days=today.weekday())
    if lead.startswith("上"):
        return None
    if lead.startswith("下"):
        return monday + timedelta(weeks=lead.count("下"), days=weekday)
    found = monday + timedelta(days=weekday)
    # 周三 said on a Wednesday is the next one: today would be called 今天.
    return found if found > today else found + timedelta(weeks=1)


def _after(n: str, unit: str, today: date) -> date | None:
    if n == "半":
        return today + timedelta(days=15) if unit == "月" else None
    number = parse_whole(n)
    if number is None or not 0 < number <= 400:
        return None
    if unit in ("天", "日"):
        return today + timedelta(days=number)
    if unit == "月":
        year, month = today.year, today.month
        for _ in range(number):
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        return date(year, month, min(today.day, calendar.monthrange(year, month)[1]))
    return today + timedelta(weeks=number)


# ---- times of day ----------------------------------------------------------------------------------------------

_PART_OF_DAY = "凌晨|清晨|早上|早晨|上午|中午|正午|下午|午后|傍晚|晚上|夜里|今晚|明晚|明早|今早"
_CLOCK = re.compile(
    rf"(?P<part>{_PART_OF_DAY})?(?:的)?(?P<hour>{_N})(?:点(?!钱|儿?钱|时间|意见)(?:钟|整)?"
    rf"(?:(?P<half>半)|(?P<quarter>[一三])刻|过?(?P<minute>{_N})分?)?|(?<=\d)[:：](?P<colon>\d{{2}}))"
)
_SPAN = re.compile(
    rf"(?P<n>{_N}|半|个把)(?:个)?(?P<plus>半)?(?P<unit>小时|钟头|分钟|"
    rf"刻钟)(?P<over>半)?(?:之后|以后|过后|后|再)?"
)
_WAKING_FROM, _WAKING_TO = 7, 22


def find_times(text: str, now: datetime) -> list[TimeMention]:
    """All moments named in the text, in their order, each in the future of `now` where the words allow it."""
    days = find_dates(text, now.date())
    found: list[TimeMention] = []
    for m in _SPAN.finditer(text):
        minutes = _span_minutes(m)
        if minutes is not None:
            found.append(TimeMention(now + timedelta(minutes=minutes), m.start(), m.end()))
    for m in _CLOCK.finditer(text):
        if any(f.start <= m.start() < f.end for f in found):
            continue
        before = [d for d in days if d.end <= m.start() + 2 and m.start() - d.end <= 3]
        at = _clock(m, before[-1].day if before else None, now)
        if at is not None:
            found.append(TimeMention(at, before[-1].start if before else m.start(), m.end()))
    return sorted(found, key=lambda f: f.start)


def _span_minutes(m: re.Match[str]) -> int | None:
    unit = {"小时": 60, "钟头": 60, "分钟": 1, "刻钟": 15}[m["unit"]]
    if m["n"] == "半":
        return unit // 2 if unit == 60 else None
    if m["n"] == "个把":
        return unit
    number = parse_number(m["n"])
    if number is None or not 0 < number <= 600:
        return None
    half = unit // 2 if m["plus"] or m["over"] else 0
    return int(number * unit) + half


def _clock(m: re.Match[str], day: date | None, now: datetime) -> datetime | None:
    hour = parse_whole(m["hour"])
    minute: int | None = 0
    if m["half"]:
        minute = 30
    elif m["quarter"]:
        minute = 15 if m["quarter"] == "一" else 45
    elif m["minute"] or m["colon"]:
        minute = parse_whole(m["minute"] or m["colon"])
    if hour is None or minute is None or not (0 <= hour <= 24 and 0 <= minute < 60):
        return None
    part = m["part"] or ""
    if part == "明早" or part == "明晚":
        day = now.date() + timedelta(days=1)
    if (part in ("下午", "午后", "傍晚", "晚上", "夜里", "今晚", "明晚") and hour < 12) or (
        part in ("中午", "正午") and hour < 3
    ):
        hour += 12
    next_day = hour == 24
    at_time = time(hour % 24, minute, tzinfo=now.tzinfo)
    if day is not None or part or hour >= 12:
        at = datetime.combine(day or now.date(), at_time) + timedelta(days=next_day)
        if not part and hour < _WAKING_FROM and hour:
            at += timedelta(hours=12)
        if day is None and at <= now:
            at += timedelta(days=1)
        return at
    return _next_waking(at_time, now)


def _next_waking(at_time: time, now: datetime) -> datetime:
    """A bare hour is the next one at which people are awake: 三点 at 10:20 is 15:00."""
    candidates = (
        datetime.combine(now.date() + timedelta(days=d), at_time) + timedelta(hours=h) for d in (0, 1) for h in (0, 12)
    )
    return next(c for c in _awake(candidates) if c > now)


def _awake(moments: Iterator[datetime]) -> Iterator[datetime]:
    return (m for m in moments if _WAKING_FROM <= m.hour <= _WAKING_TO)
