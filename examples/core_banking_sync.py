"""A bank's core system and the robot: push what was paid, poll what was promised. Run it from cron every few minutes.

    VOICEBOT_KEY=vb_... python examples/core_banking_sync.py http://127.0.0.1:8080 payments.json promises.json

payments.json: [{"reference", "case_id", "amount", "paid_at"}, ...], as the core system exports them. Sent again after a
failure they count once. promises.json: what was promised so far, rewritten each time, the newest first.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import httpx

AT_ONCE = 500


def main(address: str, payments: Path, promises: Path) -> None:
    with httpx.Client(
        base_url=f"{address}/api/v1", headers={"Authorization": f"Bearer {os.environ['VOICEBOT_KEY']}"}, timeout=30
    ) as api:
        print(f"{push(api, json.loads(payments.read_text('utf-8')))} payments were new")
        found = poll(api)
        part = promises.with_suffix(".part")
        part.write_text(json.dumps(found, ensure_ascii=False, indent=1), "utf-8")
        part.replace(promises)
        print(f"{len(found)} promises")


def push(api: httpx.Client, rows: list[dict[str, str]]) -> int:
    new = 0
    for i in range(0, len(rows), AT_ONCE):
        some = {"payments": rows[i : i + AT_ONCE]}
        once = hashlib.sha256(json.dumps(some, sort_keys=True).encode()).hexdigest()
        answer = api.post("/payments", json=some, headers={"Idempotency-Key": once})
        if answer.status_code == 422:
            sys.exit("\n".join(f"{e['field']}: {e['message']}" for e in answer.json()["errors"]))
        answer.raise_for_status()
        new += answer.json()["new"]
    return new


def poll(api: httpx.Client) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    after = None
    while True:
        page = (
            api.get("/promises", params={"limit": 200} | ({"after": after} if after else {})).raise_for_status().json()
        )
        found += page["items"]
        if (after := page["after"]) is None:
            return found


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1].rstrip("/"), Path(sys.argv[2]), Path(sys.argv[3]))
