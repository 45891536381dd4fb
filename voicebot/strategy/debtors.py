"""How would debtors behave? A model to try a strategy on before anybody is called. Its numbers are guesses that a bank
replaces by its own (config/strategies/debtors.yaml); a simulation is as good as they are.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import yaml

from dialogue.acts import Disposition
from voicebot.settings import PROJECT_ROOT
from voicebot.strategy.loader import StrategyError
from voicebot.strategy.model import Means

FILE = PROJECT_ROOT / "config" / "strategies" / "debtors.yaml"


@dataclass(frozen=True, slots=True)
class DebtorModel:
    """Shares are 0 to 1. `answers`: by the hour of the day, from that one on. `pays_alone`: of those who owe, in a
    day, without anybody's doing; `pays_after`: more of them, on the day after such a contact."""

    dead_number: float
    answers: dict[int, float]
    unanswered: dict[Disposition, float]
    conversations: dict[Disposition, float]
    keeps_promise: float
    promise_days: tuple[int, int]
    pays_alone: float
    pays_after: dict[Means, float]
    cost_yuan: dict[Means, float]


@dataclass(slots=True)
class Debtor:
    """One of them. `seed` makes them who they are."""

    model: DebtorModel
    chance: random.Random
    dead: frozenset[str] = frozenset()
    habit: float = field(default=1.0)  # how much readier to answer than others

    def ending(self, number: str, at: datetime) -> Disposition:
        """What comes of a call to this number at that moment."""
        if number in self.dead:
            return Disposition.INVALID_NUMBER
        hour = max((h for h in self.model.answers if h <= at.hour), default=min(self.model.answers))
        if self.chance.random() < min(0.95, self.model.answers[hour] * self.habit):
            return _drawn(self.model.conversations, self.chance)
        return _drawn(self.model.unanswered, self.chance)


def _drawn(shares: dict[Disposition, float], chance: random.Random) -> Disposition:
    (found,) = chance.choices(list(shares), list(shares.values()))
    return found


def new_debtor(model: DebtorModel, numbers: tuple[str, ...], seed: str) -> Debtor:
    chance = random.Random(seed)
    dead = frozenset(n for n in numbers if chance.random() < model.dead_number)
    return Debtor(model, chance, dead, chance.lognormvariate(0, 0.5))


def load_debtors(path: Path = FILE) -> DebtorModel:
    """Raises StrategyError, naming the file and what is wrong in it."""
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
        model = DebtorModel(
            dead_number=float(raw["dead_number"]),
            answers={int(h): float(p) for h, p in raw["answers"].items()},
            unanswered={Disposition(k): float(p) for k, p in raw["unanswered"].items()},
            conversations={Disposition(k): float(p) for k, p in raw["conversations"].items()},
            keeps_promise=float(raw["keeps_promise"]),
            promise_days=(int(raw["promise_days"][0]), int(raw["promise_days"][1])),
            pays_alone=float(raw["pays_alone"]),
            pays_after={Means(k): float(p) for k, p in raw["pays_after"].items()},
            cost_yuan={Means(k): float(p) for k, p in raw["cost_yuan"].items()},
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, IndexError) as e:
        raise StrategyError(f"{path}: no debtor model ({type(e).__name__}: {e}); {FILE} shows one") from e
    shares = (*model.answers.values(), model.dead_number, model.keeps_promise, model.pays_alone)
    if not all(0 <= p <= 1 for p in (*shares, *model.pays_after.values())):
        raise StrategyError(f"{path}: a share is not between 0 and 1")
    return model
