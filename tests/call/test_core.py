"""A whole call without a phone: the real script, the real understanding, virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogue.acts import Act, Disposition
from dialogue.loader import load_script
from dialogue.protocol import (
    CaseFacts,
    Flag,
    HangUp,
    LineHeard,
    PromiseStored,
    Speak,
    StorePromise,
    TimeUp,
    WithdrawPromise,
)
from dialogue.rules import RuleUnderstander
from dialogue.understanding import Alternative
from voicebot.call import turns
from voicebot.call.assembly import make_core
from voicebot.call.core import CallBasis, CallCore, EarsHeard, FromOutside, Output, TurnTaken
from voicebot.call.eventlog import EventLog
from voicebot.call.replay import replay
from voicebot.settings import PROJECT_ROOT

CASE = CaseFacts(
    "D1",
    "王强",
    "male",
    "示例银行",
    "信用卡",
    "3344",
    Decimal("3280.50"),
    Decimal("328.05"),
    date(2026, 11, 17),
    5,
    "M1",
)
STARTED = datetime(2026, 11, 22, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
SCRIPT = load_script((PROJECT_ROOT / "scripts" / "m1_collection.yaml").read_text("utf-8"), "m1_collection.yaml")
BASIS = CallBasis(CASE, STARTED, SCRIPT.name, SCRIPT.version, "rules", turns.Timing())
HEARD_AFTER_MS = 180  # the ears' answer after the end of speech: 80 ms for the gate to notice, 100 ms to decode


@dataclass
class Call:
    """Plays both the phone and the clock. Every line of the robot is played to its end at 4.5 characters a second."""

    log: EventLog | None = None
    core: CallCore = field(default_factory=lambda: make_core(BASIS, SCRIPT))
    at: int = 0
    out: list[Output] = field(default_factory=list)
    queue: list[Speak] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.log is not None:
            self.log.append(0, "note", BASIS)

    def feed(self, event: object) -> None:
        if self.log is not None:
            self.log.append(self.at, "in", event)
        for output in self.core.feed(event):  # type: ignore[arg-type]
            if self.log is not None:
                self.log.append(self.at, "out", output)
            self.out.append(output)
            match output:
                case Speak():
                    self.queue.append(output)
                case turns.PauseRobot():
                    self.feed(turns.RobotPaused(self.at, 2000, tuple((s.line_id, 0.3) for s in self.queue)))
                case turns.DropRobot():
                    self.queue.clear()
                case TurnTaken(took_back=True):
                    self.queue.clear()
                case StorePromise():
                    self.feed(FromOutside(self.at, PromiseStored("P1")))

    def wait(self, ms: int) -> None:
        for _ in range(ms // 20):
            self.at += 160
            deadline = self.core.next_deadline()
            if deadline is not None and self.at >= deadline:
                self.feed(turns.Tick(self.at))

    def say(self, text: str, then_ms: int = 1200, sure: float = 0.9, others: tuple[Alternative, ...] = ()) -> None:
        onset = self.at
        self.wait(60)
        self.feed(turns.SpeechStarted(self.at, onset))
        self.wait(200 * max(1, len(text)))
        end = self.at
        self.wait(80)
        self.feed(turns.SpeechStopped(self.at, end))
        self.wait(HEARD_AFTER_MS - 80)
        self.feed(EarsHeard(self.at, self.core.turn_state.turn, self.at, text, sure, others))
        self.wait(then_ms)

    def robot_speaks(self) -> None:
        while self.queue:
            line = self.queue[0]
            self.feed(turns.RobotStarted(self.at, line.interruptible))
            self.wait(len(line.text) * 220)
            if self.queue[:1] == [line]:
                self.queue.pop(0)
                self.feed(FromOutside(self.at, LineHeard(line.line_id, 1.0)))
        self.feed(turns.RobotFinished(self.at))

    def talk(self, *texts: str) -> None:
        for text in texts:
            self.say(text)
            self.robot_speaks()

    def of(self, kind: type) -> list[object]:
        return [o for o in self.out if isinstance(o, kind)]

    @property
    def robot_words(self) -> list[str]:
        return [o.text for o in self.out if isinstance(o, Speak)]


def test_a_promise_is_read_back_stored_and_only_then_noted() -> None:
    call = Call()
    call.talk("喂", "是我", "今天不行", "我周五还吧", "对")
    [promise] = call.of(StorePromise)
    assert isinstance(promise, StorePromise)
    assert (promise.pay_date, promise.amount) == (date(2026, 11, 27), Decimal("3280.50"))
    assert call.core.disposition is Disposition.PROMISED
    kinds = [type(o) for o in call.out]
    noted = next(i for i, o in enumerate(call.out) if isinstance(o, Speak) and "登记好" in o.text)
    assert kinds.index(StorePromise) < noted
    assert not call.of(HangUp)
    call.wait(1600)
    assert call.of(HangUp)


def test_a_promise_taken_back_over_the_goodbye_is_struck(tmp_path: Path) -> None:
    call = Call(EventLog.open(tmp_path / "events.jsonl"))
    call.talk("喂", "是我", "今天不行", "我周五还吧", "对", "不对不对我还不了")
    assert [type(o) for o in call.of(StorePromise) + call.of(WithdrawPromise)] == [StorePromise, WithdrawPromise]
    assert not call.of(HangUp)
    assert replay(tmp_path / "events.jsonl", lambda basis: make_core(basis, SCRIPT)).same


def test_the_robot_lets_the_customer_say_hello_first_but_not_for_ever() -> None:
    call = Call()
    call.wait(800)
    assert not call.of(Speak)
    call.wait(200)
    assert call.robot_words[0].startswith("您好")


def test_a_turn_that_was_taken_too_early_is_taken_back_with_what_it_led_to() -> None:
    call = Call()
    call.talk("喂", "是我")
    call.say("今天不行", then_ms=240)  # taken after the short silence...
    assert call.queue, "the robot is about to ask for a day"
    call.feed(turns.RobotStarted(call.at, True))
    call.say("周五我全部还上")  # ...but the customer goes on
    taken = call.of(TurnTaken)[-1]
    assert isinstance(taken, TurnTaken)
    assert taken.took_back and taken.understanding.text == "今天不行周五我全部还上"
    call.robot_speaks()
    call.talk("对")
    [promise] = call.of(StorePromise)
    assert isinstance(promise, StorePromise) and promise.pay_date == date(2026, 11, 27)


def test_an_irreversible_step_is_never_taken_back() -> None:
    call = Call()
    call.talk("喂", "是我", "我周五还")
    call.say("对", then_ms=300)
    assert call.of(StorePromise)
    call.feed(turns.RobotStarted(call.at, True))
    call.say("没错的")
    assert len(call.of(StorePromise)) == 1
    assert not any(isinstance(t, TurnTaken) and t.took_back for t in call.of(TurnTaken))


def test_a_machine_that_answers_is_not_told_anything() -> None:
    call = Call()
    call.talk("您拨打的用户暂时无法接通请稍后再拨")
    call.wait(3000)
    call.robot_speaks()
    assert call.core.disposition is Disposition.CALL_ASSISTANT
    assert not any("还款" in w or "逾期" in w for w in call.robot_words)


def test_a_stop_from_outside_ends_politely() -> None:
    call = Call()
    call.talk("喂", "是我")
    call.feed(FromOutside(call.at, TimeUp("batch stopped")))
    assert call.of(HangUp) and "再见" in call.robot_words[-1]


def test_words_over_the_disclosure_wait_and_are_not_lost() -> None:
    call = Call()
    call.talk("喂")
    call.say("是我")
    disclosure = call.queue[0]
    assert not disclosure.interruptible
    call.feed(turns.RobotStarted(call.at, False))
    call.say("我要投诉你们")
    assert not call.of(Flag), "the disclosure is heard to its end first"
    call.feed(FromOutside(call.at, LineHeard(disclosure.line_id, 1.0)))
    call.feed(turns.RobotFinished(call.at))
    assert Flag("complaint") in call.of(Flag)


def test_who_says_once_more_who_they_are_over_the_disclosure_is_not_asked_again() -> None:
    call = Call()
    call.talk("喂")
    call.say("嗯", then_ms=1500)
    call.feed(turns.RobotStarted(call.at, False))
    call.wait(1500)
    call.say("对我是")
    assert len(call.of(TurnTaken)) == 2 and call.of(turns.LetGo)
    assert not any("没太听明白" in words for words in call.robot_words)


def test_words_over_the_disclosure_answer_the_question_that_was_heard() -> None:
    call = Call()
    call.talk("喂")
    call.say("是我")
    call.feed(turns.RobotStarted(call.at, False))
    call.wait(1500)
    call.say("不是你打错了吧")
    call.feed(turns.RobotFinished(call.at))
    taken = call.of(TurnTaken)[-1]
    assert isinstance(taken, TurnTaken)
    assert taken.pending == "verify_identity" and taken.understanding.primary is Act.WRONG_PERSON


@pytest.mark.parametrize(("words", "sure", "hums"), [("你了", 0.4, True), ("没了", 0.35, True), ("没钱", 0.8, False)])
def test_a_hum_that_the_ears_take_for_words_does_not_take_the_floor(words: str, sure: float, hums: bool) -> None:
    call = Call()
    call.talk("喂")
    call.say("是我")
    call.feed(turns.RobotStarted(call.at, True))
    call.wait(1000)
    onset = call.at
    call.wait(60)
    call.feed(turns.SpeechStarted(call.at, onset))
    call.wait(260)
    call.feed(turns.SpeechStopped(call.at, call.at - 480))
    call.wait(60)
    call.feed(EarsHeard(call.at, call.core.turn_state.turn, call.at, words, sure))
    call.wait(400)
    assert bool(call.of(turns.LetGo)) == hums
    assert len(call.of(TurnTaken)) == (2 if hums else 3)


@pytest.mark.parametrize("words", ["不是", "不是我"])
def test_a_word_that_was_hardly_heard_ends_nothing(words: str) -> None:
    call = Call()
    call.talk("喂")
    call.say(words, sure=0.3)
    assert not call.of(HangUp) and call.core.disposition is None
    call.robot_speaks()
    call.say(words, sure=0.9)
    assert call.core.disposition is Disposition.WRONG_NUMBER


def test_the_understanding_weighs_what_else_the_ears_may_have_heard() -> None:
    weighed: list[tuple[str, tuple[Alternative, ...]]] = []

    class Weighing(RuleUnderstander):
        def understand(self, text, *, pending, now, others=()):
            weighed.append((text, others))
            return super().understand(text, pending=pending, now=now, others=others)

    call = Call()
    call.talk("喂")
    call.core._understander = Weighing()
    maybe = (Alternative("你是我", 0.4),)
    call.say("是我", others=maybe)
    assert weighed == [("是我", maybe)] * 2  # for the floor, and for the turn


def test_what_it_may_have_been_is_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog.open(path) as log:
        call = Call(log)
        call.talk("喂")
        call.say("是我", others=(Alternative("你是我", 0.4),))
    assert "你是我" in path.read_text("utf-8")
    assert replay(path, lambda basis: make_core(basis, SCRIPT)).same


def test_the_log_of_a_call_replays_to_the_same_words(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog.open(path) as log:
        Call(log).talk("喂", "是我", "你是机器人吧", "今天不行", "我周五还吧", "对")
    again = replay(path, lambda basis: make_core(basis, SCRIPT))
    assert again.same, again.difference
    assert ("customer", "我周五还吧") in [(who, text) for _, who, text in again.words]
    assert again.outputs > 30


def test_a_log_that_was_tampered_with_does_not_replay(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog.open(path) as log:
        Call(log).talk("喂", "是我", "我周五还吧", "对")
    path.write_text(path.read_text("utf-8").replace('"我周五还吧"', '"我周六还吧"', 1), "utf-8")
    again = replay(path, lambda basis: make_core(basis, SCRIPT))
    assert again.difference is not None


def test_a_log_that_a_crash_cut_off_replays_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog.open(path) as log:
        Call(log).talk("喂", "是我", "我周五还吧", "对")
    lines = path.read_text("utf-8").splitlines(keepends=True)
    inputs = [i for i, line in enumerate(lines) if '"kind":"in"' in line]
    before_outputs = next(i for i in reversed(inputs) if i + 1 < len(lines) and '"kind":"out"' in lines[i + 1])
    for torn in ("".join(lines[: before_outputs + 1]), "".join(lines[: before_outputs + 1]) + lines[-1][:20]):
        path.write_text(torn, "utf-8")
        again = replay(path, lambda basis: make_core(basis, SCRIPT))
        assert again.same and again.cut_short


_SAYINGS = st.sampled_from(
    [
        "喂",
        "嗯",
        "是我",
        "不是",
        "打错了",
        "今天还",
        "周五吧",
        "没钱",
        "转人工",
        "别再打了",
        "你哪位",
        "再说一遍",
        "啊",
        "",
    ]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(_SAYINGS, st.integers(200, 8000)), max_size=12))
def test_whatever_is_said_and_whenever_a_call_replays(story: list[tuple[str, int]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        with EventLog.open(path) as log:
            call = Call(log)
            for text, then_ms in story:
                call.say(text, then_ms)
                if then_ms % 2:
                    call.robot_speaks()
        assert replay(path, lambda basis: make_core(basis, SCRIPT)).same
    acts = [t.understanding.acts for t in call.of(TurnTaken) if isinstance(t, TurnTaken)]
    assert all(isinstance(a, Act) for turn in acts for a in turn)
