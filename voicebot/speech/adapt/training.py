"""How do the ears learn? Lines spoken by people that do not exist, sent over a bad telephone anew in every epoch.

Seeded: the same shards, plan and machine give the same changes. Needs the training extra.

    shards ── the last one ──────────────────────────────────────────> held out: loss and characters right
           └─ the others ─> line.travelled ─> features ─> masked ────> learned, with some of the prefix wrong
    noise without anybody in it ──────────────────────────────────────> nothing was said
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from voicebot.speech.adapt import line
from voicebot.speech.adapt.mouths import Spoken, read_shard
from voicebot.speech.adapt.network import AdaptedMuggle
from voicebot.speech.api import RATE_HZ
from voicebot.speech.asr.base import spoken
from voicebot.speech.asr.lowrank import write_adaptation
from voicebot.speech.asr.muggle import MIN_SPEECH_MS
from voicebot.speech.asr.muggle_features import (
    BANDS,
    NARROWBAND_TOP,
    QUIET_MS,
    Floats,
    background,
    features,
    find_activity,
    frame_turn,
)
from voicebot.speech.asr.muggle_net import EOS, FIRST_CHARACTER, published_weights, read_label_map
from voicebot.speech.audio import Samples, through_g711, to_float, to_pcm16

Ids = npt.NDArray[np.int64]
_NOTHING = -100  # what the loss leaves out


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train. `frames` of 10 ms are learned from in one step; `silent`: share of noise in which nothing is said;
    `wrong`: share of the characters before that are replaced, as they are when the ears have already misheard."""

    epochs: int = 16
    rank: int = 16
    rate: float = 1.5e-3
    weight_decay: float = 0.01
    frames: int = 12000
    dropout: float = 0.1
    smoothing: float = 0.1
    wrong: float = 0.08
    silent: float = 0.03
    masks: int = 2
    masked_frames: int = 12
    masked_bands: int = 5
    strength: float = 0.5  # how much of what was learned is kept: all of it hears synthetic voices better, people worse
    half: bool = True  # bfloat16 where it is exact enough: several times faster on processors that have it
    seed: int = 7
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Progress:
    epoch: int
    epochs: int
    held_out_loss: float
    held_out_right: float  # share of the characters, each after the true ones before it
    seconds: float


Item = tuple[Floats, Ids]
"""Features [T, 40] and the characters of a line."""


def train(
    shards: Sequence[Path],
    weights: Path,
    plan: Plan,
    tell: Callable[[Progress], None],
    keep: Callable[[AdaptedMuggle], None] = lambda _: None,
) -> AdaptedMuggle:
    """Learn from all shards but the last. `weights`: the published network's folder; `keep` gets it after every epoch.

    Raises ValueError for fewer than two shards, MissingWeights where there is no network.
    """
    if len(shards) < 2:
        raise ValueError(f"{len(shards)} shards are too few: one is held out; render more with: voicebot ears speak")
    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    chance = np.random.default_rng(plan.seed)
    ids = {c: i for i, c in read_label_map(weights / "label_map.py").items() if i >= FIRST_CHARACTER}
    network = AdaptedMuggle(published_weights(weights), plan.rank, plan.dropout)
    held = list(items(read_shard(shards[-1]), ids, np.random.default_rng(plan.seed), 0.0))
    learn = [read_shard(s) for s in shards[:-1]]
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=plan.weight_decay)
    began = time.monotonic()
    tell(Progress(0, plan.epochs, *_measure(network, held, plan), time.monotonic() - began))
    for epoch in range(plan.epochs):
        heard = [item for shard in learn for item in items(shard, ids, chance, plan.silent)]
        batches = list(_batches(heard, plan.frames, chance))
        for i, batch in enumerate(batches):
            rate = plan.rate * _pace((epoch + i / len(batches)) / plan.epochs)
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = _loss(network, batch, plan, chance)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
        keep(network)
        tell(Progress(epoch + 1, plan.epochs, *_measure(network, held, plan), time.monotonic() - began))
    return network.eval()


def write(network: AdaptedMuggle, file: Path, name: str, plan: Plan, lines: int) -> None:
    write_adaptation(file, network.changes(plan.strength), {"name": name, "lines": lines, "plan": asdict(plan)})


def items(lines: Sequence[Spoken], ids: dict[str, int], chance: np.random.Generator, silent: float) -> Iterator[Item]:
    """Every line over a telephone of its own, as the recogniser would look at it; and some noise with nobody in it."""
    talk = line.talk_of([s.samples for s in lines])
    for said in lines:
        known = [ids.get(c) for c in spoken(said.text)]
        text = np.array([i for i in known if i is not None], np.int64)
        if len(text) == len(known) and (seen := _seen(line.travelled(said.samples, talk, chance))) is not None:
            yield seen, text
    for _ in range(int(silent * len(lines))):
        noise = line.noise_of(int(chance.uniform(0.6, 2.5) * RATE_HZ), talk, chance)
        level = 10 ** (chance.uniform(-45, -25) / 20) / (float(np.std(noise)) + 1e-9)
        if (seen := _seen(to_float(through_g711(to_pcm16(noise * np.float32(level)))))) is not None:
            yield seen, np.zeros(0, np.int64)


def _seen(call: Samples) -> Floats | None:
    activity = find_activity(call, RATE_HZ)
    if activity.active_ms < MIN_SPEECH_MS:
        return None
    noise = background(call, RATE_HZ, activity)
    return features(frame_turn(call, RATE_HZ, activity), RATE_HZ, narrowband=True, noise=noise, quiet_ms=QUIET_MS)


def _batches(all_items: Sequence[Item], frames: int, chance: np.random.Generator) -> Iterator[list[Item]]:
    """Every item once, those of about the same length together, in a random order of batches."""
    order = sorted(all_items, key=lambda item: len(item[0]) + chance.random() * 20)
    batches: list[list[Item]] = [[]]
    for item in order:
        if batches[-1] and len(item[0]) * (len(batches[-1]) + 1) > frames:
            batches.append([])
        batches[-1].append(item)
    for i in chance.permutation(len(batches)):
        yield batches[i]


def _loss(network: AdaptedMuggle, batch: Sequence[Item], plan: Plan, chance: np.random.Generator) -> Tensor:
    seen, lengths, before, after = _tensors([(_masked(f, plan, chance), y) for f, y in batch])
    replaced = torch.from_numpy(chance.random(before.shape) < plan.wrong)
    replaced[:, 0] = False
    others = torch.from_numpy(chance.integers(FIRST_CHARACTER, len(network.get_buffer("embedding")), before.shape))
    scores = _scores(network, seen, lengths, torch.where(replaced, others, before), plan)
    return nn.functional.cross_entropy(scores, after.flatten(), ignore_index=_NOTHING, label_smoothing=plan.smoothing)


def _measure(network: AdaptedMuggle, held: Sequence[Item], plan: Plan) -> tuple[float, float]:
    """(loss per character, share of characters right)"""
    network.eval()
    losses, right, count = 0.0, 0, 0
    with torch.no_grad():
        for batch in _batches(held, plan.frames, np.random.default_rng(0)):
            seen, lengths, before, after = _tensors(batch)
            scores, wanted = _scores(network, seen, lengths, before, plan), after.flatten()
            there = wanted != _NOTHING
            losses += float(nn.functional.cross_entropy(scores[there], wanted[there], reduction="sum"))
            right += int((scores.argmax(-1) == wanted)[there].sum())
            count += int(there.sum())
    network.train()
    return losses / count, right / count


def _scores(network: AdaptedMuggle, seen: Tensor, lengths: Tensor, before: Tensor, plan: Plan) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16, enabled=plan.half):
        heard, there = network.encode(seen, lengths)
        return network.decode(before, heard, there).float().flatten(0, 1)


def _tensors(batch: Sequence[Item]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Padded features, their lengths, the characters so far and the ones that follow."""
    lengths = torch.tensor([len(f) for f, _ in batch])
    seen = torch.zeros(len(batch), int(lengths.max()), BANDS)
    longest = max(len(y) for _, y in batch) + 1
    before = torch.full((len(batch), longest), EOS)
    after = torch.full((len(batch), longest), _NOTHING)
    for row, (f, y) in enumerate(batch):
        seen[row, : len(f)] = torch.from_numpy(f)
        before[row, 1 : len(y) + 1] = after[row, : len(y)] = torch.from_numpy(y)
        after[row, len(y)] = EOS
    return seen, lengths, before, after


def _masked(seen: Floats, plan: Plan, chance: np.random.Generator) -> Floats:
    """Some moments and some pitches are not heard (SpecAugment, Park et al. 2019, arXiv:1904.08779)."""
    seen = seen.copy()
    for _ in range(plan.masks):
        width = int(chance.integers(0, plan.masked_frames + 1))
        start = int(chance.integers(0, max(1, len(seen) - width)))
        seen[start : start + width] = 0.0
    width = int(chance.integers(0, plan.masked_bands + 1))
    start = int(chance.integers(0, NARROWBAND_TOP - width))
    seen[:, start : start + width] = 0.0
    return seen


def _pace(done: float) -> float:
    """Share of the full rate after so much of the training, 0..1: up within a fiftieth, then down a cosine."""
    return min(1.0, done / 0.02 + 0.02) * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * done)))
