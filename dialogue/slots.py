"""Which day, which sum, which time counts in a turn whose acts are known?

A day and a sum belong to a promise, a time to the wish to be called back; what is named beside other acts (past
payments, debts, when the wages come) is no value of the customer's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from dialogue.acts import Act
from dialogue.amounts import offered
from dialogue.dates import find_times, pay_date
from dialogue.understanding import Slots

PROMISES = (Act.PROMISE_PAY, Act.PROMISE_PARTIAL)


def find_slots(words: str, acts: Iterable[Act], now: datetime) -> Slots:
    """`words` normalised as `dialogue.rules.normalise` does it; `now` the call's own clock."""
    found = frozenset(acts)
    callback = None
    if Act.REQUEST_CALLBACK in found and (times := find_times(words, now)):
        callback = times[0].at
    if not found.intersection(PROMISES):
        return Slots(callback_at=callback)
    amount = offered(words)
    return Slots(
        pay_date=pay_date(words, now.date()),
        pay_amount=amount.amount if amount else None,
        amount_kind=amount.kind if amount else None,
        callback_at=callback,
    )
