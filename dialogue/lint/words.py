"""Are the lines fit to be said: short, decent, honest, and not the same twice?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dialogue.lint.finding import Finding, Severity
from dialogue.lint.steps import Walk
from dialogue.lint.turns import SILENCE
from dialogue.loader import inherited_lines
from dialogue.protocol import Speak
from dialogue.script import CALL_VARIABLES, Line, Reaction, Script, Wording

MAX_LINE_S = 12.0
CHARACTERS_PER_S = 4.5
_OFTEN = ("silence", "not_understood", "repeat_lead")
_SILENT = re.compile(r"[、，。？！；：…\s「」『』“”（）]")
_VARIABLE = re.compile(r"\{([a-z_]+)\}")
_DENIES = re.compile(r"不是(机器人|机器|语音助手)|我是(真人|人工)")
_LONGEST = {
    "name": "欧阳建国",
    "salutation": "欧阳建国先生",
    "short_salutation": "欧阳先生",
    "bank": "中国邮政储蓄银行",
    "product": "个人消费贷款",
    "card_tail": "三三四四",
    "amount_due": "十九万八千七百六十五点四三元",
    "min_amount": "一万九千八百七十六点五四元",
    "due_date": "十二月二十八日",
    "days_overdue": "二十八天",
    "pay_date": "下周三十二月二十八日",
    "pay_amount": "十九万八千七百六十五点四三元",
    "callback_at": "十二月二十八日晚上十一点四十五分",
    "latest_date": "下周三十二月二十八日",
    "smallest_part": "一万九千八百七十六点五四元",
}
"""The values at their longest, as they are spoken."""


def check(script: Script, walk: Walk) -> Iterator[Finding]:
    for line in script.lines.values():
        for rule, problem in _faults(script, line):
            yield Finding(Severity.ERROR, rule, line.place, f"lines.{line.id}", problem, walk.path_to_line(line.id))
        yield from _live(line, walk)
    yield from _never_said(script)
    yield from _worn_out(script, walk)
    yield from _twice(script, walk)


def spoken_s(wording: Wording) -> float:
    """How long a wording takes to say with its values at their longest, estimated from its characters."""
    text = _VARIABLE.sub(lambda m: _LONGEST[m[1]], wording.template)
    return len(_SILENT.sub("", text)) / CHARACTERS_PER_S


def _faults(script: Script, line: Line) -> Iterator[tuple[str, str]]:
    seconds = max(spoken_s(wording) for wording in line.wordings)
    if seconds > MAX_LINE_S:
        problem = f"takes up to {seconds:.0f} s to say, at most {MAX_LINE_S:.0f}; cut it into two lines"
        yield "line-too-long", problem
    for wording in line.wordings:
        for word in script.forbidden:
            if word in wording.template:
                yield "forbidden-word", f"contains the forbidden word 「{word}」; say it in another way"
        if _DENIES.search(wording.template):
            yield "denies-being-a-robot", "denies being a machine; the robot admits it"


def _live(line: Line, walk: Walk) -> Iterator[Finding]:
    for clause in (c for w in line.wordings for c in w.clauses):
        alone = CALL_VARIABLES.intersection(clause.variables)
        if alone and len(_VARIABLE.sub("", _SILENT.sub("", clause.template))) > 2:
            yield Finding(
                Severity.WARNING,
                "clause-rendered-live",
                line.place,
                f"lines.{line.id}",
                f"「{clause.template}」 is synthesised while the customer waits; "
                f"put {{{min(alone)}}} between commas, in a clause of its own",
                walk.path_to_line(line.id),
            )


def _never_said(script: Script) -> Iterator[Finding]:
    used = {line_id for node in script.nodes.values() for line_id in node.say + node.again}
    used.update(line_id for reaction in _reactions(script) for line_id in reaction.say)
    for line_id in sorted(script.own_lines - used - inherited_lines()):
        line = script.lines[line_id]
        problem = "is never said; use it or delete it"
        yield Finding(Severity.WARNING, "line-never-said", line.place, f"lines.{line_id}", problem)


def _reactions(script: Script) -> Iterator[Reaction]:
    for node in script.nodes.values():
        yield from node.on.values()
        if node.otherwise is not None:
            yield node.otherwise
    for scope in (script.reactions.anywhere, script.reactions.unverified, script.reactions.verified):
        yield from scope.values()
    yield from script.offers.values()
    yield from script.protected.values()


def _worn_out(script: Script, walk: Walk) -> Iterator[Finding]:
    """Lines that lead every repetition need other words each time themselves."""
    for line_id in _OFTEN:
        line = script.lines[line_id]
        if len({w.template for w in line.wordings}) < 2:
            yield Finding(
                Severity.ERROR,
                "same-words-twice",
                line.place,
                f"lines.{line_id}",
                "is said again and again; give it two wordings or more",
                walk.path_to_line(line_id),
            )


def _twice(script: Script, walk: Walk) -> Iterator[Finding]:
    for edge in walk.answers:
        silent = edge.turn.label == SILENCE
        assert edge.source is not None
        came_by = walk.came_by[edge.source]
        rounds = [(edge.speaks, edge.again)] if edge.again else []
        if silent:
            rounds.insert(0, (came_by.speaks, edge.speaks))
        for first, second in rounds:
            for line_id in sorted(_same(first, second) - set(_OFTEN)):
                line = script.lines[line_id]
                node = script.nodes[edge.before.node]
                if not silent and (line_id not in script.own_lines or line_id in node.say + node.again):
                    continue
                hops = walk.path(edge) + (edge.hops if second is edge.again else ())
                if silent:
                    yield Finding(
                        Severity.ERROR,
                        "same-words-twice",
                        node.place,
                        f"nodes.{node.id}",
                        f"asks the silent customer in the same words twice running (lines.{line_id}); "
                        f"give `again` a line of at least two wordings",
                        hops,
                    )
                else:
                    yield Finding(
                        Severity.WARNING,
                        "same-words-twice",
                        line.place,
                        f"lines.{line_id}",
                        f"answers {edge.turn.label} in the same words when it is asked twice; give it two wordings",
                        hops,
                    )


def _same(first: tuple[Speak, ...], second: tuple[Speak, ...]) -> set[str]:
    texts = {speak.text for speak in first}
    return {speak.line_id for speak in second if speak.text in texts}
