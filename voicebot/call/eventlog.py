"""What happened in a call, in which order, at which sample?

One JSON Lines file per call, append-only. It is the transcript, the evidence, the latency trace and the input of
replay, so what is read back are the very same values that were written: `voicebot.call.codec` knows how.

    {"log": 1}                                          the format's version
    {"at": 16320, "kind": "in", "value": {"$": "CustomerSaid", ...}}

`at` is the call's sample clock (8 kHz, one tick per 20 ms frame). A crash may cut the last line short: reading
tolerates that and says so. A disk that fills up ends the log, not the call: the first failing append raises
LogError, everything after it is dropped and counted.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

from voicebot.call.codec import CodecError, decode, encode

VERSION = 1

Kind = Literal["in", "out", "note"]
"""What was fed to the dialogue and the turns; what they commanded; what is only worth knowing."""


class LogError(RuntimeError):
    """An event log that cannot be written or read; the message names file, line and reason."""


@dataclass(frozen=True, slots=True)
class Entry:
    at_samples: int
    kind: Kind
    value: Any


class EventLog:
    """The log of one running call. Thread-safe. Every line reaches the operating system before `append` returns, so a
    killed process loses nothing; `sync` also takes it to the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: LogError | None = None
        self.dropped = 0
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)
        except FileExistsError as e:
            raise LogError(f"{path}: there is already a log of that name; a log is never written over") from e
        except OSError as e:
            raise LogError(f"{path}: cannot be opened: {e.strerror}") from e
        self._write({"log": VERSION})

    @classmethod
    def open(cls, path: Path) -> EventLog:
        """Start the log of a new call. Raises LogError when the file exists or the disk does not take it."""
        return cls(path)

    def append(self, at_samples: int, kind: Kind, value: Any, *, durable: bool = False) -> None:
        """Add one entry. `durable`: it is on the disk when this returns.

        Raises LogError once when the disk fails (the call can go on without its log), CodecError for a value that
        could not be read back.
        """
        if kind not in get_args(Kind):
            raise ValueError(f"kind {kind!r}: expected one of {', '.join(get_args(Kind))}")
        line = {"at": at_samples, "kind": kind, "value": encode(value)}
        with self._lock:
            if self._fd is None:
                self.dropped += 1
                return
            self._write(line)
            if durable:
                self._sync()

    def sync(self) -> None:
        """Take everything so far to the disk: before the robot says that a promise is noted."""
        with self._lock:
            if self._fd is not None:
                self._sync()

    def close(self) -> None:
        with self._lock:
            if self._fd is not None:
                try:
                    self._sync()
                finally:
                    self._release()

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _write(self, line: dict[str, Any]) -> None:
        assert self._fd is not None
        left = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as e:
            self._fail(e)

    def _sync(self) -> None:
        assert self._fd is not None
        try:
            os.fsync(self._fd)
        except OSError as e:
            self._fail(e)

    def _fail(self, e: OSError) -> None:
        # Nothing may follow a line that was cut short, so a log that failed once stays closed.
        self._release()
        self.error = LogError(f"{self.path}: the event log ends here: {e.strerror}; make room on the disk")
        raise self.error from e

    def _release(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def read_log(path: Path) -> LogReader:
    """The entries of a log, in order; `truncated` of the result tells, once all were read, whether the end is missing.

    Raises LogError for a file that is no log or is damaged before its end.
    """
    return LogReader(path)


class LogReader(Iterator[Entry]):
    """Iterate over it. `truncated`: the last line was cut short by a crash or a full disk, and was left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.truncated = False
        self._entries = self._read()

    def __next__(self) -> Entry:
        return next(self._entries)

    def _read(self) -> Iterator[Entry]:
        try:
            with self.path.open("rb") as file:
                self.truncated = os.fstat(file.fileno()).st_size == 0
                for number, raw in enumerate(file, start=1):
                    if not raw.endswith(b"\n"):
                        self.truncated = True
                        return
                    line = self._parse(number, raw)
                    if number == 1:
                        self._check_version(line)
                    else:
                        yield self._entry(number, line)
        except OSError as e:
            raise LogError(f"{self.path}: cannot be read: {e.strerror}") from e

    def _parse(self, number: int, raw: bytes) -> dict[str, Any]:
        try:
            line = json.loads(raw.decode("utf-8", "surrogatepass"))
        except ValueError as e:
            raise LogError(f"{self.path}, line {number}: damaged: {e}") from e
        if not isinstance(line, dict):
            raise LogError(f"{self.path}, line {number}: expected an object; is this an event log?")
        return line

    def _check_version(self, line: dict[str, Any]) -> None:
        if line.get("log") != VERSION:
            raise LogError(
                f"{self.path}, line 1: expected an event log of version {VERSION}, found {line.get('log', 'none')!r}"
            )

    def _entry(self, number: int, line: dict[str, Any]) -> Entry:
        try:
            return Entry(line["at"], line["kind"], decode(line["value"]))
        except KeyError as e:
            raise LogError(f"{self.path}, line {number}: no {e.args[0]!r}; is this an event log?") from e
        except CodecError as e:
            raise LogError(f"{self.path}, line {number}: {e}") from e
