"""How is a table that a bank exports read, row by row? CSV as it comes, or an Excel workbook's first sheet.

CSV in UTF-8 (with or without BOM) or GB18030, separated by comma, semicolon or tab. Every cell comes out as text, the
way the bank's people see it: an amount without the float's tail, a date as 2026-11-27. Memory does not grow with the
file.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO
from zipfile import BadZipFile

from voicebot.cases.columns import plain
from voicebot.cases.rows import CasesError, RowError

READ_BYTES = 1 << 20
CELL_LIMIT = 1 << 16
EXCEL, OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"  # how the files begin, whatever they are called
EXACT_DIGITS = 15  # of an Excel number; a longer one was rounded before it got here

Row = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table on disk. `rows()` yields (row number as spreadsheets count, cells), the header first."""

    path: Path
    sha256: str
    encoding: str  # "" for a workbook

    def rows(self) -> Iterator[Row]:
        """Raises CasesError naming the row at which the file cannot be read any further."""
        return _csv_rows(self.path, self.encoding) if self.encoding else _excel_rows(self.path)

    def header(self) -> list[str]:
        with closing(self.rows()) as rows:  # type: ignore[type-var]
            return next(rows, (1, []))[1]


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each field stands in a table, and what the table calls it."""

    index: Mapping[str, int]
    names: Mapping[str, str]

    def cells(self, row: list[str]) -> dict[str, str]:
        return {field: row[i] for field, i in self.index.items() if i < len(row)}


def open_sheet(path: Path) -> Sheet:
    """One pass over the bytes. Raises CasesError for a file that is no table."""
    sha = hashlib.sha256()
    left = {name: codecs.getincrementaldecoder(name)() for name in ("utf-8", "gb18030")}
    bom = b""
    try:
        with path.open("rb") as file:
            while chunk := file.read(READ_BYTES):
                bom = bom or chunk[:4]
                sha.update(chunk)
                for name in () if bom == EXCEL else tuple(left):
                    _try(left, name, chunk, final=False)
    except OSError as e:
        raise CasesError(f"{path}: cannot be read: {e.strerror}") from e
    if bom == EXCEL:
        return Sheet(path, sha.hexdigest(), "")
    for name in tuple(left):
        _try(left, name, b"", final=True)
    if bom == OLD_EXCEL:
        raise CasesError(f"{path}: an old Excel workbook (.xls); save it as .xlsx and try again")
    if bom.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or not left:
        raise CasesError(f"{path}: neither UTF-8 nor GB18030; save it as 'CSV UTF-8' and try again")
    encoding = next(iter(left))
    return Sheet(path, sha.hexdigest(), "utf-8-sig" if encoding == "utf-8" else encoding)


def find_columns(
    header: list[str],
    known: Mapping[str, tuple[str, ...]],
    own: Mapping[str, str] | None = None,
    *,
    path: Path,
) -> Columns:
    """Which column fills which field: by the names known for each field, and before them by the source's `own` mapping
    (column name -> field). Raises CasesError for a mapping that names no column or no field of ours."""
    by_name = {plain(h).lower(): i for i, h in reversed(list(enumerate(header)))}
    index: dict[str, int] = {}
    for column, field in (own or {}).items():
        if field not in known:
            raise CasesError(f"{path}: {column}={field}: no field {field}; there are: {', '.join(known)}")
        if (at := by_name.get(plain(column).lower())) is None:
            raise CasesError(f"{path}, row 1: no column {column}, which is mapped to {field}; change the mapping")
        index[field] = at
    for field, synonyms in known.items():
        if field not in index and (found := next((s for s in synonyms if s in by_name), None)):
            index[field] = by_name[found]
    return Columns(index, {field: plain(header[i]) for field, i in index.items()})


class Rejects:
    """Where the bad rows go, as they stand plus a reason column, to be corrected and loaded again. The file is made
    with the first of them."""

    def __init__(self, path: Path | None, header: list[str]) -> None:
        self._path = path
        self._header = header
        self._file: TextIO | None = None

    def __enter__(self) -> Rejects:
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        return self

    def add(self, cells: list[str], errors: tuple[RowError, ...]) -> None:
        if self._path is None:
            return
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # With a BOM, because people open this one in a spreadsheet.
            self._file = self._path.open("w", encoding="utf-8-sig", newline="")
            csv.writer(self._file).writerow([*self._header, "reason"])
        width = len(self._header)
        padded = cells[:width] + [""] * (width - len(cells))
        csv.writer(self._file).writerow([*padded, "; ".join(map(str, errors)), *cells[width:]])

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()


def _try(left: dict[str, codecs.IncrementalDecoder], name: str, chunk: bytes, *, final: bool) -> None:
    try:
        left[name].decode(chunk, final)
    except UnicodeDecodeError:
        del left[name]


def _csv_rows(path: Path, encoding: str) -> Iterator[Row]:
    """A row the CSV reader itself gives up on ends the file with an error."""
    csv.field_size_limit(CELL_LIMIT)
    number = 0
    with path.open(encoding=encoding, newline="") as file:
        delimiter = max(",;\t", key=file.readline().count)
        file.seek(0)
        try:
            for number, cells in enumerate(csv.reader(file, delimiter=delimiter), start=1):
                yield number, cells
        except csv.Error as e:
            raise CasesError(f"{path}, row {number + 1}: {e}; is a quotation mark left open?") from e


def _excel_rows(path: Path) -> Iterator[Row]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    with path.open("rb") as file:
        try:
            book = load_workbook(file, read_only=True, data_only=True)
        except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as e:
            raise CasesError(f"{path}: not an Excel workbook that can be read ({e}); save it again as .xlsx") from e
        sheet = next((s for s in book.worksheets if s.sheet_state == "visible"), None)
        if sheet is None:
            raise CasesError(f"{path}: no visible sheet")
        sheet.reset_dimensions()  # what some programs write there is wrong
        for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            texts = [_text(cell) for cell in cells]
            while texts and not texts[-1]:
                texts.pop()  # cells that were only formatted
            yield number, texts


def _text(cell: object) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return str(cell)
        case datetime():
            midnight = cell.hour == cell.minute == cell.second == 0
            return f"{cell:%Y-%m-%d}" if midnight else f"{cell:%Y-%m-%d %H:%M:%S}"
        case date():
            return f"{cell:%Y-%m-%d}"
        case int() if len(str(abs(cell))) > EXACT_DIGITS:
            return f"{cell:e}"  # refused by the columns, with the way out
        case float() if cell.is_integer() and abs(cell) < 10**EXACT_DIGITS:
            return str(int(cell))
    return str(cell)
