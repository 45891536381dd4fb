"""What is one step of a call, and how did the call come to it?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from dialogue.acts import Disposition
from dialogue.lint.finding import Hop, Path
from dialogue.lint.hearing import Said
from dialogue.lint.turns import Turn
from dialogue.protocol import Speak
from dialogue.script import MANDATORY_DISCLOSURES, Line, Script
from dialogue.state import Phase, State
from dialogue.understanding import Understanding

Key = tuple[object, ...]
"""A place: what two states of a call have in common that the script cannot treat differently."""


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """One step of a call: what happened, what was said, and where it left the call."""

    turn: Turn
    source: Key | None  # None: the call is picked up
    before: State
    after: State
    target: Key | None  # None: the call is over
    entered: tuple[str, ...]  # nodes, in order
    lines: tuple[Said, ...]  # as the manager wanted to say them
    speaks: tuple[Speak, ...]  # as they are said
    handoff: str | None = None
    end: Disposition | None = None  # the call is hung up
    stores: bool = False
    listens: bool = False
    has_words: bool = True  # the manager wanted to say something, and it was more than marks
    worn: str = ""  # "third time", ...: what was used up
    again: tuple[Speak, ...] = ()  # what is said when the same happens once more
    way: Path = ()  # how the call came here, where the first way to the place would not have used up what is used up

    @property
    def hops(self) -> Path:
        """The stations of this step."""
        label = f"{self.turn.label} ({self.worn})" if self.worn else self.turn.label
        stations = [*self.entered]
        if self.handoff is not None:
            stations.append(f"[a person: {self.handoff}]")
        elif self.end is not None:
            stations.append(f"[end: {self.end}]")
        elif self.after.phase is Phase.STORING:
            stations.append("[storing]")
        elif not stations:
            stations.append(self.after.node)
        hops = [Hop("", node) for node in stations]
        return tuple(hops) if self.source is None else (replace(hops[0], by=label), *hops[1:])

    @property
    def not_understood(self) -> bool:
        return self.after.unclear > self.before.unclear


@dataclass
class Walk:
    """Every place a call can come to, and every step from there."""

    script: Script
    edges: list[Edge] = field(default_factory=list)
    places: dict[Key, State] = field(default_factory=dict)
    came_by: dict[Key, Edge] = field(default_factory=dict)

    def path(self, edge: Edge, said: Said | None = None) -> Path:
        """The way to the end of this step, or to the line that it says."""
        hops = edge.hops
        return self._before(edge) + (hops if said is None else hops[: max(said.moves, 1)])

    def path_to(self, key: Key) -> Path:
        hops: list[Path] = []
        at: Key | None = key
        while at is not None:
            edge = self.came_by[at]
            hops += [edge.hops, edge.way]
            at = None if edge.way else edge.source
        return tuple(hop for part in reversed(hops) for hop in part)

    def _before(self, edge: Edge) -> Path:
        return edge.way or (self.path_to(edge.source) if edge.source is not None else ())

    def path_to_node(self, node_id: str) -> Path:
        """The first way to a node; () when no call comes there."""
        for edge in self.edges:
            if node_id in edge.entered:
                return self._before(edge) + edge.hops[: edge.entered.index(node_id) + 1]
        return ()

    def path_to_line(self, line_id: str) -> Path:
        for edge in self.edges:
            for said in edge.lines:
                if said.line_id == line_id:
                    return self.path(edge, said)
        return ()

    @property
    def answers(self) -> Iterator[Edge]:
        """The steps that follow while the call waits for an answer, no counter used up."""
        return (e for e in self.edges if e.source is not None and e.before.phase is Phase.TALKING and not e.worn)


def has_words(line: Line) -> bool:
    return any(c.isalnum() for wording in line.wordings for c in wording.template)


def place_of(state: State) -> Key:
    """What tells two states of a call apart for everything but counters and wordings."""
    crisis = "crisis" in state.flags
    if state.phase is Phase.HANDOFF:
        return (state.phase, state.verified, state.stored, crisis)
    offer = state.offer
    place: Key = (
        state.phase,
        state.node,
        state.verified,
        state.stored,
        crisis,
        offer.pay_date,  # the same day once more confirms what was read back, another does not
        offer.amount is not None,
        offer.partial,
        _said_of_money(state.carried),
        MANDATORY_DISCLOSURES.intersection(state.disclosed),
        state.readback if state.stored else "",
    )
    if state.phase is not Phase.STORING:
        return place
    second = _said_of_money(state.second_thought) if state.deferred is None else None
    return (*place, state.deferred, second, state.time_up)


def _said_of_money(u: Understanding | None) -> Key | None:
    if u is None:
        return None
    return (u.acts, u.slots.pay_date, u.slots.pay_amount)
