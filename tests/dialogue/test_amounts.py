"""How much: spoken amounts, and which of them are an offer."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogue.amounts import find_amounts, offered
from dialogue.numerals import parse_number, parse_whole


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("一千五", 1500),
        ("一万二", 12000),
        ("一千零五", 1005),
        ("两万三千六百", 23600),
        ("十五", 15),
        ("一百二", 120),
        ("一百零二", 102),
        ("两百五十", 250),
        ("三十一", 31),
        ("1.5万", 15000),
        ("3千", 3000),
        ("一二三", 123),
        ("十", 10),
        ("一亿两千万", 120000000),
        ("一万零五十", 10050),
        ("十万五千", 105000),
    ],
)
def test_a_number_is_read(words: str, expected: int) -> None:
    assert parse_number(words) == expected


@pytest.mark.parametrize("words", ["", "三五千", "万", "几百", "百度"])
def test_what_is_no_number_gives_none(words: str) -> None:
    assert parse_number(words) is None


@pytest.mark.parametrize(
    ("words", "amount"),
    [
        ("先还五百", "500"),
        ("一千二", "1200"),
        ("一块五", "1.50"),
        ("两万三千六百块零五毛", "23600.50"),
        ("三千五百四十二块三毛六", "3542.36"),
        ("一百五十六块八", "156.80"),
        ("八百来块", "800"),
        ("1235.6元", "1235.60"),
        ("先还个500", "500"),
        ("一千块钱吧", "1000"),
        ("欠三千先还五百", "500"),
        ("周五还500不对600", "600"),
        ("十五号还一千", "1000"),
        ("今天先转两千下个月三千", "2000"),
        ("二十块", "20"),
        ("不是三千是五百", "500"),
        ("我没说一千先还五百", "500"),
    ],
)
def test_an_offer_is_found(words: str, amount: str) -> None:
    found = offered(words)
    assert found is not None and found.amount == Decimal(amount)


@pytest.mark.parametrize(
    ("words", "kind"), [("还个最低", "minimum"), ("先还一半", "half"), ("全部还清", "full"), ("不是全部是一半", "half")]
)
def test_some_amounts_only_the_case_knows(words: str, kind: str) -> None:
    found = offered(words)
    assert found is not None and (found.kind, found.amount) == (kind, None)


@pytest.mark.parametrize(
    "words",
    [
        "上个月还了两千",
        "我欠三千",
        "利息都五百了",
        "工资才三千",
        "先还个几百",
        "还一点",
        "十五号",
        "三天",
        "三个人",
        "最低还多少",
        "十二点",
        "已经还了一千",
    ],
)
def test_what_is_not_offered_is_passed_over(words: str) -> None:
    assert offered(words) is None


DIGITS = "零一二三四五六七八九"


def spoken(number: int) -> str:
    """The full spoken form, by the book: 12005 -> 一万二千零五."""
    out, zero = "", False
    for unit, name in ((10000, "万"), (1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, unit)
        if digit >= 10:
            out += spoken(digit) + name
        elif digit:
            out += ("零" if zero and out else "") + DIGITS[digit] + name
            zero = False
        elif out:
            zero = True
    return out


@given(st.integers(1, 9_999_999))
def test_every_spoken_number_is_read_back(number: int) -> None:
    assert parse_whole(spoken(number)) == number


@given(st.integers(100, 999_999), st.integers(1, 9), st.integers(1, 9))
def test_every_spoken_amount_is_read_back(yuan: int, jiao: int, fen: int) -> None:
    found = offered(f"先还{spoken(yuan)}块{DIGITS[jiao]}毛{DIGITS[fen]}")
    assert found is not None and found.amount == Decimal(f"{yuan}.{jiao}{fen}")


@given(st.text(alphabet="一二三百千万块毛元先还号天点两半0123456789.", max_size=14))
def test_spans_lie_in_the_text(words: str) -> None:
    for mention in find_amounts(words):
        assert 0 <= mention.start < mention.end <= len(words)
