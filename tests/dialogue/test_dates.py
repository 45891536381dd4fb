"""Which day, which time: the conventions, one by one. The call is on Wednesday, 18 November 2026, at 10:20."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from dialogue_kit import NOW
from hypothesis import given
from hypothesis import strategies as st

from dialogue.dates import find_dates, find_times, pay_date

TODAY = NOW.date()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("今天", "11-18"),
        ("明天还", "11-19"),
        ("后天", "11-20"),
        ("大后天", "11-21"),
        ("周三", "11-25"),
        ("这周三", "11-25"),
        ("下周周六", "11-28"),
        ("大大后天", "11-22"),
        ("周五", "11-20"),
        ("这周五", "11-20"),
        ("周二", "11-24"),
        ("这周二", "11-24"),
        ("下周五", "11-27"),
        ("下下周一", "11-30"),
        ("礼拜天", "11-22"),
        ("星期6", "11-21"),
        ("这周末", "11-21"),
        ("下周末", "11-28"),
        ("月底", "11-30"),
        ("下个月底", "12-31"),
        ("下个月初", "12-01"),
        ("月初", "12-01"),
        ("十五号", "12-15"),
        ("25号", "11-25"),
        ("二十号之前", "11-20"),
        ("下个月三号", "12-03"),
        ("下月5号", "12-05"),
        ("十二月三号", "12-03"),
        ("12月3日", "12-03"),
        ("三天之内", "11-21"),
        ("两天后", "11-20"),
        ("一个礼拜以内", "11-25"),
        ("马上还", "11-18"),
        ("到家就还", "11-18"),
        ("等会儿就转过去", "11-18"),
        ("十五号发工资", "12-15"),
    ],
)
def test_a_day_is_found(words: str, expected: str) -> None:
    found = pay_date(words, TODAY)
    assert found is not None and found.strftime("%m-%d") == expected


@pytest.mark.parametrize(
    "words", ["过几天", "尽快", "发了工资", "手头宽裕了", "下周", "昨天还的", "上个月", "三十二号", "", "下个月"]
)
def test_what_names_no_day_gives_none(words: str) -> None:
    assert pay_date(words, TODAY) is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("明天不对后天", "11-20"),
        ("周五啊不是周六", "11-21"),
        ("今天不行明天吧", "11-19"),
        ("今天没钱周五还", "11-20"),
        ("今天可能不行周六吧", "11-21"),
        ("十五号发工资十六号还", "12-16"),
        ("明天先还五百下周五还剩下的", "11-19"),
        ("不是今天是周五", "11-20"),
        ("不是今天明天", "11-19"),
        ("我说的是周五不是今天", "11-20"),
        ("不是后天是大后天", "11-21"),
        ("今天白天不行今天晚上还", "11-18"),
        ("今天行不行", "11-18"),
        ("今天工资没发周五还", "11-20"),
    ],
)
def test_the_day_that_counts_is_chosen(words: str, expected: str) -> None:
    found = pay_date(words, TODAY)
    assert found is not None and found.strftime("%m-%d") == expected


@pytest.mark.parametrize(
    "words", ["今天啊今天真不行", "今天啊今天不行", "今天今天恐怕不太行我钱还没到账", "今天啊真不行", "不是今天"]
)
def test_a_day_that_is_ruled_out_is_none(words: str) -> None:
    assert pay_date(words, TODAY) is None


FRIDAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    "words", ["周五", "周五还", "这周五", "我这个周五可以全部还上", "今天不行周五吧", "不是今天是周五"]
)
def test_friday_said_on_a_friday_is_in_a_week(words: str) -> None:
    assert pay_date(words, FRIDAY) == date(2026, 11, 27)


@pytest.mark.parametrize("words", ["今天周五还", "周五就今天", "就今天", "这周五今天"])
def test_friday_said_on_a_friday_with_today_is_today(words: str) -> None:
    assert pay_date(words, FRIDAY) == FRIDAY


def test_a_december_call_reaches_into_the_next_year() -> None:
    last_days = date(2026, 12, 30)
    assert pay_date("下个月三号", last_days) == date(2027, 1, 3)
    assert pay_date("五号", last_days) == date(2027, 1, 5)
    assert pay_date("一月五号", last_days) == date(2027, 1, 5)
    assert pay_date("下周一", last_days) == date(2027, 1, 4)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("三点", "11-18 15:00"),
        ("九点", "11-18 21:00"),
        ("下午三点", "11-18 15:00"),
        ("下午两点半", "11-18 14:30"),
        ("晚上八点一刻", "11-18 20:15"),
        ("明天上午十点", "11-19 10:00"),
        ("明天三点", "11-19 15:00"),
        ("后天中午十二点", "11-20 12:00"),
        ("15:30", "11-18 15:30"),
        ("半小时后", "11-18 10:50"),
        ("一个小时以后", "11-18 11:20"),
        ("一个半小时", "11-18 11:50"),
        ("四十分钟以后", "11-18 11:00"),
        ("上午九点", "11-19 09:00"),
    ],
)
def test_a_time_is_found(words: str, expected: str) -> None:
    assert [t.at.strftime("%m-%d %H:%M") for t in find_times(words, NOW)] == [expected]


@pytest.mark.parametrize("words", ["晚点", "下午", "忙完", "有点忙", "早点打", "一点钱都没有"])
def test_a_vague_time_is_none(words: str) -> None:
    assert find_times(words, NOW) == []


@given(day=st.integers(1, 31), start=st.dates(date(2026, 1, 1), date(2027, 12, 31)))
def test_a_day_of_the_month_is_the_next_such_day(day: int, start: date) -> None:
    found = pay_date(f"{day}号", start)
    assert found is not None and found.day == day
    assert all((start + timedelta(days=n)).day != day for n in range((found - start).days))


@given(
    words=st.text(alphabet="今明后大天周下这个月底初号日一二三五十之内前不行还", max_size=14),
    start=st.dates(date(2026, 1, 1), date(2028, 12, 31)),
)
def test_no_day_lies_in_the_past_and_every_span_lies_in_the_text(words: str, start: date) -> None:
    for mention in find_dates(words, start):
        assert mention.day >= start
        assert 0 <= mention.start < mention.end <= len(words)
