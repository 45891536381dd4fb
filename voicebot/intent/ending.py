"""Is the turn over, or does the customer only draw breath? A linear model over how the words begin and end.

People stop at the end of a clause, so a clause that many turns go on from (是我，……) is no end, though it answers the
question, and one that they stop after (……行不行) is. Learned from where the training turns end and where they breathe.
It stands beside the network's own guess, which knows words that this one never saw; the two are added.

    ending.npz     weights (PLACES,) float16, bias; of runs of characters, hashed, together with the pending question
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dialogue.acts import Pending
from voicebot.intent.data import Example
from voicebot.intent.pieces import spoken

ENDING = "ending.npz"
PLACES = 1 << 16
NETWORK_SHARE = 0.3
"""Of the network's logit, added to this model's. Chosen on data/dev."""

HEARD = "heard"  # how the names of files begin whose turns the ears wrote down
_LOOSENESS = 0.7  # inverse of the weight decay; chosen on data/dev
_BREATH = re.compile(r"[，,、。？！?! ]+|…+")
_LONGEST_WHOLE = 8  # turns as short as this are known as a whole
_LONGEST = 15


@dataclass(frozen=True, slots=True)
class Ending:
    weights: npt.NDArray[np.float32]
    bias: float

    @classmethod
    def read(cls, folder: Path) -> Ending:
        """Raises OSError, KeyError or ValueError when it cannot be read."""
        with np.load(folder / ENDING) as stored:
            return cls(stored["weights"].astype(np.float32), float(stored["bias"]))

    def write(self, folder: Path) -> None:
        np.savez_compressed(folder / ENDING, weights=self.weights.astype(np.float16), bias=np.float32(self.bias))

    def logit(self, text: str, pending: str) -> float:
        """Above zero where the turn is more likely over than not, of turns that end here or go on."""
        at = places(text, pending)
        return float(self.weights[at].sum() / np.sqrt(len(at))) + self.bias


def places(text: str, pending: str) -> list[int]:
    """What the model looks at, as places in its weights; never empty."""
    words = spoken(text)
    n = len(words)
    seen = [f"e{words[-k:]}" for k in range(1, min(6, n) + 1)]
    seen += [f"b{words[:k]}" for k in range(1, min(4, n) + 1)]
    seen += [words[i : i + k] for k in (1, 2, 3) for i in range(n - k + 1)]
    seen += [f"{pending}:e{words[-k:]}" for k in range(1, min(4, n) + 1)]
    length = f"l{min(n, _LONGEST)}"
    seen += [length, f"{pending}:{length}"]
    if n <= _LONGEST_WHOLE:
        seen += [f"w{words}", f"{pending}:w{words}"]
    return [zlib.crc32(s.encode()) % PLACES for s in seen]


def learn(examples: Sequence[Example], seed: int = 7) -> Ending:
    """From turns as people say them: each ends where it ends, and goes on at one of its breaths. A minute on 2 cores.

    Turns that the ears wrote down have no breaths marked and are left out. Needs torch.
    """
    import torch

    chance = random.Random(seed)
    rows: list[tuple[str, Pending, float]] = []
    for e in examples:
        if e.origin.startswith(HEARD) or not spoken(e.text):
            continue
        rows.append((e.text, e.pending, 1.0))
        parts = [part for part in _BREATH.split(e.text) if part]
        if len(parts) > 1:
            rows.append(("".join(parts[: chance.randrange(1, len(parts))]), e.pending, 0.0))
    looked = [places(text, pending) for text, pending, _ in rows]
    flat = torch.tensor([place for row in looked for place in row])
    starts = torch.tensor(np.cumsum([0, *map(len, looked[:-1])]))
    share = torch.tensor([1 / len(row) ** 0.5 for row in looked for _ in row])
    over = torch.tensor([done for *_, done in rows])
    weights = torch.zeros(PLACES, 1, requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        said = torch.nn.functional.embedding_bag(flat, weights, starts, mode="sum", per_sample_weights=share)
        missed = torch.nn.functional.binary_cross_entropy_with_logits(said.squeeze(1) + bias, over, reduction="sum")
        total = (missed + weights.square().sum() / (2 * _LOOSENESS)) / len(rows)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)
    return Ending(weights.detach().squeeze(1).numpy(), float(bias.detach()))
