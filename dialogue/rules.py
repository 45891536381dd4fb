"""What did the customer mean? A first understander made of rules: patterns, read in the light of the question.

Good enough for real calls and for a microphone of telephone quality; a trained one can take its place behind
`dialogue.understanding.Understander`. The tables stand in `dialogue.patterns`; dates and amounts have modules of
their own.
"""

from __future__ import annotations

import re
from datetime import date, datetime

from dialogue.acts import Act, Pending, primary_first
from dialogue.amounts import AmountMention, offered
from dialogue.completeness import judge
from dialogue.dates import find_dates, find_times, pay_date
from dialogue.homophones import put_right
from dialogue.patterns import (
    AROUND_A_VALUE,
    DENIES_TODAY,
    LEADING_NOISE,
    PARTIAL_WORDS,
    PARTICLES,
    PAY_INTENT,
    PAY_NEGATED,
    PAY_QUESTION,
    RULES,
    SHORT_NO,
    SHORT_YES,
    WEAK_YES,
    YES_LEADING,
)
from dialogue.understanding import Alternative, Completeness, Slots, Understander, Understanding

_ASKS_TO_PAY = frozenset({Pending.ASK_PAY_TODAY, Pending.ASK_PAY_DATE, Pending.CONFIRM_PROMISE})
_BESIDE_A_VALUE = frozenset({Act.HARDSHIP, Act.DENY, Act.AFFIRM, Act.ACKNOWLEDGE, Act.GREETING})
_PUNCTUATION = re.compile(r"[\s,.!?;:，。！？；：、…~\-—\"'“”‘’「」（）()]+(?!\d)|(?<!\d)[.:]")
_HUM = re.compile(r"[嗯恩哼唔]+$")
_HESITATION = re.compile(r"(?:[呃啊额哎诶唉哦噢嗯恩哼唔]|那个|这个|就是|然后)+$")
_TOOK_IN = re.compile(r"[哦噢喔]+$")
_UNSURE, _SLOTS_ONLY, _SURE = 0.3, 0.6, 0.9

_SUPPRESSES: dict[Act, tuple[Act, ...]] = {
    Act.CRISIS: (Act.ABUSE, Act.HARDSHIP),
    Act.STOP_CALLING: (Act.REQUEST_CALLBACK, Act.GOODBYE, Act.ASK_SOURCE),
    Act.COMPLAINT: (Act.ASK_SOURCE,),
    Act.CALL_ASSISTANT: tuple(a for a in Act if a is not Act.CALL_ASSISTANT),
    Act.DECEASED_OR_DETAINED: (Act.THIRD_PARTY, Act.WRONG_PERSON, Act.REQUEST_HUMAN),
    Act.SELF: (Act.AFFIRM,),
    Act.WILL_RELAY: (Act.REQUEST_CALLBACK, Act.SELF, Act.PROMISE_PAY, Act.AFFIRM),
    Act.THIRD_PARTY: (Act.WRONG_PERSON, Act.ASK_IDENTITY, Act.REQUEST_CALLBACK, Act.SELF),
    Act.WRONG_PERSON: (Act.SELF, Act.DISPUTE_AMOUNT, Act.ASK_SOURCE),
    Act.DISPUTE_DEBT: (Act.PROMISE_PAY, Act.ALREADY_PAID, Act.REFUSE_PAY, Act.HARDSHIP),
    Act.DISPUTE_AMOUNT: (Act.PROMISE_PAY, Act.ASK_AMOUNT, Act.DENY, Act.AFFIRM),
    Act.ALREADY_PAID: (Act.PROMISE_PAY, Act.HARDSHIP, Act.PROMISE_PARTIAL),
    Act.REFUSE_PAY: (Act.HARDSHIP, Act.PROMISE_PAY, Act.DENY),
    Act.ASK_CONSEQUENCE: (Act.REFUSE_PAY, Act.LEGAL, Act.HARDSHIP, Act.DECEASED_OR_DETAINED, Act.DENY),
    Act.REQUEST_WAIVER: (Act.PROMISE_PAY, Act.ASK_AMOUNT),
    Act.REQUEST_INSTALLMENT: (Act.PROMISE_PAY, Act.PROMISE_PARTIAL),
    Act.REQUEST_EXTENSION: (Act.DENY,),
    Act.PROMISE_PARTIAL: (Act.PROMISE_PAY, Act.ASK_AMOUNT, Act.DENY),
    Act.HARDSHIP: (Act.DENY,),
    Act.REQUEST_REPEAT: (Act.ASK_SOURCE,),
    Act.ASK_IS_ROBOT: (Act.REQUEST_HUMAN, Act.CALL_ASSISTANT),
    Act.REQUEST_HUMAN: (Act.ASK_IDENTITY,),
    Act.PROMISE_PAY: (Act.DENY, Act.ACKNOWLEDGE),
    Act.ASK_DUE_DATE: (Act.PROMISE_PAY,),
    Act.ASK_HOW_TO_PAY: (Act.PROMISE_PAY,),
    Act.REQUEST_CALLBACK: (Act.PROMISE_PAY, Act.ACKNOWLEDGE, Act.DENY, Act.WILL_RELAY),
}
"""Which readings of the same words give way to which."""


def make_understander() -> Understander:
    """The understander of this version."""
    return RuleUnderstander()


class RuleUnderstander:
    """Stateless and deterministic."""

    name = "rules-1"

    def understand(
        self, text: str, *, pending: Pending, now: datetime, others: tuple[Alternative, ...] = ()
    ) -> Understanding:
        words = normalise(text)
        if not words:
            return Understanding(text, (Act.FILLER,), confidence=_SURE)
        if (short := _short_answer(words, pending)) is not None:
            return Understanding(text, (short,), confidence=_SURE, agrees=is_bare_yes(words))
        found = _acts_by_table(words, pending)
        slots, offers = _slots(words, pending, now, found)
        acts = _settle([*found, *offers])
        if not acts:
            if slots.callback_at is not None:
                return Understanding(text, (Act.REQUEST_CALLBACK,), slots, _SLOTS_ONLY)
            return Understanding(text, (Act.OUT_OF_SCOPE,), confidence=_UNSURE)
        return Understanding(text, acts, _kept_slots(slots, acts), _SURE)

    def completeness(self, text: str, *, pending: Pending) -> Completeness:
        return judge(normalise(text), pending)


def normalise(text: str) -> str:
    """Punctuation and spaces away, letters small, and what the ears often mishear set right."""
    return put_right(_PUNCTUATION.sub("", text.lower()))


def core(words: str) -> str:
    """The words without hesitation at the front and particles at the end."""
    stripped = LEADING_NOISE.sub("", words)
    return PARTICLES.sub("", stripped) or stripped


def _short_answer(words: str, pending: Pending) -> Act | None:
    """Whole turns of a word or two, which mean what the question makes of them."""
    if _HUM.match(words):
        waits = pending in (Pending.VERIFY_IDENTITY, Pending.ASK_PAY_TODAY, Pending.CONFIRM_PROMISE)
        return Act.AFFIRM if waits else Act.ACKNOWLEDGE if pending is Pending.INFORM else Act.FILLER
    if _TOOK_IN.match(words):
        return Act.ACKNOWLEDGE
    if _HESITATION.match(words):
        return Act.FILLER
    short = core(words)
    if SHORT_NO.match(short):
        return Act.WRONG_PERSON if pending is Pending.VERIFY_IDENTITY and ("是" in short or "错" in short) else Act.DENY
    if SHORT_YES.match(short):
        if pending is Pending.VERIFY_IDENTITY:
            return Act.SELF
        if pending is Pending.ASK_PAY_TODAY:
            return Act.AFFIRM if WEAK_YES.match(short) else Act.PROMISE_PAY
        return Act.ACKNOWLEDGE if pending is Pending.CLOSING else Act.AFFIRM
    return None


def is_bare_yes(words: str) -> bool:
    """Whether normalised words say yes and nothing else: what they agree to is the question's to say."""
    return _HUM.match(words) is not None or SHORT_YES.match(core(words)) is not None


def _acts_by_table(words: str, pending: Pending) -> list[Act]:
    found: list[tuple[int, Act]] = []
    for rule in RULES:
        if rule.pending is not None and pending not in rule.pending:
            continue
        m = rule.pattern.search(words)
        if m and not (rule.unless and rule.unless.search(words)):
            found.append((m.start(), rule.act))
    if pending is Pending.VERIFY_IDENTITY and YES_LEADING.match(words):
        found.append((0, Act.SELF))
    if pending is Pending.CONFIRM_PROMISE and YES_LEADING.match(words):
        found.append((0, Act.AFFIRM))
    return list(dict.fromkeys(act for _, act in sorted(found, key=lambda pair: pair[0])))


def _slots(words: str, pending: Pending, now: datetime, acts: list[Act]) -> tuple[Slots, list[Act]]:
    """Values named in the turn, and the promises that they amount to."""
    blocks = (Act.ALREADY_PAID, Act.DISPUTE_DEBT, Act.REFUSE_PAY, Act.ASK_DUE_DATE, Act.ASK_HOW_TO_PAY)
    times = find_times(words, now)
    callback = times[0].at if times and (Act.REQUEST_CALLBACK in acts or pending is Pending.NONE) else None
    if callback is not None or Act.REQUEST_CALLBACK in acts or any(a in acts for a in blocks):
        return Slots(callback_at=callback), []
    day = pay_date(words, now.date())
    amount = offered(words)
    intends = PAY_INTENT.search(words) is not None and not PAY_NEGATED.search(words)
    asks = PAY_QUESTION.search(words) is not None
    partial = amount is not None and (amount.kind in ("minimum", "half") or PARTIAL_WORDS.search(words) is not None)
    offers: list[Act] = []
    if asks and not (partial and amount is not None and "多少" not in words):
        return Slots(pay_date=day), []
    if (partial and (intends or pending in _ASKS_TO_PAY)) or (PARTIAL_WORDS.search(words) and intends):
        offers.append(Act.PROMISE_PARTIAL)
    elif intends or ((day or amount) and pending in _ASKS_TO_PAY and _plain_value(words, amount, now.date(), acts)):
        offers.append(Act.PROMISE_PAY)
    if pending is Pending.ASK_PAY_TODAY and not offers and DENIES_TODAY.search(words) and day is None:
        offers.append(Act.DENY)
    return (
        Slots(
            pay_date=day,
            pay_amount=amount.amount if amount else None,
            amount_kind=amount.kind if amount else None,
        ),
        offers,
    )


def _plain_value(words: str, amount: AmountMention | None, today: date, acts: list[Act]) -> bool:
    """Whether a day or an amount stands as an answer of its own (周五吧), not inside another matter (今天天气不错)."""
    if not set(acts) <= _BESIDE_A_VALUE:
        return False
    if acts:
        return True
    spans = [(m.start, m.end) for m in find_dates(words, today)] + ([(amount.start, amount.end)] if amount else [])
    rest = "".join(c for i, c in enumerate(words) if not any(a <= i < b for a, b in spans))
    return len(AROUND_A_VALUE.sub("", rest)) <= 1


def _settle(acts: list[Act]) -> tuple[Act, ...]:
    given_up: set[Act] = set()
    ordered = primary_first(acts)
    for act in ordered:
        if act not in given_up:
            given_up.update(_SUPPRESSES.get(act, ()))
    kept = tuple(a for a in ordered if a not in given_up)
    content = tuple(a for a in kept if a not in (Act.GREETING, Act.ACKNOWLEDGE, Act.FILLER))
    return content or kept


def _kept_slots(slots: Slots, acts: tuple[Act, ...]) -> Slots:
    """A day or an amount counts only beside an act that can carry it."""
    carriers = {Act.PROMISE_PAY, Act.PROMISE_PARTIAL, Act.REQUEST_EXTENSION, Act.HARDSHIP, Act.AFFIRM, Act.DENY}
    if carriers.intersection(acts):
        return slots
    return Slots(callback_at=slots.callback_at)
