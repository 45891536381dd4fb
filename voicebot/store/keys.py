"""Who may use the API, and was this asked before? The SQL behind keys and idempotent requests."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from voicebot.store.errors import NotFound, StoreError
from voicebot.store.tables import api_keys, requests

SCOPES = ("read", "write", "admin")
PREFIX = "vb_"
KEPT = timedelta(days=2)  # answers that a repeated request gets again
GIVEN_UP_AFTER_S = 300  # one that was never answered: its server died

_OPEN = text(
    """
    INSERT INTO requests (api_key, key, sha256) VALUES (:api_key, :key, :sha256)
    ON CONFLICT (api_key, key) DO UPDATE SET created_at = now(), sha256 = EXCLUDED.sha256
        WHERE requests.status IS NULL AND requests.created_at < now() - make_interval(secs => :given_up)
    RETURNING key
    """
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    key_id: int
    name: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered with; `status` None while it is being answered."""

    sha256: str
    status: int | None
    content_type: str
    body: bytes


def create(db: Connection, name: str, scopes: Sequence[str]) -> str:
    """The key itself, which nobody can read again. Raises StoreError for a name that is taken."""
    key = f"{PREFIX}{secrets.token_urlsafe(32)}"
    new = insert(api_keys).values(name=name, sha256=_hash(key), scopes=sorted(scopes))
    if db.execute(new.on_conflict_do_nothing().returning(api_keys.c.id)).first() is None:
        raise StoreError(f"key {name}: there is, or was, one of that name; choose another name")
    return key


def revoke(db: Connection, name: str) -> None:
    """Raises NotFound."""
    ended = (
        update(api_keys)
        .where(api_keys.c.name == name)
        .values(revoked_at=func.coalesce(api_keys.c.revoked_at, func.now()))
    )
    if db.execute(ended).rowcount == 0:
        raise NotFound(f"key {name}: no such key; voicebot api keys lists them")


def owner(db: Connection, key: str) -> ApiKey | None:
    found = select(api_keys).where(api_keys.c.sha256 == _hash(key), api_keys.c.revoked_at.is_(None))
    row = db.execute(found).first()
    return ApiKey(row.id, row.name, tuple(row.scopes)) if row else None


def everyone(db: Connection) -> list[tuple[str, tuple[str, ...], bool]]:
    """(name, scopes, whether it still works)."""
    rows = db.execute(select(api_keys).order_by(api_keys.c.id))
    return [(r.name, tuple(r.scopes), r.revoked_at is None) for r in rows]


def open_request(db: Connection, api_key: int, key: str, sha256: str) -> Answer | None:
    """None: it is new, answer it. Otherwise what was, or is being, answered."""
    db.execute(delete(requests).where(requests.c.created_at < func.now() - KEPT, requests.c.api_key == api_key))
    values = {"api_key": api_key, "key": key, "sha256": sha256, "given_up": GIVEN_UP_AFTER_S}
    if db.execute(_OPEN, values).first() is not None:
        return None
    row = db.execute(select(requests).where(requests.c.api_key == api_key, requests.c.key == key)).one()
    return Answer(row.sha256, row.status, row.content_type or "", bytes(row.body or b""))


def close_request(db: Connection, api_key: int, key: str, answer: Answer | None) -> None:
    """Keep the answer; None forgets the request, so that it can be tried again."""
    this = (requests.c.api_key == api_key, requests.c.key == key)
    if answer is None:
        db.execute(delete(requests).where(*this))
        return
    kept = {"status": answer.status, "content_type": answer.content_type, "body": answer.body}
    db.execute(update(requests).where(*this).values(**kept))


def _hash(key: str) -> str:
    """A key has 256 random bits: one round is as good as many."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
