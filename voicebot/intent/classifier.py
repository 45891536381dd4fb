"""Which acts does a turn carry? The trained network as a call uses it: one ONNX file, one core, about a millisecond.

The folder of a model:
    model.onnx     int8 weights; inputs pieces, grams, pending; outputs acts, primary, finished (logits)
    pieces.tsv     the vocabulary, as `voicebot.intent.pieces` reads it
    ending.npz     whether the turn is over, beside the network's guess (`voicebot.intent.ending`)
    model.json     what else belongs to it: acts, pending questions, thresholds, temperature, what it was trained on
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dialogue.acts import PRIMARY_RANK, Act, Pending
from voicebot.intent.ending import NETWORK_SHARE, Ending
from voicebot.intent.pieces import PAD, Vocabulary, grams
from voicebot.intent.quality import CRITICAL

NETWORK, PIECES, FACTS = "model.onnx", "pieces.tsv", "model.json"
Floats = npt.NDArray[np.float32]

HARDLY_FIRST = 0.2
"""An act that would stand first, and is less likely than this to be the first one, was not said: 不还的话会怎么样 is no
refusal. Acts whose loss hurts somebody are kept. Chosen on data/dev."""


CALM = (Act.PROMISE_PAY, Act.PROMISE_PARTIAL, Act.ALREADY_PAID, Act.SELF, Act.AFFIRM, Act.ACKNOWLEDGE, Act.FILLER)
SURELY_CALM, FAINT = 0.8, 0.25
"""Who says one of these in so many words, as the first act and as likely as this, is in no danger for a faint doubt:
算了算了 我今天一块儿还了. Chosen on data/dev."""


class ModelError(RuntimeError):
    """A model that cannot be used; the message names the folder, what is wrong and the way out."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Acts, primary first, how likely the primary one is right (calibrated), how likely the turn is over."""

    acts: tuple[Act, ...]
    confidence: float
    finished: float


class IntentClassifier:
    """Thread-safe; the same words always give the same answer on the same kind of processor. Raises ModelError."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime as ort

        way_out = "restore the folder from the repository, or train one: voicebot intent train"
        try:
            facts = json.loads((folder / FACTS).read_text("utf-8"))
            self.acts = tuple(Act(name) for name in facts["acts"])
            self._pending = {Pending(name): i for i, name in enumerate(facts["pending"])}
            self._thresholds = np.array([facts["thresholds"][a] for a in self.acts], np.float32)
            self._temperature = float(facts["temperature"])
            self.vocabulary = Vocabulary.read(folder / PIECES)
            self._ending = Ending.read(folder)
            network = (folder / NETWORK).read_bytes()
        except (OSError, ValueError, KeyError) as e:
            raise ModelError(f"{folder}: not an intent model ({type(e).__name__}: {e}); {way_out}") from e
        if set(self.acts) != set(Act) or set(self._pending) != set(Pending):
            raise ModelError(f"{folder}: was trained for other acts or questions than this program's; {way_out}")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        except Exception as e:
            raise ModelError(f"{folder / NETWORK}: damaged ({type(e).__name__}); {way_out}") from e
        self.facts = facts
        self.name = f"intent-{hashlib.sha256(network).hexdigest()[:8]}"

    def decide_all(self, turns: Sequence[tuple[str, Pending]]) -> list[Decision]:
        """Many turns at once: for measuring."""
        return [self._decide(*row) for row in zip(*self._run(turns), strict=True)]

    def decide_between(self, texts: Sequence[tuple[str, float]], pending: Pending) -> Decision:
        """One turn that may have been any of several texts, the likeliest first, each with its weight (any scale).

        The probabilities of what it means are averaged over the texts; acts that must be heeded are not outvoted.
        """
        weights = np.array([weight for _, weight in texts], np.float32)
        rows = self._run([(text, pending) for text, _ in texts])
        acts, primary, finished = (np.average(row, axis=0, weights=weights) for row in rows)
        heeded = np.where(self._critical, np.maximum(acts, rows[0][0]), acts)
        return self._decide(heeded, primary, np.float32(finished))

    def _decide(self, acts: Floats, likely: Floats, finished: np.float32) -> Decision:
        """From probabilities: of every act, of each being the first, of the turn being over."""
        chosen = set(np.flatnonzero(acts > self._thresholds)) | {int(likely.argmax())}
        first = int(likely.argmax())
        if self.acts[first] in CALM and likely[first] >= SURELY_CALM and acts[self._crisis] < FAINT:
            chosen.discard(self._crisis)
        for one, other in self._exclusive:
            if {one, other} <= chosen:
                chosen.discard(one if likely[one] < likely[other] else other)
        before = self._rank[first]
        chosen -= {i for i in chosen if self._rank[i] < before and likely[i] < HARDLY_FIRST and not self._critical[i]}
        order = sorted(chosen, key=lambda i: (self._rank[i], -likely[i]))
        return Decision(tuple(self.acts[i] for i in order), float(likely[order[0]]), float(finished))

    @cached_property
    def _exclusive(self) -> list[tuple[int, int]]:
        """Acts of which a turn has one at most: who pays a part does not pay the whole."""
        pairs = ((Act.PROMISE_PAY, Act.PROMISE_PARTIAL), (Act.SELF, Act.WRONG_PERSON), (Act.AFFIRM, Act.DENY))
        return [(self.acts.index(a), self.acts.index(b)) for a, b in pairs]

    @cached_property
    def _crisis(self) -> int:
        return self.acts.index(Act.CRISIS)

    @cached_property
    def _critical(self) -> list[bool]:
        return [act in CRITICAL for act in self.acts]

    @cached_property
    def _rank(self) -> list[int]:
        """Place of each act in the contract's ranking; all that it does not rank come last."""
        return [PRIMARY_RANK.index(a) if a in PRIMARY_RANK else len(PRIMARY_RANK) for a in self.acts]

    def _run(self, turns: Sequence[tuple[str, Pending]]) -> tuple[Floats, Floats, Floats]:
        """Probabilities, a row for each turn: of every act, of each being the first, of the turn being over."""
        inputs = {
            "pieces": padded([self.vocabulary.encode(text) for text, _ in turns]),
            "grams": padded([grams(text, pending) for text, pending in turns]),
            "pending": np.array([self._pending[pending] for _, pending in turns], np.int64),
        }
        acts, primary, finished = self._session.run(["acts", "primary", "finished"], inputs)
        ended = np.array([self._ending.logit(text, pending) for text, pending in turns], np.float32)
        over = _sigmoid(ended + NETWORK_SHARE * finished)
        return _sigmoid(acts), _softmax(primary / self._temperature), over


def padded(rows: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
    """Rows of ids of different length as one table, PAD at the ends."""
    table = np.full((len(rows), max(map(len, rows))), PAD, np.int64)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)), np.float32)


def _softmax(x: Floats) -> Floats:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True), np.float32)
