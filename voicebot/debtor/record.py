"""What happened in one call, in the debtor's own sample clock?

Sample 0 is the first frame after media came up; sample n of the clock is sample n of both channels of the recording
(left: what the debtor heard, right: what it sent).
"""

from __future__ import annotations

import json
import wave
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from voicebot.debtor.activity import Samples, Span
from voicebot.speech.api import FRAME_BYTES, FRAME_SAMPLES, RATE_HZ


class RecordError(ValueError):
    """A record that cannot be read; the message names the file."""


@dataclass(frozen=True, slots=True)
class LineSaid:
    """One line of the debtor. `first_sample` and `last_sample` bound its speech, as far as it was sent.

    `planned_pauses`: the silences inside it. `barge_in`: it was begun while the robot could be heard. `cut_off`: not
    sent to its end. `lost_samples`: first samples of the 20 ms frames that were lost on the way.
    """

    number: int
    text: str
    first_sample: int
    last_sample: int
    planned_pauses: tuple[Span, ...] = ()
    barge_in: bool = False
    backchannel: bool = False
    cut_off: bool = False
    lost_samples: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RobotHeard:
    """One robot utterance as the debtor heard it."""

    first_sample: int
    last_sample: int
    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class CallRecord:
    """All marks of one call. `outcome` and `ended_by` as telephony names them; times are ISO 8601 with zone."""

    call: str
    persona: str
    about: str
    user: str
    remote: str
    began: str
    outcome: str = ""
    ended_by: str = ""
    sip_code: int = 0
    answered_sample: int | None = None
    ended_sample: int = 0
    hung_up: str = ""
    dtmf_heard: str = ""
    dtmf_sent: str = ""
    lost_frames: int = 0
    gaps: int = 0
    lines: tuple[LineSaid, ...] = ()
    heard: tuple[RobotHeard, ...] = ()
    rate_hz: int = RATE_HZ
    wav: str | None = None
    notes: tuple[str, ...] = field(default=())


def write_record(folder: Path, record: CallRecord) -> Path:
    """Write the record as JSON, all or nothing."""
    path = folder / f"{record.call}.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(record), ensure_ascii=False, indent=1), "utf-8")
    part.replace(path)
    return path


def read_record(path: Path) -> CallRecord:
    """Read what `write_record` wrote. Raises RecordError."""
    try:
        data: dict[str, Any] = json.loads(path.read_text("utf-8"))
        data["lines"] = tuple(
            LineSaid(
                **{
                    **line,
                    "planned_pauses": tuple(Span(**pause) for pause in line["planned_pauses"]),
                    "lost_samples": tuple(line["lost_samples"]),
                }
            )
            for line in data["lines"]
        )
        data["heard"] = tuple(RobotHeard(**heard) for heard in data["heard"])
        data["notes"] = tuple(data["notes"])
        return CallRecord(**data)
    except (OSError, ValueError, TypeError, KeyError) as e:
        raise RecordError(f"{path}: not a debtor's call record: {e}") from e


def read_channels(path: Path) -> tuple[Samples, Samples]:
    """(heard, sent) of a recording that `Recorder` wrote. Raises RecordError."""
    try:
        with wave.open(str(path), "rb") as file:
            if file.getnchannels() != 2 or file.getsampwidth() != 2 or file.getframerate() != RATE_HZ:
                raise RecordError(f"{path}: expected 16-bit stereo at {RATE_HZ} Hz")
            both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    except (OSError, EOFError, wave.Error) as e:
        raise RecordError(f"{path}: not a debtor's recording: {e}") from e
    return both[:, 0].copy(), both[:, 1].copy()


class Recorder:
    """Writes what was heard and sent as it comes; frames that are missing become silence, so the clock holds."""

    def __init__(self, path: Path) -> None:
        self._file = wave.open(str(path), "wb")  # noqa: SIM115 - closed by close()
        self._file.setnchannels(2)
        self._file.setsampwidth(2)
        self._file.setframerate(RATE_HZ)
        self._next = 0

    def frame(self, index: int, rx: bytes, tx: bytes) -> None:
        """Take frame number `index`, 320 bytes each way. Raises OSError when the disk is full."""
        if index > self._next:
            self._file.writeframesraw(bytes(2 * FRAME_BYTES * (index - self._next)))
        both = np.empty((FRAME_SAMPLES, 2), "<i2")
        both[:, 0] = np.frombuffer(rx, "<i2")
        both[:, 1] = np.frombuffer(tx, "<i2")
        self._file.writeframesraw(both.tobytes())
        self._next = index + 1

    def close(self) -> None:
        self._file.close()
