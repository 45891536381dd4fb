"""What does one step of the call say, and what was known while it said it?

The manager itself takes the step; this is the manager with somebody who listens. It notes each line at the moment at
which the manager wants to say it, also a line that the manager then keeps back because it tells of a debt too early.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dialogue.manager import Step
from dialogue.protocol import (
    Event,
    LineHeard,
    Speak,
)
from dialogue.script import CALL_VARIABLES, MANDATORY_DISCLOSURES, Line, Script
from dialogue.state import State

_UNKNOWN = {name: f"〈{name}〉" for name in CALL_VARIABLES}
_LEAD = "repeat_lead"


@dataclass(frozen=True, slots=True)
class Said:
    """One line as it was about to be said. `moves`: how many nodes the step had entered by then."""

    line_id: str
    node: str
    moves: int
    verified: bool
    stored: bool
    disclosed: frozenset[str]
    missing: frozenset[str]  # variables in its wordings that have no value yet


class Hearing(Step):
    """One step, listened to."""

    def __init__(self, script: Script, state: State) -> None:
        super().__init__(script, state)
        self.lines: list[Said] = []
        self.entered: list[str] = []
        self._leading = False

    def take(self, event: Event) -> None:
        """Carry out one event, and let what it says of the caller and the recording be heard to its end."""
        super().take(event)
        for command in tuple(self.commands):
            if isinstance(command, Speak) and command.discloses:
                self.heard(LineHeard(command.line_id, 1.0))

    def _set(self, **changes: Any) -> None:
        if "node" in changes:
            self.entered.append(changes["node"])
        super()._set(**changes)

    def _say(self, line_id: str) -> None:
        if line_id == _LEAD and self._leading:
            return
        line, state = self.script.lines[line_id], self.state
        told = {what for c in self.commands if isinstance(c, Speak) for what in c.discloses}
        self.lines.append(
            Said(
                line_id,
                state.node,
                len(self.entered),
                state.verified,
                state.stored,
                MANDATORY_DISCLOSURES.intersection((*state.disclosed, *told)),
                self._missing(line),
            )
        )
        leading, self._leading = self._leading, line_id == _LEAD
        super()._say(line_id)
        self._leading = leading

    def _missing(self, line: Line) -> frozenset[str]:
        late = CALL_VARIABLES.intersection(line.variables)
        return late - super()._values().keys() if late else late

    def _values(self) -> Mapping[str, str]:
        return {**_UNKNOWN, **super()._values()}
