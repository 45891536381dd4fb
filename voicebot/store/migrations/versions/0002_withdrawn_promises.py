"""A promise that the customer took back stays in the ledger, struck, with the words that did it."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE promises
            ADD COLUMN withdrawn_at TIMESTAMPTZ,
            ADD COLUMN withdrawn_text TEXT,
            ADD COLUMN withdrawn_from_sample BIGINT,
            ADD COLUMN withdrawn_to_sample BIGINT,
            ADD CONSTRAINT ck_promises_withdrawn CHECK (
                (withdrawn_at IS NULL) = (withdrawn_text IS NULL)
                AND (withdrawn_at IS NULL) = (withdrawn_from_sample IS NULL)
                AND (withdrawn_at IS NULL) = (withdrawn_to_sample IS NULL)
            )
        """
    )


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE promises
            DROP COLUMN withdrawn_at,
            DROP COLUMN withdrawn_text,
            DROP COLUMN withdrawn_from_sample,
            DROP COLUMN withdrawn_to_sample
        """
    )
