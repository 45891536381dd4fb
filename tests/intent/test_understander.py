"""The trained understander as a call uses it: the committed model, real turns, real speed of loading."""

from __future__ import annotations

import json
import shutil
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogue.acts import Act, Pending, primary_first
from dialogue.rules import RuleUnderstander
from dialogue.understanding import Alternative, Completeness
from voicebot.intent.classifier import FACTS, NETWORK, IntentClassifier, ModelError
from voicebot.intent.data import read_test_turns
from voicebot.intent.ending import ENDING
from voicebot.intent.report import measure
from voicebot.intent.understander import TrainedUnderstander, understander_of
from voicebot.settings import PROJECT_ROOT, load_settings

FOLDER = PROJECT_ROOT / "models" / "intent"
NOW = datetime(2026, 11, 18, 10, 20, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture(scope="module")
def classifier() -> IntentClassifier:
    return IntentClassifier(FOLDER)


@pytest.fixture(scope="module")
def understander(classifier: IntentClassifier) -> TrainedUnderstander:
    return TrainedUnderstander(classifier)


@pytest.mark.parametrize(
    ("pending", "text", "act"),
    [
        (Pending.VERIFY_IDENTITY, "好的", Act.SELF),
        (Pending.ASK_PAY_TODAY, "好的", Act.PROMISE_PAY),
        (Pending.NONE, "好的", Act.AFFIRM),
        (Pending.VERIFY_IDENTITY, "不是", Act.WRONG_PERSON),
        (Pending.ASK_PAY_TODAY, "不能", Act.DENY),
        (Pending.CONFIRM_PROMISE, "对", Act.PROMISE_PAY),
        (Pending.INFORM, "再逼我我就跳楼", Act.CRISIS),
        (Pending.ASK_PAY_DATE, "下个礼拜五吧", Act.PROMISE_PAY),
        (Pending.ASK_PAY_TODAY, "转人工", Act.REQUEST_HUMAN),
        (Pending.OPENING, "您拨打的用户暂时无法接通请稍后再拨", Act.CALL_ASSISTANT),
    ],
)
def test_the_question_makes_what_the_words_mean(
    understander: TrainedUnderstander, pending: Pending, text: str, act: Act
) -> None:
    assert understander.understand(text, pending=pending, now=NOW).primary is act


def test_a_time_to_call_is_no_day_of_payment(understander: TrainedUnderstander) -> None:
    asked = understander.understand("我得跟我爱人对一下账 你后天下午三点打过来", pending=Pending.ASK_PAY_TODAY, now=NOW)
    assert (asked.primary, asked.slots.pay_date) == (Act.REQUEST_CALLBACK, None)
    assert asked.slots.callback_at == datetime(2026, 11, 20, 15, tzinfo=NOW.tzinfo)


def test_who_takes_the_phone_to_pay_pays_today(understander: TrainedUnderstander) -> None:
    promised = understander.understand("哦 搞忘了 我现在就拿手机还", pending=Pending.ASK_PAY_TODAY, now=NOW)
    assert (promised.primary, promised.slots.pay_date) == (Act.PROMISE_PAY, NOW.date())


@pytest.mark.parametrize(
    ("text", "acts", "day"),
    [
        ("你们一天打几遍了烦不烦，我今天晚上就还，以后别再打了行不行", {Act.STOP_CALLING, Act.PROMISE_PAY}, 18),
        ("哦，那个，我二十四号还行不", {Act.PROMISE_PAY}, 24),
        ("我周三就还清了 你们还打 我要投诉", None, None),
    ],
)
def test_a_day_on_which_i_pay_is_a_promise_however_loud_the_rest(
    understander: TrainedUnderstander, text: str, acts: set[Act] | None, day: int | None
) -> None:
    u = understander.understand(text, pending=Pending.ASK_PAY_TODAY, now=NOW)
    assert (u.slots.pay_date.day if u.slots.pay_date else None) == day
    assert acts is None or set(u.acts) >= acts


def test_a_plain_promise_is_no_crisis(understander: TrainedUnderstander) -> None:
    u = understander.understand("算了算了 我今天一块儿还了", pending=Pending.ASK_PAY_TODAY, now=NOW)
    assert u.acts == (Act.PROMISE_PAY,)


def test_a_sum_that_cannot_be_raised_is_not_the_sum_of_the_promise(understander: TrainedUnderstander) -> None:
    u = understander.understand("哎等等，三千怕是凑不齐，两千五吧", pending=Pending.CONFIRM_PROMISE, now=NOW)
    assert u.primary is Act.PROMISE_PARTIAL and u.slots.pay_amount == 2500


def test_values_stand_beside_the_acts_that_carry_them(understander: TrainedUnderstander) -> None:
    promised = understander.understand("周五先还五百", pending=Pending.ASK_PAY_TODAY, now=NOW)
    assert promised.primary is Act.PROMISE_PARTIAL
    assert (promised.slots.pay_date, str(promised.slots.pay_amount)) == (date(2026, 11, 20), "500.00")
    paid = understander.understand("我昨天就还了五百呀", pending=Pending.ASK_PAY_TODAY, now=NOW)
    assert paid.primary is Act.ALREADY_PAID and paid.slots.pay_amount is None


def test_silence_and_bare_yes(understander: TrainedUnderstander) -> None:
    assert understander.understand("", pending=Pending.NONE, now=NOW).acts == (Act.FILLER,)
    assert understander.understand("可以", pending=Pending.ASK_PAY_TODAY, now=NOW).agrees
    assert not understander.understand("我周五可以", pending=Pending.ASK_PAY_TODAY, now=NOW).agrees


def test_what_else_it_may_have_been_has_its_say_by_its_weight(understander: TrainedUnderstander) -> None:
    def primary(*others: Alternative) -> Act:
        return understander.understand("不是我", pending=Pending.VERIFY_IDENTITY, now=NOW, others=others).primary

    assert primary() is Act.WRONG_PERSON
    assert primary(Alternative("嗯是我", 0.1), Alternative("", 0.9)) is Act.WRONG_PERSON
    assert primary(Alternative("嗯是我", 1.0), Alternative("是我", 0.9)) is Act.SELF


def test_values_are_read_in_the_words_alone(understander: TrainedUnderstander) -> None:
    others = (Alternative("我周六还五百", 0.9), Alternative("我周四还", 0.5))
    promised = understander.understand("我周五还", pending=Pending.ASK_PAY_DATE, now=NOW, others=others)
    assert promised.slots.pay_date == date(2026, 11, 20) and promised.slots.pay_amount is None


def test_a_finished_answer_is_not_waited_for_and_half_a_sentence_is(understander: TrainedUnderstander) -> None:
    assert understander.completeness("不行", pending=Pending.ASK_PAY_TODAY) is Completeness.COMPLETE
    assert understander.completeness("你是机器人吗", pending=Pending.INFORM) is Completeness.COMPLETE
    assert understander.completeness("给我转人工客服", pending=Pending.INFORM) is Completeness.COMPLETE
    assert understander.completeness("好的再见", pending=Pending.CLOSING) is Completeness.COMPLETE
    # Answers, and as often the beginning of 我周五还 那征信还留不留印子.
    assert understander.completeness("我周五还", pending=Pending.ASK_PAY_DATE) is Completeness.LIKELY
    assert understander.completeness("是我", pending=Pending.VERIFY_IDENTITY) is Completeness.LIKELY
    # A no, whose reason may come after a breath.
    assert understander.completeness("不认识", pending=Pending.VERIFY_IDENTITY) is Completeness.OPEN
    assert understander.completeness("我那个", pending=Pending.ASK_PAY_DATE) is Completeness.HANGING
    assert understander.completeness("因为我最近", pending=Pending.ASK_REASON) is Completeness.HANGING


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=120), st.sampled_from(Pending))
def test_any_words_get_an_answer_in_the_contracts_order_and_always_the_same(text: str, pending: Pending) -> None:
    model = understander_of(load_settings())
    once, twice = (model.understand(text, pending=pending, now=NOW) for _ in range(2))
    assert once == twice
    assert once.acts == primary_first(once.acts) and 0.0 <= once.confidence <= 1.0


def test_the_committed_model_is_as_good_as_its_card_says(classifier: IntentClassifier) -> None:
    turns = [t.example for t in read_test_turns(sorted((FOLDER / "data" / "test").glob("*.tsv")))]
    quality = measure(classifier, turns)
    card = (FOLDER / "CARD.md").read_text("utf-8")
    said = next(line for line in card.splitlines() if line.startswith("| 0."))
    figures = [float(cell) for cell in said.strip("| ").split("|")]
    # int8 arithmetic differs a little between kinds of processors.
    assert quality.primary == pytest.approx(figures[0], abs=0.01)
    assert quality.set_f1 == pytest.approx(figures[1], abs=0.01)


def test_a_model_that_is_damaged_or_of_another_kind_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="voicebot intent train"):
        IntentClassifier(tmp_path)
    for name in (NETWORK, "pieces.tsv", ENDING, FACTS):
        shutil.copy(FOLDER / name, tmp_path)
    (tmp_path / NETWORK).write_bytes((tmp_path / NETWORK).read_bytes()[:1000])
    with pytest.raises(ModelError, match="damaged"):
        IntentClassifier(tmp_path)
    facts = json.loads((tmp_path / FACTS).read_text("utf-8"))
    (tmp_path / FACTS).write_text(json.dumps(facts | {"acts": facts["acts"][:5]}), "utf-8")
    with pytest.raises(ModelError, match="other acts or questions"):
        IntentClassifier(tmp_path)


def test_rules_read_where_they_are_wanted_or_nothing_else_is_there(tmp_path: Path) -> None:
    base = load_settings()
    by = lambda how, folder: base.model_copy(  # noqa: E731
        update={"understanding": base.understanding.model_copy(update={"by": how, "model": folder})}
    )
    assert isinstance(understander_of(by("rules", FOLDER)), RuleUnderstander)
    assert isinstance(understander_of(by("auto", tmp_path)), RuleUnderstander)
    assert isinstance(understander_of(by("auto", FOLDER)), TrainedUnderstander)
    with pytest.raises(ModelError):
        understander_of(by("trained", tmp_path))
