"""How a line sounds for a case, and what can be synthesised before it is needed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest
from dialogue_kit import CASE, NOW, call, case_for
from hypothesis import given
from hypothesis import strategies as st

from dialogue.rendering import (
    RenderError,
    all_fixed_clauses,
    case_clauses,
    case_values,
    likely_clauses,
    render,
    say_amount,
    say_date,
    say_moment,
)
from dialogue.script import Script, Wording


@pytest.mark.parametrize(
    ("amount", "text"), [("3200.50", "3200.50元"), ("3000.00", "3000元"), ("3000", "3000元"), ("0.05", "0.05元")]
)
def test_amounts(amount: str, text: str) -> None:
    assert say_amount(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("day", "text"),
    [
        (date(2026, 11, 18), "今天11月18日"),
        (date(2026, 11, 19), "明天11月19日"),
        (date(2026, 11, 20), "后天11月20日"),
        (date(2026, 11, 22), "这周日11月22日"),
        (date(2026, 11, 23), "下周一11月23日"),
        (date(2026, 11, 30), "11月30日"),
        (date(2026, 11, 10), "11月10日"),
    ],
)
def test_days_are_named_so_that_nobody_can_mistake_them(day: date, text: str) -> None:
    assert say_date(day, NOW.date()) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ((18, 15, 0), "今天下午3点"),
        ((19, 10, 30), "明天上午10点半"),
        ((18, 20, 15), "今天晚上8点15分"),
        ((25, 12, 0), "11月25日中午12点"),
    ],
)
def test_times(at: tuple[int, int, int], text: str) -> None:
    assert say_moment(datetime(2026, 11, *at, tzinfo=NOW.tzinfo), NOW) == text


@pytest.mark.parametrize(
    ("name", "gender", "full", "short"),
    [
        ("王强", "male", "王强先生", "王先生"),
        ("李梅", "female", "李梅女士", "李女士"),
        ("欧阳文", "male", "欧阳文先生", "欧阳先生"),
        ("陈晨", "unknown", "陈晨", "陈晨"),
    ],
)
def test_salutations(name: str, gender: str, full: str, short: str) -> None:
    values = case_values(replace(CASE, name=name, gender=gender))
    assert (values["salutation"], values["short_salutation"]) == (full, short)


def test_a_clause_ends_at_its_punctuation_and_nothing_is_lost() -> None:
    wording = Wording("好的，我跟您核对一下，{pay_date}，还款{pay_amount}，对吗？")
    filled = render(wording, {"pay_date": "明天11月19日", "pay_amount": "3200.50元"})
    assert filled.clauses == ("好的，", "我跟您核对一下，", "明天11月19日，", "还款3200.50元，", "对吗？")
    assert filled.text == "好的，我跟您核对一下，明天11月19日，还款3200.50元，对吗？"


@given(st.text(alphabet="您好请问，。？！、；王强1.5元", min_size=1, max_size=30))
def test_clauses_joined_are_the_text(text: str) -> None:
    filled = render(Wording(text), {})
    assert "".join(filled.clauses) == filled.text == text


def test_a_missing_value_is_named() -> None:
    with pytest.raises(RenderError, match="pay_date"):
        render(Wording("{pay_date}，"), {})


@pytest.mark.parametrize(("name", "objections"), [("m0", ["今天不行"]), ("m1", ["今天不行", "下个月再说吧", "过几天"])])
def test_everything_said_in_an_ordinary_call_was_there_before_it_was_needed(
    name: str, objections: list[str], request: pytest.FixtureRequest
) -> None:
    script: Script = request.getfixturevalue(name)
    case = case_for(script)
    prepared = {*all_fixed_clauses(script), *case_clauses(script, case, NOW), *likely_clauses(script, case, NOW)}
    talk = call(script, "喂", "你哪位", "是我", "怎么还", "多少钱", *objections, "那就周五", "对")
    assert talk.promise is not None
    said = {clause for line in talk.lines for clause in line.clauses}
    assert said <= prepared


def test_what_comes_first_is_prepared_first(m1: Script) -> None:
    assert case_clauses(m1, CASE, NOW)[0] == "请问是王强先生本人吗？"
    assert likely_clauses(m1, CASE, NOW)[:2] == ("今天11月18日，", "还款3200.50元，")
    assert all_fixed_clauses(m1)[0] == "您好，"


def test_fixed_clauses_need_no_case(m1: Script) -> None:
    assert not any("{" in clause for clause in all_fixed_clauses(m1))
    assert not any("王强" in clause or "3200" in clause for clause in all_fixed_clauses(m1))
