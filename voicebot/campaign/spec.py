"""What a supervisor and a worker process tell each other: plain values that travel as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What a worker does. `settings`: Settings as JSON.

    Either one batch, every case once by `script`; or the running campaigns, of which `campaign` may name one. Without
    `until_done` a worker goes on for ever and waits for what becomes due.
    """

    lines: int
    settings: str
    batch_id: int | None = None
    script: str | None = None
    campaign: str | None = None
    until_done: bool = True

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
