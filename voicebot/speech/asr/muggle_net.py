"""How is the muggle network run fast enough for a telephone call?

The published pair of ONNX graphs decodes one beam and recomputes the whole prefix, with the projections of the whole
utterance, for every character. Their weights are those of an ordinary transformer (6 + 6 post-norm blocks, width 256,
4 heads, gated feed-forward, no positions in the decoder), so two graphs are built here from the same weights:

    encoder   features [1, T, 40]  ->  what every decoder block looks up: cross_k, cross_v
    step      characters [B, T] + the keys and values of the characters before  ->  log-probabilities, new keys, values

One `step` with T = 1 carries a beam one character on; one with T = n and no past scores B whole answers at once.
The utterance is encoded once and serves all of them. Both agree with the published graphs to rounding.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voicebot.speech.asr.base import MissingWeights
from voicebot.speech.asr.lowrank import Adaptation, fold_in

Floats = npt.NDArray[np.float32]

LAYERS, HEADS, HEAD_WIDTH, WIDTH = 6, 4, 64, 256
EOS = 0  # also the start symbol
FIRST_CHARACTER = 3  # 1 is padding, 2 stands for unknown

_MASKED = np.float32(-1e9)
_FILES = ("encoder.onnx", "decoder.onnx", "label_map.py")


@dataclass(frozen=True, slots=True)
class Encoded:
    """One utterance as the decoder sees it: [layer, head, 64, S] and [layer, head, S, 64], S about 25 a second."""

    cross_k: Floats
    cross_v: Floats


@dataclass(frozen=True, slots=True)
class Past:
    """Keys and values of the characters so far, each [layer, B, head, n, 64]."""

    k: Floats
    v: Floats

    def pick(self, rows: list[int]) -> Past:
        return Past(self.k[:, rows], self.v[:, rows])


def no_past(batch: int) -> Past:
    empty = np.zeros((LAYERS, batch, HEADS, 0, HEAD_WIDTH), np.float32)
    return Past(empty, empty)


class MuggleNet:
    """The network over a folder with encoder.onnx, decoder.onnx and label_map.py. Thread-safe.

    Raises MissingWeights, naming the file, when one is absent or is not what it should be.
    """

    def __init__(self, folder: Path, threads: int = 1, adaptation: Adaptation | None = None) -> None:
        import onnxruntime as ort

        for name in _FILES:
            if not (folder / name).is_file():
                raise _missing(folder / name, "no such file")
        self.characters = read_label_map(folder / "label_map.py")
        self.ids = {c: i for i, c in self.characters.items() if i >= FIRST_CHARACTER}
        encoder, step = _graphs(folder, adaptation)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._encoder = ort.InferenceSession(encoder, options, providers=["CPUExecutionProvider"])
        self._step = ort.InferenceSession(step, options, providers=["CPUExecutionProvider"])

    def encode(self, features: Floats) -> Encoded:
        """`features` [T, 40], T >= 7."""
        k, v = self._encoder.run(["cross_k", "cross_v"], {"inputs": features[None]})
        return Encoded(k, v)

    def step(self, characters: npt.NDArray[np.int64], past: Past, heard: Encoded) -> tuple[Floats, Past]:
        """`characters` [B, T] -> (log-probabilities of the next character [B, T, V], the past with them in it)."""
        length, before = characters.shape[1], past.k.shape[3]
        mask = np.triu(np.full((length, before + length), _MASKED, np.float32), before + 1)
        log_p, k, v = self._step.run(
            ["log_p", "new_k", "new_v"],
            {
                "characters": characters,
                "mask": mask,
                "past_k": past.k,
                "past_v": past.v,
                "cross_k": heard.cross_k,
                "cross_v": heard.cross_v,
            },
        )
        return log_p, Past(k, v)

    def text(self, ids: tuple[int, ...]) -> str:
        return "".join(self.characters[i] for i in ids if i >= FIRST_CHARACTER)


def read_label_map(file: Path) -> dict[int, str]:
    """The characters by number. The file is Python, but it is only read as data: one literal, never executed."""
    try:
        tree = ast.parse(file.read_text("utf-8"))
        literals = [n.value for n in tree.body if isinstance(n, ast.Assign) and isinstance(n.value, ast.Dict)]
        table = ast.literal_eval(literals[0])
    except (OSError, SyntaxError, ValueError, IndexError) as e:
        raise _missing(file, f"not a table of characters ({e})") from e
    if not all(isinstance(k, int) and isinstance(v, str) for k, v in table.items()):
        raise _missing(file, "not a table of numbers and characters")
    return dict(table)


def _missing(file: Path, reason: str) -> MissingWeights:
    return MissingWeights("muggle", file, reason, "fetch it with: voicebot models pull muggle")


# ---- building the graphs ------------------------------------------------------------------------------------------


def _graphs(folder: Path, adaptation: Adaptation | None) -> tuple[bytes, bytes]:
    """Read the published graphs, add what was learned since, return (encoder, step) serialised."""
    encoder, decoder = _published(folder)
    try:
        if adaptation is not None:
            for part, graph in (("encoder.", encoder.graph), ("decoder.", decoder.graph)):
                mine = {name: c for name, c in adaptation.changes.items() if name.startswith(part)}
                fold_in(_initializers(graph), mine)
    except (KeyError, ValueError) as e:
        raise _missing(folder, f"not the weights that {adaptation and adaptation.name} was learned on ({e})") from e
    try:
        weights = _named_weights(decoder.graph)
        _add_cross_projections(encoder, weights)
        step = _build_step(weights)
    except (KeyError, StopIteration) as e:
        raise _missing(folder / "decoder.onnx", f"not the muggle-speech 0.1.1 network (no {e})") from e
    return encoder.SerializeToString(), step.SerializeToString()


def published_weights(folder: Path) -> dict[str, Floats]:
    """All weights by module name, a matrix as [in, out]. Raises MissingWeights."""
    encoder, decoder = _published(folder)
    return _named_weights(encoder.graph) | _named_weights(decoder.graph)


def _published(folder: Path) -> tuple[Any, Any]:
    import onnx

    models = []
    for name in _FILES[:2]:
        try:
            models.append(onnx.load(str(folder / name)))
        except Exception as e:
            raise _missing(folder / name, f"damaged, not an ONNX model ({type(e).__name__})") from e
    return models[0], models[1]


def _named_weights(graph: Any) -> dict[str, Floats]:
    from onnx import numpy_helper

    return {name: numpy_helper.to_array(i) for name, i in _initializers(graph).items()}


def _initializers(graph: Any) -> dict[str, Any]:
    """Weights by module name. The export keeps the names of biases only; a matrix is found by the bias added to it."""
    tensors = {i.name: i for i in graph.initializer}
    matrix_of = {n.output[0]: n.input[1] for n in graph.node if n.op_type == "MatMul"}
    named = {name: i for name, i in tensors.items() if name.startswith(("encoder.", "decoder."))}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        for bias, product in (tuple(node.input), tuple(node.input)[::-1]):
            if bias in tensors and bias.endswith(".bias") and product in matrix_of:
                named[bias.removesuffix("bias") + "weight"] = tensors[matrix_of[product]]
    return named


class _Builder:
    """Nodes and weights of a graph under construction; every method returns the name of what it computes."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._prefix, self._count = prefix, 0

    def op(self, kind: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        self._count += 1
        out = name or f"{self._prefix}{self._count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def const(self, value: npt.ArrayLike) -> str:
        from onnx import numpy_helper

        self._count += 1
        name = f"{self._prefix}{self._count}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def ints(self, *values: int) -> str:
        return self.const(np.array(values, np.int64))

    def linear(self, x: str, weights: dict[str, Floats], module: str) -> str:
        product = self.op("MatMul", x, self.const(weights[f"{module}.weight"]))
        return self.op("Add", product, self.const(weights[f"{module}.bias"]))

    def norm(self, x: str, weights: dict[str, Floats], module: str) -> str:
        scale, bias = self.const(weights[f"{module}.weight"]), self.const(weights[f"{module}.bias"])
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-12)

    def heads(self, x: str, rows: int) -> str:
        """[B, T, 256] -> [B, T, head, 64] with B = `rows` (0: as it is), ready to be transposed."""
        return self.op("Reshape", x, self.ints(rows, -1, HEADS, HEAD_WIDTH))


def _add_cross_projections(encoder: Any, weights: dict[str, Floats]) -> None:
    """Let the encoder end in the keys and values of the decoder's blocks instead of in its states."""
    from onnx import TensorProto, helper

    b = _Builder("cross.")
    parts: dict[str, list[str]] = {"k": [], "v": []}
    for layer in range(LAYERS):
        for part, perm in (("k", (0, 2, 3, 1)), ("v", (0, 2, 1, 3))):
            x = b.linear("beam_enc_states", weights, f"decoder.blocks.{layer}.src_attn.linear_{part}")
            parts[part].append(b.op("Transpose", b.heads(x, 1), perm=perm))
    graph = encoder.graph
    b.op("Concat", *parts["k"], name="cross_k", axis=0)
    b.op("Concat", *parts["v"], name="cross_v", axis=0)
    graph.node.extend(b.nodes)
    graph.initializer.extend(b.initializers)
    del graph.output[:]
    del graph.value_info[:]
    for name in ("cross_k", "cross_v"):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))


def _build_step(weights: dict[str, Floats]) -> Any:
    from onnx import TensorProto, helper

    b = _Builder("step.")
    scale = b.const(np.float32(1 / np.sqrt(HEAD_WIDTH)))
    x = b.op("Gather", b.const(weights["decoder.embedding.weight"]), "characters")
    new: dict[str, list[str]] = {"k": [], "v": []}
    for layer in range(LAYERS):
        block = f"decoder.blocks.{layer}"
        x = b.norm(b.op("Add", x, _self_attention(b, weights, block, x, layer, scale, new)), weights, f"{block}.norm1")
        x = b.norm(b.op("Add", x, _cross_attention(b, weights, block, x, layer, scale)), weights, f"{block}.norm2")
        x = b.norm(b.op("Add", x, _feed_forward(b, weights, block, x)), weights, f"{block}.norm3")
    b.op("LogSoftmax", b.linear(x, weights, "decoder.output_layer"), name="log_p", axis=-1)
    for part in ("k", "v"):
        b.op("Concat", *new[part], name=f"new_{part}", axis=0)
    inputs = [
        helper.make_tensor_value_info("characters", TensorProto.INT64, ["batch", "length"]),
        helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["length", "total"]),
        *(
            helper.make_tensor_value_info(f"past_{p}", TensorProto.FLOAT, [LAYERS, "batch", HEADS, "past", HEAD_WIDTH])
            for p in "kv"
        ),
        helper.make_tensor_value_info("cross_k", TensorProto.FLOAT, [LAYERS, HEADS, HEAD_WIDTH, "heard"]),
        helper.make_tensor_value_info("cross_v", TensorProto.FLOAT, [LAYERS, HEADS, "heard", HEAD_WIDTH]),
    ]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("log_p", "new_k", "new_v")]
    graph = helper.make_graph(b.nodes, "muggle_step", inputs, outputs, b.initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _self_attention(
    b: _Builder, weights: dict[str, Floats], block: str, x: str, layer: int, scale: str, new: dict[str, list[str]]
) -> str:
    at = f"{block}.self_attn"
    q, k, v = (
        b.op("Transpose", b.heads(b.linear(x, weights, f"{at}.linear_{p}"), 0), perm=(0, 2, 1, 3)) for p in "qkv"
    )
    index = b.const(np.int64(layer))
    k = b.op("Concat", b.op("Gather", "past_k", index, axis=0), k, axis=2)
    v = b.op("Concat", b.op("Gather", "past_v", index, axis=0), v, axis=2)
    new["k"].append(b.op("Unsqueeze", k, b.ints(0)))
    new["v"].append(b.op("Unsqueeze", v, b.ints(0)))
    score = b.op("Mul", b.op("MatMul", q, b.op("Transpose", k, perm=(0, 1, 3, 2))), scale)
    seen = b.op("MatMul", b.op("Softmax", b.op("Add", score, "mask"), axis=-1), v)
    joined = b.op("Reshape", b.op("Transpose", seen, perm=(0, 2, 1, 3)), b.ints(0, -1, WIDTH))
    return b.linear(joined, weights, f"{at}.linear_out")


def _cross_attention(b: _Builder, weights: dict[str, Floats], block: str, x: str, layer: int, scale: str) -> str:
    """Every row of the batch heard the same utterance: rows and characters fold into one axis, head by head."""
    at = f"{block}.src_attn"
    folded = b.op("Reshape", b.linear(x, weights, f"{at}.linear_q"), b.ints(-1, HEADS, HEAD_WIDTH))
    q = b.op("Transpose", folded, perm=(1, 0, 2))
    index = b.const(np.int64(layer))
    score = b.op("Mul", b.op("MatMul", q, b.op("Gather", "cross_k", index, axis=0)), scale)
    seen = b.op("MatMul", b.op("Softmax", score, axis=-1), b.op("Gather", "cross_v", index, axis=0))
    flat = b.op("Reshape", b.op("Transpose", seen, perm=(1, 0, 2)), b.ints(-1, WIDTH))
    return b.op("Reshape", b.linear(flat, weights, f"{at}.linear_out"), b.op("Shape", x))


def _feed_forward(b: _Builder, weights: dict[str, Floats], block: str, x: str) -> str:
    wide = b.linear(x, weights, f"{block}.feed_forward.w_1")
    value = b.op("Slice", wide, b.ints(0), b.ints(1024), b.ints(2))
    gate = b.op("Slice", wide, b.ints(1024), b.ints(2048), b.ints(2))
    return b.linear(b.op("Mul", value, b.op("Sigmoid", gate)), weights, f"{block}.feed_forward.w_2")
