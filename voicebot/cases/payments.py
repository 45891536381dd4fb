"""Which payments does this file name? The same reading of tables as for cases; see `voicebot.cases.sheets`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from voicebot.cases import columns
from voicebot.cases.columns import CellError
from voicebot.cases.rows import CasesError, RowError
from voicebot.cases.sheets import Rejects, find_columns, open_sheet

HEADERS: Mapping[str, tuple[str, ...]] = {
    "reference": ("reference", "流水号", "交易流水号", "凭证号"),
    "case_id": ("case_id", "案件编号", "案件号", "编号"),
    "amount": ("amount", "还款金额", "金额", "入账金额"),
    "paid_at": ("paid_at", "还款时间", "还款日期", "入账时间", "交易时间"),
}
KEPT_ERRORS = 100


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """Money that came in for a case. `reference`: its number at the source; `paid_at` timezone-aware."""

    reference: str
    case_id: str
    amount: Decimal  # yuan
    paid_at: datetime


@dataclass
class PaymentFile:
    """Iterate for the good rows; then look at the counts. Raises CasesError for a file without a usable header."""

    path: Path
    zone: ZoneInfo
    rejects: Path | None = None
    mapping: Mapping[str, str] | None = None
    accepted: int = 0
    rejected: int = 0
    errors: list[RowError] = field(default_factory=list)  # the first hundred

    def __post_init__(self) -> None:
        self._sheet = open_sheet(self.path)
        self._header = self._sheet.header()
        self._columns = find_columns(self._header, HEADERS, self.mapping, path=self.path)
        missing = [name for name in HEADERS if name not in self._columns.index]
        if missing:
            wanted = ", ".join("/".join(HEADERS[name][:2]) for name in missing)
            raise CasesError(f"{self.path}, row 1: no column {wanted}; add it to the header, or map one to it")

    def __iter__(self) -> Iterator[PaymentRow]:
        self.accepted = self.rejected = 0
        self.errors = []
        with Rejects(self.rejects, self._header) as rejects:
            rows = self._sheet.rows()
            next(rows)
            for number, cells in rows:
                if not any(columns.plain(c) for c in cells):
                    continue
                found = self._read(number, self._columns.cells(cells))
                if isinstance(found, PaymentRow):
                    self.accepted += 1
                    yield found
                else:
                    self.rejected += 1
                    self.errors += found[: KEPT_ERRORS - len(self.errors)]
                    rejects.add(cells, found)

    def _read(self, number: int, cells: Mapping[str, str]) -> PaymentRow | tuple[RowError, ...]:
        readers: dict[str, Callable[[str], Any]] = {
            "reference": columns.required_text,
            "case_id": columns.required_text,
            "amount": columns.amount,
            "paid_at": self._moment,
        }
        found: dict[str, Any] = {}
        wrong = []
        for name, read in readers.items():
            try:
                found[name] = read(cells.get(name, ""))
            except CellError as e:
                wrong.append(RowError(number, self._columns.names[name], str(e)))
        return tuple(wrong) if wrong else PaymentRow(**found)

    def _moment(self, cell: str) -> datetime:
        """2026-11-27 14:05[:09], or a day alone, in the bank's zone; or with an offset of its own."""
        text = columns.plain(cell)
        try:
            at = datetime.fromisoformat(re.sub(r"[/.](?=\d{1,2}\b)", "-", text, count=2))
        except ValueError:
            try:
                day = columns.due_date(text, datetime.now(self.zone).date())
            except CellError:
                raise CellError(f"{text or 'nothing'} is no time; 2026-11-27 14:05 expected") from None
            at = datetime.combine(day, time.min)
        return at if at.tzinfo else at.replace(tzinfo=self.zone)
