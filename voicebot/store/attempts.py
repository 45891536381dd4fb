"""What becomes of a claim that `voicebot.store.permits` has booked? The SQL behind an attempt's life.

    permitted --start_dialing--> dialing --end--> done
        |                           |
        | release, or lease over    | lease over
        v                           v
      lost (case open again)     unknown (case failed) --end, late--> done

A case of a campaign is marked to_plan wherever another would be open, failed or done: its strategy goes on from there.
All leases are judged by the database's clock, so the workers' clocks do not matter. Locks are taken attempt first,
then case; a claim takes cases nobody holds and adds attempts nobody knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from voicebot.store.records import AttemptEnd, CaseStatus

_START_DIALING = text(
    """
    UPDATE attempts
    SET state = 'dialing', dial_token = :token, dialed_at = CAST(:at AS TIMESTAMPTZ),
        lease_until = now() + make_interval(secs => :lease_s)
    WHERE id = :id AND boot = :boot AND (valid_until IS NULL OR CAST(:at AS TIMESTAMPTZ) < valid_until)
      AND (state = 'permitted' OR (state = 'dialing' AND dial_token = :token))
    """
)


def start_dialing(
    db: Connection, *, attempt_id: str, boot: str, token: str, lease_s: float, at: datetime | None
) -> bool:
    """Not after the hours of the permit have ended. `at`: None for the database's clock.

    `token` is new for every wish to dial: a repeat after a lost commit is told from a second dial by it.
    """
    values: dict[str, object] = {"id": attempt_id, "boot": boot, "token": token, "lease_s": lease_s}
    values["at"] = at or db.execute(text("SELECT clock_timestamp()")).scalar_one()
    return db.execute(_START_DIALING, values).rowcount == 1


_RENEW = text(
    """
    UPDATE attempts SET lease_until = now() + make_interval(secs => :lease_s)
    WHERE boot = :boot AND id = ANY(:ids) AND state IN ('permitted', 'dialing')
    RETURNING id
    """
)


def renew(db: Connection, *, boot: str, ids: Sequence[str], lease_s: float) -> frozenset[str]:
    found = db.execute(_RENEW, {"boot": boot, "ids": list(ids), "lease_s": lease_s})
    return frozenset(found.scalars())


_REAP = text(
    """
    WITH over AS (
        SELECT id, state FROM attempts
        WHERE state IN ('permitted', 'dialing') AND lease_until < now()
        ORDER BY id FOR UPDATE SKIP LOCKED
    ), judged AS (
        UPDATE attempts a SET state = CASE over.state WHEN 'permitted' THEN 'lost' ELSE 'unknown' END
        FROM over WHERE a.id = over.id
        RETURNING a.case_pk, a.number, a.state
    ), freed AS (
        UPDATE cases c SET status = CASE WHEN b.campaign_id IS NOT NULL THEN 'to_plan'
                                         WHEN j.state = 'lost' THEN 'open' ELSE 'failed' END
        FROM judged j, batches b
        WHERE c.id = j.case_pk AND c.attempts = j.number AND c.status = 'claimed' AND b.id = c.batch_id
    )
    SELECT count(*) FILTER (WHERE state = 'lost') AS lost, count(*) FILTER (WHERE state = 'unknown') AS unknown
    FROM judged
    """
)


def reap(db: Connection) -> tuple[int, int]:
    """How many became lost, how many unknown."""
    lost, unknown = db.execute(_REAP).one()
    return lost, unknown


_RELEASE = text(
    """
    WITH given_up AS (
        UPDATE attempts SET state = 'lost' WHERE id = :id AND boot = :boot AND state = 'permitted'
        RETURNING case_pk, number
    )
    UPDATE cases c SET status = CASE WHEN b.campaign_id IS NULL THEN 'open' ELSE 'to_plan' END
    FROM given_up g, batches b
    WHERE c.id = g.case_pk AND c.attempts = g.number AND c.status = 'claimed' AND b.id = c.batch_id
    """
)


def release(db: Connection, *, attempt_id: str, boot: str) -> bool:
    return db.execute(_RELEASE, {"id": attempt_id, "boot": boot}).rowcount == 1


_END = text(
    """
    WITH ended AS (
        UPDATE attempts
        SET state = 'done', ended_at = now(), kind = :kind, sip_code = :sip_code, q850_cause = :q850_cause,
            early_media = :early_media, disposition = :disposition
        WHERE id = :id AND state IN ('dialing', 'unknown')
        RETURNING case_pk, number
    ), closed AS (
        UPDATE cases c SET status = CASE WHEN b.campaign_id IS NULL THEN :status ELSE 'to_plan' END
        FROM ended e, batches b
        WHERE c.id = e.case_pk AND c.attempts = e.number AND b.id = c.batch_id
          -- A late ending: the strategy thinks again about what it planned without it.
          AND (c.status IN ('claimed', 'failed')
               OR b.campaign_id IS NOT NULL AND c.status IN ('to_plan', 'open', 'waiting', 'to_send', 'done', 'handed'))
    )
    SELECT count(*) FROM ended
    """
)


def _status_after(outcome: AttemptEnd) -> CaseStatus:
    if outcome.given_up:
        return CaseStatus.OPEN
    return CaseStatus.FAILED if outcome.kind == "failed" else CaseStatus.DONE


def end(db: Connection, *, attempt_id: str, outcome: AttemptEnd) -> bool:
    values = {
        "id": attempt_id,
        "kind": outcome.kind,
        "sip_code": outcome.sip_code,
        "q850_cause": outcome.q850_cause,
        "early_media": outcome.early_media,
        "disposition": outcome.disposition.value if outcome.disposition else None,
        "status": _status_after(outcome).value,
    }
    return bool(db.execute(_END, values).scalar_one())
