"""Which day, which sum, which time counts in a turn whose acts are known?

A day and a sum belong to a promise, a time to the wish to be called back; what is named beside other acts (past
payments, debts, when the wages come) is no value of the customer's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from dialogue.acts import Act
from dialogue.amounts import AmountMention, offered
from dialogue.dates import DateMention, pay_mention
from dialogue.times import TimeMention, callback_mention
from dialogue.understanding import Slots

PROMISES = (Act.PROMISE_PAY, Act.PROMISE_PARTIAL)


def find_slots(words: str, acts: Iterable[Act], now: datetime) -> Slots:
    """`words` normalised as `dialogue.rules.normalise` does it; `now` the call's own clock."""
    day, amount, callback = _mentions(words, acts, now)
    return Slots(
        pay_date=day.day if day else None,
        pay_amount=amount.amount if amount else None,
        amount_kind=amount.kind if amount else None,
        callback_at=callback.at if callback else None,
    )


def find_spans(words: str, acts: Iterable[Act], now: datetime) -> Mapping[str, tuple[int, int]]:
    """For each slot that `find_slots` fills the characters it came from: `words[start:end]`, by the slot's name."""
    day, amount, callback = _mentions(words, acts, now)
    named = {
        "pay_date": day,
        "pay_amount": amount if amount and amount.amount is not None else None,
        "amount_kind": amount if amount and amount.kind is not None else None,
        "callback_at": callback,
    }
    return {name: (mention.start, mention.end) for name, mention in named.items() if mention is not None}


def _mentions(
    words: str, acts: Iterable[Act], now: datetime
) -> tuple[DateMention | None, AmountMention | None, TimeMention | None]:
    found = frozenset(acts)
    callback = callback_mention(words, now) if Act.REQUEST_CALLBACK in found else None
    if not found.intersection(PROMISES):
        return None, None, callback
    return pay_mention(words, now.date()), offered(words), callback
