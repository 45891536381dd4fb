"""What the robot does in a call: each test is a call in miniature."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from dialogue_kit import CASE, NOW, SILENCE, Call, call

from dialogue.acts import Act, Disposition, Pending
from dialogue.loader import load_script
from dialogue.manager import step
from dialogue.protocol import (
    Conclude,
    CustomerHungUp,
    CustomerSaid,
    Handoff,
    HandoffEnded,
    HandoffResult,
    HangUp,
    Listen,
    PromiseStored,
    PromiseStoreFailed,
    StorePromise,
    TimeUp,
    WithdrawPromise,
)
from dialogue.script import Script
from dialogue.understanding import Slots, Understanding


def test_the_first_words_ask_for_the_person_and_for_nothing_else(m1: Script) -> None:
    opened = Call(m1)
    assert opened.said == ["您好，请问是王强先生本人吗？"]
    assert opened.pending is Pending.VERIFY_IDENTITY


def test_after_confirming_the_customer_hears_who_calls_then_the_facts_then_the_question(m1: Script) -> None:
    opened = call(m1, "是我")
    assert opened.line_ids[1:] == ["disclose", "facts", "ask_today"]
    disclosure = opened.lines[1]
    assert not disclosure.interruptible
    assert set(disclosure.discloses) == {"identity", "ai", "recorded"}
    assert "3200.50元" in opened.said[2] and "3344" in opened.said[2] and "8天" in opened.said[2]


def test_a_promise_for_today_is_read_back_then_stored_then_noted(m1: Script) -> None:
    done = call(m1, "是我", "可以")
    assert done.line_ids[-1] == "readback"
    assert "今天11月18日" in done.said[-1] and "3200.50元" in done.said[-1]
    done.say("对")
    assert done.promise == StorePromise(date(2026, 11, 18), Decimal("3200.50"), False, said_turn=2, confirmed_turn=3)
    assert done.line_ids[-1] == "noted"
    assert done.disposition is Disposition.PROMISED
    assert done.hang_ups == 0


@pytest.mark.parametrize("words", [SILENCE, "好的", "嗯好再见", "知道了", "没问题"])
def test_after_the_promise_was_noted_the_call_ends_without_another_word(m1: Script, words: str) -> None:
    done = call(m1, "是我", "可以", "对", words)
    assert done.hang_ups == 1
    assert done.line_ids[-1] == "noted"
    assert done.disposition is Disposition.PROMISED


def test_a_question_after_the_promise_was_noted_is_answered(m1: Script) -> None:
    done = call(m1, "是我", "可以", "对", "那怎么还啊")
    assert done.line_ids[-2:] == ["answer_how", "noted_again"]
    assert done.say(SILENCE).hang_ups == 1


@pytest.mark.parametrize("words", ["不对不对", "算了我不还了", "我没钱"])
def test_a_promise_taken_back_before_the_call_is_over_is_struck_from_the_ledger(m1: Script, words: str) -> None:
    taken_back = call(m1, "是我", "可以", "对", words)
    assert taken_back.withdrawals == [WithdrawPromise(said_turn=4)]
    assert taken_back.hang_ups == 0
    assert taken_back.hang_up().disposition not in (Disposition.PROMISED, Disposition.PROMISED_PARTIAL)


def test_another_day_after_the_promise_was_noted_is_read_back_and_stored_anew(m1: Script) -> None:
    done = call(m1, "是我", "可以", "对", "等一下我周五还吧")
    assert len(done.withdrawals) == 1
    assert done.line_ids[-1].startswith("readback")
    done.say("对")
    assert done.promises[-1].pay_date == date(2026, 11, 20)
    assert done.say(SILENCE).disposition is Disposition.PROMISED


def test_a_second_thought_while_the_promise_is_written_undoes_it(m1: Script) -> None:
    waiting = call(m1, "是我", "可以", "对", "不对是周五", stores=False)
    waiting.feed(PromiseStored("P-1"))
    assert "noted" not in waiting.line_ids
    assert waiting.withdrawals == [WithdrawPromise(said_turn=4)]
    assert "11月20日" in waiting.said[-1]


def test_having_taken_it_in_is_not_yet_a_yes_to_the_read_back(m1: Script) -> None:
    asked = call(m1, "是我", "可以", "知道了")
    assert asked.promise is None
    assert asked.line_ids[-1] == "readback_again"


def test_nothing_is_called_noted_before_the_ledger_answers(m1: Script) -> None:
    waiting = call(m1, "是我", "可以", "对", stores=False)
    assert isinstance(waiting.commands[-1], StorePromise)
    waiting.feed(PromiseStored("P-1"))
    assert waiting.line_ids[-1] == "noted"


def test_a_promise_that_could_not_be_stored_is_not_called_noted(m1: Script) -> None:
    failed = call(m1, "是我", "可以", "对", stores=False)
    failed.feed(PromiseStoreFailed("database away"))
    assert "noted" not in failed.line_ids
    assert failed.callback is not None
    assert failed.disposition is Disposition.CALLBACK
    assert "store_failed" in failed.flags


def test_friday_is_promised_after_being_asked_twice(m1: Script) -> None:
    done = call(m1, "是我", "今天不行", "过几天吧", "周五吧", "对")
    assert done.promise is not None
    assert done.promise.pay_date == date(2026, 11, 20)
    assert done.disposition is Disposition.PROMISED


def test_a_part_needs_a_day_and_is_booked_as_a_part(m1: Script) -> None:
    done = call(m1, "是我", "我先还五百行吗", "明天", "好的")
    assert done.promise is not None
    assert (done.promise.amount, done.promise.partial) == (Decimal("500.00"), True)
    assert done.disposition is Disposition.PROMISED_PARTIAL


@pytest.mark.parametrize(
    ("words", "amount"),
    [("我先还个最低吧明天", "320.00"), ("明天先还一半", "1600.25"), ("明天先还三千二百块零五毛", "3200.50")],
)
def test_minimum_and_half_are_worked_out_on_the_case(m1: Script, words: str, amount: str) -> None:
    done = call(m1, "是我", words, "对")
    assert done.promise is not None
    assert done.promise.amount == Decimal(amount)
    assert done.promise.partial == (Decimal(amount) < CASE.amount_due)


def test_a_day_beyond_the_limit_gets_a_counter_offer(m1: Script) -> None:
    late = call(m1, "是我", "下个月5号还")
    assert "too_late" in late.line_ids
    assert "11月25日" in late.said[-2]
    assert late.say("那就周五").line_ids[-1] == "readback"


def test_a_part_below_the_limit_gets_a_counter_offer(m1: Script) -> None:
    small = call(m1, "是我", "明天先还一百块")
    assert "too_small" in small.line_ids
    assert "320元" in small.said[-2]
    assert small.say("那先还五百").line_ids[-1] == "readback"


def test_a_corrected_day_is_read_back_again_in_other_words(m1: Script) -> None:
    done = call(m1, "是我", "明天还", "不对是后天", "对")
    backs = [text for line_id, text in zip(done.line_ids, done.said, strict=True) if line_id.startswith("readback")]
    assert len(backs) == 2 and "后天11月20日" in backs[1]
    assert done.promise is not None and done.promise.pay_date == date(2026, 11, 20)


def test_repeating_the_promise_confirms_it(m1: Script) -> None:
    done = call(m1, "是我", "周五还", "对周五还")
    assert done.disposition is Disposition.PROMISED


def test_denying_the_read_back_opens_the_question_again(m1: Script) -> None:
    again = call(m1, "是我", "明天还", "不对")
    assert again.promise is None
    assert again.pending is Pending.ASK_PAY_DATE


@pytest.mark.parametrize(
    ("turns", "disposition"),
    [
        (["你打错了"], Disposition.WRONG_NUMBER),
        (["不是"], Disposition.WRONG_NUMBER),
        (["他上个月去世了"], Disposition.DECEASED_OR_DETAINED),
        (["您拨打的用户暂时无法接通请稍后再拨"], Disposition.CALL_ASSISTANT),
        (["我是他老婆", "行我跟他说一声"], Disposition.THIRD_PARTY),
        (["他不在", "好的"], Disposition.THIRD_PARTY),
        (["我是他同事", "你自己跟他说吧"], Disposition.THIRD_PARTY),
        (["是我", "我昨天就还了呀"], Disposition.ALREADY_PAID),
        (["是我", "这卡不是我办的"], Disposition.DISPUTED),
        (["是我", "金额不对吧我只借了三千", "就是不对"], Disposition.DISPUTED),
        (["是我", "我失业了现在真没钱", "不知道"], Disposition.HARDSHIP),
        (["是我", "我就不还了怎么着", "不还"], Disposition.REFUSED),
        (["是我", "别再给我打电话了"], Disposition.DO_NOT_CALL),
        (["别再给我打电话了"], Disposition.DO_NOT_CALL),
        (["是我", "我要投诉你们"], Disposition.COMPLAINT),
        ([SILENCE, SILENCE, SILENCE], Disposition.NO_RESPONSE),
        (["在开会", "下午三点"], Disposition.CALLBACK),
        (["是我", "我挂了"], Disposition.UNCLEAR),
        (["是我", "你他妈有病吧", "滚"], Disposition.REFUSED),
    ],
)
def test_every_kind_of_call_ends_decently_and_once(m1: Script, turns: list[str], disposition: Disposition) -> None:
    done = call(m1, *turns)
    assert done.disposition is disposition
    assert done.hang_ups == 1
    assert isinstance(done.commands[-1], HangUp)


@pytest.mark.parametrize("words", ["我是他老婆", "他上个月去世了", "你打错了", "我是他同事他不在"])
def test_others_than_the_debtor_hear_nothing_of_the_debt(m1: Script, words: str) -> None:
    done = call(m1, words, "什么事啊", "他欠你们多少钱", "好的")
    assert not any(m1.lines[line_id].tells_debt for line_id in done.line_ids)
    assert "3200" not in "".join(done.said)


def test_a_third_party_that_appears_late_stops_the_talk_about_the_debt(m1: Script) -> None:
    handed_over = call(m1, "是我")
    before = len(handed_over.lines)
    handed_over.say("我是他老婆", "他欠多少钱")
    assert not any(m1.lines[line.line_id].tells_debt for line in handed_over.lines[before:])


def test_a_machine_is_not_talked_to(m1: Script) -> None:
    done = call(m1, "您好我是机主的智能助理请问有什么事")
    assert done.line_ids == ["greet"]
    assert done.disposition is Disposition.CALL_ASSISTANT


def test_a_promise_with_a_wish_not_to_be_called_is_both(m1: Script) -> None:
    done = call(m1, "是我", "别再打了我明天还", "对")
    assert done.disposition is Disposition.PROMISED
    assert "stop_calling" in done.flags


def test_a_crisis_stops_everything_and_goes_to_a_person(m1: Script) -> None:
    stopped = call(m1, "是我", "再逼我我就跳楼")
    assert stopped.line_ids[-2:] == ["crisis", "crisis_help"]
    assert stopped.handoffs == ["crisis"] and "crisis" in stopped.flags
    stopped.feed(HandoffEnded(HandoffResult.NO_ANSWER, NOW))
    assert stopped.disposition is Disposition.CRISIS
    assert stopped.callback is not None and stopped.hang_ups == 1


def test_a_person_is_called_when_asked_for(m1: Script) -> None:
    bridged = call(m1, "是我", "转人工")
    assert isinstance(bridged.commands[-1], Handoff)
    bridged.feed(HandoffEnded(HandoffResult.BRIDGED, NOW))
    assert bridged.disposition is Disposition.TRANSFERRED
    assert bridged.hang_ups == 0


def test_when_no_person_answers_the_robot_comes_back_and_books_a_callback(m1: Script) -> None:
    back = call(m1, "是我", "转人工")
    back.feed(HandoffEnded(HandoffResult.NO_ANSWER, NOW))
    assert back.line_ids[-1] == "handoff_no_person"
    assert back.disposition is Disposition.CALLBACK
    assert back.callback is not None and back.callback.at is None
    assert back.hang_ups == 1


def test_a_callback_takes_the_time_that_was_named(m1: Script) -> None:
    done = call(m1, "在开会你下午三点再打过来")
    assert done.callback is not None
    assert done.callback.at == datetime(2026, 11, 18, 15, 0, tzinfo=NOW.tzinfo)
    assert "今天下午3点" in done.said[-1]


def test_a_callback_without_a_time_asks_twice(m1: Script) -> None:
    done = call(m1, "开车呢", "不知道")
    assert done.callback is None and done.line_ids[-1] == "callback_ask_again"
    done.say("说不好")
    assert done.callback is not None and done.callback.at is None
    assert done.disposition is Disposition.CALLBACK


def test_a_time_named_at_the_second_asking_is_booked(m1: Script) -> None:
    done = call(m1, "开车呢", "晚点再打", "下午四点半吧")
    assert done.callback is not None and done.callback.at == NOW.replace(hour=16, minute=30)


def test_nothing_more_after_the_closing_words_takes_nothing_back(m1: Script) -> None:
    done = call(m1, "是我", "可以", "对", "没有了谢谢")
    assert done.withdrawals == [] and done.disposition is Disposition.PROMISED


@pytest.mark.parametrize("act", [Act.DISPUTE_DEBT, Act.ALREADY_PAID, Act.WRONG_PERSON, Act.DECEASED_OR_DETAINED])
def test_what_ends_the_matter_and_was_hardly_understood_is_asked_once_more(m1: Script, act: Act) -> None:
    unsure = Understanding("借不到了没人肯借", (act,), confidence=0.4)
    told = call(m1, "是我")
    told.feed(CustomerSaid(unsure, 2, NOW))
    assert told.hang_ups == 0 and told.line_ids[-2] == "not_understood"
    told.feed(CustomerSaid(unsure, 3, NOW))
    assert told.hang_ups == 1


@pytest.mark.parametrize(
    ("question", "line"),
    [
        ("我欠多少钱", "answer_amount"),
        ("最晚什么时候还", "answer_due_date"),
        ("怎么还", "answer_how"),
        ("不还会怎么样", "answer_consequence"),
        ("你哪位", "answer_identity"),
        ("你是机器人吧", "answer_robot"),
        ("你们怎么有我电话", "answer_source"),
        ("你是骗子吧", "answer_scam"),
    ],
)
def test_a_question_is_answered_and_the_point_comes_back_in_other_words(m1: Script, question: str, line: str) -> None:
    asked = call(m1, "是我", question)
    assert asked.line_ids[-2:] == [line, "ask_today_again"]
    assert asked.pending is Pending.ASK_PAY_TODAY


def test_the_robot_admits_being_a_robot(m1: Script) -> None:
    assert "是的，我是机器人" in "".join(call(m1, "是我", "你是机器人吗").said)


def test_a_question_beside_a_promise_is_answered_too(m1: Script) -> None:
    both = call(m1, "是我").mean(Act.PROMISE_PAY, Act.ASK_HOW_TO_PAY, slots=Slots(pay_date=date(2026, 11, 19)))
    assert both.line_ids[-2:] == ["answer_how", "readback"]


def test_silence_is_met_twice_with_other_words_each_time(m1: Script) -> None:
    quiet = call(m1, SILENCE, SILENCE)
    prompts = [text for line_id, text in zip(quiet.line_ids, quiet.said, strict=True) if line_id == "silence"]
    assert len(prompts) == 2 and prompts[0] != prompts[1]


def test_a_turn_resets_the_silence(m1: Script) -> None:
    quiet = call(m1, SILENCE, SILENCE, "喂", SILENCE, SILENCE)
    assert quiet.disposition is None


def test_what_is_not_understood_is_put_differently_then_given_to_a_person(m1: Script) -> None:
    lost = call(m1, "是我", "今天天气不错", "妈饭好了没")
    assert lost.line_ids.count("not_understood") == 2
    lost.say("嘟嘟嘟嘟嘟")
    assert lost.handoffs == ["not_understood"]


def test_an_unverified_stranger_who_is_not_understood_is_let_go(m1: Script) -> None:
    lost = call(m1, "今天天气不错", "妈饭好了没", "嘟嘟嘟嘟嘟")
    assert lost.disposition is Disposition.UNCLEAR and lost.hang_ups == 1


def test_a_hesitation_is_waited_out_once(m1: Script) -> None:
    waiting = call(m1, "是我")
    before = len(waiting.lines)
    waiting.say("呃那个")
    assert len(waiting.lines) == before
    assert isinstance(waiting.commands[-1], Listen)
    waiting.say("呃")
    assert len(waiting.lines) > before


def test_a_request_to_repeat_brings_the_facts_and_the_question_again_but_not_the_disclosure(m1: Script) -> None:
    again = call(m1, "是我", "听不清你再说一遍")
    assert again.line_ids[-3:] == ["repeat_lead", "facts", "ask_today"]
    assert again.said[-2] != again.said[2]


def test_facts_cut_short_are_said_again_when_the_customer_adds_nothing(m1: Script) -> None:
    cut = call(m1, "是我", cut={"facts": 0.3, "ask_today": 0.0}).say("嗯")
    assert cut.line_ids[-2:] == ["facts", "ask_today_again"]


def test_facts_cut_short_by_a_promise_are_not_insisted_on(m1: Script) -> None:
    cut = call(m1, "是我", cut={"facts": 0.3})
    assert cut.say("我明天就还").line_ids[-1] == "readback"


def test_a_disclosure_that_was_cut_off_is_said_again_first(m1: Script) -> None:
    cut = call(m1, "是我", cut={"disclose": 0.4})
    before = len(cut.lines)
    cut.say("今天不行")
    assert cut.line_ids[before:] == ["disclose", "ask_date"]


def test_one_syllable_over_a_question_that_was_not_heard_is_no_answer(m1: Script) -> None:
    cut = call(m1, "是我", "明天还", "嗯", cut={"readback": 0.1})
    assert cut.promise is None
    assert cut.line_ids[-1] == "readback_again"


def test_time_up_ends_politely(m1: Script) -> None:
    ended = call(m1, "是我")
    ended.feed(TimeUp("longest call"))
    assert ended.line_ids[-1] == "time_up" and ended.hang_ups == 1


def test_time_up_while_storing_waits_for_the_ledger(m1: Script) -> None:
    ended = call(m1, "是我", "可以", "对", stores=False)
    ended.feed(TimeUp("longest call"))
    assert ended.hang_ups == 0
    ended.feed(PromiseStored("P-1"))
    assert ended.disposition is Disposition.PROMISED and ended.hang_ups == 1


def test_hanging_up_while_the_promise_is_written_still_counts_it(m1: Script) -> None:
    gone = call(m1, "是我", "可以", "对", stores=False).hang_up()
    assert gone.hang_ups == 1
    gone.feed(PromiseStored("P-1"))
    assert gone.disposition is Disposition.PROMISED
    assert gone.hang_ups == 1


def test_hanging_up_while_a_person_is_called_books_a_callback(m1: Script) -> None:
    gone = call(m1, "转人工").hang_up()
    assert gone.callback is not None and gone.disposition is Disposition.CALLBACK


@pytest.mark.parametrize("turns", [[], ["是我"], ["是我", "明天还"], ["是我", "我失业了"]])
def test_hanging_up_anywhere_concludes_once(m1: Script, turns: list[str]) -> None:
    gone = call(m1, *turns).hang_up().hang_up()
    assert gone.hang_ups == 1
    assert gone.disposition in (Disposition.UNCLEAR, Disposition.HARDSHIP)


def test_a_cry_for_help_while_the_promise_is_written_is_answered_after_it(m1: Script) -> None:
    both = call(m1, "是我", "可以", "对", stores=False)
    both.say("我不想活了")
    assert "crisis" in both.flags and both.handoffs == []
    both.feed(PromiseStored("P-1"))
    assert both.handoffs == ["crisis"]


def test_after_the_end_nothing_more_is_said(m1: Script) -> None:
    done = call(m1, "你打错了")
    before = list(done.commands)
    done.say("喂", SILENCE).hang_up()
    done.feed(TimeUp("late"))
    assert done.commands == before


def test_even_a_line_with_one_wording_is_not_said_twice_in_a_row(m1_text: str) -> None:
    start, end = m1_text.index("  greet_again:"), m1_text.index("  disclose:")
    terse = load_script(m1_text[:start] + "  greet_again: 请问是您吗？\n" + m1_text[end:])
    said = call(terse, "喂", "喂", "喂", "喂").said
    assert said.count("请问是您吗？") == 4
    assert all(first != second for first, second in pairwise(said))


def test_the_reminder_takes_a_plain_yes_for_the_due_date(m0: Script) -> None:
    done = call(m0, "是我", "可以的", "对")
    assert done.promise is not None and done.promise.pay_date == date(2026, 11, 23)
    assert done.disposition is Disposition.PROMISED


def test_the_reminder_never_speaks_of_being_late(m0: Script) -> None:
    words = "".join(w.template for line_id in m0.own_lines for w in m0.lines[line_id].wordings)
    assert "逾期" not in words and "欠" not in words


def test_the_expectation_travels_with_the_question(m1: Script) -> None:
    opened = call(m1, "是我", "不行")
    listens = [c for c in opened.commands if isinstance(c, Listen)]
    assert "是我" in listens[0].expectation.answers and "王强" in listens[0].expectation.phrases
    assert "能" in listens[1].expectation.answers
    assert "周五" in listens[2].expectation.answers and "320元" in listens[2].expectation.phrases
    assert all(25 <= len(listen.expectation.answers) <= 90 for listen in listens)


def test_the_state_survives_storage_and_the_same_events_give_the_same_words(m1: Script) -> None:
    first = call(m1, "是我", "今天不行")
    restored = pickle.loads(pickle.dumps(first.state))
    assert restored == first.state
    event = CustomerSaid(Understanding("周五吧", (Act.PROMISE_PAY,), Slots(pay_date=date(2026, 11, 20))), 3, NOW)
    assert step(m1, restored, event) == step(m1, first.state, event)


def test_an_event_before_the_call_began_is_named(m1: Script) -> None:
    fresh = Call(m1)
    with pytest.raises(ValueError, match="CallStarted"):
        step(m1, replace(fresh.state, case=None), TimeUp("x"))


def test_a_hang_up_before_any_word_concludes(m1: Script) -> None:
    state, commands = step(m1, Call(m1).state, CustomerHungUp(NOW))
    assert commands == (Conclude(Disposition.UNCLEAR), HangUp())
    assert step(m1, state, CustomerHungUp(NOW))[1] == ()


def test_who_he_is_and_what_he_promises_in_one_breath(m1: Script) -> None:
    told = Call(m1).mean(Act.PROMISE_PAY, Act.SELF, slots=Slots(pay_date=date(2026, 11, 20)))
    assert told.line_ids[1:] == ["disclose", "facts", "readback"]
    told.say("对")
    assert told.promise is not None
    assert (told.promise.pay_date, told.promise.said_turn) == (date(2026, 11, 20), 1)


def test_a_promise_made_too_early_is_taken_up_once_the_right_party_confirmed(m1: Script) -> None:
    told = call(m1, "我周五还", "是我")
    assert told.line_ids[-3:] == ["disclose", "facts", "readback"]
    assert told.say("对").promises[0].said_turn == 1


def test_what_somebody_else_said_is_not_taken_up(m1: Script) -> None:
    told = Call(m1).mean(Act.PROMISE_PAY, slots=Slots(pay_date=date(2026, 11, 20))).mean(Act.THIRD_PARTY)
    assert told.state.carried is None


def test_words_and_then_silence_are_not_no_response(m1: Script) -> None:
    assert call(m1, "你哪位", SILENCE, SILENCE, SILENCE).disposition is Disposition.UNCLEAR
    assert call(m1, SILENCE, SILENCE, SILENCE).disposition is Disposition.NO_RESPONSE


def test_somebody_else_cannot_take_back_the_debtors_promise(m1: Script) -> None:
    told = call(m1, "是我", "可以", "对").mean(Act.THIRD_PARTY).mean(Act.DENY, text="不对")
    assert told.withdrawals == []


def test_the_same_promise_is_not_stored_twice(m1: Script) -> None:
    told = call(m1, "是我", "可以", "对").mean(Act.REQUEST_CALLBACK, text="等会儿").mean(Act.PROMISE_PAY, text="还")
    told.mean(Act.PROMISE_PAY, text="对").mean(Act.AFFIRM, text="对")
    assert len(told.promises) == 1


def test_a_crisis_said_while_the_promise_is_written_outranks_a_complaint(m1: Script) -> None:
    told = call(m1, "是我", "可以", "对", stores=False).mean(Act.COMPLAINT).mean(Act.CRISIS)
    told.feed(PromiseStored("P-1"))
    assert told.handoffs == ["crisis"]


def test_the_debtor_who_will_tell_somebody_at_home_has_taken_it_in(m1: Script) -> None:
    told = call(m1, "是我").mean(Act.WILL_RELAY, text="我跟我老婆说一声")
    assert told.line_ids[-1].startswith("ask_date")


def test_a_contested_sum_is_noted_once_and_ends_the_matter_the_second_time(m1: Script) -> None:
    told = call(m1, "是我").mean(Act.DISPUTE_AMOUNT, text="怎么多出来六十三块")
    assert told.line_ids[-2:] == ["contested", "ask_today"] and "dispute_amount" in told.flags
    agreed = call(m1, "是我").mean(Act.DISPUTE_AMOUNT, text="怎么多出来六十三块").say("行我周五还", "对", SILENCE)
    assert agreed.disposition is Disposition.PROMISED
    assert told.mean(Act.DISPUTE_AMOUNT, text="不对").disposition is Disposition.DISPUTED
    left = call(m1, "是我").mean(Act.DISPUTE_AMOUNT, text="怎么多出来六十三块").hang_up()
    assert left.disposition is Disposition.DISPUTED


def test_the_phone_that_is_handed_over_goes_on_with_the_debtor(m1: Script) -> None:
    told = call(m1, "我是他老婆").mean(Act.SELF, text="喂我是王强")
    assert told.line_ids[-3:] == ["disclose", "facts", "ask_today"]


def test_somebody_who_is_it_but_has_no_time_is_called_back_without_a_word_of_the_debt(m1: Script) -> None:
    at = NOW.replace(hour=15)
    told = Call(m1).mean(Act.SELF, Act.REQUEST_CALLBACK, text="是我开车呢三点打", slots=Slots(callback_at=at))
    assert told.callback is not None and told.callback.at == at
    assert not [line for line in told.lines if "debt" in line.discloses]


@pytest.mark.parametrize("beside", [Act.COMPLAINT, Act.STOP_CALLING, Act.ABUSE])
def test_who_wants_a_person_gets_one_whatever_he_is_angry_about(m1: Script, beside: Act) -> None:
    for told in (Call(m1), call(m1, "是我")):
        told.mean(beside, Act.REQUEST_HUMAN, text="我要投诉，叫你们经理来")
        assert told.handoffs == ["request_human"] and beside.value in told.flags
