"""Where in the file is it, and is it what it should be? Typed reading of YAML with line and column in every error."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

import yaml

from dialogue.script import ScriptError

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tree:
    """One YAML node with the way to it. Every reader raises ScriptError with place, key, problem and way out."""

    node: yaml.Node
    source: str
    path: str = ""

    @property
    def place(self) -> str:
        mark = self.node.start_mark
        return f"{self.source}:{mark.line + 1}:{mark.column + 1}"

    def fail(self, problem: str) -> ScriptError:
        return ScriptError(f"{self.place}: {self.path or 'script'}: {problem}")

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    def mapping(self) -> dict[str, Tree]:
        """The entries in their order. Duplicate keys are errors: one of two entries would silently be lost."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.fail(f"expected keys and values, got {_kind(self.node)}")
        out: dict[str, Tree] = {}
        for key_node, value in self.node.value:
            key_tree = Tree(key_node, self.source, self.path)
            if not isinstance(key_node, yaml.ScalarNode):
                raise key_tree.fail("a key must be a plain word")
            key = str(key_node.value)
            if key in out:
                raise key_tree.fail(f"{key} stands twice; keep one")
            out[key] = Tree(value, self.source, f"{self.path}.{key}" if self.path else key)
        return out

    def fields(self, known: Iterable[str], required: Iterable[str] = ()) -> dict[str, Tree]:
        """The entries of a mapping with a closed set of keys."""
        known = tuple(known)
        entries = self.mapping()
        for key, value in entries.items():
            if key not in known:
                raise value.fail(f"unknown key {key!r}; {suggest(key, known)}")
        for key in required:
            if key not in entries:
                raise self.fail(f"the key {key!r} is missing; add it")
        return entries

    def text(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag == "tag:yaml.org,2002:null":
            raise self.fail(f"expected text, got {_kind(self.node)}")
        value = str(self.node.value).strip()
        if not value:
            raise self.fail("is empty; write some text")
        return value

    def texts(self) -> tuple[str, ...]:
        """One text or a list of texts."""
        if isinstance(self.node, yaml.SequenceNode):
            return tuple(item.text() for item in self.items())
        return (self.text(),)

    def items(self) -> tuple[Tree, ...]:
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.fail(f"expected a list, got {_kind(self.node)}")
        return tuple(Tree(n, self.source, f"{self.path}[{i}]") for i, n in enumerate(self.node.value))

    def number(self, convert: Callable[[str], T], means: str) -> T:
        raw = self.text()
        try:
            return convert(raw)
        except (ValueError, ArithmeticError) as e:
            raise self.fail(f"{raw!r} is no {means}") from e

    def flag(self) -> bool:
        raw = self.text().lower()
        if raw not in ("true", "false", "yes", "no"):
            raise self.fail(f"{raw!r} is neither true nor false")
        return raw in ("true", "yes")

    def one_of(self, kind: type[E]) -> E:
        raw = self.text()
        try:
            return kind(raw)
        except ValueError:
            raise self.fail(f"unknown {kind.__name__.lower()} {raw!r}; {suggest(raw, tuple(kind))}") from None


def parse(text: str, source: str) -> Tree:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        way_out = (
            "; words with {...}, : or # in a list in brackets need quotes, or lines of their own that begin with -"
        )
        raise ScriptError(f"{place}: not valid YAML: {e.problem or e.context}{way_out}") from e
    except yaml.YAMLError as e:
        raise ScriptError(f"{source}: not valid YAML: {e}") from e
    if node is None:
        raise ScriptError(f"{source}:1:1: script: the file is empty; docs/scripts.md shows how to begin")
    return Tree(node, source)


def suggest(word: str, known: Iterable[str]) -> str:
    names = [str(k) for k in known]
    if close := get_close_matches(word, names, n=2, cutoff=0.6):
        return f"did you mean {' or '.join(close)}?"
    shown = ", ".join(names[:14]) + (", ..." if len(names) > 14 else "")
    return f"expected one of: {shown}" if names else "none is defined"


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "keys and values"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if node.tag == "tag:yaml.org,2002:null":
        return "nothing"
    return f"{node.value!r}"
