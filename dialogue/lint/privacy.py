"""Does anybody learn of the debt who must not, or the right party before hearing who calls?"""

from __future__ import annotations

from collections.abc import Iterator

from dialogue.acts import Act, Pending
from dialogue.lint.finding import Finding, Severity
from dialogue.lint.steps import Edge, Walk
from dialogue.script import MANDATORY_DISCLOSURES, Script

_WHO = (Pending.VERIFY_IDENTITY, Pending.OPENING)


def check(script: Script, walk: Walk) -> Iterator[Finding]:
    telling = frozenset(line.id for line in script.lines.values() if line.tells_debt)
    for edge in walk.edges:
        yield from _lines(script, walk, edge, telling)
        yield from _right_party(script, walk, edge)
    for line in script.lines.values():
        mandatory = MANDATORY_DISCLOSURES.intersection(line.discloses)
        if mandatory and line.interruptible:
            yield Finding(
                Severity.ERROR,
                "disclosure-interruptible",
                line.place,
                f"lines.{line.id}",
                f"who talks over it never hears: {', '.join(sorted(mandatory))}; add interruptible: false",
                walk.path_to_line(line.id),
            )


def _lines(script: Script, walk: Walk, edge: Edge, telling: frozenset[str]) -> Iterator[Finding]:
    for said in edge.lines:
        if said.line_id not in telling:
            continue
        line = script.lines[said.line_id]
        if not said.verified:
            yield Finding(
                Severity.ERROR,
                "debt-before-verification",
                line.place,
                f"lines.{line.id}",
                "tells of a debt, but can be said before the right party confirmed; "
                "word it neutrally or put right_party: true on the way",
                walk.path(edge, said),
            )
        elif missing := MANDATORY_DISCLOSURES - said.disclosed:
            yield Finding(
                Severity.ERROR,
                "disclosure-missing",
                line.place,
                f"lines.{line.id}",
                f"tells of the debt before the customer knows: {', '.join(sorted(missing))}; "
                f"say a line that discloses it first",
                walk.path(edge, said),
            )


def _right_party(script: Script, walk: Walk, edge: Edge) -> Iterator[Finding]:
    if edge.before.verified or not edge.after.verified:
        return
    node = script.nodes[edge.before.node]
    if Act.SELF in edge.turn.acts or (Act.AFFIRM in edge.turn.acts and node.ask in _WHO):
        return
    meant = " + ".join(edge.turn.acts) or edge.turn.label
    yield Finding(
        Severity.ERROR,
        "right-party-unconfirmed",
        node.place,
        f"nodes.{node.id}",
        f"takes {meant} for a confirmation that this is the right party; put right_party: true only on self, "
        f"and on affirm where the question is verify_identity",
        walk.path(edge),
    )
