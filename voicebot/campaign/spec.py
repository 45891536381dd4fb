"""What a supervisor and a worker process tell each other: plain values that travel as JSON."""

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


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """A worker's own account of its work, from ready to done. CPU includes its threads, not its voice process."""

    lines: int
    cpu_s: float
    wall_s: float
    peak_rss_mb: float
    ticks: int
    tick_late_p50_ms: int
    tick_late_p99_ms: int
    tick_late_max_ms: int

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> WorkerStats:
        return cls(**json.loads(text))
