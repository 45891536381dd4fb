"""What does the law of a place say? A rule pack: a YAML file of config/compliance, read and checked.

pack: cn                      the file's name
version: "2026-03-01"         of this reading of the law
zone: Asia/Shanghai           where debtors live whose zone nobody knows; without it they are not contacted
rules:
  - id: CN-TIME
    kind: hours               one of Kind; each has keys of its own (FIELDS)
    channels: [voice]         without it: every channel
    parties: [debtor]         without it: everybody
    automated: true           only where a machine speaks; without it: always
    unless: outside_hours     the rule does not hold for debtors who agreed to this
    ...
    instrument, article, effective, certainty, zh, en      where it stands, how sure that is, what to tell people
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

from dialogue.script import ScriptError
from dialogue.yamltree import Tree, parse
from voicebot.compliance.facts import Channel, Consent, Party, Status
from voicebot.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "config" / "compliance"


class PackError(ValueError):
    """A rule pack that cannot be used; the message names file, line, key, problem and way out."""


class Kind(StrEnum):
    HOURS = "hours"  # only between two times of the debtor's day
    LIMIT = "limit"  # so many contacts within a time
    QUIET = "quiet"  # days of peace after a conversation
    STATUS = "status"  # not with these debtors
    THIRD_PARTY = "third_party"  # others only while the debtor cannot be reached
    DO_NOT_CALL = "do_not_call"
    OPT_OUT = "opt_out"
    CONSENT = "consent"  # only with the debtor's consent
    NEVER = "never"  # not at all
    PREFERRED = "preferred"  # advice: better within these times of the day


class Certainty(StrEnum):
    """How sure the reading of the law is."""

    PRIMARY = "verified-primary"  # the text of the law itself was read
    SECONDARY = "verified-secondary"  # several reports agree
    SINGLE = "secondary-single"  # one report
    MEMORY = "memory"  # nobody has looked it up
    POLICY = "policy"  # no law: the house's own choice


class Counted(StrEnum):
    DIALS = "dials"  # everything that went out
    UNANSWERED = "unanswered"  # ... and reached nobody
    CONVERSATIONS = "conversations"  # a person spoke, whoever called


class Per(StrEnum):
    DEBTOR = "debtor"
    NUMBER = "number"
    LOAN = "loan"


_CLOCKS_CHANGED_BY = time(5)

Window = tuple[time, time]
"""From, up to but without; both of one day."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Which of the fields after `en` count, its kind says (FIELDS)."""

    id: str
    kind: Kind
    instrument: str
    certainty: Certainty
    zh: str
    en: str
    article: str = ""
    effective: date | None = None
    channels: frozenset[Channel] = frozenset(Channel)
    parties: frozenset[Party] = frozenset(Party)
    automated: bool = False
    unless: Consent | None = None
    windows: tuple[Window, ...] = ()
    grace_s: int = 60
    counted: Counted = Counted.DIALS
    per: Per = Per.DEBTOR
    limit: int = 0
    days: int = 0  # calendar days of the debtor, today among them
    seconds: int = 0  # instead of days: so long before now
    statuses: frozenset[Status] = frozenset()
    consent: Consent | None = None


@dataclass(frozen=True, slots=True)
class Pack:
    name: str
    version: str
    zone: str | None
    rules: tuple[Rule, ...]


_COMMON = ("id", "kind", "instrument", "article", "effective", "certainty", "zh", "en")
_SCOPE = ("channels", "parties", "automated", "unless")
FIELDS: dict[Kind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Kind.HOURS: (("windows",), ("grace_s",)),
    Kind.PREFERRED: (("windows",), ()),
    Kind.LIMIT: (("counted", "per", "limit"), ("days", "seconds")),
    Kind.QUIET: (("per", "days"), ()),
    Kind.STATUS: (("statuses",), ()),
    Kind.THIRD_PARTY: ((), ()),
    Kind.DO_NOT_CALL: ((), ()),
    Kind.OPT_OUT: ((), ()),
    Kind.CONSENT: (("consent",), ()),
    Kind.NEVER: ((), ()),
}
"""For each kind the keys it must have and those it may have."""


def pack_names(folder: Path = FOLDER) -> tuple[str, ...]:
    return tuple(sorted(p.stem for p in folder.glob("*.yaml")))


def load_pack(name: str, folder: Path = FOLDER) -> Pack:
    """Read a pack by its name, or by its file. Raises PackError."""
    path = Path(name) if name.endswith(".yaml") else folder / f"{name}.yaml"
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise PackError(f"{path}: no such rule pack ({e}); there are: {', '.join(pack_names(folder))}") from e
    try:
        return _pack(parse(text, str(path)))
    except ScriptError as e:
        raise PackError(str(e)) from e


def _pack(tree: Tree) -> Pack:
    fields = tree.fields(("pack", "version", "zone", "rules"), ("pack", "version", "rules"))
    rules = tuple(_rule(item) for item in fields["rules"].items())
    seen: set[str] = set()
    for rule, item in zip(rules, fields["rules"].items(), strict=True):
        if rule.id in seen:
            raise item.fail(f"the id {rule.id} stands twice; give each rule its own")
        seen.add(rule.id)
    if not rules:
        raise fields["rules"].fail("a pack without rules permits everything; write some")
    zone = fields["zone"].text() if "zone" in fields else None
    return Pack(fields["pack"].text(), fields["version"].text(), zone, rules)


def _rule(tree: Tree) -> Rule:
    if "kind" not in tree.mapping():
        raise tree.fail("the key 'kind' is missing; add it")
    kind = tree.mapping()["kind"].one_of(Kind)
    must, may = FIELDS[kind]
    fields = tree.fields((*_COMMON, *_SCOPE, *must, *may), ("id", "instrument", "certainty", "zh", "en", *must))
    read: dict[str, Any] = {key: _READERS[key](value) for key, value in fields.items() if key != "kind"}
    if kind is Kind.LIMIT and ("days" in read) == ("seconds" in read):
        raise tree.fail("a limit counts within days or within seconds; write one of the two")
    return Rule(kind=kind, **read)


def _windows(tree: Tree) -> tuple[Window, ...]:
    found = []
    for item in tree.items():
        begins, dash, ends = item.text().partition("-")
        try:
            window = (_time(begins), _time(ends))
        except ValueError:
            window = None
        if not dash or window is None or window[0] >= window[1]:
            raise item.fail(f"{item.text()!r} are no times of one day; write them like 08:00-22:00")
        found.append(window)
    if not found or sorted(found) != found or any(a[1] > b[0] for a, b in pairwise(found)):
        raise tree.fail("expected one or more times of the day, in their order, none within another")
    if any(time.min < at < _CLOCKS_CHANGED_BY for window in found for at in window):
        raise tree.fail("a window that begins or ends before 05:00 is not told apart on days when the clocks change")
    return tuple(found)


def _time(text: str) -> time:
    """24:00 is the last moment of a day."""
    return time.max if text.strip() == "24:00" else time.fromisoformat(text.strip())


def _count(tree: Tree) -> int:
    value = tree.number(int, "whole number")
    if value < 1:
        raise tree.fail(f"{value} is less than 1")
    return value


_READERS: dict[str, Any] = {
    "id": Tree.text,
    "instrument": Tree.text,
    "article": Tree.text,
    "zh": Tree.text,
    "en": Tree.text,
    "effective": lambda t: t.number(date.fromisoformat, "date like 2026-01-30"),
    "certainty": lambda t: t.one_of(Certainty),
    "channels": lambda t: frozenset(i.one_of(Channel) for i in t.items()),
    "parties": lambda t: frozenset(i.one_of(Party) for i in t.items()),
    "automated": Tree.flag,
    "unless": lambda t: t.one_of(Consent),
    "windows": _windows,
    "grace_s": _count,
    "counted": lambda t: t.one_of(Counted),
    "per": lambda t: t.one_of(Per),
    "limit": _count,
    "days": _count,
    "seconds": _count,
    "statuses": lambda t: frozenset(i.one_of(Status) for i in t.items()),
    "consent": lambda t: t.one_of(Consent),
}
