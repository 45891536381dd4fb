"""Which network learns? The published one, every weight as it was, with a small change to each that is learned.

A matrix W becomes W + up @ down of rank 16 (LoRA, Hu et al. 2021, arXiv:2106.09685): a fourteenth of the weights, too
few to forget what the network knows of Mandarin, enough to learn a line and a trade. Layer norms are few and learn
freely. The network is the one of voicebot.speech.asr.muggle_net; test_adapt.py holds them against each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from voicebot.speech.asr.muggle_net import HEADS, LAYERS, WIDTH, Floats


class Layer(nn.Module):
    """x @ W + b, fixed, and the change."""

    def __init__(self, weights: Mapping[str, Floats], name: str, rank: int) -> None:
        super().__init__()
        wide, narrow = weights[f"{name}.weight"].shape
        self.register_buffer("weight", torch.from_numpy(np.ascontiguousarray(weights[f"{name}.weight"].T)))
        self.register_buffer("bias", torch.from_numpy(weights[f"{name}.bias"].copy()))
        self.down = nn.Parameter(torch.randn(rank, wide) / math.sqrt(wide))
        self.up = nn.Parameter(torch.zeros(narrow, rank))

    def forward(self, x: Tensor) -> Tensor:
        changed = functional.linear(functional.linear(x, self.down), self.up)
        return functional.linear(x, self.weight, self.bias) + changed  # type: ignore[arg-type]


class Norm(nn.Module):
    def __init__(self, weights: Mapping[str, Floats], name: str) -> None:
        super().__init__()
        self.register_buffer("weight", torch.from_numpy(weights[f"{name}.weight"].copy()))
        self.register_buffer("bias", torch.from_numpy(weights[f"{name}.bias"].copy()))
        self.weight_change = nn.Parameter(torch.zeros(WIDTH))
        self.bias_change = nn.Parameter(torch.zeros(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight + self.weight_change, self.bias + self.bias_change  # type: ignore[operator]
        return functional.layer_norm(x, (WIDTH,), weight, bias, 1e-12)


class Attention(nn.Module):
    def __init__(self, weights: Mapping[str, Floats], name: str, rank: int) -> None:
        super().__init__()
        for part in ("q", "k", "v", "out"):
            self.add_module(f"linear_{part}", Layer(weights, f"{name}.linear_{part}", rank))

    def forward(self, x: Tensor, seen: Tensor, mask: Tensor) -> Tensor:
        """`mask`: true where it may look, [B or 1, 1, to, from]."""
        q, k, v = (
            self.get_submodule(f"linear_{part}")(y).view(len(y), -1, HEADS, WIDTH // HEADS).transpose(1, 2)
            for part, y in (("q", x), ("k", seen), ("v", seen))
        )
        out = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.get_submodule("linear_out")(out.transpose(1, 2).reshape(x.shape))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Encoder block, or decoder block where it looks at what was heard (`src_attn`)."""

    def __init__(self, weights: Mapping[str, Floats], name: str, rank: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = Attention(weights, f"{name}.self_attn", rank)
        self.src_attn = (
            Attention(weights, f"{name}.src_attn", rank) if f"{name}.src_attn.linear_q.weight" in weights else None
        )
        self.feed_forward = nn.ModuleDict(
            {part: Layer(weights, f"{name}.feed_forward.{part}", rank) for part in ("w_1", "w_2")}
        )
        for i in (1, 2, 3) if self.src_attn else (1, 2):
            self.add_module(f"norm{i}", Norm(weights, f"{name}.norm{i}"))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor, heard: Tensor | None = None, heard_mask: Tensor | None = None) -> Tensor:
        parts = [lambda y: self.self_attn(y, y, mask)]
        if self.src_attn is not None:
            parts.append(lambda y: self.src_attn(y, heard, heard_mask))  # type: ignore[misc]
        parts.append(lambda y: self.feed_forward["w_2"](functional.glu(self.feed_forward["w_1"](y), -1)))
        for i, part in enumerate(parts, start=1):
            x = self.get_submodule(f"norm{i}")(x + self.drop(part(x)))
        return x


class AdaptedMuggle(nn.Module):
    """features -> what was heard -> the next character, for whole batches. Weights by module name, as published."""

    def __init__(self, weights: Mapping[str, Floats], rank: int, dropout: float = 0.0) -> None:
        super().__init__()
        for i in (0, 2):
            for part in ("weight", "bias"):
                value = torch.from_numpy(weights[f"encoder.embed.conv.{i}.{part}"].copy())
                self.register_buffer(f"conv{i}_{part}", value)
        self.register_buffer("embedding", torch.from_numpy(weights["decoder.embedding.weight"].copy()))
        self.encoder = nn.ModuleDict(
            {
                "embed": nn.ModuleDict({"out": nn.ModuleList([Layer(weights, "encoder.embed.out.0", rank)])}),
                "blocks": nn.ModuleList(Block(weights, f"encoder.blocks.{i}", rank, dropout) for i in range(LAYERS)),
            }
        )
        self.decoder = nn.ModuleDict(
            {
                "blocks": nn.ModuleList(Block(weights, f"decoder.blocks.{i}", rank, dropout) for i in range(LAYERS)),
                "output_layer": Layer(weights, "decoder.output_layer", rank),
            }
        )

    def encode(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`features` [B, T, 40], padded; `lengths` [B] -> (states [B, S, 256], true where there is something [B, S])"""
        x = features[:, None]
        for i in (0, 2):
            x = functional.relu(
                functional.conv2d(x, self.get_buffer(f"conv{i}_weight"), self.get_buffer(f"conv{i}_bias"), stride=2)
            )
        batch, _, steps, _ = x.shape
        x = self.encoder["embed"]["out"][0](x.transpose(1, 2).reshape(batch, steps, -1))  # type: ignore[index]
        there = torch.arange(steps)[None] < (((lengths - 1) // 2 - 1) // 2)[:, None]
        x = (x * math.sqrt(WIDTH) + _positions(steps)) * there[..., None]
        for block in self.encoder["blocks"]:  # type: ignore[union-attr]
            x = block(x, there[:, None, None])
        return x, there

    def decode(self, characters: Tensor, heard: Tensor, there: Tensor) -> Tensor:
        """`characters` [B, N], beginning with the start symbol -> scores of the next ones [B, N, V]"""
        length = characters.shape[1]
        before = torch.ones(length, length, dtype=torch.bool).tril()[None, None]
        x = self.get_buffer("embedding")[characters]
        for block in self.decoder["blocks"]:  # type: ignore[union-attr]
            x = block(x, before, heard, there[:, None, None])
        return self.decoder["output_layer"](x)  # type: ignore[no-any-return]

    def changes(self, strength: float = 1.0) -> dict[str, Floats]:
        """What was learned, or so much of it, as voicebot.speech.asr.lowrank keeps it.

        Between the published weights and the learned ones lie networks that are nearly as good at what was learned and
        nearly as good at everything else (Wortsman et al. 2022, arXiv:2109.01903).
        """
        found = {}
        for name, value in self.named_parameters():
            module, _, part = name.rpartition(".")
            share = 1.0 if part == "down" else strength  # a matrix's change is a product: one factor carries the share
            found[f"{module}/{part}"] = (value.detach().numpy() * share).astype(np.float16)
        return found


def _positions(steps: int) -> Tensor:
    at = torch.arange(steps).float()[:, None]
    rates = torch.exp(torch.arange(0, WIDTH, 2).float() * -(math.log(10000.0) / WIDTH))
    table = torch.zeros(steps, WIDTH)
    table[:, 0::2], table[:, 1::2] = torch.sin(at * rates), torch.cos(at * rates)
    return table
