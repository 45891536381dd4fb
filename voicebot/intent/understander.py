"""Who reads what the customer means? Puts the trained classifier and the slot rules behind `dialogue.understanding`."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path

from dialogue.acts import Act, Pending, primary_first
from dialogue.completeness import judge
from dialogue.patterns import CALL_ME, I_PAY, IN_PARTS, MAY_I_PAY, PAY_INTENT, PAY_NEGATED
from dialogue.rules import is_bare_yes, make_understander, normalise
from dialogue.slots import PROMISES, find_slots
from dialogue.understanding import Alternative, Completeness, Understander, Understanding
from voicebot.intent.classifier import NETWORK, Decision, IntentClassifier
from voicebot.settings import Settings

_TRAILS_OFF = re.compile(r"…|\.\.")
_HUM_MEANS = {
    Pending.VERIFY_IDENTITY: Act.SELF,
    Pending.ASK_PAY_TODAY: Act.PROMISE_PAY,
    Pending.CONFIRM_PROMISE: Act.PROMISE_PAY,
}
"""What a lone 嗯 says to a question of yes and no."""

SURELY_FINISHED, FINISHED, ANSWERED, UNFINISHED = 0.9, 0.76, 0.62, 0.15
"""How likely a turn must be over: where half a date ends it, anywhere, where it answers; and to be half-way. Chosen on
data/dev as the ears hear it."""
_ALL_THERE_IS_TO_SAY = {Act.SELF, Act.AFFIRM, Act.PROMISE_PAY, Act.PROMISE_PARTIAL, Act.GOODBYE, Act.ACKNOWLEDGE}
"""A yes and a day are an answer. A no is one too, and its reason mostly comes after a breath: 不认识……骗子吧."""
REMEMBERED = 256  # turns: partials ask the same words again and again


class TrainedUnderstander:
    """Acts by the network, values by rule. The same words, question and clock give the same answer.

    Where the ears wavered between texts, each has its say in the acts by its weight.
    """

    def __init__(self, classifier: IntentClassifier) -> None:
        self.name = classifier.name
        self._classifier = classifier
        self._decide = lru_cache(REMEMBERED)(self._weigh)

    def understand(
        self, text: str, *, pending: Pending, now: datetime, others: tuple[Alternative, ...] = ()
    ) -> Understanding:
        words = normalise(text)
        if not words:
            return Understanding(text, (Act.FILLER,))
        decision: Decision = self._decide(words, pending, others)
        agrees = is_bare_yes(words)
        acts = decision.acts
        if agrees and acts == (Act.FILLER,) and not _TRAILS_OFF.search(text):
            acts = (_HUM_MEANS.get(pending, Act.FILLER),)
        if Act.REQUEST_CALLBACK in acts or CALL_ME.search(words):
            acts = _called_back(words, acts, now)
        acts = _with_promise(words, acts, now)
        slots = find_slots(words, acts, now)
        return Understanding(text, acts, slots, round(decision.confidence, 4), agrees=agrees)

    def _weigh(self, words: str, pending: Pending, others: tuple[Alternative, ...] = ()) -> Decision:
        texts = [(words, 1.0), *((normalise(o.text), o.weight) for o in others)]
        return self._classifier.decide_between([(t, weight) for t, weight in texts if t], pending)

    def completeness(self, text: str, *, pending: Pending) -> Completeness:
        """How likely people stop here, by what the classifier learned of turns that end and turns that go on. The rules
        have a say where they see an answer, or half a date."""
        words = normalise(text)
        ruled = judge(words, pending)
        if not words:
            return ruled
        decision = self._decide(words, pending)
        over = decision.finished
        if over >= (SURELY_FINISHED if ruled is Completeness.HANGING else FINISHED):
            return Completeness.COMPLETE
        if is_bare_yes(words) and pending in _HUM_MEANS:
            return Completeness.LIKELY
        if ruled is Completeness.COMPLETE and over >= ANSWERED:
            return Completeness.COMPLETE
        if ruled is Completeness.COMPLETE:
            return Completeness.LIKELY if decision.acts[0] in _ALL_THERE_IS_TO_SAY else Completeness.OPEN
        return Completeness.HANGING if ruled is Completeness.HANGING or over < UNFINISHED else Completeness.OPEN


def _called_back(words: str, acts: tuple[Act, ...], now: datetime) -> tuple[Act, ...]:
    """你后天三点打过来 names a time to call and no day of payment, whatever the network makes of it."""
    asked = primary_first((*(a for a in acts if a not in PROMISES), Act.REQUEST_CALLBACK))
    if find_slots(words, asked, now).callback_at is None or PAY_INTENT.search(words):
        return acts
    return asked


_LOUD = (Act.STOP_CALLING, Act.COMPLAINT, Act.ABUSE)
_SETTLED = (*PROMISES, Act.ALREADY_PAID, Act.REFUSE_PAY, Act.DISPUTE_DEBT)


def _with_promise(words: str, acts: tuple[Act, ...], now: datetime) -> tuple[Act, ...]:
    """A day on which I pay is a promise, however loud the rest is: 烦不烦 我今晚就还 别再打了. Nor is a day without a
    word of parts a wish for instalments: 我二十四号还行不."""
    if any(a in _SETTLED for a in acts) or PAY_NEGATED.search(words):
        return acts
    loud = any(a in _LOUD for a in acts) and I_PAY.search(words)
    split = Act.REQUEST_INSTALLMENT in acts and not IN_PARTS.search(words) and MAY_I_PAY.search(words)
    if not loud and not split:
        return acts
    if find_slots(words, (Act.PROMISE_PAY,), now).pay_date is None:
        return acts
    kept = (a for a in acts if not (split and a is Act.REQUEST_INSTALLMENT))
    return primary_first((*kept, Act.PROMISE_PAY))


def understander_of(settings: Settings) -> Understander:
    """The understander that the settings name, made once per process. Raises ModelError."""
    chosen, folder = settings.understanding.by, settings.understanding.model
    if chosen == "rules" or (chosen == "auto" and not (folder / NETWORK).is_file()):
        return make_understander()
    return _trained(folder)


@cache
def _trained(folder: Path) -> Understander:
    return TrainedUnderstander(IntentClassifier(folder))
