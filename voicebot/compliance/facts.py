"""What must be known about a debtor before anybody contacts them?

All times carry their zone. What is not known is None, and stops the contact where a rule needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Channel(StrEnum):
    VOICE = "voice"
    SMS = "sms"
    EMAIL = "email"
    PUSH = "push"
    LETTER = "letter"


class Party(StrEnum):
    """Who is to be reached."""

    DEBTOR = "debtor"
    GUARANTOR = "guarantor"
    THIRD_PARTY = "third_party"


class Status(StrEnum):
    """What stands in the way of collecting, or of a machine that collects."""

    DISPUTE = "dispute"
    INSTALMENT_PLAN = "instalment_plan"  # agreed and kept so far
    PROMISE = "promise"  # to pay on a day that has not passed
    LEGAL_HOLD = "legal_hold"
    VULNERABLE = "vulnerable"  # minor, student, gravely ill, bereaved, disaster
    DECEASED = "deceased"
    INCAPABLE = "incapable"  # no or limited legal capacity
    CLOSED = "closed"  # nothing is owed


class Consent(StrEnum):
    """What the debtor has agreed to, on record."""

    OUTSIDE_HOURS = "outside_hours"
    MORE_DIALS = "more_dials"
    ARTIFICIAL_VOICE = "artificial_voice"


@dataclass(frozen=True, slots=True)
class Contact:
    """One attempt of the past, by whatever agency. `reached`: a person spoke; None while nobody knows yet."""

    at: datetime
    channel: Channel = Channel.VOICE
    reached: bool | None = False
    outbound: bool = True
    loan: str = ""
    number: str = ""
    agency: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """`zone`: where the debtor lives, as IANA names it; None takes the pack's own, if it has one.

    `do_not_call`: numbers that nobody may call for this debt, "*" for all. `unreachable`: every way to the debtor was
    tried in vain. `contacts`: over all loans, channels and agencies, in any order; None where nobody could say."""

    debtor: str
    zone: str | None = None
    contacts: tuple[Contact, ...] | None = ()
    statuses: frozenset[Status] = frozenset()
    consents: frozenset[Consent] = frozenset()
    do_not_call: frozenset[str] = frozenset()
    opted_out: frozenset[Channel] = frozenset()
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """Who wants to contact whom, how and when. `automated`: a machine speaks."""

    now: datetime
    channel: Channel = Channel.VOICE
    loan: str = ""
    number: str = ""
    party: Party = Party.DEBTOR
    automated: bool = True
