"""Trunks: what each carries at this moment, and when it may be given the next call."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

UP = (
    """
    CREATE TABLE trunks (
        name TEXT CONSTRAINT pk_trunks PRIMARY KEY,
        next_at TIMESTAMPTZ,
        failures INTEGER NOT NULL DEFAULT 0,
        closed_until TIMESTAMPTZ,
        created_at TIMESTAMPTZ NOT NULL DEFAULT now()
    )
    """,
    "ALTER TABLE attempts ADD COLUMN trunk TEXT",
    "CREATE INDEX ix_attempts_trunk ON attempts (trunk) WHERE state IN ('permitted', 'dialing')",
)

DOWN = ("DROP INDEX ix_attempts_trunk", "ALTER TABLE attempts DROP COLUMN trunk", "DROP TABLE trunks")


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
