"""Which lines has a person recorded, and how do they win over synthesis?

A folder of wav files (any rate, PCM or G.711). A file says the line it is named after (您好.wav), or the folder's
index.csv has the columns `text,file`. A line is taken whole where it was recorded whole; otherwise clause by clause:
recorded clauses come from the folder, the rest from the voice behind it.
"""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

from voicebot.speech.api import RATE_HZ, Voice
from voicebot.speech.audio import AudioFileError, read_telephone
from voicebot.speech.normalise import for_speech
from voicebot.speech.tts.errors import VoiceError

CLAUSE_PAUSE_MS = 160
_SILENT = re.compile(r"[\W_]+")


class Recordings:
    """The recorded lines of one folder, in memory. Raises VoiceError for an index or a file that cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._audio: dict[str, bytes] = {}
        digest = hashlib.sha256()
        for text, file in _listed(folder):
            try:
                self._audio[_key(text)] = read_telephone(file)
            except AudioFileError as e:
                raise VoiceError(str(e)) from e
            digest.update(_key(text).encode() + b"\0" + self._audio[_key(text)])
        self.fingerprint = digest.hexdigest()[:12]

    def __len__(self) -> int:
        return len(self._audio)

    def find(self, text: str) -> bytes | None:
        """The recording of exactly this line (punctuation apart), as pcm16."""
        return self._audio.get(_key(text))


class RecordedVoice:
    """Recordings first, another voice for what they lack."""

    def __init__(self, recordings: Recordings, behind: Voice) -> None:
        self._recordings, self._behind = recordings, behind
        self.name = f"recordings-{recordings.fingerprint}+{behind.name}"

    def render(self, text: str, speed: float = 1.0) -> bytes:
        """`text` -> pcm16; `speed` applies to what is synthesised."""
        if (whole := self._recordings.find(text)) is not None:
            return whole
        out: list[bytes] = []
        unrecorded = ""
        for clause in re.findall(r"[^，。！？；：,!?;:]+[，。！？；：,!?;:]*", for_speech(text)):
            if (audio := self._recordings.find(clause)) is None:
                unrecorded += clause
                continue
            if unrecorded:
                out.append(self._behind.render(unrecorded, speed))
                unrecorded = ""
            out.append(audio)
        if unrecorded:
            out.append(self._behind.render(unrecorded, speed))
        return bytes(2 * RATE_HZ * CLAUSE_PAUSE_MS // 1000).join(out)


def _key(text: str) -> str:
    return _SILENT.sub("", for_speech(text))


def _listed(folder: Path) -> list[tuple[str, Path]]:
    if not folder.is_dir():
        raise VoiceError(f"{folder}: no such folder of recordings; correct speech.recordings")
    index = folder / "index.csv"
    if not index.exists():
        return [(f.stem, f) for f in sorted(folder.glob("*.wav"))]
    out = []
    with index.open(encoding="utf-8-sig", newline="") as f:
        for row in (reader := csv.DictReader(f)):
            text, file = (row.get("text") or "").strip(), (row.get("file") or "").strip()
            if not text or not file:
                raise VoiceError(f"{index}, line {reader.line_num}: needs both columns, text and file")
            if not (folder / file).is_file():
                raise VoiceError(f"{index}, line {reader.line_num}: {folder / file} does not exist")
            out.append((text, folder / file))
    return out
