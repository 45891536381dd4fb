"""When does speech start and stop? Hysteresis over the VAD's frame probabilities, back-dated to where it happened.

Pure apart from its own small state: the same probabilities give the same edges.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from voicebot.speech.api import FRAME_SAMPLES

START_PROBABILITY = 0.5
STOP_PROBABILITY = 0.35
START_FRAMES = 3  # 60 ms of speech within START_WINDOW frames: a click is shorter
START_WINDOW = 4
STOP_FRAMES = 3  # 60 ms: most plosives inside a word are shorter, and a stop only asks the ears


@dataclass(frozen=True, slots=True)
class Edge:
    """Speech began (`speech`) or ended at sample `since`; known at sample `at`."""

    speech: bool
    at: int
    since: int


@dataclass(slots=True)
class SpeechGate:
    """Feed one probability per 20 ms frame; get an Edge when the decision changes."""

    speaking: bool = False
    _recent: list[bool] = field(default_factory=list)
    _quiet_frames: int = 0

    @property
    def stirring(self) -> bool:
        """A sound that may become speech: a frame or two of it, too little yet to tell."""
        return any(self._recent)

    def push(self, probability: float, end_sample: int) -> Edge | None:
        """`end_sample`: call-clock sample just behind the frame."""
        if not self.speaking:
            self._recent.append(probability >= START_PROBABILITY)
            del self._recent[:-START_WINDOW]
            if sum(self._recent) < START_FRAMES:
                return None
            first = self._recent.index(True)
            since = end_sample - (len(self._recent) - first) * FRAME_SAMPLES
            self.speaking, self._recent, self._quiet_frames = True, [], 0
            return Edge(True, end_sample, max(0, since))
        self._quiet_frames = self._quiet_frames + 1 if probability < STOP_PROBABILITY else 0
        if self._quiet_frames < STOP_FRAMES:
            return None
        self.speaking = False
        return Edge(False, end_sample, end_sample - STOP_FRAMES * FRAME_SAMPLES)
