"""Is this strategy file one that can be followed? Reads YAML; errors name file, line, key, problem and way out."""

from __future__ import annotations

import re
from datetime import time, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from dialogue.acts import Disposition
from dialogue.script import ScriptError
from dialogue.yamltree import Tree, parse
from voicebot.settings import PROJECT_ROOT
from voicebot.strategy.model import After, Condition, Means, Reaction, Retry, Segment, Step, Strategy, Then, Window

FOLDER = PROJECT_ROOT / "config" / "strategies"
NOBODY_REACHED = frozenset(
    {
        Disposition.NO_ANSWER,
        Disposition.BUSY,
        Disposition.REJECTED,
        Disposition.POWERED_OFF,
        Disposition.INVALID_NUMBER,
        Disposition.SUSPENDED,
        Disposition.UNREACHABLE,
        Disposition.FAILED,
        Disposition.CALL_ASSISTANT,
    }
)
"""Endings that `retries` must speak of; `reactions` of all the others."""


class StrategyError(ValueError):
    """A strategy that cannot be followed; the message names the place and the way out."""


def current_strategy(name: str) -> Strategy:
    """As `load_strategy`, read again only when the file has changed."""
    path = _file_of(name, FOLDER)
    try:
        return _read(name, path.stat().st_mtime_ns)
    except OSError:
        return load_strategy(name)  # says what is wrong


@lru_cache(64)
def _read(name: str, changed: int) -> Strategy:
    return load_strategy(name)


def _file_of(name: str, folder: Path) -> Path:
    return Path(name) if name.endswith(".yaml") else folder / f"{name}.yaml"


def load_strategy(name: str, folder: Path = FOLDER) -> Strategy:
    """By its name, or by its file. Raises StrategyError."""
    path = _file_of(name, folder)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        there = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise StrategyError(f"{path}: no such strategy ({e}); there are: {there}") from e
    try:
        return _strategy(parse(text, str(path)))
    except ScriptError as e:
        raise StrategyError(str(e)) from e


def _strategy(tree: Tree) -> Strategy:
    must = ("strategy", "version", "windows", "message_at", "segments", "retries", "reactions")
    fields = tree.fields((*must, "remind"), must)
    segments = tuple(_segment(item) for item in fields["segments"].items())
    names = [step.name for segment in segments for step in segment.steps]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise fields["segments"].fail(f"two steps are called {twice[0]}; what was done is counted by a step's name")
    if not segments or segments[-1].when != Condition():
        raise fields["segments"].fail("the last segment must take every case that is left: write `when: {}`")
    return Strategy(
        name=fields["strategy"].text(),
        version=fields["version"].text(),
        windows=_windows(fields["windows"]),
        message_at=fields["message_at"].number(time.fromisoformat, "time of the day like 09:30"),
        segments=segments,
        retries=_by_ending(fields["retries"], NOBODY_REACHED, _retry),
        reactions=_by_ending(fields["reactions"], frozenset(Disposition) - NOBODY_REACHED, _reaction),
        remind=fields["remind"].text() if "remind" in fields else None,
    )


def _by_ending(tree: Tree, endings, read):  # type: ignore[no-untyped-def]
    """A value for each of these endings, and for no other."""
    found = {}
    for key, value in tree.mapping().items():
        if key not in set(endings):
            wrong = key in set(Disposition)
            where = "it stands in the other list" if wrong else f"known are {', '.join(sorted(endings))}"
            raise value.fail(f"{key} does not belong here; {where}")
        found[Disposition(key)] = read(value)
    if absent := sorted(set(endings) - set(found)):
        raise tree.fail(f"nothing is said of {absent[0]}; every ending of a call needs an answer")
    return found


def _segment(tree: Tree) -> Segment:
    fields = tree.fields(("name", "when", "steps"), ("name", "when", "steps"))
    steps = tuple(_step(item) for item in fields["steps"].items())
    if not steps:
        raise fields["steps"].fail("a segment without a step leaves its cases lying; write one")
    return Segment(fields["name"].text(), _condition(fields["when"]), steps)


def _condition(tree: Tree) -> Condition:
    numbers = ("days_from", "days_to", "broken_from")
    amounts = ("amount_from", "amount_to")
    fields = tree.fields(("stages", "risks", "share", *numbers, *amounts))
    read: dict[str, object] = {n: fields[n].number(int, "whole number") for n in numbers if n in fields}
    read |= {n: fields[n].number(Decimal, "amount in yuan") for n in amounts if n in fields}
    read |= {n: frozenset(fields[n].texts()) for n in ("stages", "risks") if n in fields}
    if "share" in fields:
        ends = [item.number(int, "whole number") for item in fields["share"].items()]
        if len(ends) != 2 or not 0 <= ends[0] < ends[1] <= 100:
            raise fields["share"].fail("expected two numbers from 0 to 100, like [0, 50]")
        read["share"] = (ends[0], ends[1])
    return Condition(**read)  # type: ignore[arg-type]


def _step(tree: Tree) -> Step:
    must = ("name", "means", "content", "days")
    fields = tree.fields((*must, "every_days", "per_day"), must)
    days = [item.number(int, "whole number") for item in fields["days"].items()]
    if len(days) != 2 or days[0] > days[1]:
        raise fields["days"].fail("expected the first and the last day overdue, like [3, 7]")
    more = {n: fields[n].number(_positive, "whole number above 0") for n in ("every_days", "per_day") if n in fields}
    means = fields["means"].one_of(Means)
    return Step(fields["name"].text(), means, fields["content"].text(), days[0], days[1], **more)


def _retry(tree: Tree) -> Retry:
    fields = tree.fields(("after", "times"), ("after", "times"))
    raw = fields["after"].text()
    if named := re.fullmatch(r"(\d+)([mh])", raw):
        after: After | timedelta = timedelta(minutes=int(named[1]) * (60 if named[2] == "h" else 1))
    else:
        after = fields["after"].one_of(After)
    return Retry(after, fields["times"].number(_positive, "whole number above 0"))


def _reaction(tree: Tree) -> Reaction:
    fields = tree.fields(("then", "days"), ("then",))
    days = fields["days"].number(_positive, "whole number above 0") if "days" in fields else 1
    return Reaction(fields["then"].one_of(Then), days)


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise ValueError(text)
    return value


def _windows(tree: Tree) -> tuple[Window, ...]:
    found: list[Window] = []
    for item in tree.items():
        begins, _, ends = item.text().partition("-")
        try:
            window = (time.fromisoformat(begins.strip()), time.fromisoformat(ends.strip()))
        except ValueError:
            raise item.fail(f"{item.text()!r} are no times; write them like 09:00-11:30") from None
        if window[0] >= window[1] or (found and found[-1][1] > window[0]):
            raise item.fail("windows must lie one after the other within a day")
        found.append(window)
    if not found:
        raise tree.fail("without a window nobody is called; write one")
    return tuple(found)
