"""Has the customer finished? What the endpointing is told about half-heard turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogue.acts import Pending
from dialogue.rules import make_understander
from dialogue.understanding import Completeness

judge = make_understander().completeness


@pytest.mark.parametrize(
    ("pending", "words"),
    [
        (Pending.VERIFY_IDENTITY, "是我"),
        (Pending.VERIFY_IDENTITY, "对我是"),
        (Pending.VERIFY_IDENTITY, "你打错了"),
        (Pending.VERIFY_IDENTITY, "不是我"),
        (Pending.VERIFY_IDENTITY, "是的你说"),
        (Pending.ASK_PAY_TODAY, "可以的"),
        (Pending.ASK_PAY_TODAY, "不行"),
        (Pending.ASK_PAY_TODAY, "我昨天已经还了"),
        (Pending.ASK_PAY_TODAY, "我先还五百行吗"),
        (Pending.ASK_PAY_TODAY, "我没钱"),
        (Pending.ASK_PAY_TODAY, "我明天还"),
        (Pending.ASK_PAY_DATE, "周五吧"),
        (Pending.ASK_PAY_DATE, "下周一之前"),
        (Pending.CONFIRM_PROMISE, "对"),
        (Pending.CONFIRM_PROMISE, "没问题"),
        (Pending.ASK_PAY_TODAY, "转人工"),
        (Pending.VERIFY_IDENTITY, "是"),
        (Pending.VERIFY_IDENTITY, "对，我就是，你说吧。"),
        (Pending.VERIFY_IDENTITY, "是我呀"),
        (Pending.ASK_PAY_TODAY, "能"),
        (Pending.ASK_PAY_TODAY, "可以"),
        (Pending.ASK_PAY_TODAY, "没钱"),
        (Pending.ASK_PAY_TODAY, "今天还不了啊"),
        (Pending.ASK_PAY_TODAY, "今天真不行"),
        (Pending.ASK_PAY_TODAY, "我今天就把它全部还上"),
        (Pending.ASK_PAY_TODAY, "我先还一半"),
        (Pending.ASK_PAY_DATE, "明天"),
        (Pending.ASK_PAY_DATE, "周五"),
        (Pending.ASK_PAY_DATE, "二十五号"),
        (Pending.ASK_PAY_DATE, "周五还"),
        (Pending.ASK_PAY_DATE, "那就周五吧，周五我全部怀上。"),
        (Pending.CONFIRM_PROMISE, "对，"),
        (Pending.CONFIRM_PROMISE, "不对，我说的是周五。"),
    ],
)
def test_an_answer_is_complete(pending: Pending, words: str) -> None:
    assert judge(words, pending=pending) is Completeness.COMPLETE


@pytest.mark.parametrize(
    ("pending", "words"),
    [
        (Pending.ASK_PAY_TODAY, "我"),
        (Pending.ASK_PAY_TODAY, "我明天"),
        (Pending.ASK_PAY_TODAY, "那个"),
        (Pending.ASK_PAY_TODAY, "我那个"),
        (Pending.ASK_PAY_TODAY, "我现在没有工作然后"),
        (Pending.ASK_PAY_TODAY, "今天恐怕"),
        (Pending.ASK_PAY_TODAY, "我钱"),
        (Pending.ASK_PAY_TODAY, "我那个钱"),
        (Pending.ASK_PAY_TODAY, "今天恐怕不太行，得"),
        (Pending.ASK_PAY_DATE, "我这个"),
        (Pending.ASK_PAY_DATE, "我这个周五"),
        (Pending.ASK_PAY_DATE, "那我后天"),
        (Pending.ASK_PAY_DATE, "我明天"),
        (Pending.VERIFY_IDENTITY, "不好意思，"),
        (Pending.ASK_PAY_TODAY, "不是我不想还因为"),
        (Pending.ASK_PAY_TODAY, "可以但是"),
        (Pending.ASK_PAY_DATE, "下周"),
        (Pending.ASK_PAY_DATE, "这个"),
        (Pending.ASK_PAY_DATE, "二十"),
        (Pending.ASK_PAY_DATE, "十二月"),
        (Pending.ASK_PAY_DATE, "等我"),
        (Pending.ASK_PAY_TODAY, "我先还"),
        (Pending.VERIFY_IDENTITY, "我是他的"),
    ],
)
def test_half_a_turn_is_waited_for(pending: Pending, words: str) -> None:
    assert judge(words, pending=pending) is Completeness.HANGING


@pytest.mark.parametrize(
    ("pending", "words"),
    [
        (Pending.ASK_PAY_TODAY, "不"),
        (Pending.ASK_PAY_TODAY, "今天"),
        (Pending.ASK_PAY_TODAY, "今天啊……"),
        (Pending.ASK_PAY_DATE, "今天啊……"),
        (Pending.ASK_PAY_TODAY, "明天"),
        (Pending.ASK_PAY_TODAY, "我上个月被公司裁员了……"),
        (Pending.CONFIRM_PROMISE, "不对，"),
        (Pending.VERIFY_IDENTITY, "不是"),
        (Pending.CLOSING, "好，"),
        (Pending.ASK_PAY_TODAY, "我家里最近出了很多事情"),
        (Pending.VERIFY_IDENTITY, "嗯"),
        (Pending.NONE, ""),
    ],
)
def test_what_may_go_on_stays_open(pending: Pending, words: str) -> None:
    assert judge(words, pending=pending) is Completeness.OPEN


@pytest.mark.parametrize("pending", list(Pending))
@pytest.mark.parametrize("hum", ["嗯", "呃", "啊", "嗯……"])
def test_a_hum_may_be_an_answer_or_the_beginning_of_one(hum: str, pending: Pending) -> None:
    assert judge(hum, pending=pending) is Completeness.OPEN


@given(
    words=st.text(alphabet="我你是不还明天周五号二十下个这那然后因为但嗯啊吧了可以行没钱", max_size=12),
    pending=st.sampled_from(list(Pending)),
)
def test_a_turn_that_breaks_off_in_a_connecting_word_is_never_complete(words: str, pending: Pending) -> None:
    for trailing in ("但是", "因为", "那个", "然后"):
        assert judge(words + trailing, pending=pending) is Completeness.HANGING


@pytest.mark.parametrize("words", ["今天还", "我今天还", "今天啊"])
def test_today_is_often_the_beginning_of_a_no(words: str) -> None:
    understander = make_understander()
    assert understander.completeness(words, pending=Pending.ASK_PAY_TODAY) is not Completeness.COMPLETE
    assert understander.completeness(words + "不了", pending=Pending.ASK_PAY_TODAY) is not Completeness.HANGING
