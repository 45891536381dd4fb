"""Did the robot book what the debtor was told to do? Row by row, against the personas' expectations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from rich.table import Table

from voicebot.debtor.persona import Expect, Persona, normalise_user, resolve_date
from voicebot.debtor.record import CallRecord
from voicebot.reports.batch import NAMES, disposition_of
from voicebot.store import ReportRow


@dataclass(frozen=True, slots=True)
class Compared:
    """One case: what should have been booked, what was, and whether they match."""

    case_id: str
    name: str
    told: str
    expected: str
    booked: str
    match: bool


def compare(rows: Iterable[ReportRow], personas: Mapping[str, Persona], today: date) -> list[Compared]:
    """`personas` by normalised user. A case without a persona does not match."""
    return [_compare(row, personas.get(normalise_user(row.phone or "")), today) for row in rows]


def _compare(row: ReportRow, persona: Persona | None, today: date) -> Compared:
    if persona is None or persona.expect is None:
        return Compared(row.case_id, row.name, "?", "?", _booked(row), False)
    expect = persona.expect
    return Compared(
        row.case_id, row.name, persona.about, _wanted(expect, row, today), _booked(row), _fits(expect, row, today)
    )


def _fits(expect: Expect, row: ReportRow, today: date) -> bool:
    disposition = disposition_of(row)
    if disposition is None or disposition.value not in expect.dispositions:
        return False
    wanted_day = resolve_date(expect.pay_date, today) if expect.pay_date else None
    if row.promised_date != wanted_day:
        return False
    match expect.amount:
        case None:
            return wanted_day is not None or row.promised_amount is None
        case "full":
            return row.promised_amount == row.amount_due
        case "part":
            return row.promised_amount is not None and Decimal(0) < row.promised_amount < row.amount_due
        case amount:
            return row.promised_amount == amount


def _wanted(expect: Expect, row: ReportRow, today: date) -> str:
    parts = ["/".join(expect.dispositions)]
    if expect.pay_date:
        parts.append(str(resolve_date(expect.pay_date, today)))
    if expect.amount is not None:
        parts.append(f"¥{row.amount_due}" if expect.amount == "full" else str(expect.amount))
    return " ".join(parts)


def _booked(row: ReportRow) -> str:
    disposition = disposition_of(row)
    parts = [f"{NAMES[disposition]} {disposition.value}" if disposition else "-"]
    if row.promised_date:
        parts.append(f"{row.promised_date} ¥{row.promised_amount}")
    return " ".join(parts)


def table_of(compared: Iterable[Compared], title: str) -> Table:
    table = Table(title=title)
    for column in ("案件", "姓名", "债务人被要求", "期望", "机器人登记", "一致"):
        table.add_column(column)
    for c in compared:
        table.add_row(
            c.case_id, c.name, c.told, c.expected, c.booked, "[green]✓[/green]" if c.match else "[red]✗[/red]"
        )
    return table


def heard_each_other(records: Iterable[CallRecord]) -> list[tuple[str, str, str]]:
    """(who, what they said, what they heard) for every call that a seat took over."""
    return [
        (record.persona, " / ".join(s.text for s in record.lines), " / ".join(h.text for h in record.heard))
        for record in records
        if record.persona == "seat" and record.heard
    ]
