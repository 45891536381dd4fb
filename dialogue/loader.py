"""Is this text a call script? YAML in, a `Script` out, or a ScriptError that names line, column, key and way out.

Checked here: the shape, the names of acts, questions, dispositions and variables, and that every line and node that is
named exists. What else can be wrong with a well-formed script is the business of `dialogue.lint`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import TypeVar

from dialogue.acts import Act, Disposition, Pending
from dialogue.base import BASE
from dialogue.script import (
    PROTECTED_ACTS,
    VARIABLES,
    Do,
    Line,
    Node,
    Policy,
    Reaction,
    Reactions,
    Script,
    ScriptError,
    Verdict,
    Wording,
)
from dialogue.vulnerability import Vulnerability
from dialogue.yamltree import Tree, parse, suggest

K = TypeVar("K", bound=StrEnum)

_ID = re.compile(r"[a-z][a-z0-9_]*$")
_NAME_IN_BRACES = re.compile(r"\{([^{}]*)\}")
_DISCLOSURES = ("identity", "ai", "recorded", "debt")
_TOP = (
    "script",
    "version",
    "stage",
    "language",
    "start",
    "constants",
    "policy",
    "forbidden",
    "lines",
    "nodes",
    "reactions",
    "offers",
    "stored",
    "store_failed",
)
_NODE = (
    "say",
    "ask",
    "again",
    "on",
    "otherwise",
    "limit",
    "exhausted",
    "answers",
    "phrases",
    "then",
    "end",
    "handoff",
    "silence_ms",
)


def load_script(text: str, source: str = "script") -> Script:
    """Read a script. `source` is the file's name, for messages. Raises ScriptError."""
    base = _base()
    top = parse(text, source).fields(_TOP, ("script", "version", "stage", "start", "lines", "nodes"))
    constants = {k: v.text() for k, v in top["constants"].mapping().items()} if "constants" in top else {}
    own_lines = _lines(top["lines"], constants)
    own_nodes = _nodes(top["nodes"])
    for clash in sorted(own_nodes.keys() & base.nodes.keys()):
        raise (
            top["nodes"]
            .mapping()[clash]
            .fail(
                f"the node {clash!r} is inherited by every script; word its lines instead, or name this one otherwise"
            )
        )
    offers_tree = top.get("offers")
    script = Script(
        name=_identifier(top["script"]),
        version=top["version"].text(),
        stage=top["stage"].text(),
        language=top["language"].text() if "language" in top else "zh-CN",
        start=top["start"].text(),
        policy=_policy(top["policy"]) if "policy" in top else Policy(),
        lines={**base.lines, **own_lines},
        nodes={**base.nodes, **own_nodes},
        reactions=_merged(base.reactions, _reactions(top["reactions"]) if "reactions" in top else Reactions()),
        protected=base.protected,
        vulnerable=base.vulnerable,
        offers=_by_name(Verdict, offers_tree) if offers_tree else {},
        stored=top["stored"].text() if "stored" in top else None,
        store_failed=top["store_failed"].text() if "store_failed" in top else None,
        forbidden=top["forbidden"].texts() if "forbidden" in top else (),
        source=source,
        own_lines=frozenset(own_lines),
        own_nodes=frozenset(own_nodes),
    )
    _check_names(script, top)
    return script


def inherited_lines() -> frozenset[str]:
    """The lines that every script has and may word anew."""
    return frozenset(_base().lines)


@cache
def _base() -> Script:
    top = parse(BASE, "base").fields(("lines", "nodes", "protected", "vulnerable", "reactions"))
    return Script(
        name="base",
        version="1",
        stage="",
        language="zh-CN",
        start="",
        policy=Policy(),
        lines=_lines(top["lines"], {}),
        nodes=_nodes(top["nodes"], protected_allowed=True),
        reactions=_reactions(top["reactions"]),
        protected=_by_name(Act, top["protected"]),
        vulnerable=_by_name(Vulnerability, top["vulnerable"]),
        offers={},
        stored=None,
        store_failed=None,
    )


def _identifier(tree: Tree) -> str:
    name = tree.text()
    if not _ID.match(name):
        raise tree.fail(f"{name!r} is no name; use small letters, digits and _, beginning with a letter")
    return name


def _lines(tree: Tree, constants: Mapping[str, str]) -> dict[str, Line]:
    out: dict[str, Line] = {}
    for line_id, entry in tree.mapping().items():
        if not _ID.match(line_id):
            raise entry.fail(f"{line_id!r} is no line name; use small letters, digits and _")
        interruptible, words = True, entry
        discloses: tuple[str, ...] = ()
        if entry.is_mapping:
            fields = entry.fields(("say", "interruptible", "discloses"), ("say",))
            words = fields["say"]
            interruptible = fields["interruptible"].flag() if "interruptible" in fields else True
            discloses = fields["discloses"].texts() if "discloses" in fields else ()
            for what in discloses:
                if what not in _DISCLOSURES:
                    raise fields["discloses"].fail(f"unknown {what!r}; {suggest(what, _DISCLOSURES)}")
        wordings = tuple(_wording(text, words, constants) for text in words.texts())
        if not wordings:
            raise words.fail("has no wording; write at least one")
        out[line_id] = Line(line_id, wordings, interruptible, discloses, entry.place)
    return out


def _wording(text: str, tree: Tree, constants: Mapping[str, str]) -> Wording:
    for name in _NAME_IN_BRACES.findall(text):
        if name in constants:
            text = text.replace("{" + name + "}", constants[name])
        elif name not in VARIABLES:
            known = sorted(VARIABLES | constants.keys())
            raise tree.fail(f"unknown variable {{{name}}}; {suggest(name, known)}")
    return Wording(text)


def _policy(tree: Tree) -> Policy:
    known = tuple(Policy.__dataclass_fields__)
    f, d = tree.fields(known), Policy()

    def whole(key: str, default: int, least: int = 0) -> int:
        if key not in f:
            return default
        value = f[key].number(int, "whole number")
        if value < least:
            raise f[key].fail(f"{value} is too small; at least {least}")
        return value

    share = d.smallest_part_share
    if "smallest_part_share" in f:
        share = f["smallest_part_share"].number(Decimal, "number")
        if not share.is_finite() or not 0 <= share <= 1:
            raise f["smallest_part_share"].fail("must lie between 0 and 1 (0.1: a tenth of the amount due)")
    return Policy(
        max_days_ahead=whole("max_days_ahead", d.max_days_ahead),
        smallest_part_share=share,
        by_due_date=f["by_due_date"].flag() if "by_due_date" in f else d.by_due_date,
        assume_due_date=f["assume_due_date"].flag() if "assume_due_date" in f else d.assume_due_date,
        max_turns=whole("max_turns", d.max_turns, 1),
        lost_to_person=f["lost_to_person"].flag() if "lost_to_person" in f else d.lost_to_person,
        silence_ms=whole("silence_ms", d.silence_ms, 1000),
    )


def _reaction(tree: Tree) -> Reaction:
    if not tree.is_mapping:
        return Reaction(go=tree.text(), place=tree.place)
    f = tree.fields(("say", "go", "end", "handoff", "do", "flags", "right_party"))
    leads = [k for k in ("go", "end", "handoff", "do") if k in f]
    if len(leads) > 1:
        raise tree.fail(f"{' and '.join(leads)} exclude each other; keep one")
    return Reaction(
        say=f["say"].texts() if "say" in f else (),
        go=f["go"].text() if "go" in f else None,
        end=f["end"].one_of(Disposition) if "end" in f else None,
        handoff=f["handoff"].text() if "handoff" in f else None,
        do=f["do"].one_of(Do) if "do" in f else None,
        flags=f["flags"].texts() if "flags" in f else (),
        right_party=f["right_party"].flag() if "right_party" in f else False,
        place=tree.place,
    )


def _by_act(tree: Tree, protected_allowed: bool = False) -> dict[Act, Reaction]:
    reactions = _by_name(Act, tree)
    for act, entry in tree.mapping().items():
        if Act(act) in PROTECTED_ACTS and not protected_allowed:
            raise entry.fail(
                f"{act} is handled the same way in every script and cannot be changed; "
                f"to word it, write a line with the name that docs/scripts.md gives"
            )
    return reactions


def _by_name(kind: type[K], tree: Tree) -> dict[K, Reaction]:
    out: dict[K, Reaction] = {}
    for name, entry in tree.mapping().items():
        try:
            key = kind(name)
        except ValueError:
            raise entry.fail(f"unknown {kind.__name__.lower()} {name!r}; {suggest(name, tuple(kind))}") from None
        out[key] = _reaction(entry)
    return out


def _reactions(tree: Tree) -> Reactions:
    f = tree.fields(("anywhere", "unverified", "verified"))
    return Reactions(**{key: _by_act(value) for key, value in f.items()})


def _merged(base: Reactions, own: Reactions) -> Reactions:
    return Reactions(
        {**base.anywhere, **own.anywhere},
        {**base.unverified, **own.unverified},
        {**base.verified, **own.verified},
    )


def _nodes(tree: Tree, protected_allowed: bool = False) -> dict[str, Node]:
    out: dict[str, Node] = {}
    for node_id, entry in tree.mapping().items():
        if not _ID.match(node_id):
            raise entry.fail(f"{node_id!r} is no node name; use small letters, digits and _")
        f = entry.fields(_NODE)
        ways = [k for k in ("ask", "then", "end", "handoff") if k in f]
        if len(ways) != 1:
            problem = f"{' and '.join(ways)} exclude each other" if ways else "leads nowhere"
            raise entry.fail(f"{problem}; a node has exactly one of ask, then, end, handoff")
        out[node_id] = Node(
            id=node_id,
            say=f["say"].texts() if "say" in f else (),
            ask=f["ask"].one_of(Pending) if "ask" in f else None,
            again=f["again"].texts() if "again" in f else (),
            on=_by_act(f["on"], protected_allowed) if "on" in f else {},
            otherwise=_reaction(f["otherwise"]) if "otherwise" in f else None,
            limit=f["limit"].number(int, "whole number") if "limit" in f else None,
            exhausted=f["exhausted"].text() if "exhausted" in f else None,
            answers=f["answers"].texts() if "answers" in f else (),
            phrases=f["phrases"].texts() if "phrases" in f else (),
            then=f["then"].text() if "then" in f else None,
            end=f["end"].one_of(Disposition) if "end" in f else None,
            handoff=f["handoff"].text() if "handoff" in f else None,
            silence_ms=f["silence_ms"].number(int, "whole number") if "silence_ms" in f else None,
            place=entry.place,
        )
        if ("limit" in f) != ("exhausted" in f):
            raise entry.fail("limit and exhausted belong together: how often to ask, and the node that follows then")
    return out


def _check_names(script: Script, top: Mapping[str, Tree]) -> None:
    def known(place: str, where: str, kind: str, names: Iterable[str | None], of: Collection[str]) -> None:
        for name in names:
            if name is not None and name not in of:
                raise ScriptError(f"{place}: {where}: unknown {kind} {name!r}; {suggest(name, sorted(of))}")

    def reaction(where: str, r: Reaction) -> None:
        known(r.place, where, "line", r.say, script.lines)
        known(r.place, where, "node", (r.go,), script.nodes)
        if r.do is Do.STORE:
            if script.stored is None or script.store_failed is None:
                raise ScriptError(
                    f"{r.place}: {where}: do: store needs the top-level keys stored and store_failed: "
                    f"the nodes that follow when the promise is written, and when it could not be"
                )
        elif r.do is Do.OFFER and (missing := [v for v in Verdict if v not in script.offers]):
            raise ScriptError(
                f"{r.place}: {where}: do: offer needs a reaction for every verdict under offers; "
                f"missing: {', '.join(missing)}"
            )

    for key in ("start", "stored", "store_failed"):
        if key in top:
            known(top[key].place, key, "node", (top[key].text(),), script.nodes)
    for node in script.nodes.values():
        at = f"nodes.{node.id}"
        known(node.place, at, "line", node.say + node.again, script.lines)
        known(node.place, at, "node", (node.then, node.exhausted), script.nodes)
        for act, r in node.on.items():
            reaction(f"{at}.on.{act}", r)
        if node.otherwise:
            reaction(f"{at}.otherwise", node.otherwise)
    for scope in ("anywhere", "unverified", "verified"):
        for act, r in getattr(script.reactions, scope).items():
            reaction(f"reactions.{scope}.{act}", r)
    for verdict, r in script.offers.items():
        if r.do is not None:
            raise ScriptError(f"{r.place}: offers.{verdict}: do: {r.do} cannot follow a verdict; name a node with go")
        reaction(f"offers.{verdict}", r)
    for act, r in script.protected.items():
        reaction(f"protected.{act}", r)
