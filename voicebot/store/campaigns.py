"""Which campaigns are there, and which batches do they hold? The SQL behind them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects.postgresql import insert

from voicebot.store.batches import SOON_S
from voicebot.store.errors import NotFound, StoreError
from voicebot.store.records import BatchProgress, Campaign, CaseStatus
from voicebot.store.tables import batches, campaigns, sources

STATES = ("running", "paused", "stopped")

_RUNNING = text(
    """
    SELECT b.id AS batch_id, k.* FROM campaigns k JOIN batches b ON b.campaign_id = k.id
    WHERE k.state = 'running' AND (CAST(:name AS TEXT) IS NULL OR k.name = :name)
      AND EXISTS (SELECT FROM cases c WHERE c.batch_id = b.id
                  AND c.status IN ('open', 'claimed', 'waiting', 'to_plan', 'to_send'))
    ORDER BY k.priority, k.id, b.id
    """
)
_PROGRESS = text(
    """
    SELECT c.status, count(*) AS n, count(*) FILTER (
        WHERE c.status = 'waiting'
        AND c.not_before <= coalesce(CAST(:at AS TIMESTAMPTZ), now()) + make_interval(secs => :soon)) AS soon
    FROM cases c JOIN batches b ON b.id = c.batch_id WHERE b.campaign_id = :campaign GROUP BY c.status
    """
)
_BUSY = text(
    """
    SELECT count(*) FROM attempts a JOIN cases c ON c.id = a.case_pk JOIN batches b ON b.id = c.batch_id
    WHERE b.campaign_id = :campaign AND a.state IN ('permitted', 'dialing')
    """
)


def create(db: Connection, name: str, strategy: str, priority: int, lines: int | None) -> Campaign:
    """Made on first sight; the same one again is itself. Raises StoreError for another campaign of that name."""
    values = {"name": name, "strategy": strategy, "priority": priority, "lines": lines}
    db.execute(insert(campaigns).values(**values).on_conflict_do_nothing())
    found = named(db, name)
    if found.strategy != strategy:
        raise StoreError(
            f"campaign {name}: already follows {found.strategy}; to change that: "
            f"voicebot campaign change {name} --strategy {strategy}"
        )
    return found


def named(db: Connection, name: str) -> Campaign:
    """Raises NotFound."""
    row = db.execute(select(campaigns).where(campaigns.c.name == name)).first()
    if row is None:
        raise NotFound(f"campaign {name}: no such campaign; voicebot campaign list shows those there are")
    return _campaign(row)


def everyone(db: Connection) -> tuple[Campaign, ...]:
    return tuple(map(_campaign, db.execute(select(campaigns).order_by(campaigns.c.priority, campaigns.c.id))))


def change(db: Connection, name: str, values: dict[str, object]) -> Campaign:
    """Raises NotFound."""
    db.execute(update(campaigns).where(campaigns.c.name == name).values(**values))
    return named(db, name)


def running(db: Connection, name: str | None) -> list[tuple[int, Campaign]]:
    """The batches that may still have something to do, with their campaigns, the most urgent first."""
    return [(row.batch_id, _campaign(row)) for row in db.execute(_RUNNING, {"name": name})]


def free_lines(db: Connection, campaign: Campaign) -> int | None:
    """How many more calls the campaign may make at this moment; None for as many as there are lines. The campaign's
    row is locked until the end of the transaction, so that two claimers do not count the same free line."""
    if campaign.lines is None:
        return None
    db.execute(select(campaigns.c.id).where(campaigns.c.id == campaign.campaign_id).with_for_update())
    return max(0, campaign.lines - int(db.execute(_BUSY, {"campaign": campaign.campaign_id}).scalar_one()))


def batches_of(db: Connection, campaign_id: int) -> tuple[int, ...]:
    found = select(batches.c.id).where(batches.c.campaign_id == campaign_id).order_by(batches.c.id)
    return tuple(db.execute(found).scalars())


def progress(db: Connection, campaign_id: int, at: Any) -> BatchProgress:
    counted = db.execute(_PROGRESS, {"campaign": campaign_id, "at": at, "soon": SOON_S}).all()
    return BatchProgress(
        **{s.value: 0 for s in CaseStatus} | {r.status: r.n for r in counted}, soon=sum(r.soon for r in counted)
    )


def _campaign(row: Any) -> Campaign:
    return Campaign(row.id, row.name, row.strategy, row.state, row.priority, row.lines, row.created_at)


def columns_of(db: Connection, source: str) -> dict[str, str]:
    """What this source calls our fields, column name -> field; nothing where it was never said."""
    found = db.execute(select(sources.c.columns).where(sources.c.name == source)).scalar()
    return dict(found or {})


def keep_columns(db: Connection, source: str, columns: dict[str, str]) -> None:
    new = insert(sources).values(name=source, columns=columns)
    db.execute(new.on_conflict_do_update(index_elements=["name"], set_={"columns": columns}))
