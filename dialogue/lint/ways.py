"""Does every way end, in bounded time, with words, and does some way lead to every node?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dialogue.acts import Act, Pending
from dialogue.lint.finding import Finding, Severity
from dialogue.lint.steps import Edge, Key, Walk, place_of
from dialogue.lint.turns import SILENCE, TIME_UP
from dialogue.lint.walk import ASKED_TOO_OFTEN, TOO_MANY_TURNS, reachable
from dialogue.script import PROTECTED_ACTS, Do, Node, Script
from dialogue.state import NOTHING_OFFERED, Phase, State

MOST_TURNS = 60
_WAYS_OUT = PROTECTED_ACTS | {Act.LEGAL, Act.GOODBYE, Act.REQUEST_CALLBACK}
"""With these a customer can leave from everywhere: they are no answer to a question."""


def check(script: Script, walk: Walk) -> Iterator[Finding]:
    yield from _unreachable(script, walk)
    yield from _endless(script, walk)
    yield from _dead_ends(script, walk)
    for edge in walk.edges:
        yield from _without_words(script, walk, edge)


def _unreachable(script: Script, walk: Walk) -> Iterator[Finding]:
    """Nodes that no call enters; those that only such nodes lead to are named with the first of them."""
    lost = script.own_nodes - {node for edge in walk.edges for node in edge.entered}
    onward = {n: _next_nodes(script, script.nodes[n]) & lost - {n} for n in sorted(lost)}
    led_to = {n for targets in onward.values() for n in targets}
    told: set[str] = set()
    for node_id in sorted(lost, key=lambda n: (n in led_to, n)):
        if node_id in told:
            continue
        with_it = sorted(reachable([node_id], onward) - told - {node_id})
        told.update(with_it, [node_id])
        yield Finding(
            Severity.ERROR,
            "unreachable-node",
            script.nodes[node_id].place,
            f"nodes.{node_id}",
            "no call can come here; lead to it or delete it" + (f" (also: {', '.join(with_it)})" if with_it else ""),
        )


def _next_nodes(script: Script, node: Node) -> set[str]:
    reactions = [*node.on.values(), *([node.otherwise] if node.otherwise else [])]
    if any(r.do is Do.OFFER for r in reactions):
        reactions += script.offers.values()
    stored = {script.stored, script.store_failed} if any(r.do is Do.STORE for r in reactions) else set()
    return {n for n in (node.then, node.exhausted, *(r.go for r in reactions), *stored) if n is not None}


def _endless(script: Script, walk: Walk) -> Iterator[Finding]:
    for edge in walk.edges:
        passed = [n for n in edge.entered if script.nodes[n].ask is None]
        if len(passed) > len(set(passed)):
            node = script.nodes[next(n for n in passed if passed.count(n) > 1)]
            yield Finding(
                Severity.ERROR,
                "endless-loop",
                node.place,
                f"nodes.{node.id}",
                "goes in a circle without asking; let one node of the circle ask",
                walk.path(edge)[: -len(edge.hops)] + edge.hops[: _second(edge.entered, node.id)],
            )
    stopped = next((e for e in walk.edges if _stopped(script, e)), None)
    entered = {node for edge in walk.edges for node in edge.entered}
    for ring in _rings(script):
        there = next((n for n in ring if n in entered), ring[0])
        if stopped is None and there not in entered:
            continue  # no call can come there, which is said of these nodes already
        yield Finding(
            Severity.ERROR,
            "endless-loop",
            script.nodes[there].place,
            f"nodes.{there}",
            "is used up and leads in a circle to nodes that are used up as well; let exhausted lead to an end",
            walk.path(stopped) if stopped else walk.path_to_node(there),
        )
    if script.policy.max_turns > MOST_TURNS:
        around = next((e for e in walk.answers if _bounded_by_turns_only(script, e)), None)
        yield Finding(
            Severity.ERROR,
            "endless-loop",
            script.source,
            "policy.max_turns",
            f"lets a call go on for {script.policy.max_turns} turns; at most {MOST_TURNS}",
            walk.path(around) if around else (),
        )


def _second(nodes: tuple[str, ...], node: str) -> int:
    first = nodes.index(node)
    return nodes.index(node, first + 1) + 1


def _rings(script: Script) -> Iterator[list[str]]:
    """Every circle of nodes that follow each other when all of them are used up."""
    told: set[str] = set()
    for node in script.nodes.values():
        way: list[str] = []
        at: str | None = node.id
        while at is not None and at not in way:
            way.append(at)
            at = script.nodes[at].exhausted
        if at is not None and told.isdisjoint(way):
            yield way[way.index(at) :]
            told.update(way)


def _stopped(script: Script, edge: Edge) -> bool:
    """Whether the call just stopped, because every node on the way was used up."""
    silent = edge.worn == ASKED_TOO_OFTEN and edge.end is not None and not edge.lines
    return silent and (not edge.entered or script.nodes[edge.entered[-1]].end is None)


def _bounded_by_turns_only(script: Script, edge: Edge) -> bool:
    return (
        edge.turn.label != SILENCE
        and not edge.not_understood
        and edge.after.phase is Phase.TALKING
        and edge.target == edge.source
        and not any(script.nodes[n].limit is not None for n in edge.entered)
        and edge.turn.acts[0] is not Act.FILLER
    )


def _dead_ends(script: Script, walk: Walk) -> Iterator[Finding]:
    """From every place an end must be in reach by answers, without leaving the call and without falling silent."""
    onward: dict[Key, set[Key]] = {}
    good: set[Key] = set()
    for edge in walk.edges:
        if edge.after.phase is Phase.TALKING and not edge.listens:
            node = script.nodes[edge.after.node]
            yield Finding(
                Severity.ERROR,
                "dead-end",
                node.place,
                f"nodes.{node.id}",
                f"after {edge.turn.label} the robot neither listens nor ends; name what follows",
                walk.path(edge),
            )
        if edge.source is None or _leaves(edge):
            continue
        if edge.after.phase is not Phase.TALKING:
            good.add(_plain(edge.before))
        else:
            onward.setdefault(_plain(edge.after), set()).add(_plain(edge.before))
    good.update(_plain(state) for state in walk.places.values() if _bare(state) in good)
    good = reachable(good, onward)
    for key, state in walk.places.items():
        if _plain(state) not in good and state.phase is Phase.TALKING:
            node = script.nodes[state.node]
            yield Finding(
                Severity.ERROR,
                "dead-end",
                node.place,
                f"nodes.{node.id}",
                "no answer leads from here to an end; add one",
                walk.path_to(key),
            )


def _plain(state: State) -> Key:
    """A place whatever was kept for later: that decides where a call goes only after it has moved on."""
    return place_of(replace(state, carried=None))


def _bare(state: State) -> Key:
    """The same place with nothing offered: its ways out are ways out here."""
    return place_of(replace(state, carried=None, offer=NOTHING_OFFERED))


def _leaves(edge: Edge) -> bool:
    """Whether a step ends a call without answering its question."""
    return (
        edge.turn.label in (SILENCE, TIME_UP, TOO_MANY_TURNS)
        or edge.not_understood
        or bool(_WAYS_OUT.intersection(edge.turn.acts))
    )


def _without_words(script: Script, walk: Walk, edge: Edge) -> Iterator[Finding]:
    if edge.has_words:
        return
    node = script.nodes[edge.entered[-1] if edge.entered else edge.before.node]
    closing = script.nodes[edge.before.node].ask is Pending.CLOSING
    what = f"nodes.{node.id}"
    if edge.handoff is not None:
        problem = f"gives the call to a person ({edge.handoff}) without a word to the customer; say a line before"
        yield Finding(Severity.ERROR, "handoff-without-words", node.place, what, problem, walk.path(edge))
        return
    hung_up = edge.end is not None and edge.before.phase is not Phase.STORING
    if hung_up and not closing and Act.CALL_ASSISTANT not in edge.turn.acts and not _stopped(script, edge):
        problem = "hangs up without a word to the customer; say goodbye before"
        yield Finding(Severity.ERROR, "goodbye-missing", node.place, what, problem, walk.path(edge))
