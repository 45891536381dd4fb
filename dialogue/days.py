"""Which days does the customer name? Spoken Chinese dates, resolved against the day of the call.

Conventions (the same as in the act catalogue): 周五 and 这周五 are this calendar week's if still ahead, else next
week's, so that 周五 said on a Friday is in a week unless 今天 stands beside it; 下周五 is the next calendar week's; N号
the next such day on or after today; 月底 the last of this month; 三天之内 its last day; 到家就还 is today. Days of the
lunar calendar and days that hang on something without a day (工资一发马上转) are not resolved.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from dialogue.choosing import PAYS
from dialogue.numerals import DAY_OF_MONTH, NUMERAL, is_range, parse_number, parse_whole


@dataclass(frozen=True, slots=True)
class DateMention:
    """A day named in `text[start:end]`."""

    day: date
    start: int
    end: int


_N = NUMERAL
_WEEKDAYS = {"一": 0, "二": 1, "三": 2, "四": 3, "五": 4, "六": 5, "日": 6, "天": 6, "末": 5} | {
    str(n): n - 1 for n in range(1, 8)
}
_DAY_WORDS = {
    word: days
    for days, words in {
        4: "大大后天 大大后儿",
        3: "大后天 大后儿 大后日 大后个 外后天 外后日",
        2: "后天 后儿 后儿个 后日 后个儿 后晚 后早",
        1: "明天 明儿 明儿个 明个 明个儿 明日 明朝 明早 明晚 明晨 听日 听朝 听晚",
        0: "今天 今儿 今儿个 今个 今个儿 今日 今朝 今晚 今早 今夜 今晨",
    }.items()
    for word in words.split()
}
_HOLIDAYS = {
    "元旦": (1, 1),
    "情人节": (2, 14),
    "妇女节": (3, 8),
    "三八节": (3, 8),
    "劳动节": (5, 1),
    "五一": (5, 1),
    "儿童节": (6, 1),
    "六一": (6, 1),
    "建军节": (8, 1),
    "教师节": (9, 10),
    "国庆": (10, 1),
    "双十一": (11, 11),
    "双十二": (12, 12),
    "平安夜": (12, 24),
    "圣诞": (12, 25),
}
_UNRESOLVED = re.compile(
    rf"(?:农历|阴历|旧历|腊月|正月|冬月|大年)(?:{_N}月)?初?{_N}[号日]?(?!块|元)|{_N}月初{_N}|(?<!月)初[一二三四五六七八九十]"
    r"|月[初头]月[底尾]|除夕|春节|中秋节?|端午节?|元宵节?|七夕|重阳节?|清明节|清明(?!天)|小年|过完年|(?<![今明去前后])年(?:三十|二十[八九]|廿[八九])"
)
_PAST = re.compile(
    r"昨[天晚日儿]|大?前[天晚日]|刚才|刚刚|(?<![还补堵续垫送交存])上上?个?月(?:的?(?:月?[初底中末]|[一二三四五六七八九十\d]+[号日]?))?|"
    rf"上上?个?(?:周|星期|礼拜)(?:[一二三四五六日天末])?|去年(?:{_N}月(?:份|{_N}[号日]?)?)?|之前就|早就|前[两几]天"
)
_MONTH = f"(?P<month>{_N})月(?:份)?(?:的)?"
_WEEK = "(?:周|星期|礼拜)"
_WITHIN = "之内|以内|内|之后|以后|过后|后|左右|上下"
_UNIT = "天|日|周|星期|礼拜|月"

# ---- today, said without a day ---------------------------------------------------------------------------------------

_NOW = (
    r"马上|立刻|立马|即刻|当场|(?<![到出实])现在|这会儿?|这就|(?<![等待呆过])(?:一会儿?|会儿)(?![计议员])|[等待呆]一?会儿?(?![议计])|等[一]?下子?|等哈|"
    r"到(?:家|单位|公司|店里?|宿舍|地方|厂里)|回家|下了?班|收了?[工摊]|打烊|[吃做](?:完|了|过)[早中午晚]?饭|忙完(?!这)|挂了电话|"
    rf"(?:凌晨|早上|上午|中午|下午|傍晚|晚上|夜里|后晌|晚黑|天黑)(?:的?{_N}点(?:半|钟|[一三]刻)?)?"
    rf"(?:之前|以前|前)?|{_N}点(?:半|钟)?(?:之前|以前|前)"
)
# Only words that carry nothing of their own may stand between: 马上要开会了这个我会还的 is no today.
_ON_THE_WAY = (
    r"(?:[就我给你您们来去拿把它他钱都先再能可以过用手机上里卡账这那个儿呢吧啊哦嗯一回到完了好帮叫让想直接动会]"
    r"|一定|肯定|应该|保证|指定|绝对|下班|马上|立刻|立马|现在|以后|之后|[开吃忙办做上弄]完[会饭课班活这事]?)"
)
# 晚上收了车就转, 一会儿到站我就还: something of today comes first, and it is no money coming in.
_AFTER_AN_ERRAND = rf"[^发款钱账结退批薪卖一二两三四五六七八九十]{{0,8}}?就(?:能|可以|去|把|顺手|给)*{PAYS}"
_AT_ONCE = re.compile(
    rf"{_ON_THE_WAY}{{0,12}}?(?:{PAYS}|给(?![我他她人]))|{_AFTER_AN_ERRAND}|{_ON_THE_WAY}{{0,3}}$|吧|就行|行吗|可以|全部"
)
_HANGS_ON = re.compile(
    r"(?:到账|到手|下来|[一]?[发批卖](?:了|下来|完)?|一到|到了|结了?账?|回款|退了?|(?<!回)来了?|借到|凑[齐够]|出院了?|有钱|拿到|收到)"
    r"(?:了|的话|以后|之后|我|就|再|老板|公司|那边|[^我今明后吧]{0,3})$"
)


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
    for n in range(4):
        found = _date(*_month_after(today, n), day)
        if found is not None and found >= today:
            return found
    return None


def _month_after(today: date, months: int) -> tuple[int, int]:
    n = today.year * 12 + today.month - 1 + months
    return n // 12, n % 12 + 1


def _last_day(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _part_of_month(year: int, month: int, part: str) -> date:
    first = part.endswith(("初", "头", "第一天"))
    middle = "中" in part or part.endswith("半")
    return date(year, month, 1 if first else 15 if middle else _last_day(year, month))


# ---- one resolver for each kind of expression ------------------------------------------------------------------------


def _full(m: re.Match[str], today: date) -> date | None:
    said = m["year"]
    year = {"今": today.year, "明": today.year + 1}.get(said) or parse_whole(said)
    return _date(year, parse_whole(m["month"]), parse_whole(m["day"]))


def _month_day(m: re.Match[str], today: date) -> date | None:
    return _coming(parse_whole(m["month"]), parse_whole(m["day"]), today)


def _month_part(m: re.Match[str], today: date) -> date | None:
    month = parse_whole(m["month"])
    if month is None or not 1 <= month <= 12:
        return None
    return _part_of_month(today.year + (month < today.month), month, m["part"])


def _day_of_month(m: re.Match[str], today: date) -> date | None:
    months = m["lead"].count("下") or m["lead"].startswith("次")
    return _date(*_month_after(today, months), parse_whole(m["day"]))


def _relative_part(m: re.Match[str], today: date) -> date | None:
    lead, part = m["lead"] or "", m["part"]
    if not lead and not part.startswith("月"):
        return None
    found = _part_of_month(*_month_after(today, lead.count("下") or lead.startswith("次")), part)
    return _part_of_month(*_month_after(today, 1), part) if found < today and not lead else found


def _weekday(m: re.Match[str], today: date) -> date | None:
    lead, weekday = m["lead"] or "", _WEEKDAYS[m["day"]]
    monday = today - timedelta(days=today.weekday())
    if lead.startswith("下"):
        return monday + timedelta(weeks=lead.count("下"), days=weekday)
    found = monday + timedelta(days=weekday)
    # 周三 said on a Wednesday is the next one: today would be called 今天.
    return found if found > today else found + timedelta(weeks=1)


def _end_of_period(m: re.Match[str], today: date) -> date | None:
    """这个月之内, 本周内, 下周内, 年底前."""
    lead, unit = m["lead"], m["unit"]
    ahead = lead.count("下")
    if unit == "月":
        year, month = _month_after(today, ahead)
        return date(year, month, _last_day(year, month))
    return today + timedelta(days=6 - today.weekday(), weeks=ahead)


def _after(m: re.Match[str], today: date) -> date | None:
    n, unit = m["n"], m["unit"]
    if n == "半":
        return today + timedelta(days=15) if unit == "月" else None
    number = None if is_range(n) else parse_number(n)
    if number is None or not 0 < number <= 400:
        return None
    if unit == "月":
        year, month = _month_after(today, int(number))
        return date(year, month, min(today.day, _last_day(year, month)))
    return today + timedelta(days=int(number) * (1 if unit in ("天", "日") else 7))


def _holiday(m: re.Match[str], today: date) -> date | None:
    month, day = (10, 1) if m["name"] == "十一" else _HOLIDAYS[m["name"]]
    this_year = date(today.year, month, day)
    return this_year if this_year >= today and not m["next"] else date(today.year + 1, month, day)


def _longest_first(words: dict[str, int] | dict[str, tuple[int, int]]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_Resolver = Callable[[re.Match[str], date], date | None]
_KINDS: tuple[tuple[re.Pattern[str], _Resolver], ...] = tuple(
    (re.compile(pattern), resolver)
    for pattern, resolver in (
        (
            rf"(?P<year>\d{{4}}|[二两][零〇][一二三四五六七八九零〇]{{2}}|今|明)年{_MONTH}(?P<day>{DAY_OF_MONTH})[号日]?",
            _full,
        ),
        (rf"{_MONTH}(?P<day>{DAY_OF_MONTH})(?:[号日]|(?![百千万块元\d点]))", _month_day),
        (rf"{_MONTH}(?P<part>初|中旬|中|底|末|尾|最后一天)", _month_part),
        (rf"(?P<lead>下下?个?月|次月)(?P<day>{DAY_OF_MONTH})[号日]?(?![百千万块元\d点])", _day_of_month),
        (rf"(?P<lead>下下?个?月|次月|这个?月|本月|当月)(?:的|份)?(?P<day>{DAY_OF_MONTH})[号日]", _day_of_month),
        (
            r"(?P<lead>下下?个?月|这个?月|本月|当月|次月)?(?:的|份)?(?P<part>月?(?:初|中旬|底|末|尾|头)|月[中半]|最后一天|第一天)"
            r"(?![期心等介]|下旬|上旬)",
            _relative_part,
        ),
        (
            rf"(?P<lead>(?<!一)下+个?|这个?|本)?(?:{_WEEK}的?){{1,2}}(?P<day>[一二三四五六日天末1-6])(?!个|天(?:打|能|之|内)|[十百千万]?[块元])",
            _weekday,
        ),
        (rf"(?P<lead>下个?|这个?|本)(?P<unit>月|{_WEEK})(?:之内|以内|内|里头?)", _end_of_period),
        (r"(?:今年)?年底|今年之?内|年内", lambda _, today: date(today.year, 12, 31)),
        (rf"(?P<n>{_N}|(?<!个)半)(?:个)?(?P<unit>{_UNIT})(?:的?时间)?(?:{_WITHIN})", _after),
        (
            rf"(?:最多|顶多|再过|过(?!两天)|最迟|最晚|再给我|给我|等我?(?!两天)|宽限)(?P<n>{_N}|半)个?(?P<unit>天|周|星期|礼拜|月)(?!多|把)",
            _after,
        ),
        (_longest_first(_DAY_WORDS), lambda m, today: today + timedelta(days=_DAY_WORDS[m[0]])),
        (
            rf"(?P<next>明年)?(?P<name>{_longest_first(_HOLIDAYS)}|十一(?=之前|以前|前|长假|假期|放假|国庆))"
            r"(?!路|街|广场|大道|小区|村|桥)(?:劳动节|节)?(?:(?:放假|长假|假期)(?=之前|以前|前))?(?!之后|以后|过后|后|一过|过了)",
            _holiday,
        ),
        (
            r"(?:(?:^|[对是说讲那嗯]|[阳公新]历)(?=[二三]?十.?(?:$|吧|还(?![不没是])|就这样|当天|发[工薪]))|(?<![二三十百千万还转给打付交存凑先])(?=[二三]?十.?吧))"
            r"(?P<day>二?十[一二三四五六七八九]|二十|三十一?)",
            lambda m, today: _coming_day(parse_whole(m["day"]), today),
        ),
        (
            rf"(?P<day>{DAY_OF_MONTH})[号日](?!线|楼|门|店|人|院)",
            lambda m, today: _coming_day(parse_whole(m["day"]), today),
        ),
    )
)
_HOURS = re.compile(rf"(?P<n>{_N}|半)个?(?P<unit>半?小时|半?钟头|分钟|刻钟)(?:{_WITHIN})")
# Of a day that has passed or does not exist nothing is left over: 一月一号 in February is no 一号.
_SPOKEN_FOR = (_full, _month_day, _month_part, _day_of_month, _after)
_BESIDE = re.compile(r"的?(?:(?P<before>前一天|头一天|头天)|(?P<after>后一天|第二天|隔天|转天))")
_AFTER_IT = re.compile(r"(?:过了|过完|等过)$")


def find_dates(text: str, today: date) -> list[DateMention]:
    """All days that the text speaks of, in their order, 到家就还 and 半小时后转 among them."""
    named = find_named_days(text, today)
    return sorted([*named, *_todays(text, today, named)], key=lambda d: d.start)


def find_named_days(text: str, today: date) -> list[DateMention]:
    """All days of the calendar in the text, in their order; past, impossible and vague ones (过几天) are left out."""
    found: list[DateMention] = []
    taken = [m.span() for pattern in (_PAST, _UNRESOLVED) for m in pattern.finditer(text)]
    for pattern, resolve in _KINDS:
        for m in pattern.finditer(text):
            if any(m.start() < end and start < m.end() for start, end in taken):
                continue
            day = resolve(m, today)
            if day is None and resolve in _SPOKEN_FOR:
                taken.append(m.span())
            if day is None or (resolve is _holiday and _AFTER_IT.search(text[: m.start()])):
                continue
            end = m.end()
            if beside := _BESIDE.match(text, end):
                day, end = day + timedelta(days=-1 if beside["before"] else 1), beside.end()
            if day >= today:
                found.append(DateMention(day, m.start(), end))
                taken.append((m.start(), end))
    return sorted(found, key=lambda d: d.start)


_NOW_WORD = re.compile(_NOW)


def _todays(text: str, today: date, named: list[DateMention]) -> list[DateMention]:
    """马上, 到家就还, 下午还: the paying follows at once, hangs on nothing else, and no day stands close before."""
    spans = [(m, _hours(m["n"], m["unit"])) for m in _HOURS.finditer(text)]
    return [
        DateMention(today + timedelta(hours=hours), m.start(), m.end())
        for m, hours in [*spans, *((m, 0) for m in _NOW_WORD.finditer(text))]
        if not any(m.start() < d.end + 4 and d.start < m.end() for d in named)
        and _AT_ONCE.match(text, m.end())
        and not _HANGS_ON.search(text[: m.start()])
    ]


def _hours(n: str, unit: str) -> int:
    number = None if is_range(n) or n == "半" else parse_number(n)
    return int(number) if number and number < 400 and unit in ("小时", "钟头") else 0
