"""What has the recogniser learned since it was published? A small file of changes, added to its weights when it loads.

An .npz with, for each module that learned: `down` [rank, in] and `up` [out, rank], whose product is the change of its
matrix, or `weight_change` and `bias_change` of a layer norm; and `about`, JSON: name, what it was learned from.
`voicebot ears train` writes it, models/ears/ has the one that is shipped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voicebot.speech.asr.base import MissingWeights

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Adaptation:
    """`changes`: what is added to a weight, by the weight's name, in the shape that the published graphs have it in."""

    name: str
    changes: Mapping[str, Floats]

    def times(self, share: float) -> Adaptation:
        """So much of what was learned; 1: as it is kept."""
        return Adaptation(self.name, {name: change * np.float32(share) for name, change in self.changes.items()})


def write_adaptation(file: Path, learned: Mapping[str, npt.NDArray[np.floating]], about: Mapping[str, object]) -> None:
    """`learned`: `module/part` -> array. Written beside and renamed, so that nobody reads half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npz")
    np.savez_compressed(part, about=json.dumps(about, ensure_ascii=False), **dict(learned))  # type: ignore[arg-type]
    part.replace(file)


def read_adaptation(file: Path) -> Adaptation:
    """Raises MissingWeights, naming the file, when it is not there or not what it should be."""
    try:
        with np.load(file) as z:
            about = json.loads(str(z["about"]))
            parts = {name: z[name].astype(np.float32) for name in z.files if name != "about"}
        changes = {}
        for name, value in parts.items():
            module, part = name.split("/")
            if part == "down":
                changes[f"{module}.weight"] = np.ascontiguousarray((parts[f"{module}/up"] @ value).T)
            elif part != "up":
                changes[f"{module}.{part.removesuffix('_change')}"] = value
        return Adaptation(str(about["name"]), changes)
    except Exception as e:
        raise MissingWeights(
            "muggle",
            file,
            f"cannot be read ({type(e).__name__}: {e})",
            "take it from the repository again, or set speech.asr_adaptation to null",
        ) from e


def fold_in(initializers: Mapping[str, Any], changes: Mapping[str, Floats]) -> None:
    """Add the changes to a graph's weights, in place. `initializers`: by module name, see muggle_net.

    Raises KeyError or ValueError when a change does not belong to these weights.
    """
    from onnx import numpy_helper

    for name, change in changes.items():
        tensor = initializers[name]
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + change, tensor.name))
