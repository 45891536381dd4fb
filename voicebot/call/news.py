"""What happens in a call, for whoever watches: the terminal now, the console later."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class News:
    """One thing to show.

    `kind`: ready, dialing, answered, robot, customer, let_go, flag, promise, withdrawn, callback, handoff, trouble,
    ended; stats: a worker's own figures (WorkerStats as JSON in `detail`), at its end.
    `at_s`: seconds since the media came up. `response_ms`: from the end of the customer's speech to the robot's voice.
    """

    call_id: str = ""
    kind: str = ""
    case_id: str = ""
    at_s: float = 0.0
    text: str = ""
    acts: tuple[str, ...] = ()
    detail: str = ""
    response_ms: int | None = None

    def to_json(self) -> str:
        return json.dumps({k: v for k, v in asdict(self).items() if v not in ("", (), None)}, ensure_ascii=False)


Observer = Callable[[News], None]


def news_from_json(line: str) -> News:
    data = json.loads(line)
    data["acts"] = tuple(data.get("acts", ()))
    return News(**data)
