"""What is wrong with a well-formed script? Checks a bank wants before a single customer hears it.

The loader has already checked the shape and every name. Here the script is walked as a call would walk it: from its
start, with and without the right party confirmed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from dialogue.acts import Act, Pending
from dialogue.loader import inherited_lines
from dialogue.script import (
    CALL_VARIABLES,
    MANDATORY_DISCLOSURES,
    PROTECTED_ACTS,
    Do,
    Line,
    Node,
    Reaction,
    Script,
    Verdict,
    Wording,
)

MAX_LINE_S = 12.0
CHARACTERS_PER_S = 4.5
_SPOKEN_LENGTH = {
    "name": 3,
    "salutation": 5,
    "short_salutation": 3,
    "bank": 6,
    "product": 4,
    "card_tail": 4,
    "amount_due": 11,
    "min_amount": 9,
    "due_date": 6,
    "days_overdue": 4,
    "pay_date": 9,
    "pay_amount": 11,
    "callback_at": 8,
    "latest_date": 9,
    "smallest_part": 9,
}
_SILENT = re.compile(r"[、，。？！；：…\s「」（）]")
_QUESTIONS = (
    Act.ASK_AMOUNT,
    Act.ASK_DUE_DATE,
    Act.ASK_HOW_TO_PAY,
    Act.ASK_CONSEQUENCE,
    Act.ASK_IDENTITY,
    Act.ASK_IS_ROBOT,
    Act.ASK_SOURCE,
    Act.SUSPECT_SCAM,
)
_MUST_ANSWER = (
    *_QUESTIONS,
    Act.PROMISE_PAY,
    Act.PROMISE_PARTIAL,
    Act.ALREADY_PAID,
    Act.REFUSE_PAY,
    Act.HARDSHIP,
    Act.DISPUTE_DEBT,
    Act.DISPUTE_AMOUNT,
)
_NOTED = re.compile(r"登记好|(?<!没有)登记成功|记录好|已经登记|已为您登记|帮您登记了|记好了")
_STOP_WORDS_FOR_ROBOT = re.compile(r"不是机器人|我是真人|我是人工")


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    place: str  # file:line:column
    what: str  # the key: lines.greet, nodes.facts.on.deny
    problem: str  # and the way out

    def __str__(self) -> str:
        return f"{self.place}: {self.severity}: {self.what}: {self.problem}"


Spot = tuple[str, bool]  # a node, and whether the right party is confirmed there


def lint(script: Script) -> tuple[Finding, ...]:
    """All findings, errors first. No findings: the script may call."""
    found = [
        *_lines(script),
        *_repeats(script),
        *_reachable(script),
        *_debt_before_verification(script),
        *_disclosures(script),
        *_values_known(script),
        *_noted_too_early(script),
        *_handled(script),
        *_dead_ends(script),
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda f: (f.severity is not Severity.ERROR, f.place, f.what)))


def has_errors(findings: Iterable[Finding]) -> bool:
    return any(f.severity is Severity.ERROR for f in findings)


def spoken_s(wording: Wording) -> float:
    """How long a wording takes to say, estimated from its characters."""
    text = wording.template
    length = 0
    for name in re.findall(r"\{([a-z_]+)\}", text):
        length += _SPOKEN_LENGTH[name]
    rest = _SILENT.sub("", re.sub(r"\{[a-z_]+\}", "", text))
    return (length + len(rest)) / CHARACTERS_PER_S


# ---- single lines ----------------------------------------------------------------------------------------------


def _lines(script: Script) -> Iterator[Finding]:
    for line in script.lines.values():
        what = f"lines.{line.id}"
        for wording in line.wordings:
            seconds = spoken_s(wording)
            if seconds > MAX_LINE_S:
                yield Finding(
                    Severity.ERROR,
                    line.place,
                    what,
                    f"takes about {seconds:.0f} s to say, at most {MAX_LINE_S:.0f}; cut it into two lines",
                )
            for word in script.forbidden:
                if word in wording.template:
                    yield Finding(Severity.ERROR, line.place, what, f"contains the forbidden word 「{word}」")
            if _STOP_WORDS_FOR_ROBOT.search(wording.template):
                yield Finding(Severity.ERROR, line.place, what, "denies being a machine; the robot admits it")
            for clause in wording.clauses:
                alone = CALL_VARIABLES.intersection(clause.variables)
                if alone and len(re.sub(r"\{[a-z_]+\}", "", _SILENT.sub("", clause.template))) > 2:
                    yield Finding(
                        Severity.WARNING,
                        line.place,
                        what,
                        f"「{clause.template}」 is synthesised while the customer waits; "
                        f"put {{{sorted(alone)[0]}}} between commas, in a clause of its own",
                    )
    used, inherited = _used_lines(script), inherited_lines()
    for line_id in sorted(script.own_lines - used):
        if line_id in inherited:
            continue
        line = script.lines[line_id]
        yield Finding(Severity.WARNING, line.place, f"lines.{line_id}", "is never said; use it or delete it")


def _used_lines(script: Script) -> set[str]:
    used = {line for node in script.nodes.values() for line in node.say + node.again}
    for _, reaction in _all_reactions(script):
        used.update(reaction.say)
    return used


def _repeats(script: Script) -> Iterator[Finding]:
    for node in script.nodes.values():
        if node.ask is None:
            continue
        again = [script.lines[line_id] for line_id in node.again]
        if not again or sum(len(line.wordings) for line in again) < 2:
            yield Finding(
                Severity.ERROR,
                node.place,
                f"nodes.{node.id}",
                "asks, so it may have to ask again: give `again` a line of at least two wordings",
            )


# ---- the walk --------------------------------------------------------------------------------------------------


def _all_reactions(script: Script) -> Iterator[tuple[str, Reaction]]:
    for node in script.nodes.values():
        for act, r in node.on.items():
            yield f"nodes.{node.id}.on.{act}", r
        if node.otherwise:
            yield f"nodes.{node.id}.otherwise", node.otherwise
    for scope in ("anywhere", "unverified", "verified"):
        for act, r in getattr(script.reactions, scope).items():
            yield f"reactions.{scope}.{act}", r
    for verdict, r in script.offers.items():
        yield f"offers.{verdict}", r
    for act, r in script.protected.items():
        yield f"protected.{act}", r


def _reactions_at(script: Script, node: Node, verified: bool) -> Iterator[tuple[str, Reaction]]:
    """Every reaction that can follow while the call waits at this node."""
    if node.ask is None:
        return
    seen: set[Act] = set()
    for act, r in node.on.items():
        seen.add(act)
        yield f"nodes.{node.id}.on.{act}", r
    if node.otherwise:
        yield f"nodes.{node.id}.otherwise", node.otherwise
    scopes = [("verified" if verified else "unverified"), "anywhere"]
    if verified or node.otherwise is None:
        for scope in scopes:
            for act, r in getattr(script.reactions, scope).items():
                if act not in seen:
                    seen.add(act)
                    yield f"reactions.{scope}.{act}", r
    for act, r in script.protected.items():
        if act not in seen:
            yield f"protected.{act}", r


def _next_spots(script: Script, node: Node, verified: bool) -> Iterator[Spot]:
    if node.then:
        yield node.then, verified
    if node.exhausted:
        yield node.exhausted, verified
    for name, r in _reactions_at(script, node, verified):
        protected = name.startswith("protected.") and r.go is not None
        yield from _follow(script, r, (verified or r.right_party) and not protected)


def _follow(script: Script, r: Reaction, verified: bool) -> Iterator[Spot]:
    if r.go:
        yield r.go, verified
    if r.do is Do.CALLBACK:
        yield "callback_ask", verified
    elif r.do is Do.STORE:
        for node_id in (script.stored, script.store_failed):
            if node_id is not None:
                yield node_id, verified
    elif r.do is Do.OFFER:
        for verdict in Verdict:
            if verdict in script.offers:
                yield from _follow(script, script.offers[verdict], verified)


def _walk(script: Script) -> dict[Spot, Spot | None]:
    """Every spot a call can come to, with the spot it came from."""
    came_from: dict[Spot, Spot | None] = {(script.start, False): None}
    todo: list[Spot] = [(script.start, False)]
    while todo:
        spot = todo.pop()
        for following in _next_spots(script, script.nodes[spot[0]], spot[1]):
            if following not in came_from:
                came_from[following] = spot
                todo.append(following)
    return came_from


def _way(came_from: dict[Spot, Spot | None], spot: Spot) -> str:
    names: list[str] = []
    at: Spot | None = spot
    while at is not None:
        names.insert(0, at[0])
        at = came_from[at]
    return " > ".join(names)


def _reachable(script: Script) -> Iterator[Finding]:
    reached = {node_id for node_id, _ in _walk(script)}
    for node_id in sorted(script.own_nodes - reached):
        node = script.nodes[node_id]
        yield Finding(Severity.ERROR, node.place, f"nodes.{node_id}", "no call can come here; lead to it or delete it")


def _said_at(script: Script, node: Node, verified: bool) -> Iterator[tuple[str, Line]]:
    for line_id in node.say + node.again:
        yield f"nodes.{node.id}", script.lines[line_id]
    for name, r in _reactions_at(script, node, verified):
        for line_id in r.say:
            if r.right_party and not verified:
                continue
            yield name, script.lines[line_id]


def _debt_before_verification(script: Script) -> Iterator[Finding]:
    walk = _walk(script)
    for spot in walk:
        node_id, verified = spot
        if verified:
            continue
        for where, line in _said_at(script, script.nodes[node_id], False):
            if line.tells_debt:
                yield Finding(
                    Severity.ERROR,
                    line.place,
                    f"lines.{line.id}",
                    f"tells of a debt, but can be said before the right party confirmed ({where}, by "
                    f"{_way(walk, spot)}); word it neutrally or put right_party: true on the way",
                )


def _disclosures(script: Script) -> Iterator[Finding]:
    """On every way to the first line that tells of the debt, who calls, the machine and the recording come first."""
    start: tuple[str, bool, frozenset[str]] = (script.start, False, frozenset())
    seen, todo = {start}, [start]
    while todo:
        node_id, verified, known = todo.pop()
        node = script.nodes[node_id]
        for line_id in node.say:
            line = script.lines[line_id]
            missing = MANDATORY_DISCLOSURES - known
            if verified and line.tells_debt and missing:
                yield Finding(
                    Severity.ERROR,
                    line.place,
                    f"lines.{line_id}",
                    f"is said at nodes.{node_id} before the customer knows: {', '.join(sorted(missing))}; "
                    f"say a line that discloses it first",
                )
            if not line.interruptible or "debt" in line.discloses:
                known = known | frozenset(line.discloses)
            elif MANDATORY_DISCLOSURES & set(line.discloses):
                yield Finding(
                    Severity.ERROR,
                    line.place,
                    f"lines.{line_id}",
                    "a disclosure that can be interrupted may go unheard; add interruptible: false",
                )
        for following, confirmed in _next_spots(script, node, verified):
            at = (following, confirmed, known)
            if at not in seen:
                seen.add(at)
                todo.append(at)


def _values_known(script: Script) -> Iterator[Finding]:
    """Lines with a promised day or amount may only be said where an offer is complete."""
    complete: set[str] = set()
    todo = [r.go for v, r in script.offers.items() if v is Verdict.OK and r.go] + [script.stored or ""]
    while todo:
        node_id = todo.pop()
        node = script.nodes.get(node_id)
        if node is None or node_id in complete:
            continue
        complete.add(node_id)
        if node.then:
            todo.append(node.then)
    allowed = {line for node_id in complete for line in (*script.nodes[node_id].say, *script.nodes[node_id].again)}
    if Verdict.OK in script.offers:
        allowed.update(script.offers[Verdict.OK].say)
    for name, r in _all_reactions(script):
        owner = name.split(".")[1]
        if name.startswith("nodes.") and owner in complete and (r.stays or r.do is Do.STORE):
            allowed.update(r.say)
    for node in script.nodes.values():
        for line_id in node.say + node.again:
            yield from _unknown_value(script, line_id, node.id in complete)
    for name, r in _all_reactions(script):
        for line_id in r.say:
            yield from _unknown_value(script, line_id, line_id in allowed, name)


def _unknown_value(script: Script, line_id: str, known: bool, where: str = "") -> Iterator[Finding]:
    line = script.lines[line_id]
    needs = {"pay_date", "pay_amount"}.intersection(line.variables)
    if "callback_at" in line.variables and line_id != "callback_at":
        yield Finding(
            Severity.ERROR, line.place, f"lines.{line_id}", "{callback_at} is only known in the line callback_at"
        )
    if needs and not known:
        yield Finding(
            Severity.ERROR,
            line.place,
            f"lines.{line_id}",
            f"needs {{{sorted(needs)[0]}}}, which is not known {where or 'there'}; "
            f"use it only in the node that offers.ok leads to, and after",
        )


def _noted_too_early(script: Script) -> Iterator[Finding]:
    after: set[str] = set()
    node_id = script.stored
    while node_id and node_id not in after:
        after.add(node_id)
        node_id = script.nodes[node_id].then
    allowed = {line for n in after for line in script.nodes[n].say}
    for line_id in sorted(_used_lines(script) - allowed):
        line = script.lines[line_id]
        if any(_NOTED.search(w.template) for w in line.wordings) and line_id in script.own_lines:
            yield Finding(
                Severity.ERROR,
                line.place,
                f"lines.{line_id}",
                "says that something is registered before it is stored; only the node under `stored` may say so",
            )


# ---- what must be handled --------------------------------------------------------------------------------------


def _handled(script: Script) -> Iterator[Finding]:
    """Silence, a wish for a person, no more calls, a crisis: inherited, so here only what a script can still spoil."""
    for act in sorted(PROTECTED_ACTS - script.protected.keys()):
        yield Finding(Severity.ERROR, script.source, "protected", f"{act} is not handled")
    for line_id in ("silence", "not_understood", "repeat_lead"):
        line = script.lines[line_id]
        if len({w.template for w in line.wordings}) < 2:
            yield Finding(
                Severity.ERROR, line.place, f"lines.{line_id}", "is said again and again: give it two wordings or more"
            )
    for act in _MUST_ANSWER:
        if act not in script.reactions.verified and act not in script.reactions.anywhere:
            yield Finding(
                Severity.ERROR,
                script.source,
                "reactions.verified",
                f"nothing answers {act}; add a reaction",
            )
    for name, r in _all_reactions(script):
        is_question = name.split(".")[-1] in _QUESTIONS
        wordings = sum(len(script.lines[line_id].wordings) for line_id in r.say)
        if is_question and name.startswith("reactions.verified") and r.stays and wordings < 2:
            yield Finding(Severity.WARNING, r.place, name, "may be asked twice; give its answer two wordings")
    for node in script.nodes.values():
        if node.ask is Pending.CONFIRM_PROMISE and not any(r.do is Do.STORE for r in node.on.values()):
            yield Finding(
                Severity.ERROR, node.place, f"nodes.{node.id}", "reads a promise back, but no answer does: store"
            )


def _dead_ends(script: Script) -> Iterator[Finding]:
    """From every node an end must be reachable by way of the customer's own words, and no chain may go in circles."""
    for node in script.nodes.values():
        seen: set[str] = set()
        at: Node | None = node
        while at is not None and at.ask is None and at.then is not None:
            if at.id in seen:
                yield Finding(
                    Severity.ERROR, node.place, f"nodes.{node.id}", "goes in a circle without asking; let one node ask"
                )
                break
            seen.add(at.id)
            at = script.nodes[at.then]
    ends = {n.id for n in script.nodes.values() if n.end or n.handoff}
    grew = True
    while grew:
        grew = False
        for node in script.nodes.values():
            if node.id in ends:
                continue
            ways = [*node.on.values(), *([node.otherwise] if node.otherwise else [])]
            leads = {n for r in ways for n, _ in _follow(script, r, True)} | {node.then, node.exhausted}
            general = script.reactions.verified.values() if node.ask else ()
            leads |= {n for r in general for n, _ in _follow(script, r, True)}
            if leads & ends or any(r.end or r.handoff for r in ways):
                ends.add(node.id)
                grew = True
    for node_id in sorted(script.nodes.keys() - ends):
        node = script.nodes[node_id]
        yield Finding(Severity.ERROR, node.place, f"nodes.{node_id}", "no answer leads from here to an end; add one")
