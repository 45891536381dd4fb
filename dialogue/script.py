"""What is a call script? The model behind the YAML: lines to say, nodes to stand in, reactions to what was meant.

A script is data. It is read by `dialogue.loader`, walked by `dialogue.manager`, checked by `dialogue.lint`.

    line      one thing to say, in one or several wordings, cut into clauses at 、，。？！；
    node      one place in the call: what is said there, what is asked, what each answer leads to
    reaction  what one meaning leads to: words, then another node, an end, a person, an action, or the question again
    policy    the bank's limits: how late, how little, how often
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from dialogue.acts import Act, Disposition, Pending
from dialogue.knowledge import NOTHING_KNOWN, Knowledge
from dialogue.vulnerability import Vulnerability

CASE_VARIABLES = frozenset(
    {
        "name",
        "salutation",
        "short_salutation",
        "bank",
        "product",
        "card_tail",
        "amount_due",
        "min_amount",
        "due_date",
        "days_overdue",
    }
)
"""Known as soon as the case is."""

CALL_VARIABLES = frozenset({"pay_date", "pay_amount", "callback_at"})
"""Known only in the call, from what the customer said."""

POLICY_VARIABLES = frozenset({"latest_date", "smallest_part"})
"""Known from the case, the policy and the day of the call."""

VARIABLES = CASE_VARIABLES | CALL_VARIABLES | POLICY_VARIABLES

DEBT_VARIABLES = frozenset(
    {
        "product",
        "card_tail",
        "amount_due",
        "min_amount",
        "due_date",
        "days_overdue",
        "pay_date",
        "pay_amount",
        "latest_date",
        "smallest_part",
    }
)
"""Values that tell whoever listens about a debt."""

DEBT_WORDS = (
    "还款",
    "还钱",
    "还上",
    "还清",
    "逾期",
    "欠",
    "账单",
    "贷款",
    "借款",
    "消费贷",
    "信用卡",
    "催收",
    "债",
    "征信",
    "罚息",
    "利息",
    "最低还",
    "应还",
    "到期",
    "金额",
    "扣款",
)
"""Words that tell whoever listens about a debt."""

PROTECTED_ACTS = frozenset(
    {
        Act.CRISIS,
        Act.ABUSE,
        Act.STOP_CALLING,
        Act.COMPLAINT,
        Act.REQUEST_HUMAN,
        Act.WRONG_PERSON,
        Act.THIRD_PARTY,
        Act.WILL_RELAY,
        Act.DECEASED_OR_DETAINED,
        Act.CALL_ASSISTANT,
    }
)
"""What a script can word but not lose: `dialogue.base` says what follows from them, in every script."""

MANDATORY_DISCLOSURES = frozenset({"identity", "ai", "recorded"})
"""What whoever answers must have heard to its end before the debt is spoken of."""

_VARIABLE = re.compile(r"\{([a-z_]+)\}")
_CLAUSE = re.compile(r"[^、，。？！；]*[、，。？！；]+[”」』]?|[^、，。？！；]+$")


class ScriptError(ValueError):
    """A script that cannot be used. The message names file, line, column, the key, the problem and the way out."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of a wording that is synthesised and cached on its own: text with {variables} in it."""

    template: str

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_VARIABLE.findall(self.template)))


@dataclass(frozen=True, slots=True)
class Wording:
    template: str

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The clauses; joined they are the template."""
        return tuple(Clause(piece) for piece in _CLAUSE.findall(self.template))

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_VARIABLE.findall(self.template)))


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to say. `discloses`: what the customer knows once it was heard to its end."""

    id: str
    wordings: tuple[Wording, ...]
    interruptible: bool = True
    discloses: tuple[str, ...] = ()
    place: str = ""  # file:line, for messages

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(v for w in self.wordings for v in w.variables))

    @property
    def tells_debt(self) -> bool:
        """Whether somebody who overhears the line learns that there is a debt."""
        if "debt" in self.discloses or DEBT_VARIABLES.intersection(self.variables):
            return True
        return any(word in wording.template for wording in self.wordings for word in DEBT_WORDS)


class Do(StrEnum):
    """What the manager does beyond talking."""

    OFFER = "offer"  # weigh what was promised against the policy; `offers` says what follows
    STORE = "store"  # the promise that was read back is confirmed: write it
    CALLBACK = "callback"  # book the time that was named, or ask for one


@dataclass(frozen=True, slots=True)
class Reaction:
    """What follows from one meaning. Without go, end, handoff and do: the question is asked again in other words."""

    say: tuple[str, ...] = ()
    go: str | None = None
    end: Disposition | None = None
    handoff: str | None = None  # the reason, as the seat sees it
    do: Do | None = None
    flags: tuple[str, ...] = ()
    right_party: bool = False  # from here on the customer is known to be the one we look for
    place: str = field(default="", compare=False)

    @property
    def stays(self) -> bool:
        return self.go is None and self.end is None and self.handoff is None and self.do is None


@dataclass(frozen=True, slots=True)
class Node:
    """One place in the call.

    A node that asks waits for an answer; one that does not goes on to `then`, to its end or to a person.
    `limit` bounds how often the call may come back to the question before `exhausted` follows.
    """

    id: str
    say: tuple[str, ...] = ()
    ask: Pending | None = None
    again: tuple[str, ...] = ()  # the question in other words
    on: Mapping[Act, Reaction] = field(default_factory=dict)
    otherwise: Reaction | None = None  # whatever else was meant
    limit: int | None = None
    exhausted: str | None = None
    answers: tuple[str, ...] = ()  # added to the usual answers to this kind of question
    phrases: tuple[str, ...] = ()
    then: str | None = None
    end: Disposition | None = None
    handoff: str | None = None
    silence_ms: int | None = None
    place: str = field(default="", compare=False)


class Verdict(StrEnum):
    """What the policy says about an offer to pay."""

    OK = "ok"
    NO_DATE = "no_date"
    PART_NO_DATE = "part_no_date"  # a part that is large enough, but no day
    TOO_LATE = "too_late"
    NO_AMOUNT = "no_amount"  # a part, but how much was not said
    TOO_SMALL = "too_small"


@dataclass(frozen=True, slots=True)
class Policy:
    """The bank's limits for one script."""

    max_days_ahead: int = 7
    smallest_part_share: Decimal = Decimal("0.1")  # of the amount due
    by_due_date: bool = False  # a date after the due date is too late (for reminders)
    assume_due_date: bool = False  # a promise without a day means the due date (for reminders)
    max_turns: int = 30  # of the customer; then a polite end
    lost_to_person: bool = True  # a verified customer not understood three times is given to a person
    silence_ms: int = 6000


@dataclass(frozen=True, slots=True)
class Reactions:
    """What is answered wherever the call stands, unless the node says otherwise."""

    anywhere: Mapping[Act, Reaction] = field(default_factory=dict)
    unverified: Mapping[Act, Reaction] = field(default_factory=dict)
    verified: Mapping[Act, Reaction] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Script:
    """A whole call script, the inherited base included."""

    name: str
    version: str
    stage: str
    language: str
    start: str
    policy: Policy
    lines: Mapping[str, Line]
    nodes: Mapping[str, Node]
    reactions: Reactions
    protected: Mapping[Act, Reaction]
    vulnerable: Mapping[Vulnerability, Reaction]  # what follows when somebody must not be pressed
    offers: Mapping[Verdict, Reaction]
    stored: str | None  # node after PromiseStored
    store_failed: str | None  # node after PromiseStoreFailed
    forbidden: tuple[str, ...] = ()
    knowledge: Knowledge = NOTHING_KNOWN  # what the bank can answer beside the script's own reactions
    source: str = ""
    own_lines: frozenset[str] = frozenset()  # written in this script, not inherited
    own_nodes: frozenset[str] = frozenset()
