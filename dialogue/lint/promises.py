"""Is a promise read back, confirmed, written and only then called registered?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dialogue.acts import Act, Disposition, Pending
from dialogue.lint.finding import Finding, Path, Severity
from dialogue.lint.steps import Edge, Walk
from dialogue.loader import inherited_lines
from dialogue.protocol import PromiseStored, PromiseStoreFailed
from dialogue.script import CALL_VARIABLES, Do, Node, Script
from dialogue.state import Phase

_NOTED = re.compile(r"登记好|(?<!没有)登记成功|记录好|已经登记|已为您登记|帮您登记了|记好了")
_CONFIRMS = frozenset({Act.AFFIRM, Act.SELF, Act.PROMISE_PAY, Act.PROMISE_PARTIAL})
_PROMISED = (Disposition.PROMISED, Disposition.PROMISED_PARTIAL)


def check(script: Script, walk: Walk) -> Iterator[Finding]:
    noting = {
        line_id
        for line_id in script.lines.keys() - inherited_lines()
        if any(_NOTED.search(w.template) for w in script.lines[line_id].wordings)
    }
    for edge in walk.edges:
        yield from _values(script, walk, edge)
        yield from _noted(script, walk, edge, noting)
        if edge.stores:
            yield from _store(script, walk, edge)
        yield from _ends(script, walk, edge)
    for edge in walk.answers:
        node = script.nodes[edge.before.node]
        written = node.on.get(edge.turn.acts[0]) if edge.turn.plain else None
        if written is not None and written.do is Do.STORE and node.ask is not Pending.CONFIRM_PROMISE:
            yield _no_readback(node, walk.path(edge))
    for node in script.nodes.values():
        if node.ask is Pending.CONFIRM_PROMISE and not any(r.do is Do.STORE for r in node.on.values()):
            yield Finding(
                Severity.ERROR,
                "readback-without-store",
                node.place,
                f"nodes.{node.id}",
                "reads a promise back, but no answer does: store",
                walk.path_to_node(node.id),
            )


def _values(script: Script, walk: Walk, edge: Edge) -> Iterator[Finding]:
    for said in edge.lines:
        if not said.missing:
            continue
        line = script.lines[said.line_id]
        if line.tells_debt and not said.verified:
            continue
        name = min(said.missing)
        way_out = (
            "it belongs into the line callback_at alone"
            if name == "callback_at"
            else "use it only in the node that offers.ok leads to, and after"
        )
        yield Finding(
            Severity.ERROR,
            "value-not-known",
            line.place,
            f"lines.{line.id}",
            f"needs {{{name}}}, which is not known at nodes.{said.node}; {way_out}",
            walk.path(edge, said),
        )


def _noted(script: Script, walk: Walk, edge: Edge, noting: set[str]) -> Iterator[Finding]:
    for said in edge.lines:
        if said.stored or said.line_id not in noting:
            continue
        line = script.lines[said.line_id]
        yield Finding(
            Severity.ERROR,
            "noted-before-stored",
            line.place,
            f"lines.{line.id}",
            "says that something is registered before it is stored; only the node under `stored` may say so",
            walk.path(edge, said),
        )


def _store(script: Script, walk: Walk, edge: Edge) -> Iterator[Finding]:
    node = script.nodes[edge.after.readback]
    path = walk.path(edge)
    if node.ask is not Pending.CONFIRM_PROMISE:
        yield _no_readback(node, path)
        return
    if unread := sorted(_unread(script, node)):
        yield Finding(
            Severity.ERROR,
            "store-without-readback",
            node.place,
            f"nodes.{node.id}",
            f"writes a promise whose {{{unread[0]}}} may not have been read back; "
            f"name it in every wording of say, and of again",
            path,
        )
    if not _CONFIRMS.intersection(edge.turn.acts):
        yield Finding(
            Severity.ERROR,
            "store-without-consent",
            node.place,
            f"nodes.{node.id}",
            f"writes a promise on {' + '.join(edge.turn.acts) or edge.turn.label}, which confirms nothing; "
            f"do: store belongs on affirm",
            path,
        )


def _no_readback(node: Node, path: Path) -> Finding:
    problem = "writes a promise at a question that is not confirm_promise; lead to the read-back first"
    return Finding(Severity.ERROR, "store-without-readback", node.place, f"nodes.{node.id}", problem, path)


def _unread(script: Script, node: Node) -> set[str]:
    """The values of a promise that are not named each time this question is put."""
    wanted = CALL_VARIABLES - {"callback_at"}
    unread: set[str] = set()
    for lines in filter(None, (node.say, node.again)):
        told = {
            name
            for name in wanted
            for line_id in lines
            if all(name in w.variables for w in script.lines[line_id].wordings)
        }
        unread |= wanted - told
    return unread if node.say or node.again else set(wanted)


def _ends(script: Script, walk: Walk, edge: Edge) -> Iterator[Finding]:
    event = edge.turn.event
    told = isinstance(event, PromiseStored | PromiseStoreFailed)
    if told and edge.before.phase is Phase.STORING and not edge.has_words and not edge.stores:
        key = "stored" if isinstance(event, PromiseStored) else "store_failed"
        node = script.nodes[(script.stored if key == "stored" else script.store_failed) or edge.after.node]
        yield Finding(
            Severity.ERROR,
            "promise-unheard",
            node.place,
            f"nodes.{node.id}",
            f"the node under `{key}` says nothing, so the customer never hears what became of the promise; "
            f"give it a line",
            walk.path(edge),
        )
    if edge.end in _PROMISED and not edge.after.stored:
        node = script.nodes[edge.entered[-1] if edge.entered else edge.before.node]
        yield Finding(
            Severity.ERROR,
            "promised-unstored",
            node.place,
            f"nodes.{node.id}",
            f"ends as {edge.end} though no promise was stored; use another end, or do: store before",
            walk.path(edge),
        )
