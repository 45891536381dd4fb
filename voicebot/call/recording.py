"""What was on the line? A two-channel WAV of the whole call: left the customer, right the robot as played into RTP.

8 kHz, signed 16-bit. One sample of the file is one tick of the call's sample clock. The header is put right about
once a second, so a file left by a crash plays to within a second of its end, and `clip` reads even that last second.
A disk that fills up ends the recording, not the call: the first failing write raises RecordingError, what comes after
is dropped, and the file keeps a correct header for what it holds.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from voicebot.speech.api import RATE_HZ

CHANNELS = 2
SAMPLE_BYTES = 2
BLOCK_BYTES = CHANNELS * SAMPLE_BYTES
HEADER_BYTES = 44
FLUSH_SAMPLES = RATE_HZ // 5
"""What a killed process may lose: 200 ms."""

HEADER_EVERY_SAMPLES = RATE_HZ


class RecordingError(RuntimeError):
    """A recording that cannot be written or read; the message names file and reason."""


class Recording:
    """The recording of one running call. For one thread: the one that owns the call's frames."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.samples = 0
        self.error: RecordingError | None = None
        self._pending = bytearray()
        self._stored_bytes = 0
        self._header_at = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        except FileExistsError as e:
            raise RecordingError(f"{path}: there is already a recording of that name; it is never written over") from e
        except OSError as e:
            raise RecordingError(f"{path}: cannot be opened: {e.strerror}") from e
        try:
            os.write(self._fd, _header(0))
        except OSError as e:
            self._fail(e)

    @classmethod
    def open(cls, path: Path) -> Recording:
        """Start the recording of a new call. Raises RecordingError when the file exists or cannot be made."""
        return cls(path)

    @property
    def stored_samples(self) -> int:
        """How much of `samples` is in the file; less than it only until the next flush, or for ever after an error."""
        return self._stored_bytes // BLOCK_BYTES

    def write(self, customer: bytes, robot: bytes) -> None:
        """Add the same stretch of both sides, pcm16 of equal length. Raises RecordingError once when the disk fails."""
        if len(customer) != len(robot) or len(customer) % SAMPLE_BYTES:
            raise ValueError(
                f"both sides of a stretch have whole samples and one length; got {len(customer)} and {len(robot)} bytes"
            )
        self.samples += len(customer) // SAMPLE_BYTES
        if self._fd is None:
            return
        both = np.empty((len(customer) // SAMPLE_BYTES, CHANNELS), dtype="<i2")
        both[:, 0] = np.frombuffer(customer, dtype="<i2")
        both[:, 1] = np.frombuffer(robot, dtype="<i2")
        self._pending += both.tobytes()
        if len(self._pending) >= FLUSH_SAMPLES * BLOCK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand everything so far to the operating system; before a clip of the running call is cut."""
        if self._fd is None:
            return
        try:
            self._store_pending()
            if self.stored_samples - self._header_at >= HEADER_EVERY_SAMPLES:
                self._patch_header()
        except OSError as e:
            self._fail(e)

    @staticmethod
    def sync_file(path: Path) -> None:
        """Take what was flushed to the disk, from any thread: a promise's evidence is as durable as the promise.

        The header may be a second behind; `clip` does not go by it. Raises RecordingError.
        """
        try:
            fd = os.open(path, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as e:
            raise RecordingError(f"{path}: not taken to the disk: {e.strerror}") from e

    def sync(self) -> None:
        """Take everything so far, header included, to the disk."""
        if self._fd is None:
            return
        try:
            self._store_pending()
            self._patch_header()
            os.fsync(self._fd)
        except OSError as e:
            self._fail(e)

    def close(self) -> None:
        if self._fd is not None:
            try:
                self.sync()
            finally:
                self._release()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _store_pending(self) -> None:
        assert self._fd is not None
        while self._pending:
            taken = os.write(self._fd, self._pending)
            self._stored_bytes += taken
            del self._pending[:taken]

    def _patch_header(self) -> None:
        assert self._fd is not None
        os.pwrite(self._fd, _header(self.stored_samples), 0)
        self._header_at = self.stored_samples

    def _fail(self, e: OSError) -> None:
        self._pending.clear()
        fd = self._fd
        self._fd = None
        if fd is not None:
            try:
                os.ftruncate(fd, HEADER_BYTES + self.stored_samples * BLOCK_BYTES)
                os.pwrite(fd, _header(self.stored_samples), 0)
            except OSError:
                pass  # The header of a moment ago stands, and reading goes by the file's length.
            os.close(fd)
        self.error = RecordingError(
            f"{self.path}: the recording ends at {self.stored_samples / RATE_HZ:.1f} s: {e.strerror}; "
            "make room on the disk"
        )
        raise self.error from e

    def _release(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of a recording, pcm16 at 8 kHz, both sides of the same length."""

    from_sample: int
    customer: bytes
    robot: bytes


def clip(path: Path, from_sample: int, to_sample: int) -> Clip:
    """Cut `from_sample` (inclusive) to `to_sample` (exclusive) out of a recording, running or crashed ones included.

    Raises RecordingError when the file is not one of ours or does not reach that far.
    """
    if not 0 <= from_sample <= to_sample:
        raise ValueError(f"samples {from_sample} to {to_sample}: expected 0 <= from <= to")
    try:
        with path.open("rb") as file:
            _check_header(path, file.read(HEADER_BYTES))
            held = (os.fstat(file.fileno()).st_size - HEADER_BYTES) // BLOCK_BYTES
            if to_sample > held:
                raise RecordingError(f"{path}: holds {held} samples; {from_sample} to {to_sample} were asked for")
            file.seek(HEADER_BYTES + from_sample * BLOCK_BYTES)
            raw = file.read((to_sample - from_sample) * BLOCK_BYTES)
    except OSError as e:
        raise RecordingError(f"{path}: cannot be read: {e.strerror}") from e
    both = np.frombuffer(raw, dtype="<i2").reshape(-1, CHANNELS)
    return Clip(from_sample, customer=both[:, 0].tobytes(), robot=both[:, 1].tobytes())


def _header(samples: int) -> bytes:
    """RIFF/WAVE with one PCM format chunk and one data chunk, as in the RIFF MCI specification of 1991."""
    data_bytes = samples * BLOCK_BYTES
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", HEADER_BYTES - 8 + data_bytes, b"WAVE", b"fmt ", 16),
        *(1, CHANNELS, RATE_HZ, RATE_HZ * BLOCK_BYTES, BLOCK_BYTES, 8 * SAMPLE_BYTES, b"data", data_bytes),
    )


def _check_header(path: Path, header: bytes) -> None:
    expected = _header(0)
    if len(header) < HEADER_BYTES or header[8:40] != expected[8:40] or header[:4] != b"RIFF":
        raise RecordingError(f"{path}: not a recording of this program (8 kHz, 16 bit, two channels)")
