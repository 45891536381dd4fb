"""What the bank knows beside the script: found when it fits, silent when it does not."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from dialogue_kit import Call, call
from hypothesis import given
from hypothesis import strategies as st

from dialogue.acts import Act
from dialogue.knowledge import Knowledge
from dialogue.knowledge_file import load_knowledge, with_knowledge
from dialogue.lint import lint
from dialogue.script import Script, ScriptError

FILE = Path(__file__).parents[2] / "config" / "knowledge.zh.yaml"


@cache
def shipped() -> Knowledge:
    return load_knowledge(FILE.read_text("utf-8"), str(FILE))


@pytest.fixture
def knowing(m1: Script) -> Script:
    return with_knowledge(m1, shipped())


@pytest.mark.parametrize(
    ("words", "entry"),
    [
        ("那个支付宝里能还不", "wechat_alipay"),
        ("我老公帮我还行吗", "someone_else_pays"),
        ("那我还了多久到账啊", "arrival"),
        ("逾期记录要留几年呢", "credit_record"),
        ("你们会不会通知我单位啊", "privacy"),
        ("我的卡丢了咋还", "card_lost"),
        ("结清证明在哪开", "settle_proof"),
        ("宽限期是几天来着", "grace"),
        ("客服电话是多少", "hotline"),
        ("只还最低剩下的怎么算", "minimum_cost"),
    ],
)
def test_a_question_in_other_words_finds_its_answer(words: str, entry: str) -> None:
    found = shipped().find(words)
    assert found is not None and found[0].id == entry


@pytest.mark.parametrize(
    "words",
    [
        "今天天气不错",
        "妈饭好了没",
        "你们卖保险吗",
        "我周五还",
        "没钱",
        "喂",
        "啊",
        "",
        "……",
        "房贷利率现在是多少",
        "我儿子在哪上学",
    ],
)
def test_what_the_bank_does_not_know_finds_nothing(words: str) -> None:
    assert shipped().find(words) is None


def test_every_way_of_asking_finds_its_own_entry() -> None:
    for entry in shipped().entries:
        for ask in entry.asks:
            found = shipped().find(ask)
            assert found is not None and found[0].id == entry.id, ask


@given(st.text(max_size=40))
def test_any_words_may_be_asked(words: str) -> None:
    found = shipped().find(words)
    assert found is None or found[0] in shipped().entries


def test_an_answer_is_followed_by_the_question_that_was_open(knowing: Script) -> None:
    told = call(knowing, "是我").mean(Act.OUT_OF_SCOPE, text="能提前还清吗")
    assert told.line_ids[-2:] == ["know_early_settlement", "ask_today_again"]


def test_the_case_answers_what_it_can_answer_itself(knowing: Script) -> None:
    told = call(knowing, "是我").mean(Act.ASK_AMOUNT, text="我一共欠多少")
    assert "answer_amount" in told.line_ids


def test_nothing_of_it_is_told_before_the_right_party_confirmed(knowing: Script) -> None:
    told = Call(knowing).mean(Act.ASK_HOW_TO_PAY, text="支付宝能还吗")
    assert not [line for line in told.line_ids if line.startswith("know_")]


def test_the_shipped_answers_pass_the_same_checks_as_every_line(knowing: Script) -> None:
    assert lint(knowing) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("knowledge: {a: {asks: [什么], answer: }}", "answer: expected text, got nothing"),
        ("knowledge: {a: {asks: [啊], answer: 好。}}", "asks: give at least one way of asking"),
        ("knowledge: {A: {asks: [什么时候], answer: 好。}}", "'A' is no name"),
        ("knowledge: {a: {asks: [什么时候]}}", "the key 'answer' is missing"),
        ("knowledge: {a: {ask: [什么], answer: 好。}}", "unknown key 'ask'; did you mean asks?"),
        ("", "the file is empty"),
    ],
)
def test_a_broken_file_is_told_where(text: str, message: str) -> None:
    with pytest.raises(ScriptError, match=r"k\.yaml:\d+:\d+") as e:
        load_knowledge(text, "k.yaml")
    assert message in str(e.value)


def test_an_entry_that_has_the_name_of_a_line_is_refused(knowing: Script) -> None:
    with pytest.raises(ScriptError, match="know_after_hours"):
        with_knowledge(knowing, shipped())
