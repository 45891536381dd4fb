"""What is one overdue case, before and beside any call?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from dialogue.protocol import CaseFacts


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One row of a case file, checked. Money in yuan; `phone` in E.164 (+8613800000001).

    `sip_uri`, where given, is called instead of the phone: a softphone, a test peer. One of both is always there.
    `priority`: smaller is called earlier; within the same priority the file's order holds.
    """

    case_id: str
    name: str
    gender: str  # "male" | "female" | "unknown"
    bank: str
    product: str
    card_tail: str
    amount_due: Decimal
    min_amount: Decimal
    due_date: date
    phone: str | None
    sip_uri: str | None = None
    priority: int = 0
    debtor: str | None = None  # the bank's number of the person: one for all their loans; without it the phone's
    email: str | None = None
    push_token: str | None = None
    risk: str = ""  # the bank's risk tier
    other_phones: tuple[str, ...] = ()  # the debtor's own, called when the first is dead
    contact_phones: tuple[str, ...] = ()  # of people who are not the debtor: kept, never called by the robot

    @property
    def debtor_key(self) -> str:
        key = self.debtor or self.phone or self.sip_uri
        assert key is not None, "one of phone and sip_uri is always there"
        return key

    @property
    def other_phones_text(self) -> str:
        return " ".join(self.other_phones)

    @property
    def contact_phones_text(self) -> str:
        return " ".join(self.contact_phones)

    def facts(self, today: date) -> CaseFacts:
        """What the dialogue may know of it on that day."""
        late = days_overdue(self.due_date, today)
        return CaseFacts(
            case_id=self.case_id,
            name=self.name,
            gender=self.gender,
            bank=self.bank,
            product=self.product,
            card_tail=self.card_tail,
            amount_due=self.amount_due,
            min_amount=self.min_amount,
            due_date=self.due_date,
            days_overdue=late,
            stage=stage(late),
        )

    def dial_uri(self, trunk: str) -> str:
        """The SIP URI to call. `trunk` is the pattern of the settings: sip:{phone}@carrier.example."""
        if self.sip_uri:
            return self.sip_uri
        return trunk.format(phone=self.phone)


def days_overdue(due_date: date, today: date) -> int:
    """0 on the due date, negative before it."""
    return (today - due_date).days


def stage(days: int) -> str:
    """The trade's buckets of thirty days: M0 until the due date, M1 for 1-30 days late, M2 for 31-60, ..."""
    return f"M{max(0, -(-days // 30))}"
