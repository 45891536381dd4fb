"""What a supervisor tells a worker process: plain values that travel as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """One worker's share of a batch. `settings`: Settings as JSON."""

    batch_id: int
    script: str
    lines: int
    settings: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> WorkerSpec:
        return cls(**json.loads(text))
