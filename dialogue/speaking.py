"""In which words? Chooses the wording of a line, and never says the same sentence twice in a row.

The base of one step of `dialogue.manager`: the state so far, the commands so far, and how a line becomes a Speak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from dialogue.protocol import CaseFacts, Command, Speak
from dialogue.rendering import (
    Rendered,
    RenderError,
    case_values,
    policy_values,
    render,
    say_amount,
    say_date,
    say_moment,
)
from dialogue.script import Line, Node, Script
from dialogue.state import State, bumped, count

RESAID_AT_MOST = 3  # a disclosure that is cut off again and again
_LEAD_IN = "repeat_lead"
_LEADS = frozenset({_LEAD_IN, "not_understood", "silence", "stop_calling_noted", "abuse"})


class Speaking:
    """One step in the making: the state so far and the commands so far."""

    def __init__(self, script: Script, state: State) -> None:
        self.script = script
        self.state = state
        self.commands: list[Command] = []

    def _set(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)

    @property
    def case(self) -> CaseFacts:
        if self.state.case is None:
            raise ValueError("the dialogue got an event before CallStarted; feed CallStarted first")
        return self.state.case

    @property
    def now(self) -> datetime:
        if self.state.now is None:
            raise ValueError("the dialogue got an event before CallStarted; feed CallStarted first")
        return self.state.now

    @property
    def node(self) -> Node:
        return self.script.nodes[self.state.node]

    def _say_owed(self, kinds: frozenset[str]) -> None:
        for line_id in self.state.cut:
            line = self.script.lines[line_id]
            if kinds & set(line.discloses) and count(self.state.said, line_id) < RESAID_AT_MOST:
                self._say(line_id)

    def _say(self, line_id: str) -> None:
        line = self.script.lines[line_id]
        if line.tells_debt and not self.state.verified:
            return
        rendered = self._choose(line)
        if rendered is None and line_id == _LEAD_IN:
            return
        if rendered is None:
            self._say(_LEAD_IN)
            rendered = self._choose(line)
            if rendered is None:
                return
        self.commands.append(Speak(line_id, rendered.text, rendered.clauses, line.interruptible, line.discloses))
        self._set(
            said=bumped(self.state.said, line_id),
            last_text=rendered.text,
            question_line=line_id,
            question_heard=1.0,
            cut=tuple(c for c in self.state.cut if c != line_id),
        )
        if line_id not in _LEADS:
            self._set(last_lines=(*self.state.last_lines, line_id))

    def _choose(self, line: Line) -> Rendered | None:
        """The next wording in turn that does not repeat what was said last; None when there is no such."""
        values = self._values()
        first = count(self.state.said, line.id)
        problem: RenderError | None = None
        for offset in range(len(line.wordings)):
            try:
                rendered = render(line.wordings[(first + offset) % len(line.wordings)], values)
            except RenderError as e:
                problem = e
                continue
            if rendered.text != self.state.last_text:
                return rendered
        if problem is not None:
            raise problem
        return None

    def _values(self) -> Mapping[str, str]:
        now, offer = self.now, self.state.offer
        values = case_values(self.case) | policy_values(self.script, self.case, now.date())
        if offer.pay_date is not None:
            values["pay_date"] = say_date(offer.pay_date, now.date())
        if offer.amount is not None:
            values["pay_amount"] = say_amount(offer.amount)
        if self.state.callback_at is not None:
            values["callback_at"] = say_moment(self.state.callback_at, now)
        return values
