"""What is learned from? Spoken turns with what they mean: tab-separated text that people write and read.

    pending<TAB>act[,act...]<TAB>text          a training turn; acts primary first, by the contract's ranking
    pending<TAB>question<TAB>acts<TAB>text<TAB>{"pay_date": "2026-11-20"}     a test turn; its clock is the file's

Empty lines and lines that begin with # are skipped. models/intent/LABELS.md says how turns are labelled.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dialogue.acts import Act, Pending, primary_first

MAX_CHARACTERS = 120


class DataError(ValueError):
    """A line that cannot be learned from; the message names file, line, what is wrong and the way out."""


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled turn. `origin`: the file it came from, without its ending; `weight`: how much it counts."""

    pending: Pending
    acts: tuple[Act, ...]
    text: str
    origin: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class TestTurn:
    """One turn of a test set, with the robot's question and the values that are to be found in it."""

    __test__ = False  # not for pytest

    example: Example
    question: str
    slots: dict[str, str] = field(default_factory=dict)


def read_examples(paths: Iterable[Path]) -> list[Example]:
    """All training turns of the files, in order, each (pending, text) once. Raises DataError.

    The same turn with two different labels is a contradiction that nothing can be learned from, and an error.
    """
    seen: dict[tuple[Pending, str], tuple[Example, str]] = {}
    for path in paths:
        for place, fields in _rows(path, 3):
            example = _example(place, fields[0], fields[1], fields[2], path.stem)
            key = (example.pending, example.text)
            before = seen.setdefault(key, (example, place))
            if set(before[0].acts) != set(example.acts):
                raise DataError(
                    f"{place}: 「{example.text}」 after {example.pending} is labelled {_names(example.acts)}, "
                    f"but {_names(before[0].acts)} at {before[1]}; decide for one"
                )
    return [example for example, _ in seen.values()]


def read_test_turns(paths: Iterable[Path]) -> list[TestTurn]:
    """All test turns of the files. Raises DataError."""
    turns = []
    for path in paths:
        for place, (pending, question, acts, text, slots) in _rows(path, 5):
            try:
                values = json.loads(slots)
            except ValueError as e:
                raise DataError(f"{place}: slots {slots!r} are no JSON object: {e}; write {{}} for none") from e
            unknown = values.keys() - {"pay_date", "pay_amount", "callback_at"}
            if unknown:
                raise DataError(f"{place}: unknown slot {sorted(unknown)[0]!r}; pay_date, pay_amount, callback_at")
            turns.append(TestTurn(_example(place, pending, acts, text, path.stem), question, values))
    return turns


def _rows(path: Path, fields: int) -> Iterator[tuple[str, list[str]]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise DataError(f"{path}: cannot be read: {e}") from e
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        row = line.split("\t")
        if len(row) != fields:
            raise DataError(f"{path}:{number}: {len(row)} fields between tabs, {fields} expected: {line[:60]!r}")
        yield f"{path}:{number}", row


def _example(place: str, pending: str, acts: str, text: str, origin: str) -> Example:
    if pending not in set(Pending):
        raise DataError(f"{place}: {pending!r} is no pending question; one of {', '.join(Pending)}")
    named = []
    for name in acts.split(","):
        if name not in set(Act):
            raise DataError(f"{place}: {name!r} is no act; see dialogue/acts.py for the {len(Act)} there are")
        named.append(Act(name))
    if tuple(named) != primary_first(named):
        raise DataError(f"{place}: {acts} is not in the contract's order; write {_names(primary_first(named))}")
    if not text.strip() or len(text) > MAX_CHARACTERS:
        raise DataError(f"{place}: a turn has 1 to {MAX_CHARACTERS} characters, this one {len(text)}")
    return Example(Pending(pending), tuple(named), text.strip(), origin)


def _names(acts: Iterable[Act]) -> str:
    return ",".join(acts)
