"""How is the understanding learned? Fine-tunes the network on labelled turns, calibrates it, writes the model's folder.

Seeded: the same data, plan and machine give the same model. Needs the training extra.

    examples ── split by text ──> 94 % to learn from, spoiled anew in every epoch as telephones and people spoil words
                             └──> 6 % held out: when to stop believing (temperature), when an act counts (thresholds)
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dialogue.acts import Act, Pending
from voicebot.intent.base import BaseEncoder
from voicebot.intent.classifier import FACTS, NETWORK, PIECES, padded
from voicebot.intent.data import Example
from voicebot.intent.network import IntentNetwork, Shape
from voicebot.intent.noise import spoil
from voicebot.intent.pieces import Vocabulary
from voicebot.intent.quality import CRITICAL

ACTS, PENDING = tuple(Act), tuple(Pending)
_ACT_ID = {a: i for i, a in enumerate(ACTS)}
_PENDING_ID = {p: i for i, p in enumerate(PENDING)}
CRITICAL_THRESHOLD = 0.4  # an act whose loss hurts somebody counts earlier
_THRESHOLDS = tuple(np.arange(0.3, 0.75, 0.05))


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train. `average`: share of the last steps whose weights are averaged into the model."""

    epochs: int = 9
    batch: int = 48
    rate: float = 5e-4
    base_rate: float = 2.5e-4
    weight_decay: float = 0.01
    smoothing: float = 0.05
    held_out: float = 0.06
    average: float = 0.3
    seed: int = 7
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Progress:
    epoch: int
    epochs: int
    loss: float
    held_out_primary: float
    seconds: float


def train(
    examples: Sequence[Example],
    base: BaseEncoder,
    plan: Plan,
    tell: Callable[[Progress], None],
    shape: Shape | None = None,
) -> Trained:
    """Learn from the examples. Raises ValueError when there are too few to hold any out."""
    shape = shape or Shape()
    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    chance = random.Random(plan.seed)
    learn, held = split(examples, plan.held_out, plan.seed)
    network = IntentNetwork(len(base.vocabulary), shape)
    network.start_from(base)
    batches = math.ceil(len(learn) / plan.batch)
    optimizer, schedule = _optimizer(network, plan, plan.epochs * batches)
    mean = torch.optim.swa_utils.AveragedModel(network)
    averaged_from = int(plan.epochs * batches * (1 - plan.average))
    began, step = time.monotonic(), 0
    network.train()
    for epoch in range(1, plan.epochs + 1):
        total = 0.0
        for rows in _batches(learn, plan.batch, chance):
            loss = _loss(network, base.vocabulary, rows, plan, chance)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            total += float(loss)
            if step >= averaged_from:
                mean.update_parameters(network)
        acts, primary = logits(network, base.vocabulary, held)
        right = float(np.mean([_ACT_ID[e.acts[0]] == p for e, p in zip(held, primary.argmax(1), strict=True)]))
        tell(Progress(epoch, plan.epochs, total / batches, right, time.monotonic() - began))
    final = mean.module if plan.average > 0 else network
    assert isinstance(final, IntentNetwork)
    final.eval()
    acts, primary = logits(final, base.vocabulary, held)
    return Trained(
        final, base.vocabulary, shape, plan, len(learn), _temperature(primary, held), _thresholds(acts, held)
    )


@dataclass(frozen=True)
class Trained:
    network: IntentNetwork
    vocabulary: Vocabulary
    shape: Shape
    plan: Plan
    learned_from: int
    temperature: float
    thresholds: dict[Act, float]

    def write(self, folder: Path, facts: dict[str, object]) -> None:
        """Export: model.onnx with int8 weights, pieces.tsv, model.json with `facts` beside what a call needs."""
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from onnxruntime.quantization.shape_inference import quant_pre_process

        folder.mkdir(parents=True, exist_ok=True)
        exact, prepared = folder / "exact.onnx", folder / "prepared.onnx"
        _export(self.network, exact)
        quant_pre_process(str(exact), str(prepared), skip_symbolic_shape=True)
        quantize_dynamic(
            str(prepared),
            str(folder / NETWORK),
            op_types_to_quantize=["MatMul", "Gather", "Gemm"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
        exact.unlink()
        prepared.unlink()
        self.vocabulary.write(folder / PIECES)
        told = {
            "acts": ACTS,
            "pending": PENDING,
            "temperature": round(self.temperature, 4),
            "thresholds": {a: round(t, 3) for a, t in self.thresholds.items()},
            "shape": self.shape.as_dict(),
            "plan": asdict(self.plan),
            "learned_from": self.learned_from,
        }
        (folder / FACTS).write_text(json.dumps(told | facts, ensure_ascii=False, indent=1) + "\n", "utf-8")


def split(examples: Sequence[Example], held_out: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Part the examples by text, so that no held-out words are learned under another question."""
    texts = sorted({e.text for e in examples})
    random.Random(seed).shuffle(texts)
    kept = set(texts[: int(len(texts) * held_out)])
    if not kept:
        raise ValueError(f"{len(texts)} different turns are too few to train on; at least {math.ceil(1 / held_out)}")
    return [e for e in examples if e.text not in kept], [e for e in examples if e.text in kept]


def logits(
    network: IntentNetwork, vocabulary: Vocabulary, examples: Sequence[Example]
) -> tuple[np.ndarray, np.ndarray]:
    """The network's two answers for each example, in their order, before sigmoid and softmax."""
    was_training = network.training
    network.eval()
    found = []
    with torch.no_grad():
        for i in range(0, len(examples), 128):
            found.append(network(*_inputs(vocabulary, examples[i : i + 128], None)))
    network.train(was_training)
    return tuple(torch.cat(part).numpy() for part in zip(*found, strict=True))  # type: ignore[return-value]


def _optimizer(
    network: IntentNetwork, plan: Plan, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    old = ("branches", "norm")
    groups: list[dict[str, object]] = [
        {"params": [p for n, p in network.named_parameters() if not n.startswith(old)], "lr": plan.rate},
        {"params": [p for n, p in network.named_parameters() if n.startswith(old)], "lr": plan.base_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=plan.weight_decay)
    rates = [plan.rate, plan.base_rate]
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps, pct_start=0.1)


def _batches(examples: Sequence[Example], size: int, chance: random.Random) -> Iterator[list[Example]]:
    """Every example once, turns of about the same length together, in a random order of batches."""
    order = sorted(examples, key=lambda e: len(e.text) + chance.random() * 8)
    starts = list(range(0, len(order), size))
    chance.shuffle(starts)
    for start in starts:
        yield order[start : start + size]


def _loss(
    network: IntentNetwork, vocabulary: Vocabulary, rows: list[Example], plan: Plan, chance: random.Random
) -> Tensor:
    acts, primary = network(*_inputs(vocabulary, rows, chance))
    meant = torch.zeros_like(acts)
    for i, e in enumerate(rows):
        meant[i, [_ACT_ID[a] for a in e.acts]] = 1.0
    weight = torch.tensor([e.weight for e in rows])
    each = nn.functional.binary_cross_entropy_with_logits(acts, meant * 0.96 + 0.01, reduction="none").sum(1)
    first = torch.tensor([_ACT_ID[e.acts[0]] for e in rows])
    best = nn.functional.cross_entropy(primary, first, label_smoothing=plan.smoothing, reduction="none")
    return ((0.5 * each + best) * weight).sum() / weight.sum()


def _inputs(
    vocabulary: Vocabulary, examples: Sequence[Example], chance: random.Random | None
) -> tuple[Tensor, Tensor, Tensor]:
    encoded = [vocabulary.encode(spoil(e.text, chance) if chance else e.text) for e in examples]
    return (
        torch.from_numpy(padded([pieces for pieces, _ in encoded])),
        torch.from_numpy(padded([characters for _, characters in encoded])),
        torch.tensor([_PENDING_ID[e.pending] for e in examples]),
    )


def _temperature(primary: np.ndarray, held: Sequence[Example]) -> float:
    """The temperature under which the held-out turns are most likely: a model is surer of itself than it should be."""
    meant = torch.tensor([_ACT_ID[e.acts[0]] for e in held])
    scores = torch.from_numpy(primary)
    tried = np.arange(0.4, 3.05, 0.05)
    losses = [float(nn.functional.cross_entropy(scores / t, meant)) for t in tried]
    return float(tried[int(np.argmin(losses))])


def _thresholds(acts: np.ndarray, held: Sequence[Example]) -> dict[Act, float]:
    """Per act, the probability from which it counts: best F1 on the held-out turns, drawn towards one half."""
    likely = 1 / (1 + np.exp(-acts))
    best: dict[Act, float] = {}
    for act, i in _ACT_ID.items():
        meant = np.array([act in e.acts for e in held])
        found = []
        for threshold in _THRESHOLDS:
            said = likely[:, i] > threshold
            both = float((meant & said).sum()) + 4.0  # four imagined hits: rare acts keep near one half
            found.append(2 * both / (float(meant.sum() + said.sum()) + 8.0) - 0.02 * abs(threshold - 0.5))
        chosen = float(_THRESHOLDS[int(np.argmax(found))])
        best[act] = min(chosen, CRITICAL_THRESHOLD) if act in CRITICAL else chosen
    return best


def _export(network: IntentNetwork, path: Path) -> None:
    network = network.eval()
    sample = (torch.ones(2, 5, dtype=torch.long), torch.ones(2, 7, dtype=torch.long), torch.zeros(2, dtype=torch.long))
    torch.onnx.export(
        network,
        sample,
        str(path),
        input_names=["pieces", "characters", "pending"],
        output_names=["acts", "primary"],
        dynamic_axes={
            "pieces": {0: "turns", 1: "n"},
            "characters": {0: "turns", 1: "m"},
            "pending": {0: "turns"},
            "acts": {0: "turns"},
            "primary": {0: "turns"},
        },
        opset_version=17,
        dynamo=False,
    )
