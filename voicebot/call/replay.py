"""Does the log of a call lead to the same words again? Feeds a call's inputs to a fresh core and compares.

With another script version the same inputs show where the conversation would have gone another way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dialogue.protocol import CustomerHungUp, Speak
from voicebot.call.core import CallBasis, CallCore, FromOutside, TurnTaken
from voicebot.call.eventlog import Entry, read_log


class ReplayError(ValueError):
    """A log that cannot be replayed; the message names the file and what is missing."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first output that differs. `index` counts the log's entries from 0."""

    index: int
    at: int
    logged: object
    replayed: object


@dataclass(frozen=True, slots=True)
class Replay:
    basis: CallBasis
    words: tuple[tuple[int, str, str], ...]  # (call sample, "robot" or "customer", text), as replayed
    inputs: int
    outputs: int
    difference: Difference | None
    cut_short: bool = False  # the program died in this call: what followed from the last input was not written

    @property
    def same(self) -> bool:
        return self.difference is None


def replay(log: Path, make_core: Callable[[CallBasis], CallCore]) -> Replay:
    """Replay one call's event log. Stops comparing, not replaying, at the first difference."""
    reader = read_log(log)
    entries = list(reader)
    basis = next((e.value for e in entries if isinstance(e.value, CallBasis)), None)
    if basis is None:
        raise ReplayError(f"{log}: no CallBasis in the log; it was not written by a call, or its beginning is lost")
    core = make_core(basis)
    words: list[tuple[int, str, str]] = []
    expected: list[tuple[int, Entry]] = [(i, e) for i, e in enumerate(entries) if e.kind == "out"]
    difference: Difference | None = None
    compared = inputs = 0
    last_input = next((e for e in reversed(entries) if e.kind == "in"), None)
    ended = any(isinstance(e.value, FromOutside) and isinstance(e.value.event, CustomerHungUp) for e in entries)
    cut_short = reader.truncated
    for entry in entries:
        if entry.kind != "in":
            continue
        inputs += 1
        for output in core.feed(entry.value):
            if isinstance(output, Speak):
                words.append((entry.at_samples, "robot", output.text))
            elif isinstance(output, TurnTaken):
                words.append((entry.at_samples, "customer", output.understanding.text))
            if difference is None:
                index, logged = expected[compared] if compared < len(expected) else (len(entries), None)
                if logged is None and entry is last_input and not ended:
                    cut_short = True
                elif logged is None or logged.value != output:
                    difference = Difference(index, entry.at_samples, logged.value if logged else None, output)
            compared += 1
    if difference is None and compared < len(expected):
        index, logged = expected[compared]
        difference = Difference(index, logged.at_samples, logged.value, None)
    return Replay(basis, tuple(words), inputs, compared, difference, cut_short)
