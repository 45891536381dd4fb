"""Where do rendered lines lie on disk, and which of them go when there are too many?

One wav file (8 kHz, pcm16) per line, playable by anything; a chunk of its own holds the text and the sha256 of the
audio, so that a truncated or damaged file is recognised and rendered again. Several worker processes share the folder:
files appear by rename, whoever finds the folder too large removes the least recently used under a lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import struct
import tempfile
import threading
from pathlib import Path

from voicebot.speech.api import RATE_HZ

log = logging.getLogger(__name__)

NOTE = b"vbot"  # the chunk of our own
KEEP_SHARE = 0.9  # what a clean-up leaves of the allowed size
STALE_S = 3600.0  # a temporary file older than this was left by a process that died


class PromptFiles:
    """A size-bounded folder of rendered lines. Safe for several processes; never raises for want of disk."""

    def __init__(self, folder: Path, max_mb: int) -> None:
        self._folder, self._max_bytes = folder, max_mb * 1_000_000
        self._known_bytes: int | None = None
        self._counting = threading.Lock()
        self._warned = False

    def read(self, key: str) -> bytes | None:
        """The pcm16 under `key`, or None when it is not there or not whole (then the file is removed)."""
        path = self._path(key)
        try:
            pcm16 = unpack(path.read_bytes())
        except OSError:
            return None
        if pcm16 is None:
            log.warning("prompt cache: %s is damaged and will be rendered again", path)
            path.unlink(missing_ok=True)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return pcm16

    def write(self, key: str, pcm16: bytes, note: dict[str, str]) -> None:
        """Store a line. A full disk is a warning, said once: the caller keeps the line in memory."""
        path, data = self._path(key), pack(pcm16, note)
        scratch = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as f:
                scratch = f.name
                f.write(data)
            Path(scratch).replace(path)
            self._warned = False
        except OSError as e:
            if scratch:
                Path(scratch).unlink(missing_ok=True)
            if not self._warned:
                log.warning("prompt cache: %s cannot be written (%s); going on from memory", path, e.strerror)
                self._warned = True
            return
        self._account(len(data))

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.wav"

    def _account(self, added: int) -> None:
        with self._counting:
            if self._known_bytes is None:
                self._known_bytes = sum(size for _, size, _ in self._scan())
            else:
                self._known_bytes += added
            if self._known_bytes > self._max_bytes:
                self._known_bytes = self._clean()

    def _scan(self) -> list[tuple[float, int, Path]]:
        found = []
        for base, _, names in os.walk(self._folder):
            for name in names:
                path = Path(base) / name
                with contextlib.suppress(FileNotFoundError):
                    stat = path.stat()
                    found.append((stat.st_mtime, stat.st_size, path))
        return found

    def _clean(self) -> int:
        try:
            with (self._folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                files = sorted(f for f in self._scan() if f[2].suffix in (".wav", ".part"))
                newest = files[-1][0] if files else 0.0
                total = sum(size for _, size, _ in files)
                for modified, size, path in files:
                    stale = path.suffix == ".part" and newest - modified > STALE_S
                    if stale or (path.suffix == ".wav" and total > self._max_bytes * KEEP_SHARE):
                        path.unlink(missing_ok=True)
                        total -= size
                return total
        except OSError as e:
            log.warning("prompt cache: %s cannot be cleaned up: %s", self._folder, e.strerror)
            return 0


def pack(pcm16: bytes, note: dict[str, str]) -> bytes:
    """pcm16 and its note as a wav file."""
    form = struct.pack("<HHIIHH", 1, 1, RATE_HZ, RATE_HZ * 2, 2, 16)
    about = json.dumps({**note, "sha256": hashlib.sha256(pcm16).hexdigest()}, ensure_ascii=False).encode()
    about += b" " * (len(about) % 2)
    chunks = ((b"fmt ", form), (NOTE, about), (b"data", pcm16))
    body = b"WAVE" + b"".join(name + struct.pack("<I", len(data)) + data for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def unpack(data: bytes) -> bytes | None:
    """The pcm16 of a file written by `pack`; None for anything that is not one, whole and unaltered."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        chunks[data[at : at + 4]] = data[at + 8 : at + 8 + size]
        at += 8 + size
    try:
        expected = json.loads(chunks[NOTE])["sha256"]
        pcm16 = chunks[b"data"]
    except (KeyError, TypeError, ValueError):
        return None
    return pcm16 if hashlib.sha256(pcm16).hexdigest() == expected else None
