"""Is this offer to pay good enough? The bank's limits applied to what the customer said."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from dialogue.acts import Act, Pending
from dialogue.protocol import CaseFacts
from dialogue.script import Policy, Verdict
from dialogue.understanding import Understanding

_ON_TIME = re.compile("按时|准时|按期|到期")
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Offer:
    """What the customer has offered so far. None: not said yet. `said_turn`: the customer turn of its latest part."""

    pay_date: date | None = None
    amount: Decimal | None = None
    partial: bool = False
    said_turn: int = 0


def latest_date(policy: Policy, case: CaseFacts, today: date) -> date:
    """The last day that a promise may name."""
    last = today + timedelta(days=policy.max_days_ahead)
    return min(last, case.due_date) if policy.by_due_date and case.due_date >= today else last


def smallest_part(policy: Policy, case: CaseFacts) -> Decimal:
    """The smallest part that is worth promising, in whole yuan; never more than the minimum payment or the debt."""
    share = (case.amount_due * policy.smallest_part_share).quantize(Decimal(1), ROUND_CEILING)
    minimum = case.min_amount if case.min_amount > 0 else case.amount_due
    return min(max(share, _CENT), minimum, case.amount_due)


def extend(offer: Offer, u: Understanding, pending: Pending, turn: int, case: CaseFacts, today: date) -> Offer:
    """Add what one turn offers to what was offered before; a later word replaces an earlier one."""
    slots = u.slots
    day, amount, partial = offer.pay_date, offer.amount, offer.partial
    if slots.pay_date is not None:
        day = slots.pay_date
    elif day is None and pending is Pending.ASK_PAY_TODAY and (u.agrees or u.primary is Act.AFFIRM):
        day = today
    elif day is None and _ON_TIME.search(u.text) and case.due_date >= today:
        day = case.due_date
    named = _named_amount(u, case)
    if named is not None:
        amount, partial = (case.amount_due, False) if named >= case.amount_due else (named, True)
    elif u.has(Act.PROMISE_PARTIAL) and not (partial and amount is not None):
        amount, partial = None, True
    elif not partial:
        amount = case.amount_due
    return replace(offer, pay_date=day, amount=amount, partial=partial, said_turn=turn)


def _named_amount(u: Understanding, case: CaseFacts) -> Decimal | None:
    match u.slots.amount_kind:
        case "minimum":
            return case.min_amount
        case "half":
            return (case.amount_due / 2).quantize(_CENT, ROUND_HALF_UP)
        case "full":
            return case.amount_due
    amount = u.slots.pay_amount
    return amount if amount is not None and amount > 0 else None


def weigh(offer: Offer, policy: Policy, case: CaseFacts, today: date) -> tuple[Verdict, Offer]:
    """Judge the offer. Returns it without the part that cannot stand, so that the next answer fills the gap."""
    if offer.partial and offer.amount is None:
        return Verdict.NO_AMOUNT, offer
    if offer.amount is not None and offer.amount < smallest_part(policy, case):
        return Verdict.TOO_SMALL, replace(offer, amount=None)
    day = offer.pay_date
    if day is None and policy.assume_due_date and case.due_date >= today:
        day = latest_date(policy, case, today)
    if day is None or day < today:
        return (Verdict.PART_NO_DATE if offer.partial else Verdict.NO_DATE), replace(offer, pay_date=None)
    if day > latest_date(policy, case, today):
        return Verdict.TOO_LATE, replace(offer, pay_date=None)
    return Verdict.OK, replace(offer, pay_date=day)
