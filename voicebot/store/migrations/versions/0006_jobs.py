"""The job queue's own tables (procrastinate), in a schema of theirs."""

from __future__ import annotations

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    db = op.get_bind()
    db.exec_driver_sql("CREATE SCHEMA jobs")
    db.exec_driver_sql("SET LOCAL search_path TO jobs, public")
    db.exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))
    db.exec_driver_sql("SET LOCAL search_path TO DEFAULT")


def downgrade() -> None:
    op.execute("DROP SCHEMA jobs CASCADE")
