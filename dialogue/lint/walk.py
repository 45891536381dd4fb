"""Where can a call of this script come to, and on which way first?

The manager itself is walked, breadth-first: from every place everything that can happen is played once. Two states of
a call are the same place when the script can treat them differently only by a counter. Counters (silences, not
understood, visits to a node with a limit) are played at both ends instead: each place is left once fresh and once worn,
as it is after the customer has used them up. A limit counts as used up only where a call can come back to the node.

    start --picks up--> greet --self--> disclose --> facts --> ask_today --deny--> ask_date --...
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from dialogue.acts import Act
from dialogue.answering import UNCLEAR_BEFORE_END
from dialogue.lint.finding import Path
from dialogue.lint.hearing import Hearing
from dialogue.lint.steps import Edge, Key, Walk, has_words, place_of
from dialogue.lint.turns import NOW, SILENCE, Turn, Turns, sample_case
from dialogue.manager import SILENCES_BEFORE_END, initial_state
from dialogue.protocol import CallStarted, Conclude, Handoff, HangUp, Listen, Speak, StorePromise
from dialogue.script import Do, Script
from dialogue.state import NOTHING_OFFERED, Counts, Phase, State, bumped

T = TypeVar("T")

ASKED_TOO_OFTEN = "asked too often"
TOO_MANY_TURNS = "one turn too many"
Wearable = Mapping[str, set[Key]]
_TWICE = frozenset(a for a in Act if a.startswith("ask_")) | {Act.SUSPECT_SCAM}


def walk(script: Script) -> Walk:
    """Walk the whole script. Takes about a second for a script of forty lines."""
    return _Walker(script).run()


class _Walker:
    """The walk in the making."""

    def __init__(self, script: Script) -> None:
        self.found = Walk(script)
        self.script = script
        self.turns = Turns(script)
        self.limits = {n.id: n.limit for n in script.nodes.values() if n.limit is not None}
        self.todo: list[Key] = []
        self.left: dict[Key, dict[str, Edge]] = {}  # by place, then by what happened
        self.trees: dict[str, dict[Key, Edge]] = {}  # by node

    def run(self) -> Walk:
        start = Turn("picks up", CallStarted(sample_case(self.script), NOW))
        self._arrive(self._play(start, None, initial_state(self.script)))
        self._fresh()
        wearable: Wearable = {}
        worn: set[Key] = set()
        while True:
            if (now := self._wearable()) != wearable:
                wearable = now
                worn.clear()
                self.trees.clear()
            left = [key for key in self.found.places if key not in worn]
            if not left:
                break
            for key in left:
                worn.add(key)
                self._leave_again(key, wearable)
            self._fresh()
        return self.found

    def _fresh(self) -> None:
        while self.todo:
            key = self.todo.pop(0)
            state = self.found.places[key]
            ways = self.left[key] = {}
            bare = self._bare(key, state)
            for turn in self.turns.after(state):
                if (seen := bare.get(turn.label)) is not None and _settled(self.script, seen):
                    continue
                edge = ways[turn.label] = self._play(turn, key, state, twice=turn.plain or turn.label == SILENCE)
                self._arrive(edge)

    def _leave_again(self, key: Key, wearable: Wearable) -> None:
        """Leave a place by turns that mean several things, and as it is after every counter was used up."""
        state = self.found.places[key]
        if state.phase is not Phase.TALKING or state.carried is not None:
            return
        bare = self._bare(key, state)
        for turn in self.turns.together if not bare else ():
            self._arrive(self._play(turn, key, state))
        used_up = frozenset(node for node, places in wearable.items() if key in places)
        visits = dict(state.visits) | {node: self.limits[node] for node in used_up}
        worn = replace(
            state,
            silences=SILENCES_BEFORE_END,
            unclear=UNCLEAR_BEFORE_END,
            fillers=1,
            visits=tuple(visits.items()),
            said=_asked_before(self.script, state),
            flags=(*state.flags, "abuse"),
        )
        # Where a time to call was asked for twice, the next turn ends it, though nothing was misunderstood so far.
        asked = replace(state, said=_asked_before(self.script, state))
        for fresh in self.left[key].values():
            if not _counted(self.script, fresh, used_up):
                continue
            if _gives_up_asking(self.script, fresh) and _differs(edge := self._play(fresh.turn, key, asked), fresh):
                self._arrive(replace(edge, worn=ASKED_TOO_OFTEN))
            edge = self._play(fresh.turn, key, worn)
            if _differs(edge, fresh):
                through = next((node for node in fresh.entered if node in used_up), None)
                way = self._way_through(through, key) if through is not None else ()
                self._arrive(replace(edge, worn=_why(edge), way=way))
        if not bare:
            late = replace(state, turns=self.script.policy.max_turns)
            self._arrive(self._play(replace(self.turns.any, label=TOO_MANY_TURNS, plain=False), key, late))

    def _bare(self, key: Key, state: State) -> Mapping[str, Edge]:
        """How the same place was left with nothing offered and nothing kept for later; {} where that never happened.

        Less was known there, so a step that then neither weighed an offer nor moved on is the same step here.
        """
        bare = place_of(replace(state, carried=None, offer=NOTHING_OFFERED))
        return self.left.get(bare, {}) if bare != key else {}

    def _play(self, turn: Turn, source: Key | None, before: State, *, twice: bool = False) -> Edge:
        step = _heard(self.script, before, turn)
        again: tuple[Speak, ...] = ()
        if twice and step.state.phase is Phase.TALKING and not step.entered and _may_be_said_twice(turn):
            again = _speaks(_heard(self.script, step.state, turn))
        handoffs = [c.reason for c in step.commands if isinstance(c, Handoff)]
        hung_up = any(isinstance(c, HangUp) for c in step.commands)
        ends = [c.disposition for c in step.commands if isinstance(c, Conclude)]
        over = step.state.phase is Phase.ENDED
        return Edge(
            turn=turn,
            source=source,
            before=before,
            after=step.state,
            target=None if over else place_of(step.state),
            entered=tuple(step.entered),
            lines=tuple(step.lines),
            speaks=_speaks(step),
            handoff=handoffs[0] if handoffs else None,
            end=ends[-1] if hung_up else None,
            stores=any(isinstance(c, StorePromise) for c in step.commands),
            listens=any(isinstance(c, Listen) for c in step.commands),
            has_words=any(has_words(self.script.lines[said.line_id]) for said in step.lines),
            again=again,
        )

    def _arrive(self, edge: Edge) -> None:
        state = edge.after
        self.found.edges.append(edge)
        key = edge.target
        if key is not None and key not in self.found.places:
            self.found.places[key] = self._rested(state)
            self.found.came_by[key] = edge
            self.todo.append(key)

    def _rested(self, state: State) -> State:
        """The same place with nothing used up."""
        visits: Counts = tuple((n, min(c, self.limits[n] - 1) if n in self.limits else c) for n, c in state.visits)
        return replace(state, silences=0, unclear=0, fillers=0, turns=min(state.turns, 1), visits=visits)

    def _wearable(self) -> Wearable:
        """The nodes with a limit that a call can enter again after it has been there; with the places in between."""
        onward: dict[Key, set[Key]] = {}
        entries: dict[str, list[tuple[Key | None, Key]]] = {node: [] for node in self.limits}
        for edge in self.found.edges:
            if edge.target is None:
                continue
            if edge.source is not None:
                onward.setdefault(edge.source, set()).add(edge.target)
            for node in entries.keys() & set(edge.entered):
                entries[node].append((edge.source, edge.target))
        between = {node: reachable((target for _, target in ways), onward) for node, ways in entries.items()}
        return {
            node: places
            for node, places in between.items()
            if not places.isdisjoint(source for source, _ in entries[node] if source is not None)
        }

    def _way_through(self, node: str, key: Key) -> Path:
        """The first way to a place that passes a node."""
        if node not in self.trees:
            self.trees[node] = self._tree(node)
        came_by = self.trees[node]
        hops: list[Path] = []
        step = came_by.get(key)
        while step is not None and node not in step.entered:
            hops.append(step.hops)
            step = came_by[step.source] if step.source is not None else None
        return self.found.path(step) + tuple(hop for part in reversed(hops) for hop in part) if step else ()

    def _tree(self, node: str) -> dict[Key, Edge]:
        """The step by which each place is come to first on the ways that begin with entering a node."""
        first = next(e for e in self.found.edges if node in e.entered and e.target is not None)
        assert first.target is not None
        came_by = {first.target: first}
        todo = [first.target]
        while todo:
            for edge in self.left.get(todo.pop(0), {}).values():
                if edge.target is not None and edge.target not in came_by:
                    came_by[edge.target] = edge
                    todo.append(edge.target)
        return came_by


def reachable(start: Iterable[T], onward: Mapping[T, set[T]]) -> set[T]:
    """Everything that the steps of `onward` lead to, the start included."""
    seen = set(start)
    todo = list(seen)
    while todo:
        for key in onward.get(todo.pop(), ()):
            if key not in seen:
                seen.add(key)
                todo.append(key)
    return seen


def _heard(script: Script, before: State, turn: Turn) -> Hearing:
    step = Hearing(script, before)
    step.take(turn.event)
    return step


def _speaks(step: Hearing) -> tuple[Speak, ...]:
    return tuple(c for c in step.commands if isinstance(c, Speak))


def _may_be_said_twice(turn: Turn) -> bool:
    return turn.label == SILENCE or turn.acts[0] in _TWICE


def _settled(script: Script, edge: Edge) -> bool:
    """Whether a step is the same whatever was offered or kept before."""
    if edge.after.offer != edge.before.offer or edge.stores or edge.after.verified != edge.before.verified:
        return False
    reactions = (script.nodes[edge.before.node].on.get(act) for act in edge.turn.acts)
    if any(r is not None and r.do is Do.STORE for r in reactions):
        return False
    return edge.target is None or (not edge.entered and edge.target == edge.source)


def _asked_before(script: Script, state: State) -> Counts:
    said = state.said
    for line_id in script.nodes[state.node].again:
        said = bumped(said, line_id)
    return said


def _counted(script: Script, edge: Edge, wearable: frozenset[str]) -> bool:
    """Whether some counter can change what follows."""
    return (
        edge.turn.label == SILENCE
        or edge.not_understood
        or _gives_up_asking(script, edge)
        or not {Act.ABUSE, Act.FILLER, Act.OUT_OF_SCOPE}.isdisjoint(edge.turn.acts)
        or not wearable.isdisjoint(edge.entered)
    )


def _gives_up_asking(script: Script, edge: Edge) -> bool:
    otherwise = script.nodes[edge.before.node].otherwise
    return otherwise is not None and otherwise.do is Do.CALLBACK


def _differs(one: Edge, other: Edge) -> bool:
    return (one.entered, one.end, one.handoff, one.stores) != (other.entered, other.end, other.handoff, other.stores)


def _why(edge: Edge) -> str:
    if edge.turn.label == SILENCE or edge.not_understood:
        return "third time"
    return "second time" if Act.ABUSE in edge.turn.acts else ASKED_TOO_OFTEN
