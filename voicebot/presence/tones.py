"""Which call-progress tone is this? Its frequency by the spectrum, its kind by the rhythm of sound and silence.

Mainland China: 450 Hz (GB/T 3380), ringing 1 s on and 4 s off, busy 0.35/0.35, congestion 0.7/0.7, number unobtainable
three short and one long; special information tones 950, 1400, 1800 Hz in turn (ITU-T E.180). Lines drift: 30 Hz and a
fifth of each duration are let pass, and so is any level above a whisper. Pure: the same samples, the same tone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from dialogue.acts import Disposition
from voicebot.speech.api import FRAME_MS, FRAME_SAMPLES, RATE_HZ

Samples = npt.NDArray[np.float64]


class Tone(StrEnum):
    RINGBACK = "ringback"
    BUSY = "busy"
    CONGESTION = "congestion"
    UNOBTAINABLE = "unobtainable"
    INFORMATION = "information"  # special information tone: an announcement follows, or should have


TONE_MEANS = {
    Tone.BUSY: Disposition.BUSY,
    Tone.CONGESTION: Disposition.UNREACHABLE,
    Tone.UNOBTAINABLE: Disposition.INVALID_NUMBER,
}
"""Ringing means nothing yet, and after an information tone the words say what it is."""

QUIETEST = 60.0  # root mean square of 16-bit samples, some -55 dBFS
PAUSE = 0.45  # of a tone's loudness: what is quieter is the noise of the line between two tones
PURE = 0.8  # share of the energy within one band around the loudest frequency
BAND_HZ = 75.0
CALL_PROGRESS_HZ = (400.0, 500.0)
INFORMATION_HZ = ((900.0, 1000.0), (1350.0, 1450.0), (1750.0, 1850.0))
INFORMATION_MS = (200, 500)
CADENCES: dict[Tone, tuple[tuple[int, int], ...]] = {
    Tone.UNOBTAINABLE: ((100, 100), (100, 100), (100, 100), (400, 400)),
    Tone.BUSY: ((350, 350), (350, 350)),
    Tone.CONGESTION: ((700, 700), (700, 700)),
}
"""Sound and silence in milliseconds, as often as is needed to be sure."""
RINGING_ON_MS, RINGING_OFF_MS = (700, 1400), 1500
_WINDOW = np.hanning(FRAME_SAMPLES)
_HZ = np.fft.rfftfreq(4 * FRAME_SAMPLES, 1 / RATE_HZ)


def pitch(frame: Samples) -> float | None:
    """The frequency of a frame (160 samples of 16 bits) that is one pure tone, in Hz; None for any other sound."""
    power = np.abs(np.fft.rfft(frame * _WINDOW, 4 * FRAME_SAMPLES)) ** 2
    loudest = float(_HZ[int(power.argmax())])
    within = power[np.abs(_HZ - loudest) <= BAND_HZ].sum()
    return loudest if within >= PURE * max(power.sum(), 1e-9) else None


@dataclass(slots=True)
class ToneListener:
    """Feed 20 ms frames; `push` names the tone as soon as its rhythm is certain."""

    _runs: list[tuple[str, int]] = field(default_factory=list)  # (what sounded, milliseconds)
    _loud: float = 0.0  # root mean square of the last tone

    def push(self, frame: Samples) -> Tone | None:
        what = self._what(frame)
        if self._runs and self._runs[-1][0] == what:
            self._runs[-1] = (what, self._runs[-1][1] + FRAME_MS)
        else:
            self._join_broken()
            self._runs = [*self._runs[-12:], (what, FRAME_MS)]
        return self._tone()

    @property
    def sounding(self) -> bool:
        """Whether a tone sounds at this moment."""
        return bool(self._runs) and self._runs[-1][0] not in ("quiet", "other")

    def _what(self, frame: Samples) -> str:
        loud = float(np.sqrt(np.mean(frame**2)))
        if loud < max(QUIETEST, PAUSE * self._loud):
            return "quiet"
        hz = pitch(frame)
        if hz is None:
            return "other"
        self._loud = loud
        if CALL_PROGRESS_HZ[0] <= hz <= CALL_PROGRESS_HZ[1]:
            return "450"
        found = next((i for i, (low, high) in enumerate(INFORMATION_HZ) if low <= hz <= high), None)
        return "other" if found is None else f"information {found}"

    def _join_broken(self) -> None:
        """The frame in which a tone begins or ends is half of each: it belongs to what stands beside it."""
        if len(self._runs) >= 2 and self._runs[-1] == ("other", FRAME_MS):
            self._runs.pop()
            what, ms = self._runs[-1]
            self._runs[-1] = (what, ms + FRAME_MS)

    def _tone(self) -> Tone | None:
        runs = self._runs
        information = [what for what, ms in runs if what.startswith("information") and _within(ms, *INFORMATION_MS)]
        if information[-3:] == ["information 0", "information 1", "information 2"]:
            return Tone.INFORMATION
        for tone, cadence in CADENCES.items():
            wanted = [part for on, off in cadence for part in (("450", on), ("quiet", off))]
            # The last silence may still go on; the first sound may have begun before the line was heard.
            recent = runs[-len(wanted) :]
            if len(recent) == len(wanted) and all(
                what == w and (_near(ms, d) or (i == len(wanted) - 1 and ms >= d * 0.8))
                for i, ((what, ms), (w, d)) in enumerate(zip(recent, wanted, strict=True))
            ):
                return tone
        rang = len(runs) >= 2 and runs[-2][0] == "450" and _within(runs[-2][1], *RINGING_ON_MS)
        if rang and runs[-1][0] == "quiet" and runs[-1][1] >= RINGING_OFF_MS:
            return Tone.RINGBACK
        return None


def _near(ms: int, wanted: int) -> bool:
    return abs(ms - wanted) <= max(0.2 * wanted, 2 * FRAME_MS)


def _within(ms: int, least: int, most: int) -> bool:
    return least <= ms <= most
