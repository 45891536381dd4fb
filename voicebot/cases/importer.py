"""Which debtors does this file name? Reads case files row by row, keeps the good rows, explains the others.

CSV in UTF-8 (with or without BOM) or GB18030, separated by comma, semicolon or tab, with a header of Chinese or English
names (columns.HEADERS); other columns are ignored. Memory does not grow with the file but for a short hash per row
(about 100 bytes), by which a case number used twice is found.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO
from zoneinfo import ZoneInfo

from dialogue.protocol import CaseFacts
from voicebot.cases import columns
from voicebot.cases.model import CaseRow
from voicebot.cases.rows import CasesError, RowError, read_row

READ_BYTES = 1 << 20
KEPT_ERRORS = 100
CELL_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What tells a file from any other, and how to read it."""

    sha256: str
    encoding: str


def identify(path: Path) -> FileIdentity:
    """One pass over the bytes. Raises CasesError for a file that is no text in UTF-8 or GB18030."""
    sha = hashlib.sha256()
    left = {name: codecs.getincrementaldecoder(name)() for name in ("utf-8", "gb18030")}
    bom = b""
    try:
        with path.open("rb") as file:
            while chunk := file.read(READ_BYTES):
                bom = bom or chunk[:4]
                sha.update(chunk)
                for name in tuple(left):
                    _try(left, name, chunk, final=False)
    except OSError as e:
        raise CasesError(f"{path}: cannot be read: {e.strerror}") from e
    for name in tuple(left):
        _try(left, name, b"", final=True)
    if bom.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or not left:
        raise CasesError(f"{path}: neither UTF-8 nor GB18030; save it as 'CSV UTF-8' and try again")
    encoding = next(iter(left))
    return FileIdentity(sha.hexdigest(), "utf-8-sig" if encoding == "utf-8" else encoding)


def _try(left: dict[str, codecs.IncrementalDecoder], name: str, chunk: bytes, *, final: bool) -> None:
    try:
        left[name].decode(chunk, final)
    except UnicodeDecodeError:
        del left[name]


@dataclass
class CaseFile:
    """A case file being imported. Iterate for the good rows; then look at the counts.

    `rejects`: where the bad rows go, as they stand plus a reason column; the file is made only if there are any.
    Raises CasesError for a file without a usable header.
    """

    path: Path
    today: date
    default_bank: str
    rejects: Path | None = None
    accepted: int = 0
    rejected: int = 0
    errors: list[RowError] = field(default_factory=list)  # the first hundred

    def __post_init__(self) -> None:
        self.identity = identify(self.path)
        self.sha256 = self.identity.sha256
        with self._open() as file:
            self._read_header(file)

    def __iter__(self) -> Iterator[CaseRow]:
        self.accepted = self.rejected = 0
        self.errors = []
        seen: set[bytes] = set()
        with self._open() as file, _Rejects(self.rejects, self._header) as rejects:
            rows = self._rows(file)
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
        by_field = {field: cells[i] for field, i in self._index.items() if i < len(cells)}
        result = read_row(by_field, row=number, names=self._names, today=self.today, default_bank=self.default_bank)
        if isinstance(result, CaseRow):
            digest = hashlib.blake2b(result.case_id.encode(), digest_size=8).digest()
            if digest in seen:
                return (RowError(number, self._names["case_id"], f"{result.case_id} stands in an earlier row as well"),)
            seen.add(digest)
        return result

    def _open(self) -> TextIO:
        return self.path.open(encoding=self.identity.encoding, newline="")

    def _read_header(self, file: TextIO) -> None:
        self._delimiter = _delimiter(file.readline())
        file.seek(0)
        _, self._header = next(self._rows(file), (1, []))
        by_name = {columns.plain(h).lower(): i for i, h in reversed(list(enumerate(self._header)))}
        self._index: dict[str, int] = {}
        self._names: dict[str, str] = {}
        for name, synonyms in columns.HEADERS.items():
            for synonym in synonyms:
                if synonym in by_name:
                    self._index[name] = by_name[synonym]
                    self._names[name] = columns.plain(self._header[by_name[synonym]])
                    break
        missing = [name for name in columns.REQUIRED if name not in self._index]
        if not {"phone", "sip_uri"} & self._index.keys():
            missing.append("phone")
        if missing:
            wanted = ", ".join("/".join(columns.HEADERS[name][:2]) for name in missing)
            raise CasesError(f"{self.path}, row 1: no column {wanted}; add it to the header")

    def _rows(self, file: TextIO) -> Iterator[tuple[int, list[str]]]:
        """Rows by their number; a row the CSV reader itself gives up on ends the file with an error."""
        csv.field_size_limit(CELL_LIMIT)
        number = 0
        try:
            for number, cells in enumerate(csv.reader(file, delimiter=self._delimiter), start=1):
                yield number, cells
        except csv.Error as e:
            raise CasesError(f"{self.path}, row {number + 1}: {e}; is a quotation mark left open?") from e


class _Rejects:
    """The reject file, made with the first bad row."""

    def __init__(self, path: Path | None, header: list[str]) -> None:
        self._path = path
        self._header = header
        self._file: TextIO | None = None

    def __enter__(self) -> _Rejects:
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


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


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
