"""How is the understanding learned? Fine-tunes the network on labelled turns, calibrates it, writes the model's folder.

Seeded: the same data, plan and processor give the same model; a GPU adds in an order of its own and gives one as good.
Needs the training extra.

    examples ── split by text ──> 94 % to learn from, spoiled anew in every epoch as telephones and people spoil words
                             └──> 6 % held out: when to stop believing (temperature), when an act counts (thresholds)
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dialogue.acts import Act, Pending
from voicebot.intent.base import BaseEncoder
from voicebot.intent.classifier import FACTS, NETWORK, PIECES, padded
from voicebot.intent.data import Example
from voicebot.intent.ending import Ending
from voicebot.intent.ending import learn as ending_of
from voicebot.intent.network import IntentNetwork, Shape
from voicebot.intent.noise import beginning, spoil
from voicebot.intent.pieces import Vocabulary, grams
from voicebot.intent.quality import CRITICAL

ACTS, PENDING = tuple(Act), tuple(Pending)
_ACT_ID = {a: i for i, a in enumerate(ACTS)}
_PENDING_ID = {p: i for i, p in enumerate(PENDING)}
EARLY = dict.fromkeys(CRITICAL, 0.12) | {
    Act.REQUEST_HUMAN: 0.08,
    Act.COMPLAINT: 0.03,
    Act.CRISIS: 0.03,
}
"""An act whose loss hurts somebody counts at this probability already: about as low as leaves nine in ten of them right
on data/dev."""

_THRESHOLDS = tuple(np.arange(0.3, 0.75, 0.05))


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train. `average`: share of the last steps whose weights are averaged into the model."""

    epochs: int = 12
    batch: int = 96
    rate: float = 7e-4
    base_rate: float = 3.5e-4
    weight_decay: float = 0.01
    smoothing: float = 0.05
    held_out: float = 0.06
    average: float = 0.3
    unfinished: float = 0.4  # share of each batch that is learned a second time, cut off half-way
    forget: float = 0.2  # share of the runs of characters that are hidden
    wide_rate: float = 8e-3
    half: bool = True  # bfloat16 where it is exact enough: several times faster on processors that have it
    seed: int = 7
    threads: int = 2
    device: str = "cpu"  # or cuda: minutes instead of half an hour


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
    vocabulary = base.vocabulary.with_characters(e.text for e in learn)
    network = IntentNetwork(vocabulary, shape)
    network.start_from(base)
    network.to(plan.device)
    batches = math.ceil(len(learn) / plan.batch)
    optimizer, schedule = _optimizer(network, plan, plan.epochs * batches)
    mean = torch.optim.swa_utils.AveragedModel(network)
    averaged_from = int(plan.epochs * batches * (1 - plan.average))
    whole = frozenset(e.text for e in learn)
    began, step = time.monotonic(), 0
    network.train()
    for epoch in range(1, plan.epochs + 1):
        total = 0.0
        for rows in _batches(learn, plan.batch, chance):
            loss = _loss(network, vocabulary, rows, whole, plan, chance)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            total += loss.item()
            if step >= averaged_from:
                mean.update_parameters(network)
        _, primary = logits(network, vocabulary, held)[:2]
        right = float(np.mean([_ACT_ID[e.acts[0]] == p for e, p in zip(held, primary.argmax(1), strict=True)]))
        tell(Progress(epoch, plan.epochs, total / batches, right, time.monotonic() - began))
    final = mean.module if plan.average > 0 else network
    assert isinstance(final, IntentNetwork)
    final.cpu().eval()
    acts, primary = logits(final, vocabulary, held)[:2]
    ending = ending_of(learn, plan.seed)
    return Trained(
        final, vocabulary, ending, shape, plan, len(learn), _temperature(primary, held), _thresholds(acts, held)
    )


@dataclass(frozen=True)
class Trained:
    network: IntentNetwork
    vocabulary: Vocabulary
    ending: Ending
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
        self.ending.write(folder)
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


def logits(network: IntentNetwork, vocabulary: Vocabulary, examples: Sequence[Example]) -> tuple[np.ndarray, ...]:
    """The network's answers for each example, in their order, before sigmoid and softmax: acts, primary, finished."""
    was_training, device = network.training, network.norm.weight.device
    network.eval()
    found = []
    with torch.no_grad():
        for i in range(0, len(examples), 128):
            found.append(network(*(x.to(device) for x in _inputs(vocabulary, examples[i : i + 128], None))))
    network.train(was_training)
    return tuple(torch.cat(part).cpu().numpy() for part in zip(*found, strict=True))


def _optimizer(
    network: IntentNetwork, plan: Plan, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    old, wide = ("branches", "norm"), ("runs",)
    named = list(network.named_parameters())
    rates = [plan.rate, plan.base_rate, plan.wide_rate]
    groups: list[dict[str, object]] = [
        {"params": [p for n, p in named if not n.startswith(old + wide)], "lr": rates[0]},
        {"params": [p for n, p in named if n.startswith(old)], "lr": rates[1]},
        {"params": [p for n, p in named if n.startswith(wide)], "lr": rates[2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=plan.weight_decay, fused=True)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps, pct_start=0.1)


def _batches(examples: Sequence[Example], size: int, chance: random.Random) -> Iterator[list[Example]]:
    """Every example once, turns of about the same length together, in a random order of batches."""
    order = sorted(examples, key=lambda e: len(e.text) + chance.random() * 8)
    starts = list(range(0, len(order), size))
    chance.shuffle(starts)
    for start in starts:
        yield order[start : start + size]


def _loss(
    network: IntentNetwork,
    vocabulary: Vocabulary,
    rows: list[Example],
    whole: frozenset[str],
    plan: Plan,
    chance: random.Random,
) -> Tensor:
    """Acts and first act of the whole turns, by each part of the network and by both together; finished or not of these
    and of some that are cut off."""
    cut = _cut_off(rows, whole, plan.unfinished, chance)
    pieces, runs, pending = (x.to(plan.device) for x in _inputs(vocabulary, rows + cut, chance))
    n = len(rows)
    with torch.autocast(torch.device(plan.device).type, torch.bfloat16, enabled=plan.half):
        acts, primary, finished = (x.float() for x in network.deep(pieces, pending))
    some = runs[:n] * (torch.rand_like(runs[:n], dtype=torch.float) > plan.forget)
    wide_acts, wide_primary = network.wide(some)
    meant = torch.zeros(n, len(ACTS))
    for i, e in enumerate(rows):
        meant[i, [_ACT_ID[a] for a in e.acts]] = 1.0
    weight = torch.tensor([e.weight for e in rows])
    first = torch.tensor([_ACT_ID[e.acts[0]] for e in rows])
    meant, weight, first = (x.to(plan.device) for x in (meant, weight, first))
    losses = []
    for a, p in (
        (acts[:n], primary[:n]),
        (wide_acts, wide_primary),
        (acts[:n] + wide_acts, primary[:n] + wide_primary),
    ):
        each = nn.functional.binary_cross_entropy_with_logits(a, meant * 0.96 + 0.01, reduction="none").sum(1)
        best = nn.functional.cross_entropy(p, first, label_smoothing=plan.smoothing, reduction="none")
        losses.append(0.5 * each + best)
    done = torch.tensor([1.0] * n + [0.0] * len(cut), device=plan.device)
    ended = nn.functional.binary_cross_entropy_with_logits(finished, done)
    return (torch.stack(losses).mean(0) * weight).sum() / weight.sum() + 0.5 * ended


def _cut_off(rows: list[Example], whole: frozenset[str], share: float, chance: random.Random) -> list[Example]:
    """Some of the turns, stopped half-way; not where what is left is a whole turn of somebody else's."""
    found = []
    for e in rows:
        if chance.random() < share and (begun := beginning(e.text, chance)) and begun not in whole:
            found.append(replace(e, text=begun))
    return found


def _inputs(
    vocabulary: Vocabulary, examples: Sequence[Example], chance: random.Random | None
) -> tuple[Tensor, Tensor, Tensor]:
    texts = [spoil(e.text, chance) if chance else e.text for e in examples]
    return (
        torch.from_numpy(padded([vocabulary.encode(text) for text in texts])),
        torch.from_numpy(padded([grams(text, e.pending) for text, e in zip(texts, examples, strict=True)])),
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
        best[act] = min(chosen, EARLY.get(act, 1.0))
    return best


def _export(network: IntentNetwork, path: Path) -> None:
    network = network.eval()
    sample = (*(torch.ones(2, n, dtype=torch.long) for n in (5, 9)), torch.zeros(2, dtype=torch.long))
    torch.onnx.export(
        network,
        sample,
        str(path),
        input_names=["pieces", "grams", "pending"],
        output_names=["acts", "primary", "finished"],
        dynamic_axes={
            "pieces": {0: "turns", 1: "n"},
            "grams": {0: "turns", 1: "g"},
            "pending": {0: "turns"},
            "acts": {0: "turns"},
            "primary": {0: "turns"},
            "finished": {0: "turns"},
        },
        opset_version=17,
        dynamo=False,
    )
