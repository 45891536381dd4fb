"""At which moment does the customer want to be called? Spoken Chinese times, resolved against the call's own clock.

A bare hour is the next one in waking time (三点 at 10:20 is 15:00); with a day beside it 8 to 11 are the morning and
1 to 7 the afternoon. 晚点, 下午, 忙完 have no time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from dialogue.choosing import Role, chosen_of, clauses
from dialogue.days import DateMention, find_named_days
from dialogue.numerals import NUMERAL, is_range, parse_number, parse_whole


@dataclass(frozen=True, slots=True)
class TimeMention:
    """A moment named in `text[start:end]`."""

    at: datetime
    start: int
    end: int


_N = NUMERAL
_MORNING = "凌晨|清晨|早上|早晨|大清早|一早|上午|(?<!最)早"
_NOON = "中午|正午|晌午"
_EVENING = "下午|午后|后晌|傍晚|晚上|晚黑|夜里|晚间|下晚|(?<!最)晚"
_MINUTE = r"[零〇][一二三四五六七八九]|[二三四五]?十[一二三四五六七八九]?|\d{2}"
_CLOCK = re.compile(
    rf"(?P<part>{_MORNING}|{_NOON}|{_EVENING})?的?"
    rf"(?:差(?P<to>{_N}|[一三]刻)分?钟?(?:不到)?(?P<hour_to>{_N})点|"
    rf"(?!(?<=[晚早快慢有差好多大小])一点(?![半钟整一三]))(?P<hour>{_N})(?:点(?!钱|儿?钱|时间|意见|事|心|头)(?:来)?(?:钟|整)?"
    rf"(?:(?P<half>半)|(?P<quarter>[一三]刻)|差(?P<lack>{_N}|[一三]刻)分?|过?(?P<minute>{_N}(?=分)|{_MINUTE})分?(?!钟))?|(?<=\d)[:：](?P<colon>\d{{2}})))"
)
_SPAN = re.compile(
    rf"(?<![一每两点])(?P<n>{_N}|半|个把)(?P<about>来|多)?(?:个)?(?P<plus>半)?(?:多)?(?P<unit>小时|钟头|分钟|刻钟|钟(?!点)|分(?=后|之后|以后))(?P<over>半)?"
    r"(?:之后|以后|过后|后|左右|再)?"
)
_FROM_NOW = re.compile(r"(?:过|等|等我|隔|再等|给我|要)$")
_FROM_NOW_ON = re.compile(r"(?:后|再)$")
_ENDS = re.compile(r"$|[吧行就你可到]|左右|再|打")
_WAKING_FROM, _WAKING_TO = 7, 22
_SKIPPED = "＿"
_BETWEEN_DAY_AND_HOUR = 6
_CALL = re.compile(r"打(?!了|的|过[了我])|联系|来电|再[说讲谈聊]|找我|给我|可以|方便|有空|行")
_NO_CALL = re.compile(
    r".{0,4}?(?:(?:别|不要)(?:再|给我|老)?[打来]|(?<!行)不行|没空|不方便|(?<!能)不能|没时间|不在|打(?:的|了|过(?![来去])))|的(?!时候|话)[^吧啊打]"
)
_PLAIN = re.compile(
    r"(?:[吧啊呀哦嗯呃额呢嘛吗呗啦了那我你就的整一过]|以后|之后|过后|后|左右|钟|之前|前|再)*到?"
    r"(?:$|不|改|算了|要不)"
)


def find_times(text: str, now: datetime) -> list[TimeMention]:
    """All moments named in the text, in their order, each in the future of `now` where the words allow it."""
    days = find_named_days(text, now.date())
    # 周二三点 is no 二三点: the days give up their characters before the hours are read.
    hours_only = text
    for d in days:
        hours_only = hours_only[: d.start] + _SKIPPED * (d.end - d.start) + hours_only[d.end :]
    found: list[TimeMention] = []
    for m in _SPAN.finditer(hours_only):
        minutes = _span_minutes(m)
        # 还有三分钟超时 says how long something lasts, not when to call.
        if (
            not _FROM_NOW.search(hours_only[: m.start()])
            and not _FROM_NOW_ON.search(m[0])
            and not _ENDS.match(text, m.end())
        ):
            continue
        if minutes is not None:
            found.append(TimeMention(now + timedelta(minutes=minutes), m.start(), m.end()))
    last_day: date | None = None
    last_hour, last_part = "", ""
    for m in _CLOCK.finditer(hours_only):
        if any(f.start < m.end() and m.start() < f.end for f in found):
            continue
        day = _day_of(m, text, days)
        part = m["part"] or (_part_in(text[day.start : day.end]) if day else "")
        hour = m["hour"] or m["hour_to"]
        # 明天三点不对四点, 晚上十点之前别打十点以后: what was said of the first hour holds for the second.
        if day is None and not part and (last_day is not None or hour == last_hour):
            part = last_part
        last_day, last_hour, last_part = day.day if day else last_day, hour, part
        at = _clock(m, last_day, part, now)
        if at is not None:
            found.append(TimeMention(at, min(m.start(), day.start) if day else m.start(), m.end()))
    return sorted(found, key=lambda f: f.start)


def callback_mention(text: str, now: datetime) -> TimeMention | None:
    """The moment at which the customer wants to be called, or None."""
    mentions = find_times(text, now)
    said = clauses(text, mentions)
    return chosen_of(text, mentions, [_role(text[: m.start], c) for m, c in zip(mentions, said, strict=True)])


def _role(before: str, clause: str) -> Role:
    """我三点前都在开会三点半打来: the first is no time to call. 十点之前别打 rules ten out."""
    if before.endswith(("都", "已经", "才")) and clause.startswith(("了", "多了")):
        return Role.OUT
    call = _CALL.search(clause)
    if (no := _NO_CALL.match(clause)) and (call is None or no.end() <= call.start() + 1):
        return Role.OUT
    return Role.MEANT if call or _PLAIN.match(clause) else Role.ASIDE


def _day_of(m: re.Match[str], text: str, days: list[DateMention]) -> DateMention | None:
    """The day that the hour belongs to: shortly before it, or right behind it (九点整下周一)."""
    for d in reversed(days):
        if d.start <= m.start() and m.start() - d.end <= _BETWEEN_DAY_AND_HOUR:
            return d
    return next((d for d in days if 0 <= d.start - m.end() <= 1), None)


def _part_in(day: str) -> str:
    if day.endswith(("早", "晨")):
        return "早上"
    return "晚上" if day.endswith(("晚", "夜")) else ""


def _span_minutes(m: re.Match[str]) -> int | None:
    unit = {"小时": 60, "钟头": 60, "钟": 60, "分钟": 1, "分": 1, "刻钟": 15}[m["unit"]]
    if m["n"] == "半":
        return unit // 2 if unit == 60 else None
    if m["n"] == "个把":
        return unit
    number = None if is_range(m["n"]) else parse_number(m["n"])
    if number is None or not 0 < number <= 600:
        return None
    half = unit // 2 if m["plus"] or m["over"] else 0
    return int(number * unit) + half


def _minutes(words: str) -> int | None:
    if words in ("一刻", "三刻"):
        return 15 if words == "一刻" else 45
    return None if is_range(words) else parse_whole(words)


def _clock(m: re.Match[str], day: date | None, part: str, now: datetime) -> datetime | None:
    said_hour = m["hour"] or m["hour_to"]
    hour = None if is_range(said_hour) else parse_whole(said_hour)
    minute: int | None = 30 if m["half"] else 0
    if after := m["quarter"] or m["minute"] or m["colon"]:
        minute = parse_whole(after) if m["colon"] else _minutes(after)
    to = _minutes(m["to"] or m["lack"]) if m["to"] or m["lack"] else 0
    if hour is None or minute is None or to is None or not (0 <= hour <= 24 and 0 <= minute < 60 and 0 <= to < 60):
        return None
    if (re.fullmatch(_EVENING, part) and hour < 12) or (re.fullmatch(_NOON, part) and hour < 3):
        hour += 12
    elif re.fullmatch("晚|晚上|晚黑|夜里|晚间", part) and hour == 12:
        hour = 24
    elif day is not None and not part and 0 < hour <= _WAKING_FROM:
        hour += 12
    at_time = time(hour % 24, minute, tzinfo=now.tzinfo)
    less = timedelta(minutes=to)
    if day is None and not part and hour < 12:
        return _next_waking(at_time, less, now)
    at = datetime.combine(day or now.date(), at_time) + timedelta(days=hour == 24) - less
    if day is None and at <= now:
        at += timedelta(days=1)
    elif at <= now and not part and hour < 12:
        at += timedelta(hours=12)
    return at


def _next_waking(at_time: time, less: timedelta, now: datetime) -> datetime:
    """A bare hour is the next one at which people are awake: 三点 at 10:20 is 15:00."""
    candidates = (
        datetime.combine(now.date() + timedelta(days=d), at_time) + timedelta(hours=h) - less
        for d in (0, 1)
        for h in (0, 12)
    )
    return next(c for c in _awake(candidates) if c > now)


def _awake(moments: Iterator[datetime]) -> Iterator[datetime]:
    return (m for m in moments if _WAKING_FROM <= m.hour <= _WAKING_TO)
