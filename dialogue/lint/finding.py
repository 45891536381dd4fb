"""What was found, where, and on which way through the call?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Hop:
    """One move of a call. `by`: what made it, "" when the robot went on by itself. `to`: a node, or [what came]."""

    by: str
    to: str


Path = tuple[Hop, ...]
"""From the first node of the script to the place of a finding; () where no call leads."""


@dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    rule: str  # debt-before-verification, same-words-twice, ...
    place: str  # file:line:column
    what: str  # the key: lines.greet, nodes.facts
    problem: str  # and the way out
    path: Path = ()

    def __str__(self) -> str:
        said = f"{self.place}: {self.severity}: {self.rule}: {self.what}: {self.problem}"
        return f"{said}\n    by {show(self.path)}" if self.path else said

    @property
    def nodes(self) -> tuple[str, ...]:
        """The stations of the path, in order."""
        return tuple(hop.to for hop in self.path)

    def as_json(self) -> dict[str, object]:
        """Plain values for one line of JSON."""
        return {
            "severity": self.severity.value,
            "rule": self.rule,
            "place": self.place,
            "what": self.what,
            "problem": self.problem,
            "path": [{"by": hop.by, "to": hop.to} for hop in self.path],
        }


def show(path: Path) -> str:
    """greet --self--> disclose --> facts --> ask_today"""
    words = ""
    for index, hop in enumerate(path):
        arrow = f" --{hop.by}--> " if hop.by else " --> "
        words += hop.to if index == 0 else arrow + hop.to
    return words


def has_errors(findings: Iterable[Finding]) -> bool:
    return any(f.severity is Severity.ERROR for f in findings)
