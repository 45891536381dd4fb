"""What is wrong with a well-formed script? The proof a bank wants before a single customer hears it.

The loader has already checked the shape and every name. Here the manager itself is walked through the script with
everything that a customer can mean, and the rules are held against every step it takes. A finding names its rule and
the way through the call that leads to it.

    finding    what was found, where, on which way
    turns      everything that can happen to a call
    hearing    one step of the manager, listened to
    steps      one step of a call, and how the call came to it
    walk       every place a call can come to, and every step from there
    privacy, answers, promises, ways, words    the rules
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dialogue.lint import answers, privacy, promises, ways, words
from dialogue.lint.finding import Finding, Hop, Path, Severity, has_errors, show
from dialogue.lint.walk import walk
from dialogue.lint.words import spoken_s
from dialogue.script import Script

_ONCE_ON_THE_WAY = ("debt-before-verification", "disclosure-missing", "right-party-unconfirmed")
_WHEREVER_IT_STANDS = ("handoff-without-words", "goodbye-missing")

__all__ = ["Finding", "Hop", "Path", "Severity", "has_errors", "lint", "show", "spoken_s"]


def lint(script: Script) -> tuple[Finding, ...]:
    """All findings, errors first; of the same fault the one with the first way to it. None: the script may call."""
    walked = walk(script)
    found: list[Finding] = []
    for room in (privacy, answers, promises, ways, words):
        found += room.check(script, walked)
    return tuple(sorted(_told_once(found), key=_order))


def _told_once(found: Iterable[Finding]) -> Iterable[Finding]:
    """One finding for one fault: what only follows from it, further down the same way, is named with it."""
    kept: dict[tuple[str, str], Finding] = {}
    also: dict[tuple[str, str], list[str]] = {}
    for finding in found:
        heads = [key for key, head in kept.items() if _same_fault(head, finding)]
        if not heads:
            kept[finding.rule, finding.what] = finding
        elif (finding.rule, finding.what) not in kept and finding.what not in also.setdefault(heads[0], []):
            also[heads[0]].append(finding.what)
    for key, head in kept.items():
        more = also.get(key)
        yield replace(head, problem=f"{head.problem} (also: {', '.join(more)})") if more else head


def _same_fault(head: Finding, other: Finding) -> bool:
    if head.rule != other.rule:
        return False
    if head.what == other.what or (head.problem == other.problem and head.rule in _WHEREVER_IT_STANDS):
        return True
    return head.rule in _ONCE_ON_THE_WAY and head.nodes[-1] in other.nodes


def _order(finding: Finding) -> tuple[object, ...]:
    place = [int(part) if part.isdigit() else 0 for part in finding.place.rsplit(":", 2)[1:]]
    return (finding.severity is not Severity.ERROR, place, finding.what, finding.rule)
