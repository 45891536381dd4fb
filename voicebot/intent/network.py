"""The network: a compact transformer over a turn's pieces, led by the pending question, and a linear part over hashed
runs of characters beside it. Their answers are added.

    pieces ── embedding + their sound's ── n-gram convolutions (of the base encoder) ──┐
    pending question ── embedding ─────────────────────────────────────┴── transformer ──┬── acts (sigmoid)
                                                                                         ├── primary (softmax)
                                                                                         └── finished (sigmoid)
    runs of characters ── a row of weights each, summed ──────────────────────────────────── acts, primary

Needs the training extra (torch, transformers); a call uses the exported ONNX file and `voicebot.intent.classifier`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertEncoder

from dialogue.acts import Act, Pending
from voicebot.intent.base import CONV_DIM, ORDERS, PIECE_DIM, BaseEncoder
from voicebot.intent.pieces import GRAMS, MAX_PIECES, PAD, SPECIALS, Vocabulary

_FEATURES = PIECE_DIM + len(ORDERS) * CONV_DIM


@dataclass(frozen=True)
class Shape:
    """How large the network is."""

    width: int = 256
    layers: int = 3
    heads: int = 4
    inner: int = 768
    dropout: float = 0.15

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


class IntentNetwork(nn.Module):
    """`forward(pieces, grams, pending)`: ids (batch, n), (batch, g), (batch) -> logits of the acts and of the primary
    act, both (batch, acts), and of whether the turn is finished, (batch)."""

    def __init__(self, vocabulary: Vocabulary, shape: Shape) -> None:
        super().__init__()
        sound_of, sounds = vocabulary.sounds()
        d, drop = shape.width, shape.dropout
        self.embedding = nn.Embedding(len(vocabulary), PIECE_DIM, padding_idx=PAD)
        self.sounds = nn.Embedding(sounds, PIECE_DIM, padding_idx=PAD)
        nn.init.zeros_(self.sounds.weight)
        self.register_buffer("sound_of", torch.tensor(sound_of))
        self.branches = nn.ModuleList(_Branch(order, left) for order, left in ORDERS)
        self.norm = nn.LayerNorm(_FEATURES)
        self.from_pieces = nn.Linear(_FEATURES, d)
        self.pending = nn.Embedding(len(Pending), d)
        self.places = nn.Embedding(1 + MAX_PIECES, d)
        self.before = nn.LayerNorm(d)
        self.dropout = nn.Dropout(drop)
        self.encoder = BertEncoder(
            BertConfig(
                hidden_size=d,
                num_hidden_layers=shape.layers,
                num_attention_heads=shape.heads,
                intermediate_size=shape.inner,
                hidden_dropout_prob=drop,
                attention_probs_dropout_prob=drop,
                attn_implementation="eager",
            )
        )
        pooled = 3 * d + _FEATURES
        self.hidden = nn.Linear(pooled, d)
        self.acts = nn.Linear(d, len(Act))
        self.primary = nn.Linear(d, len(Act))
        self.finished = nn.Linear(d, 1)
        self.runs = nn.Embedding(GRAMS, 2 * len(Act), padding_idx=PAD)
        nn.init.zeros_(self.runs.weight)

    def forward(self, pieces: Tensor, grams: Tensor, pending: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        acts, primary, finished = self.deep(pieces, pending)
        wide_acts, wide_primary = self.wide(grams)
        return acts + wide_acts, primary + wide_primary, finished

    def wide(self, grams: Tensor) -> tuple[Tensor, Tensor]:
        """What the runs of characters say by themselves."""
        n = (grams != PAD).sum(1, keepdim=True).to(self.runs.weight.dtype)
        said = self.runs(grams).sum(1) / n.sqrt()
        acts, primary = said.chunk(2, dim=-1)
        return acts, primary

    def deep(self, pieces: Tensor, pending: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the transformer says by itself."""
        has_piece = pieces != PAD
        vectors = self.embedding(pieces) + self.sounds(self.sound_of[pieces])
        mask = has_piece.unsqueeze(-1).to(vectors.dtype)
        features = self.norm(torch.cat([vectors, *(branch(vectors, mask) for branch in self.branches)], dim=-1)) * mask
        question = self.pending(pending).unsqueeze(1)
        sequence = torch.cat([question, self.from_pieces(features)], dim=1)
        places = torch.arange(1 + pieces.shape[1], device=pieces.device)
        sequence = self.dropout(self.before(sequence + self.places(places)))
        seen = torch.cat([torch.ones_like(pending).unsqueeze(1).bool(), has_piece], dim=1)
        bias = (1.0 - seen[:, None, None, :].to(sequence.dtype)) * -1e4
        out = self.encoder(sequence, attention_mask=bias)[0]
        best = (out + (1.0 - seen.unsqueeze(-1).to(out.dtype)) * -1e4).amax(dim=1)
        weight = seen.unsqueeze(-1).to(out.dtype)
        mean = (out * weight).sum(1) / weight.sum(1)
        whole = features.sum(1) / mask.sum(1).sqrt()
        hidden = torch.nn.functional.gelu(self.hidden(self.dropout(torch.cat([out[:, 0], best, mean, whole], dim=-1))))
        hidden = self.dropout(hidden)
        return self.acts(hidden), self.primary(hidden), self.finished(hidden).squeeze(-1)

    def start_from(self, base: BaseEncoder) -> None:
        """Take over what the base encoder knows."""
        w = base.weights
        with torch.no_grad():
            known = torch.from_numpy(base.embedding)
            nn.init.normal_(self.embedding.weight, std=float(known.std()))
            self.embedding.weight[:SPECIALS].zero_()
            self.embedding.weight[SPECIALS : SPECIALS + len(known)].copy_(known)
            for branch, (order, _) in zip(self.branches, ORDERS, strict=True):
                branch.start_from({k: torch.from_numpy(w[f"{k}{order}"]) for k in _BRANCH_WEIGHTS})
            self.norm.weight.copy_(torch.from_numpy(w["ln_g"]))
            self.norm.bias.copy_(torch.from_numpy(w["ln_b"]))


_BRANCH_WEIGHTS = ("proj", "proj_b", "ln_g", "ln_b", "w1_", "b1_", "w2_", "b2_")


class _Branch(nn.Module):
    """One residual convolution over n-grams of pieces, twice."""

    def __init__(self, order: int, left: int) -> None:
        super().__init__()
        self.order, self.left = order, left
        self.project = nn.Linear(PIECE_DIM, CONV_DIM)
        self.norm = nn.LayerNorm(CONV_DIM)
        self.first = nn.Linear(order * CONV_DIM, CONV_DIM)
        self.second = nn.Linear(order * CONV_DIM, CONV_DIM)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        x = self.norm(self.project(vectors)) * mask
        h = (torch.relu(self.first(self._grams(x))) + x) * mask
        return (torch.relu(self.second(self._grams(h))) + h) * mask

    def _grams(self, x: Tensor) -> Tensor:
        """(batch, n, width) -> (batch, n, order * width): every place with its neighbours, zeros beyond the ends."""
        n = x.shape[1]
        padded = nn.functional.pad(x, (0, 0, self.left, self.order - 1 - self.left))
        return torch.cat([padded[:, i : i + n] for i in range(self.order)], dim=-1)

    def start_from(self, w: dict[str, Tensor]) -> None:
        self.project.weight.copy_(w["proj"].T)
        self.project.bias.copy_(w["proj_b"])
        self.norm.weight.copy_(w["ln_g"])
        self.norm.bias.copy_(w["ln_b"])
        for layer, weight, bias in ((self.first, w["w1_"], w["b1_"]), (self.second, w["w2_"], w["b2_"])):
            layer.weight.copy_(weight.T)
            layer.bias.copy_(bias)
