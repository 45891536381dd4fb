"""Is the database's schema the one this program knows? Brings it there at start."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from voicebot.store.errors import SchemaError

_ADVISORY_LOCK = 0x564F494345  # any constant; processes that start together take turns on it


def upgrade(engine: Engine) -> None:
    """Apply what is missing, all or nothing, one process at a time. Raises SchemaError for a database that is newer."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    known = ScriptDirectory.from_config(config)
    with engine.begin() as db:
        db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        current = MigrationContext.configure(db).get_current_revision()
        head = known.get_current_head()
        if current == head:
            return
        if current is not None and current not in {r.revision for r in known.walk_revisions()}:
            raise SchemaError(
                f"the database is at version {current}, this program knows versions up to {head}: "
                "install the newer program, or restore the backup from before the upgrade"
            )
        config.attributes["connection"] = db
        command.upgrade(config, "head")
