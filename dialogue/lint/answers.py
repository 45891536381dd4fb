"""Is every meaning answered, wherever the call waits, and does silence get the question again?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dialogue.acts import Act, Disposition, Pending
from dialogue.lint.finding import Finding, Severity
from dialogue.lint.steps import Edge, Walk, has_words
from dialogue.lint.turns import SILENCE
from dialogue.script import PROTECTED_ACTS, Node, Script

SHORTEST_SILENCE_MS = 800
LONGEST_SILENCE_MS = 15_000
_UNCLEAR_BY_NATURE = frozenset({Act.FILLER, Act.OUT_OF_SCOPE})
_YES_AND_NO = frozenset({Act.AFFIRM, Act.DENY})
_YES_NO_QUESTIONS = frozenset({Pending.VERIFY_IDENTITY, Pending.ASK_PAY_TODAY, Pending.CONFIRM_PROMISE})
_ASKS_FOR_MONEY = frozenset({Pending.ASK_PAY_TODAY, Pending.ASK_PAY_DATE, Pending.CONFIRM_PROMISE})
_ENDS = {
    Act.WRONG_PERSON: Disposition.WRONG_NUMBER,
    Act.DECEASED_OR_DETAINED: Disposition.DECEASED_OR_DETAINED,
    Act.CALL_ASSISTANT: Disposition.CALL_ASSISTANT,
}


@dataclass(frozen=True, slots=True)
class _Gap:
    edge: Edge
    problem: str


def check(script: Script, walk: Walk) -> Iterator[Finding]:
    yield from _unhandled(script)
    yield from _silence_ms(script, walk)
    gaps: dict[str, list[_Gap]] = {}
    for edge in walk.answers:
        node = script.nodes[edge.before.node]
        if edge.turn.label == SILENCE:
            if problem := _silence(script, node, edge):
                gaps.setdefault(SILENCE, []).append(_Gap(edge, problem))
        elif edge.turn.plain:
            act = _answered(edge)
            if problem := _answer(script, node, edge, act):
                gaps.setdefault(act.value, []).append(_Gap(edge, problem))
    for what, found in gaps.items():
        first = found[0].edge
        where = list(dict.fromkeys(gap.edge.after.node if gap.edge.entered else gap.edge.before.node for gap in found))
        node = script.nodes[where[0]]
        yield Finding(
            Severity.ERROR,
            f"no-answer-to-{what}",
            node.place,
            f"nodes.{node.id}",
            found[0].problem + (f" (also at: {', '.join(where[1:])})" if where[1:] else ""),
            walk.path(first),
        )


def _unhandled(script: Script) -> Iterator[Finding]:
    for act in sorted(PROTECTED_ACTS - script.protected.keys()):
        yield Finding(
            Severity.ERROR,
            f"no-answer-to-{act}",
            script.source,
            "protected",
            f"nothing answers {act} anywhere; load the script with load_script, which adds what every script has",
        )


def _silence_ms(script: Script, walk: Walk) -> Iterator[Finding]:
    for node in script.nodes.values():
        ms = node.silence_ms
        if ms is None:
            ms = script.policy.silence_ms if node.id == script.start else None
        if node.ask is not None and ms is not None and not SHORTEST_SILENCE_MS <= ms <= LONGEST_SILENCE_MS:
            yield Finding(
                Severity.ERROR,
                "no-answer-to-silence",
                node.place,
                f"nodes.{node.id}",
                f"waits {ms} ms for a word; silence_ms must lie between {SHORTEST_SILENCE_MS} and {LONGEST_SILENCE_MS}",
                walk.path_to_node(node.id),
            )


def _silence(script: Script, node: Node, edge: Edge) -> str:
    if edge.end is not None or edge.handoff is not None:
        return ""
    asked = {*node.say, *node.again}
    if any(said.line_id in asked and has_words(script.lines[said.line_id]) for said in edge.lines):
        return ""
    return "who is silent hears no question; give the node say, and again in other words"


def _answered(edge: Edge) -> Act:
    """What the step answers: the turn itself, or what was kept from before the right party had confirmed."""
    kept, act = edge.before.carried, edge.turn.acts[0]
    return kept.primary if kept is not None and edge.after.verified and act in (Act.SELF, Act.AFFIRM) else act


def _answer(script: Script, node: Node, edge: Edge, act: Act) -> str:
    """What is wrong with the answer to an act that the robot understood; "" when nothing is."""
    if act in PROTECTED_ACTS:
        return _protected(act, edge)
    if act is Act.DISPUTE_DEBT and edge.after.verified:
        money = edge.end is None and edge.handoff is None and script.nodes[edge.after.node].ask in _ASKS_FOR_MONEY
        if money and not edge.not_understood:
            return "goes on asking for money after the debt is disputed; lead dispute_debt to an end or to a person"
    if not edge.not_understood or act in _UNCLEAR_BY_NATURE:
        return ""
    if act is Act.ACKNOWLEDGE or (act in _YES_AND_NO and node.ask not in _YES_NO_QUESTIONS):
        return ""  # no answer to this question: to say so is right
    if act in _YES_AND_NO:
        return f"asks a question of yes and no, but nothing answers {act}; add it to the node's `on`"
    scope = "verified" if edge.after.verified else "unverified"
    return f"nothing answers {act}; add it to reactions.{scope}, or to the node's `on`"


def _protected(act: Act, edge: Edge) -> str:
    """What every script has to do, whatever it says."""
    if act is Act.WILL_RELAY and edge.before.verified:
        return ""  # who has confirmed to be the right party has nobody to tell
    done = {
        Act.CRISIS: edge.handoff == "crisis" and "crisis" in edge.after.flags,
        Act.REQUEST_HUMAN: edge.handoff is not None,
        Act.STOP_CALLING: "stop_calling" in edge.after.flags and edge.end is not None,
        Act.COMPLAINT: "complaint" in edge.after.flags and (edge.end is not None or edge.handoff is not None),
        Act.ABUSE: "abuse" in edge.after.flags,
    }
    kept = done.get(act, not edge.not_understood)
    if kept and act in _ENDS:
        kept = edge.end is not None
    return "" if kept else f"{act} is not followed by what every script owes the customer"
