"""How fast did the robot answer, did it cut in, how soon did it stop? From the debtor's side of the line alone.

    debtor sent  ...████████████..................████████....
    robot heard  ..................████████████████████.......
                             |<-->| response       |<->| barge-in stop

Everything is counted in samples of the debtor's clock. What the debtor sent is known to the sample (`LineSaid`); where
the robot is heard is found by energy in the recorded audio, so nothing that the robot says about itself is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from voicebot.debtor.activity import Samples, Span, speech_spans
from voicebot.debtor.record import CallRecord, LineSaid, read_channels, read_record
from voicebot.speech.api import RATE_HZ

SILENT_MS = 200
"""The robot counts as silent once it was not heard for this long."""
COLLISION_MS = 200
"""A robot that begins within this much of the debtor's own beginning could not have heard it: both just started."""


@dataclass(frozen=True, slots=True)
class Response:
    """One line that the robot answered. `response_ms`: its last speech sample to the robot's first."""

    line: int
    text: str
    last_sample: int
    robot_sample: int
    response_ms: float


@dataclass(frozen=True, slots=True)
class CutIn:
    """The robot began to speak before the line was over. `in_pause`: in one of its planned pauses."""

    line: int
    text: str
    robot_sample: int
    left_ms: float
    in_pause: bool


@dataclass(frozen=True, slots=True)
class Interruption:
    """The debtor spoke over the robot. `stop_ms`: debtor's first sample to the robot's last one before SILENT_MS of
    silence; None when the call ended first. `resumed_after_ms`: how long that silence lasted; None: to the end."""

    line: int
    text: str
    backchannel: bool
    first_sample: int
    stop_ms: float | None
    resumed_after_ms: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """One call, measured. `overlapped`: lines at whose end the robot was already heard. `unanswered`: lines after
    which the debtor spoke again, or the call ended, before the robot did. `collisions`: both began at once."""

    call: str
    persona: str
    responses: tuple[Response, ...] = ()
    cut_ins: tuple[CutIn, ...] = ()
    interruptions: tuple[Interruption, ...] = ()
    overlapped: tuple[int, ...] = ()
    unanswered: tuple[int, ...] = ()
    collisions: tuple[int, ...] = ()
    lines: int = 0
    robot: tuple[Span, ...] = field(default=(), repr=False)


def measure(record: CallRecord, heard: Samples) -> Measured:
    """Measure one call. `heard`: what the debtor heard, 8 kHz, sample 0 being that of the record's clock."""
    robot = speech_spans(heard, join_ms=SILENT_MS)
    lines = sorted(record.lines, key=lambda line: line.first_sample)
    responses, cut_ins, interruptions = [], [], []
    overlapped, unanswered, collisions = [], [], []
    for at, line in enumerate(lines):
        begun = _begun_inside(robot, line)
        talking = _at(robot, line.first_sample) or (begun if line.barge_in else None)
        if talking is not None:
            interruptions.append(_interruption(line, at, talking, robot, heard.size))
        elif begun is not None:
            if begun.first - line.first_sample < _samples(COLLISION_MS):
                collisions.append(at)
            elif not line.cut_off:
                cut_ins.append(_cut_in(line, at, begun))
        if line.backchannel or line.cut_off:
            continue
        next_line = lines[at + 1].first_sample if at + 1 < len(lines) else None
        if _at(robot, line.last_sample) is not None:
            overlapped.append(at)
        elif (answer := _first_after(robot, line.last_sample, next_line)) is None:
            unanswered.append(at)
        else:
            ms = (answer.first - line.last_sample) * 1000 / RATE_HZ
            responses.append(Response(at, line.text, line.last_sample, answer.first, ms))
    return Measured(
        call=record.call,
        persona=record.persona,
        responses=tuple(responses),
        cut_ins=tuple(cut_ins),
        interruptions=tuple(interruptions),
        overlapped=tuple(overlapped),
        unanswered=tuple(unanswered),
        collisions=tuple(collisions),
        lines=len(lines),
        robot=tuple(robot),
    )


def measure_folder(folder: Path) -> list[Measured]:
    """Measure every recorded call of a folder, in the order of their names. Raises RecordError."""
    measured = []
    for path in sorted(folder.glob("*.json")):
        record = read_record(path)
        if record.wav is not None:
            measured.append(measure(record, read_channels(folder / record.wav)[0]))
    return measured


def percentile(values_ms: Iterable[float], percent: float) -> float:
    """Nearest-rank percentile, so that it is a value that occurred; NaN of nothing."""
    ordered = sorted(values_ms)
    if not ordered:
        return float("nan")
    return ordered[max(0, int(np.ceil(percent / 100 * len(ordered))) - 1)]


def _samples(ms: float) -> int:
    return round(ms * RATE_HZ / 1000)


def _at(robot: Sequence[Span], sample: int) -> Span | None:
    return next((span for span in robot if span.first <= sample <= span.last), None)


def _begun_inside(robot: Sequence[Span], line: LineSaid) -> Span | None:
    return next((span for span in robot if line.first_sample < span.first <= line.last_sample), None)


def _first_after(robot: Sequence[Span], sample: int, before: int | None) -> Span | None:
    return next((s for s in robot if s.first > sample and (before is None or s.first < before)), None)


def _cut_in(line: LineSaid, at: int, begun: Span) -> CutIn:
    # A planned pause is judged to its end and a little beyond: a robot needs 60 ms to notice that speech goes on.
    in_pause = any(p.first <= begun.first <= p.last + _samples(60) for p in line.planned_pauses)
    left_ms = (line.last_sample - begun.first) * 1000 / RATE_HZ
    return CutIn(at, line.text, begun.first, left_ms, in_pause)


def _interruption(line: LineSaid, at: int, talking: Span, robot: Sequence[Span], end: int) -> Interruption:
    following = next((span for span in robot if span.first > talking.last), None)
    fell_silent = end - 1 - talking.last >= _samples(SILENT_MS)
    return Interruption(
        line=at,
        text=line.text,
        backchannel=line.backchannel,
        first_sample=line.first_sample,
        stop_ms=(talking.last - line.first_sample) * 1000 / RATE_HZ if fell_silent else None,
        resumed_after_ms=None if following is None else (following.first - talking.last) * 1000 / RATE_HZ,
    )
