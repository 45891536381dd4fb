"""What would happen if this strategy were followed? Cases, debtors of the model and the law on a virtual clock.

A heap of moments: the next one is taken, its case is planned anew, the wish is judged by the rule pack as the gate
would judge it, carried out on the debtor model, and the case comes back when its next wish is due. Seeded: the same
cases, strategy, rules, model and seed give the same figures.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from dialogue.acts import Disposition
from voicebot.compliance import Channel, Contact, Facts, Pack, Permit, Request, judge
from voicebot.strategy.debtors import Debtor, DebtorModel, new_debtor
from voicebot.strategy.model import HANDED_OVER, Means, Strategy
from voicebot.strategy.planning import Case, Event, Handed, Rest, Wish, plan

_CHANNEL = {
    Means.VOICE: Channel.VOICE,
    Means.SMS: Channel.SMS,
    Means.EMAIL: Channel.EMAIL,
    Means.PUSH: Channel.PUSH,
    Means.LETTER: Channel.LETTER,
}
_TALK = timedelta(seconds=75)
_KEPT_CONTACTS = 40
_PROMISES = (Disposition.PROMISED, Disposition.PROMISED_PARTIAL)


@dataclass(slots=True)
class Outcome:
    """Everything counted, by day since the start where it says so. Money in yuan."""

    days: int
    cases: int = 0
    contacts: Counter[tuple[int, Means]] = field(default_factory=Counter)
    reached: Counter[int] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    promised: Counter[int] = field(default_factory=Counter)
    kept: Counter[int] = field(default_factory=Counter)
    paid: Counter[int] = field(default_factory=Counter)
    handed: Counter[str] = field(default_factory=Counter)
    endings: Counter[Disposition] = field(default_factory=Counter)
    amount: Decimal = Decimal(0)
    recovered: Decimal = Decimal(0)
    cost: float = 0.0
    still_open: int = 0


@dataclass(slots=True)
class _Life:
    """A case on its way."""

    case: Case
    debtor: Debtor
    facts: Facts
    events: list[Event] = field(default_factory=list)
    pays_on: datetime | None = None


class Simulation:
    """Use as `Simulation(...).run(cases)`."""

    def __init__(
        self, strategy: Strategy, pack: Pack, model: DebtorModel, start: datetime, days: int, seed: int
    ) -> None:
        self._strategy, self._pack, self._model = strategy, pack, model
        self._start, self._end = start, start + timedelta(days=days)
        self._seed = seed
        self.out = Outcome(days)

    def run(self, cases: Iterable[Case]) -> Outcome:
        heap: list[tuple[datetime, int]] = []
        lives: list[_Life] = []
        for number, case in enumerate(cases):
            debtor = new_debtor(self._model, case.numbers, f"{self._seed}/{case.case_id}")
            life = _Life(case, debtor, Facts(case.case_id, zone=str(case.zone)))
            life.pays_on = self._pays_alone(debtor.chance)
            lives.append(life)
            heap.append((self._start, number))
            self.out.cases += 1
            self.out.amount += case.amount
        heapq.heapify(heap)
        while heap and heap[0][0] < self._end:
            now, number = heapq.heappop(heap)
            then = self._step(lives[number], now)
            if then is not None:
                heapq.heappush(heap, (then, number))
        self.out.still_open = sum(not life.case.closed for life in lives) - self.out.handed.total()
        return self.out

    def _step(self, life: _Life, now: datetime) -> datetime | None:
        """Do what is due for this case; when to come back, None for never."""
        if life.pays_on is not None and life.pays_on <= now:
            self._pay(life, life.pays_on)
            return None
        wish = plan(self._strategy, life.case, life.events, now)
        if isinstance(wish, Rest):
            return life.pays_on
        if isinstance(wish, Handed):
            self.out.handed[wish.to] += 1
            return None
        if wish.at > now:
            return min(wish.at, life.pays_on) if life.pays_on else wish.at
        if wish.means in HANDED_OVER:
            self._count(life, wish, now)
            return now
        judged = judge(self._pack, life.facts, Request(now, _CHANNEL[wish.means], life.case.case_id, wish.number))
        if not isinstance(judged, Permit):
            self.out.refusals.update(o.rule for o in judged.objections)
            if judged.next_allowed is None:
                self.out.handed["refused by the rules"] += 1
            return judged.next_allowed
        return self._carry_out(life, wish, now)

    def _count(self, life: _Life, wish: Wish, now: datetime) -> None:
        self.out.contacts[self._day(now), wish.means] += 1
        self.out.cost += self._model.cost_yuan[wish.means]
        life.events.append(Event(now, wish.step, wish.means, wish.number, again=wish.again))

    def _carry_out(self, life: _Life, wish: Wish, now: datetime) -> datetime:
        self._count(life, wish, now)
        ending = life.debtor.ending(wish.number, now) if wish.means is Means.VOICE else None
        reached = ending is not None and ending not in self._strategy.retries
        contact = Contact(now, _CHANNEL[wish.means], reached, loan=life.case.case_id, number=wish.number)
        assert life.facts.contacts is not None
        life.facts = replace(life.facts, contacts=(*life.facts.contacts, contact)[-_KEPT_CONTACTS:])
        if ending is not None:
            life.events[-1] = replace(life.events[-1], ending=ending, **self._agreed(life, ending, now))
            self.out.endings[ending] += 1
            self.out.reached[self._day(now)] += reached
        chance = life.debtor.chance
        if chance.random() < self._model.pays_after.get(wish.means, 0.0) * (1 if ending is None or reached else 0.2):
            self._will_pay(life, now + timedelta(hours=chance.uniform(2, 30)))
        return now + (_TALK if reached else timedelta(seconds=40))

    def _agreed(self, life: _Life, ending: Disposition, now: datetime) -> dict[str, Any]:
        """What an event says beside its ending: a day promised, a time to call."""
        chance = life.debtor.chance
        if ending is Disposition.CALLBACK:
            return {"callback_at": now + timedelta(minutes=chance.choice((60, 120, 180, 1440)))}
        if ending not in _PROMISES:
            return {}
        day = now.astimezone(life.case.zone).date() + timedelta(days=chance.randint(*self._model.promise_days))
        self.out.promised[self._day(now)] += 1
        if chance.random() < self._model.keeps_promise:
            evening = datetime(day.year, day.month, day.day, 20, tzinfo=life.case.zone)
            self.out.kept[self._day(now)] += 1
            self._will_pay(life, max(evening, now + timedelta(minutes=10)))
        return {"promise_day": day}

    def _will_pay(self, life: _Life, when: datetime) -> None:
        life.pays_on = when if life.pays_on is None else min(life.pays_on, when)

    def _pays_alone(self, chance: random.Random) -> datetime | None:
        if self._model.pays_alone <= 0:
            return None
        return self._start + timedelta(days=chance.expovariate(self._model.pays_alone))

    def _pay(self, life: _Life, when: datetime) -> None:
        life.case = replace(life.case, closed=True)
        self.out.paid[self._day(when)] += 1
        self.out.recovered += life.case.amount

    def _day(self, moment: datetime) -> int:
        return (moment - self._start).days
