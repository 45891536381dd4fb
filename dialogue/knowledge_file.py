"""Is this text a knowledge file? YAML in, a `Knowledge` out, or a ScriptError that names the place and the way out.

knowledge:
  early_settlement:
    asks: [能提前还清吗, 提前还有手续费吗]
    answer: 可以提前还清，有没有费用，以合同为准。
"""

from __future__ import annotations

import re
from dataclasses import replace

from dialogue.knowledge import Entry, Knowledge, grams
from dialogue.script import Line, Script, ScriptError, Wording
from dialogue.yamltree import Tree, parse

_ID = re.compile(r"[a-z][a-z0-9_]*$")


def load_knowledge(text: str, source: str = "knowledge") -> Knowledge:
    """Read a knowledge file. Raises ScriptError naming file, line and way out."""
    top = parse(text, source).fields(("knowledge",), ("knowledge",))
    return Knowledge(tuple(_entry(name, tree) for name, tree in top["knowledge"].mapping().items()))


def with_knowledge(script: Script, knowledge: Knowledge) -> Script:
    """The script, able to answer what the bank knows: each answer becomes a line of it."""
    lines = {e.line_id: Line(e.line_id, (Wording(e.answer),), place=e.place) for e in knowledge.entries}
    clash = sorted(lines.keys() & script.lines.keys())
    if clash:
        raise ScriptError(
            f"{script.source}: the line {clash[0]!r} has the name of a knowledge entry; call it otherwise"
        )
    return replace(script, lines={**script.lines, **lines}, knowledge=knowledge)


def _entry(name: str, tree: Tree) -> Entry:
    if not _ID.match(name):
        raise tree.fail(f"{name!r} is no name; use small letters, digits and _, beginning with a letter")
    f = tree.fields(("asks", "answer"), ("asks", "answer"))
    asks = f["asks"].texts()
    if not asks or not all(grams(ask) for ask in asks):
        raise f["asks"].fail("give at least one way of asking, in words")
    return Entry(name, asks, f["answer"].text(), tree.place)
