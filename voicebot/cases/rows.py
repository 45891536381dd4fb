"""Is this row a case that can be called? Cells by field go in, a CaseRow or the reasons come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from voicebot.cases import columns
from voicebot.cases.columns import CellError
from voicebot.cases.model import CaseRow


class CasesError(ValueError):
    """A case file that cannot be used at all; the message names file, place and way out."""


@dataclass(frozen=True, slots=True)
class RowError:
    """One cell that cannot be taken. `row` counts as spreadsheets do: the header is row 1."""

    row: int
    column: str  # as the file's header calls it
    message: str

    def __str__(self) -> str:
        return f"row {self.row}, column {self.column}: {self.message}"


def read_row(
    cells: Mapping[str, str], *, row: int, names: Mapping[str, str], today: date, default_bank: str
) -> CaseRow | tuple[RowError, ...]:
    """`cells`: text by field (see columns.HEADERS); `names`: what the file calls each field, for the messages."""
    errors: list[RowError] = []

    def name_of(field: str) -> str:
        return names.get(field, field)

    def take(field: str, read: Callable[[str], Any], default: Any = None) -> Any:
        cell = cells.get(field, "")
        if not columns.plain(cell) and field not in columns.REQUIRED:
            return default
        try:
            return read(cell)
        except CellError as e:
            errors.append(RowError(row, name_of(field), str(e)))
            return None

    found: dict[str, Any] = {
        "case_id": take("case_id", columns.required_text),
        "name": take("name", columns.required_text),
        "gender": take("gender", columns.gender, "unknown"),
        "phone": take("phone", columns.phone),
        "sip_uri": take("sip_uri", columns.sip_uri),
        "bank": take("bank", columns.required_text, default_bank),
        "product": take("product", columns.required_text),
        "card_tail": take("card_tail", columns.card_tail),
        "amount_due": (amount_due := take("amount_due", columns.amount)),
        "min_amount": take("min_amount", columns.amount, amount_due),
        "due_date": take("due_date", lambda cell: columns.due_date(cell, today)),
        "priority": take("priority", columns.priority, 0),
        "debtor": take("debtor", columns.required_text),
        "email": take("email", columns.email),
        "push_token": take("push_token", columns.required_text),
        "risk": take("risk", columns.plain, ""),
        "other_phones": take("other_phones", columns.phones, ()),
        "contact_phones": take("contact_phones", columns.phones, ()),
    }
    failed = {e.column for e in errors}
    if not failed & {name_of("phone"), name_of("sip_uri")} and not (found["phone"] or found["sip_uri"]):
        errors.append(RowError(row, name_of("phone"), "is empty; a phone number expected, or a sip_uri"))
    if amount_due is not None and found["min_amount"] is not None and found["min_amount"] > amount_due:
        errors.append(
            RowError(row, name_of("min_amount"), f"{found['min_amount']} is more than the whole amount, {amount_due}")
        )
    return tuple(errors) if errors else CaseRow(**found)
