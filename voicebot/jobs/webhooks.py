"""Tells other systems what happened, signed after the Standard Webhooks specification, until they say 2xx.

webhook-id         of the event: the same in every repeat
webhook-timestamp  seconds since 1970: refuse what is older than some minutes
webhook-signature  v1,base64(HMAC-SHA256(secret, "<id>.<timestamp>.<body>"))
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from voicebot.store import Store
from voicebot.store.outbox import Delivery

TIMEOUT_S = 10.0
AT_ONCE = 20


def sign(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """`secret` as it was shown: whsec_..."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def tell(store: Store) -> int:
    """Deliver what is due; how many were taken. A receiver that is slow holds up no other."""
    told = 0
    with httpx.Client(timeout=TIMEOUT_S) as http, ThreadPoolExecutor(AT_ONCE) as pool:
        while due := store.take_deliveries(AT_ONCE):
            told += len(due)
            for delivery, (answer, good) in zip(due, pool.map(lambda d: _deliver(http, d), due), strict=True):
                store.delivery_answered(delivery.delivery_id, answer, good=good)
    return told


def _deliver(http: httpx.Client, d: Delivery) -> tuple[str, bool]:
    event_id = f"evt_{d.delivery_id}"
    told = {"id": event_id, "type": d.event, "timestamp": d.created_at.isoformat(), "data": dict(d.payload)}
    body = json.dumps(told, ensure_ascii=False).encode()
    now = int(time.time())
    headers = {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(d.secret, event_id, now, body),
    }
    try:
        answer = http.post(d.url, content=body, headers=headers)
    except httpx.HTTPError as e:
        return f"{type(e).__name__}: {e}", False
    return f"{answer.status_code} {answer.reason_phrase}", answer.is_success
