"""Days, sums and times as debtors say them: a hand-written file, and what must hold for all of them."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from dialogue_kit import NOW
from hypothesis import given
from hypothesis import strategies as st
from test_amounts import spoken

from dialogue.acts import Act
from dialogue.amounts import offered
from dialogue.dates import pay_date
from dialogue.rules import normalise
from dialogue.slots import find_slots, find_spans

TURNS = Path(__file__).parents[2] / "models" / "intent" / "data" / "slots.tsv"
KNOWN_FAILURES = frozenset(  # at most 1% of the file
    {
        "今天礼拜五 银行五点关门 我现在过去来得及",
        "等我老公十号出差回来商量下 会还的",
        "手上就五十块 你让我怎么还 等有了就还",
        "这月工资扣完社保剩两千八 我尽量还",
        "我算下啊 今天三十 明天一号 二号吧 二号还",
        "两百 再多 再多也就三百 三百吧",
        "十号 啊十号是周四 那十一号",
    }
)
WEEKDAYS = "一二三四五六日"


def rows() -> list[tuple[str, str, str, str]]:
    lines = TURNS.read_text("utf-8").splitlines()
    return [tuple(line.split("\t")) for line in lines if line and not line.startswith("#")]  # type: ignore[misc]


@pytest.mark.parametrize(("now", "acts", "text", "slots"), rows())
def test_a_spoken_turn_gives_its_slots(now: str, acts: str, text: str, slots: str) -> None:
    found = find_slots(normalise(text), [Act(a) for a in acts.split(",")], datetime.fromisoformat(now))
    wanted = json.loads(slots)
    shown = {
        "pay_date": found.pay_date and found.pay_date.isoformat(),
        "pay_amount": found.pay_amount is not None and str(found.pay_amount),
        "amount_kind": found.amount_kind in ("half", "minimum") and found.amount_kind,
        "callback_at": found.callback_at and found.callback_at.strftime("%Y-%m-%dT%H:%M"),
    }
    assert ({name: value for name, value in shown.items() if value} == wanted) is (text not in KNOWN_FAILURES)


def test_the_file_is_what_it_should_be() -> None:
    turns = rows()
    assert len(turns) >= 450
    assert len({(now, text) for now, _, text, _ in turns}) == len(turns)
    assert len({now for now, *_ in turns}) >= 6
    assert sum(slots == "{}" for *_, slots in turns) >= len(turns) * 0.3
    assert len(KNOWN_FAILURES) <= len(turns) / 100


@given(
    today=st.dates(date(2026, 1, 1), date(2028, 12, 31)),
    ahead=st.integers(0, 364),
    said_as=st.sampled_from(["month and day", "with the year", "digits", "days from now", "with words around"]),
)
def test_any_day_within_a_year_comes_back(today: date, ahead: int, said_as: str) -> None:
    day = today + timedelta(days=ahead)
    month_and_day = f"{spoken_short(day.month)}月{spoken_short(day.day)}号"
    year = "".join("零一二三四五六七八九"[int(d)] for d in str(day.year))
    words = {
        "month and day": month_and_day,
        "with the year": f"{year}年{month_and_day}还",
        "digits": f"{day.month}月{day.day}日还",
        "days from now": f"{spoken(ahead)}天之内" if ahead else "今天",
        "with words around": f"嗯我看看那个{month_and_day}吧{month_and_day}一定还你们五百",
    }[said_as]
    found = pay_date(words, today)
    # Without a year, a day that was up to two months ago is taken for the one that has passed.
    without_year = said_as in ("month and day", "digits", "with words around")
    assert found == day or (found is None and without_year and ahead >= 365 - 62)


@given(
    today=st.dates(date(2026, 1, 1), date(2028, 12, 31)),
    weekday=st.integers(0, 6),
    weeks=st.integers(1, 2),
    name=st.sampled_from(["周", "星期", "礼拜"]),
)
def test_a_weekday_of_a_coming_week_comes_back(today: date, weekday: int, weeks: int, name: str) -> None:
    monday = today - timedelta(days=today.weekday())
    words = f"{'下' * weeks}{name}{WEEKDAYS[weekday]}我还"
    assert pay_date(words, today) == monday + timedelta(weeks=weeks, days=weekday)


@given(cents=st.integers(100, 9_999_999), around=st.sampled_from(["先还{}", "我今天转{}吧", "周五五号给你{}别的没有"]))
def test_any_amount_in_words_comes_back(cents: int, around: str) -> None:
    yuan, rest = divmod(cents, 100)
    jiao, fen = divmod(rest, 10)
    words = f"{spoken_short(yuan)}块"
    if jiao:
        words += f"{spoken(jiao)}毛" + (f"{spoken(fen)}分" if fen else "")
    elif fen:
        words += f"零{spoken(fen)}分"
    found = offered(around.format(words))
    assert found is not None and found.amount == Decimal(cents) / 100


@given(yuan=st.integers(100, 99_999))
def test_any_sum_without_its_unit_comes_back(yuan: int) -> None:
    found = offered(f"先还{spoken(yuan)}")
    assert found is not None and found.amount == yuan


def spoken_short(number: int) -> str:
    """十二, not 一十二."""
    words = spoken(number)
    return words.removeprefix("一") if 10 <= number < 20 else words


@pytest.mark.parametrize(
    ("words", "acts", "spans"),
    [
        ("那个明天还五百行吧", "promise_partial", {"pay_date": "明天", "pay_amount": "五百"}),
        ("下礼拜一不不下礼拜二", "promise_pay", {"pay_date": "下礼拜二"}),
        ("月底先还一半", "promise_partial", {"pay_date": "月底", "amount_kind": "一半"}),
        ("我在开会明天下午三点半打来", "request_callback", {"callback_at": "明天下午三点半"}),
        ("晚点打", "request_callback", {}),
        ("明天还五百", "hardship", {}),
    ],
)
def test_every_slot_knows_the_words_it_came_from(words: str, acts: str, spans: dict[str, str]) -> None:
    found = find_spans(words, [Act(acts)], NOW)
    assert {name: words[start:end] for name, (start, end) in found.items()} == spans


@given(
    words=st.text(alphabet="今明后天周下个月底号一二三五十百千块还先转打点半小时后不行还是吧我", max_size=18),
    acts=st.sets(st.sampled_from([Act.PROMISE_PAY, Act.PROMISE_PARTIAL, Act.REQUEST_CALLBACK, Act.HARDSHIP])),
)
def test_a_span_stands_for_every_slot_and_lies_in_the_words(words: str, acts: set[Act]) -> None:
    slots, spans = find_slots(words, acts, NOW), find_spans(words, acts, NOW)
    for name in ("pay_date", "pay_amount", "amount_kind", "callback_at"):
        assert (getattr(slots, name) is not None) is (name in spans)
    assert all(0 <= start < end <= len(words) for start, end in spans.values())
    assert slots.pay_date is None or slots.pay_date >= NOW.date()
