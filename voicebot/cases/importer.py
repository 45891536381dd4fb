"""Which debtors does this file name? Reads case files row by row, keeps the good rows, explains the others.

CSV or Excel (see `voicebot.cases.sheets`), with a header of Chinese or English names (columns.HEADERS) or a source's
own; other columns are ignored. Memory does not grow with the file but for a short hash per row (about 100 bytes), by
which a case number used twice is found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from dialogue.protocol import CaseFacts
from voicebot.cases import columns
from voicebot.cases.model import CaseRow
from voicebot.cases.rows import CasesError, RowError, read_row
from voicebot.cases.sheets import Rejects, find_columns, open_sheet

KEPT_ERRORS = 100


@dataclass
class CaseFile:
    """A case file being imported. Iterate for the good rows; then look at the counts.

    `rejects`: where the bad rows go, as they stand plus a reason column; the file is made only if there are any.
    `mapping`: what this source calls our fields, column name -> field. Raises CasesError for a file without a usable
    header.
    """

    path: Path
    today: date
    default_bank: str
    rejects: Path | None = None
    mapping: Mapping[str, str] | None = None
    accepted: int = 0
    rejected: int = 0
    errors: list[RowError] = field(default_factory=list)  # the first hundred

    def __post_init__(self) -> None:
        self.sheet = open_sheet(self.path)
        self.sha256 = self.sheet.sha256
        self._find_columns()

    def __iter__(self) -> Iterator[CaseRow]:
        self.accepted = self.rejected = 0
        self.errors = []
        seen: set[bytes] = set()
        with Rejects(self.rejects, self._header) as rejects:
            rows = self.sheet.rows()
            next(rows)
            for number, cells in rows:
                if not any(columns.plain(c) for c in cells):
                    continue
                result = self._judge(number, cells, seen)
                if isinstance(result, CaseRow):
                    self.accepted += 1
                    yield result
                else:
                    self.rejected += 1
                    self.errors += result[: KEPT_ERRORS - len(self.errors)]
                    rejects.add(cells, result)

    def _judge(self, number: int, cells: list[str], seen: set[bytes]) -> CaseRow | tuple[RowError, ...]:
        width = len(self._header)
        if len(cells) > width and any(columns.plain(c) for c in cells[width:]):
            return (
                RowError(number, str(width + 1), f"{len(cells)} cells where the header has {width}; quote the commas"),
            )
        by_field, names = self._columns.cells(cells), self._columns.names
        result = read_row(by_field, row=number, names=names, today=self.today, default_bank=self.default_bank)
        if isinstance(result, CaseRow):
            digest = hashlib.blake2b(result.case_id.encode(), digest_size=8).digest()
            if digest in seen:
                return (RowError(number, names["case_id"], f"{result.case_id} stands in an earlier row as well"),)
            seen.add(digest)
        return result

    def _find_columns(self) -> None:
        self._header = self.sheet.header()
        found = find_columns(self._header, columns.HEADERS, self.mapping, path=self.path)
        self._columns = found
        missing = [name for name in columns.REQUIRED if name not in found.index]
        if not {"phone", "sip_uri"} & found.index.keys():
            missing.append("phone")
        if missing:
            wanted = ", ".join("/".join(columns.HEADERS[name][:2]) for name in missing)
            raise CasesError(f"{self.path}, row 1: no column {wanted}; add it to the header, or map one to it")


def load_case(path: Path, now: datetime, tz: ZoneInfo | str, *, default_bank: str = "") -> CaseFacts:
    """One case from a JSON file, for calls made by hand. The keys are those of a case file's header, Chinese or
    English; no phone is needed. `now`: timezone-aware. Raises CasesError naming file and key.
    """
    zone = ZoneInfo(tz) if isinstance(tz, str) else tz
    today = now.astimezone(zone).date()
    cells, names = _json_cells(path)
    missing = [name for name in columns.REQUIRED if name not in cells]
    if missing:
        raise CasesError(f"{path}: no key {', '.join(columns.HEADERS[m][0] for m in missing)}")
    cells.setdefault("sip_uri", "sip:by-hand@localhost")
    row = read_row(cells, row=1, names=names, today=today, default_bank=default_bank)
    if isinstance(row, CaseRow):
        if not row.bank:
            raise CasesError(f"{path}: no key bank")
        return row.facts(today)
    raise CasesError("\n".join(f"{path}: key {e.column}: {e.message}" for e in row))


def _json_cells(path: Path) -> tuple[dict[str, str], Mapping[str, str]]:
    try:
        # parse_float keeps the digits as they stand: 1235.60 is an amount, not a binary fraction.
        data = json.loads(path.read_text("utf-8-sig"), parse_float=str)
    except OSError as e:
        raise CasesError(f"{path}: cannot be read: {e.strerror}") from e
    except ValueError as e:
        raise CasesError(f"{path}: not valid JSON: {e}") from e
    if not isinstance(data, dict):
        raise CasesError(f"{path}: expected one object with the keys of a case")
    field_of = {synonym: name for name, synonyms in columns.HEADERS.items() for synonym in synonyms}
    cells: dict[str, str] = {}
    names: dict[str, str] = {}
    for key, value in data.items():
        name = field_of.get(columns.plain(key).lower())
        if name is None or value is None:
            continue
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise CasesError(f"{path}: key {key}: a text or a number expected")
        cells[name], names[name] = str(value), key
    return cells, names
