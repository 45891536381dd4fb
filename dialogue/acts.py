"""The vocabulary of a call: what a customer can mean, what we wait for, how a call ends.

Everything that names an act, a pending question or a disposition takes it from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Act(StrEnum):
    """What a customer means by one turn, or by a part of it."""

    # who is on the line
    SELF = "self"
    WRONG_PERSON = "wrong_person"
    THIRD_PARTY = "third_party"
    WILL_RELAY = "will_relay"
    DECEASED_OR_DETAINED = "deceased_or_detained"
    CALL_ASSISTANT = "call_assistant"
    # paying
    PROMISE_PAY = "promise_pay"
    PROMISE_PARTIAL = "promise_partial"
    ALREADY_PAID = "already_paid"
    REFUSE_PAY = "refuse_pay"
    HARDSHIP = "hardship"
    REQUEST_EXTENSION = "request_extension"
    REQUEST_INSTALLMENT = "request_installment"
    REQUEST_WAIVER = "request_waiver"
    # disputing
    DISPUTE_DEBT = "dispute_debt"
    DISPUTE_AMOUNT = "dispute_amount"
    # asking
    ASK_AMOUNT = "ask_amount"
    ASK_DUE_DATE = "ask_due_date"
    ASK_HOW_TO_PAY = "ask_how_to_pay"
    ASK_CONSEQUENCE = "ask_consequence"
    ASK_IDENTITY = "ask_identity"
    ASK_IS_ROBOT = "ask_is_robot"
    ASK_SOURCE = "ask_source"
    SUSPECT_SCAM = "suspect_scam"
    # steering the call
    REQUEST_HUMAN = "request_human"
    REQUEST_CALLBACK = "request_callback"
    REQUEST_REPEAT = "request_repeat"
    STOP_CALLING = "stop_calling"
    # risk
    COMPLAINT = "complaint"
    LEGAL = "legal"
    ABUSE = "abuse"
    CRISIS = "crisis"
    # the rest
    AFFIRM = "affirm"
    DENY = "deny"
    ACKNOWLEDGE = "acknowledge"
    GREETING = "greeting"
    FILLER = "filler"
    GOODBYE = "goodbye"
    OUT_OF_SCOPE = "out_of_scope"


PRIMARY_RANK: tuple[Act, ...] = (
    Act.CRISIS,
    Act.ABUSE,
    Act.STOP_CALLING,
    Act.COMPLAINT,
    Act.LEGAL,
    Act.REQUEST_HUMAN,
    Act.DISPUTE_DEBT,
    Act.WRONG_PERSON,
    Act.DECEASED_OR_DETAINED,
    Act.CALL_ASSISTANT,
    Act.ALREADY_PAID,
    Act.REFUSE_PAY,
    Act.PROMISE_PAY,
)
"""Acts that outrank the others of the same turn, most urgent first; the rest keep the order they were found in."""


def primary_first(acts: Iterable[Act]) -> tuple[Act, ...]:
    """Order the acts of one turn so that the one to react to stands first. Duplicates are dropped."""
    found = tuple(dict.fromkeys(acts))
    return tuple(a for a in PRIMARY_RANK if a in found) + tuple(a for a in found if a not in PRIMARY_RANK)


class Pending(StrEnum):
    """What the robot waits for when the customer speaks. Understanding is conditioned on it."""

    OPENING = "opening"
    VERIFY_IDENTITY = "verify_identity"
    ASK_PAY_TODAY = "ask_pay_today"
    ASK_PAY_DATE = "ask_pay_date"
    CONFIRM_PROMISE = "confirm_promise"
    ASK_REASON = "ask_reason"
    INFORM = "inform"
    CLOSING = "closing"
    NONE = "none"


class Disposition(StrEnum):
    """How a call ended, as the business sees it."""

    PROMISED = "promised"
    PROMISED_PARTIAL = "promised_partial"
    ALREADY_PAID = "already_paid"
    REFUSED = "refused"
    HARDSHIP = "hardship"
    DISPUTED = "disputed"
    WRONG_NUMBER = "wrong_number"
    THIRD_PARTY = "third_party"
    CALLBACK = "callback"
    DO_NOT_CALL = "do_not_call"
    COMPLAINT = "complaint"
    TRANSFERRED = "transferred"
    CRISIS = "crisis"
    CALL_ASSISTANT = "call_assistant"
    DECEASED_OR_DETAINED = "deceased_or_detained"
    NO_RESPONSE = "no_response"
    UNCLEAR = "unclear"
    # ended before anyone spoke
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REJECTED = "rejected"
    POWERED_OFF = "powered_off"
    INVALID_NUMBER = "invalid_number"
    SUSPENDED = "suspended"
    UNREACHABLE = "unreachable"
    FAILED = "failed"
