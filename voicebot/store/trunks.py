"""How much more may a trunk carry, and when? Exact over all workers: counted and booked under the trunk's row lock.

calls        an attempt counts from its permit to its ending, or until its lease is judged
per_second   each dial takes the trunk's next slot and waits for it
breaker      so many failures of the trunk itself, one after the other, close it for a while; the first dial after
             that decides whether it stays open
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from voicebot.settings import Trunk

UNLIMITED = 1 << 30

_KNOWN = text("INSERT INTO trunks (name) SELECT unnest(CAST(:names AS TEXT[])) ON CONFLICT DO NOTHING")
_LOCK = text("SELECT FROM trunks WHERE name = ANY(:names) ORDER BY name FOR UPDATE")
# A statement of its own: it sees what others committed while the lock was waited for.
_STATE = text(
    """
    SELECT t.name, t.closed_until > clock_timestamp() AS closed, t.failures,
           (SELECT count(*) FROM attempts a WHERE a.trunk = t.name AND a.state IN ('permitted', 'dialing')) AS busy
    FROM trunks t WHERE t.name = ANY(:names)
    """
)
_SLOT = text(
    """
    UPDATE trunks SET next_at = greatest(next_at, clock_timestamp()) + make_interval(secs => :apart)
    WHERE name = :name
    RETURNING extract(epoch FROM next_at - make_interval(secs => :apart) - clock_timestamp()) AS wait_s
    """
)
_FAILED = text(
    """
    UPDATE trunks SET failures = failures + 1,
        closed_until = CASE WHEN failures + 1 >= :most THEN now() + make_interval(secs => :closed_s) END
    WHERE name = :name
    """
)
_WORKED = text("UPDATE trunks SET failures = 0, closed_until = NULL WHERE name = :name AND failures > 0")
_TRUNK_OF = text("SELECT trunk FROM attempts WHERE id = :id")


def free(db: Connection, trunks: Sequence[Trunk]) -> dict[str, int]:
    """How many more calls each trunk may be given now. Locks their rows until the end of the transaction."""
    names = [t.name for t in trunks]
    db.execute(_KNOWN, {"names": names})
    by_name = {t.name: t for t in trunks}
    found = {}
    db.execute(_LOCK, {"names": names})
    for row in db.execute(_STATE, {"names": names}):
        trunk = by_name[row.name]
        left = (trunk.calls or UNLIMITED) - row.busy
        if row.failures >= trunk.breaker_failures:
            left = min(left, 1 - row.busy)  # it was closed: one dial finds out
        found[row.name] = 0 if row.closed else max(0, left)
    return found


def slot(db: Connection, trunk: Trunk) -> float:
    """Take the trunk's next slot; how long to wait for it, in seconds."""
    if trunk.per_second is None:
        return 0.0
    db.execute(_KNOWN, {"names": [trunk.name]})
    wait_s = db.execute(_SLOT, {"name": trunk.name, "apart": 1 / trunk.per_second}).scalar_one()
    return max(0.0, float(wait_s))


def ended(db: Connection, attempt_id: str, trunks: Sequence[Trunk], *, failed: bool) -> None:
    """An attempt ended: `failed` where the trunk itself did, not the person."""
    name = db.execute(_TRUNK_OF, {"id": attempt_id}).scalar()
    trunk = next((t for t in trunks if t.name == name), None)
    if trunk is None:
        return
    if failed:
        values = {"name": name, "most": trunk.breaker_failures, "closed_s": trunk.breaker_s}
        db.execute(_FAILED, values)
    else:
        db.execute(_WORKED, {"name": name})
