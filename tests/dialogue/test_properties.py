"""What must hold whatever the customer says: random acts and random words, both scripts."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from dialogue_kit import CASE, NOW, Call, case_for, read_script
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialogue.acts import Act, primary_first
from dialogue.manager import step
from dialogue.protocol import (
    Conclude,
    CustomerHungUp,
    CustomerSaid,
    CustomerSilent,
    Handoff,
    HandoffEnded,
    HandoffResult,
    HangUp,
    Listen,
    PromiseStored,
    PromiseStoreFailed,
    Speak,
    StorePromise,
    TimeUp,
)
from dialogue.script import DEBT_WORDS
from dialogue.understanding import Slots, Understanding

SCRIPTS = ("m0_reminder", "m1_collection")
PIECES = re.findall(
    r"\S+",
    """
    是我 我是 不是 对 嗯 好的 不行 能 可以 明天 周五 下周三 月底 十五号 今天 还 转 先还 五百 一千二 最低 一半
    已经 还了 没钱 失业了 不还 凭什么 打错了 他不在 我是他老婆 转告 转人工 投诉 律师 骗子 机器人 你哪位 怎么还
    多少钱 最晚什么时候 征信 分期 宽限几天 减免 开会 下午三点 再打 别打了 听不清 再见 挂了 喂 你好 呃 那个
    我不想活了 你他妈 没借过 金额不对 谢谢 知道了 再说吧 天气 吃饭 王强 银行
    """,
)
STRANGERS = tuple(act for act in Act if act not in (Act.SELF, Act.AFFIRM))
KNOWN_DEBT = ("3200", "3344", "信用卡", "320元", "11月10日", "11月23日", *DEBT_WORDS)

texts = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join),
    st.text(alphabet="我你他是不还钱天号五一人打的了吗今明周好对没在说转什么", min_size=1, max_size=12),
)
slots = st.builds(
    Slots,
    pay_date=st.none() | st.integers(-2, 40).map(lambda n: NOW.date() + timedelta(days=n)),
    pay_amount=st.none()
    | st.sampled_from([Decimal("0"), Decimal("1"), Decimal("500"), Decimal("3200.50"), Decimal("9999")]),
    amount_kind=st.sampled_from([None, None, "minimum", "half", "full"]),
    callback_at=st.none() | st.integers(-3, 60).map(lambda h: NOW + timedelta(hours=h)),
)
understandings = st.builds(
    Understanding,
    text=st.sampled_from(["嗯", "好", "我说的是另一件事"]),
    acts=st.lists(st.sampled_from(list(Act)), min_size=1, max_size=3).map(primary_first),
    slots=slots,
)
# Turns that keep a call alive are drawn more often than those that end it.
turns = st.one_of(
    st.tuples(st.just("text"), texts),
    st.tuples(
        st.just("text"), st.sampled_from(["是我", "明天还", "对", "今天不行", "先还五百", "你哪位", "再说一遍", "好的"])
    ),
    st.tuples(st.just("acts"), understandings),
    st.tuples(st.just("silence"), st.none()),
)


def meant(*acts: Act) -> st.SearchStrategy[tuple[str, object]]:
    """A turn that means one of these acts."""
    one = st.builds(Understanding, st.just("一句话"), st.sampled_from(acts).map(lambda a: (a,)), slots)
    return st.tuples(st.just("acts"), one)


offers = meant(Act.PROMISE_PAY, Act.PROMISE_PARTIAL, Act.AFFIRM, Act.AFFIRM, Act.DENY, Act.ACKNOWLEDGE)
lingering = meant(Act.ASK_AMOUNT, Act.ASK_IDENTITY, Act.ASK_HOW_TO_PAY, Act.GREETING, Act.REQUEST_REPEAT)
# Three kinds of customers: anybody; one who is the right party and negotiates; one who only asks and never ends it.
negotiations = st.tuples(meant(Act.SELF), st.lists(offers, max_size=8)).map(lambda pair: [pair[0], *pair[1]])
conversations = st.one_of(st.lists(turns, min_size=1, max_size=30), negotiations)
heard = st.dictionaries(
    st.sampled_from(["greet", "disclose", "facts", "ask_today", "readback", "ask_date"]),
    st.sampled_from([0.0, 0.3, 0.7]),
    max_size=3,
)


def play(name: str, conversation: list[tuple[str, object]], cut: dict[str, float], seat: bool, ledger: bool) -> Call:
    script = read_script(name)
    played = Call(script, case_for(script), cut=dict(cut), stores=False)
    for kind, what in conversation:
        if played.hang_ups or played.state.phase == "ended":
            break
        if isinstance(played.commands[-1], Handoff):
            played.feed(HandoffEnded(HandoffResult.BRIDGED if seat else HandoffResult.NO_ANSWER, NOW))
        elif isinstance(played.commands[-1], StorePromise):
            played.feed(PromiseStored("P-1") if ledger else PromiseStoreFailed("no database"))
        elif kind == "text":
            played.say(str(what))
        elif kind == "acts":
            assert isinstance(what, Understanding)
            played.turns += 1
            played.feed(CustomerSaid(what, played.turns, NOW))
        else:
            played.feed(CustomerSilent(NOW))
    return played


def confirmed_right_party_before(played: Call, index: int) -> bool:
    return any(
        isinstance(item, CustomerSaid) and item.understanding.has(Act.SELF, Act.AFFIRM) for item in played.trail[:index]
    )


many = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("name", SCRIPTS)
@many
@given(conversation=conversations, cut=heard, seat=st.booleans(), ledger=st.booleans())
def test_whatever_is_said_the_rules_hold(
    name: str, conversation: list[tuple[str, object]], cut: dict[str, float], seat: bool, ledger: bool
) -> None:
    played = play(name, conversation, cut, seat, ledger)

    stored = False
    last_text = ""
    disclosed: set[str] = set()
    for index, item in enumerate(played.trail):
        if isinstance(item, PromiseStored):
            stored = True
        if not isinstance(item, Speak):
            continue
        assert item.text == "".join(item.clauses)
        assert "{" not in item.text
        assert item.text != last_text, "the same sentence twice in a row"
        last_text = item.text
        if any(word in item.text for word in KNOWN_DEBT):
            assert confirmed_right_party_before(played, index), f"debt before verification: {item.text}"
            assert {"identity", "ai", "recorded"} <= disclosed
        disclosed |= set(item.discloses)
        if item.line_id == "noted":
            assert stored, "called noted before it was stored"

    assert played.hang_ups <= 1
    if played.hang_ups:
        assert isinstance(played.commands[-1], HangUp)
        assert isinstance(played.commands[-2], Conclude)
    else:
        assert isinstance(played.commands[-1], Listen | Handoff | StorePromise | Conclude)
        played.feed(CustomerHungUp(NOW))
        bridged = any(isinstance(e, HandoffEnded) and e.result is HandoffResult.BRIDGED for e in played.trail)
        assert played.hang_ups == (0 if bridged else 1)
    assert played.disposition is not None


@pytest.mark.parametrize("name", SCRIPTS)
@many
@given(verified=st.booleans(), conversation=st.lists(lingering | turns, min_size=5, max_size=20))
def test_no_call_goes_on_for_ever(name: str, verified: bool, conversation: list[tuple[str, object]]) -> None:
    first: list[tuple[str, object]] = [("text", "是我")] if verified else []
    played = play(name, first + conversation * 40, {}, seat=False, ledger=True)
    assert played.hang_ups == 1
    assert played.turns <= read_script(name).policy.max_turns + 3


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_customer_who_only_asks_is_let_go_politely(name: str) -> None:
    played = play(name, [("text", "是我"), *[("text", "你哪位")] * 60], {}, seat=False, ledger=True)
    assert played.turns == read_script(name).policy.max_turns + 1
    assert played.line_ids[-1] == "too_long"


@pytest.mark.parametrize("name", SCRIPTS)
@many
@given(conversation=st.lists(meant(*STRANGERS) | lingering, min_size=1, max_size=8), seat=st.booleans())
def test_an_impostor_who_never_confirms_learns_nothing(
    name: str, conversation: list[tuple[str, object]], seat: bool
) -> None:
    played = play(name, conversation, {}, seat, True)
    assert not any(word in line.text for line in played.lines for word in KNOWN_DEBT)


@many
@given(conversation=conversations, at=st.integers(0, 40))
def test_time_up_ends_every_call_at_once(conversation: list[tuple[str, object]], at: int) -> None:
    played = play("m1_collection", conversation[:at], {}, seat=False, ledger=True)
    played.feed(TimeUp("longest call"))
    if played.state.storing:
        played.feed(PromiseStored("P-1"))
    assert played.hang_ups == 1


@many
@given(conversation=negotiations)
def test_promises_keep_within_the_policy(conversation: list[tuple[str, object]]) -> None:
    script = read_script("m1_collection")
    for promise in (
        c for c in play("m1_collection", conversation, {}, False, True).commands if isinstance(c, StorePromise)
    ):
        assert NOW.date() <= promise.pay_date <= NOW.date() + timedelta(days=script.policy.max_days_ahead)
        assert CASE.amount_due / 10 <= promise.amount <= CASE.amount_due or promise.amount == CASE.min_amount
        assert promise.partial == (promise.amount < CASE.amount_due)
        assert promise.said_turn <= promise.confirmed_turn


@given(conversation=conversations)
@settings(max_examples=60, deadline=None)
def test_the_same_call_twice_gives_the_same_words(conversation: list[tuple[str, object]]) -> None:
    first, second = (play("m1_collection", conversation, {}, False, True) for _ in range(2))
    assert first.commands == second.commands
    assert first.state == second.state


def test_a_step_does_not_touch_the_state_it_was_given() -> None:
    played = Call(read_script("m1_collection"))
    before = played.state
    step(played.script, before, CustomerHungUp(NOW))
    assert before == played.state
    assert before.now == NOW and date(2026, 11, 18) == NOW.date()
