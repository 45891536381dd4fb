"""What can happen next? One representative event for everything a customer, a seat, the ledger or the clock can do.

Every act stands here once as a turn of its own. Turns that offer money come in as many forms as the policy has
verdicts, because the policy answers each in another way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from dialogue.acts import PRIMARY_RANK, Act
from dialogue.policy import latest_date, smallest_part
from dialogue.protocol import (
    CaseFacts,
    CustomerSaid,
    CustomerSilent,
    Event,
    HandoffEnded,
    HandoffResult,
    PromiseStored,
    PromiseStoreFailed,
    TimeUp,
)
from dialogue.script import PROTECTED_ACTS, Do, Reaction, Script
from dialogue.state import Phase, State
from dialogue.understanding import Slots, Understanding

NOW = datetime(2026, 3, 18, 10, 20, tzinfo=timezone(timedelta(hours=8)))
SILENCE = "silence"
TIME_UP = "time up"
UNSURE = 0.3  # a confidence at which the manager asks once more before it ends a call
_WEIGHTY = (Act.WRONG_PERSON, Act.DECEASED_OR_DETAINED, Act.DISPUTE_DEBT, Act.ALREADY_PAID, Act.GOODBYE)
_CENT = Decimal("0.01")
_STORING = (*PROTECTED_ACTS & {Act.CRISIS, Act.STOP_CALLING, Act.COMPLAINT, Act.REQUEST_HUMAN}, Act.DENY)


@dataclass(frozen=True, slots=True)
class Turn:
    """An event, in words that stand in a path. `acts`: what the customer meant; () where nobody spoke."""

    label: str
    event: Event
    acts: tuple[Act, ...] = ()
    plain: bool = False  # one act and nothing else


def sample_case(script: Script) -> CaseFacts:
    """A case as this script calls them: not yet due for a script that counts with the due date, else overdue."""
    ahead = script.policy.by_due_date or script.policy.assume_due_date or script.stage == "M0"
    return CaseFacts(
        case_id="lint",
        name="王强",
        gender="male",
        bank="示例银行",
        product="消费贷",
        card_tail="3344",
        amount_due=Decimal("8000.00"),
        min_amount=Decimal("800.00"),
        due_date=NOW.date() + timedelta(days=5 if ahead else -8),
        days_overdue=-5 if ahead else 8,
        stage=script.stage,
    )


class Turns:
    """Everything that can happen to a call of one script."""

    def __init__(self, script: Script) -> None:
        unhandled = PROTECTED_ACTS - script.protected.keys()
        acts = [act for act in Act if act not in unhandled]
        self._talking = (
            Turn(SILENCE, CustomerSilent(NOW)),
            *(_said(act.value, (act,), plain=True) for act in acts),
            *_offers(script),
            _said("affirm (a bare yes)", (Act.AFFIRM,), agrees=True),
            _said(
                "request_callback (a time)",
                (Act.REQUEST_CALLBACK,),
                Slots(callback_at=NOW + timedelta(hours=5)),
            ),
            *_from_knowledge(script),
            _said("deny (that is wrong)", (Act.DENY,), words="不对，等一下"),
            *(_said(f"{act} (unsure)", (act,), confidence=UNSURE) for act in _WEIGHTY if act not in unhandled),
            Turn(TIME_UP, TimeUp("longest call")),
        )
        self._storing = (
            Turn("stored", PromiseStored("P-1")),
            Turn("store failed", PromiseStoreFailed("no database")),
            *(_said(act.value, (act,), plain=True) for act in _STORING if act not in unhandled),
            Turn(TIME_UP, TimeUp("longest call")),
        )
        self._interrupted = tuple(t for t in self._storing if not t.acts or t.acts == (Act.CRISIS,))
        self._handoff = (
            Turn("a person takes over", HandoffEnded(HandoffResult.BRIDGED, NOW)),
            Turn("no person there", HandoffEnded(HandoffResult.NO_ANSWER, NOW)),
        )

        self.together = tuple(_together(unhandled))
        self.any = next(turn for turn in self._talking if turn.acts == (Act.OUT_OF_SCOPE,))

    def after(self, state: State) -> tuple[Turn, ...]:
        match state.phase:
            case Phase.TALKING:
                return self._talking
            case Phase.STORING if state.deferred is not None or state.second_thought is not None:
                return self._interrupted
            case Phase.STORING:
                return self._storing
            case Phase.HANDOFF:
                return self._handoff
        return ()


def _said(
    label: str,
    acts: tuple[Act, ...],
    slots: Slots | None = None,
    *,
    words: str = "某一句话",
    confidence: float = 1.0,
    agrees: bool = False,
    plain: bool = False,
) -> Turn:
    understood = Understanding(words, acts, slots or Slots(), confidence, agrees)
    return Turn(label, CustomerSaid(understood, 1, NOW), acts, plain)


def _offers(script: Script) -> Iterator[Turn]:
    policy, case, today = script.policy, sample_case(script), NOW.date()
    last = latest_date(policy, case, today)
    part = max(smallest_part(policy, case), case.amount_due / 2)
    small = smallest_part(policy, case) - _CENT
    days: dict[str, date] = {
        "a good day": today,
        "another good day": last,
        "too late a day": last + timedelta(days=1),
        "a day that is past": today - timedelta(days=1),
    }
    for words, day in days.items():
        yield _said(f"promise_pay ({words})", (Act.PROMISE_PAY,), Slots(pay_date=day))
    yield _said("promise_partial (how much)", (Act.PROMISE_PARTIAL,), Slots(pay_amount=part))
    yield _said("promise_partial (how much, when)", (Act.PROMISE_PARTIAL,), Slots(today, part))
    if small > 0:
        yield _said("promise_partial (too little)", (Act.PROMISE_PARTIAL,), Slots(pay_amount=small))
    for act in sorted(_offering(script) - {Act.PROMISE_PAY, Act.PROMISE_PARTIAL}):
        yield _said(f"{act} (a good day)", (act,), Slots(pay_date=today))
        yield _said(f"{act} (too late a day)", (act,), Slots(pay_date=last + timedelta(days=1)))


def _offering(script: Script) -> set[Act]:
    """The acts that this script weighs as an offer anywhere."""
    tables: list[Iterable[tuple[Act, Reaction]]] = [node.on.items() for node in script.nodes.values()]
    tables += [t.items() for t in (script.reactions.anywhere, script.reactions.unverified, script.reactions.verified)]
    return {act for table in tables for act, r in table if r.do is Do.OFFER}


def _together(unhandled: frozenset[Act]) -> Iterator[Turn]:
    """Turns that mean several things at once, where the manager has a rule of its own for that."""
    today = Slots(pay_date=NOW.date())
    for first, second, slots in (
        (Act.SELF, Act.PROMISE_PAY, today),
        (Act.STOP_CALLING, Act.PROMISE_PAY, today),
        (Act.STOP_CALLING, Act.AFFIRM, Slots()),
        (Act.PROMISE_PAY, Act.ASK_HOW_TO_PAY, today),
        (Act.PROMISE_PAY, Act.THIRD_PARTY, today),
    ):
        if first not in unhandled and second not in unhandled:
            acts = (first, second)
            ranked = tuple(sorted(acts, key=lambda a: PRIMARY_RANK.index(a) if a in PRIMARY_RANK else 99))
            yield _said(f"{first} + {second}", ranked, slots)


def _from_knowledge(script: Script) -> Iterator[Turn]:
    """Questions for the bank's knowledge: one whose answer tells of the debt, one whose answer does not."""
    for tells_debt in (True, False):
        for entry in script.knowledge.entries:
            if script.lines[entry.line_id].tells_debt is tells_debt:
                understood = Understanding(entry.asks[0], (Act.OUT_OF_SCOPE,))
                yield Turn(f"out_of_scope ({entry.asks[0]})", CustomerSaid(understood, 1, NOW), (Act.OUT_OF_SCOPE,))
                break
