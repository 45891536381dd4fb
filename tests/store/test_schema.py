"""The schema: migrations and tables say the same, processes take turns, a newer database is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Engine, create_engine, inspect, text

from voicebot.settings import Settings
from voicebot.settings import Store as StoreSettings
from voicebot.store import SchemaError, StoreError, open_store, schema
from voicebot.store.server import private_server
from voicebot.store.tables import metadata

_names = (f"schema_{n}" for n in itertools.count(1))


@pytest.fixture
def empty(home: Path) -> Iterator[Callable[[], Engine]]:
    """Makes an empty database on the tests' server."""
    server = private_server(home / "pg")
    root = create_engine(server.url, isolation_level="AUTOCOMMIT")
    made: list[tuple[str, Engine]] = []

    def make() -> Engine:
        name = next(_names)
        with root.connect() as db:
            db.execute(text(f"CREATE DATABASE {name}"))
        engine = create_engine(server.url.rsplit("/", 1)[0] + f"/{name}")
        made.append((name, engine))
        return engine

    yield make
    for name, engine in made:
        engine.dispose()
        with root.connect() as db:
            db.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    root.dispose()
    server.leave()


def test_the_migrations_lead_to_the_tables_as_the_program_knows_them(empty: Callable[[], Engine]) -> None:
    engine = empty()
    schema.upgrade(engine)
    with engine.connect() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True, "compare_server_default": False})
        assert compare_metadata(context, metadata) == []
        found = inspect(db)
        for table in metadata.tables.values():
            in_database = {c["name"] for c in found.get_check_constraints(table.name)}
            known = {c.name for c in table.constraints if isinstance(c, CheckConstraint)}
            assert in_database == known, table.name


def test_the_way_back_is_open(empty: Callable[[], Engine]) -> None:
    engine = empty()
    schema.upgrade(engine)
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as db:
        config.attributes["connection"] = db
        command.downgrade(config, "base")
    with engine.connect() as db:
        assert set(inspect(db).get_table_names()) <= {"alembic_version"}


def test_processes_that_start_together_upgrade_once(empty: Callable[[], Engine]) -> None:
    engine = empty()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: schema.upgrade(engine), range(4)))
    with engine.connect() as db:
        assert db.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1


def test_a_database_from_the_future_is_refused(empty: Callable[[], Engine]) -> None:
    engine = empty()
    schema.upgrade(engine)
    with engine.begin() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="at version 9999, this program knows versions up to"):
        schema.upgrade(engine)


def test_a_bank_s_own_database_is_used_by_url(empty: Callable[[], Engine]) -> None:
    engine = empty()
    url = engine.url.render_as_string(hide_password=False)
    for spelling in (url, url.replace("+psycopg", "")):
        with open_store(Settings(store=StoreSettings(url=spelling))) as store:
            assert store.server is None
            loaded = store.load_batch("a.csv", "0" * 64, "m1_collection", [])
            assert store.batch_progress(loaded.batch_id).total == 0


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///x.db", "only PostgreSQL"),
        ("nonsense", "not a database URL"),
        ("postgresql://bank:secret@127.0.0.1:9/db", r"bank:\*\*\*@127.0.0.1:9/db: cannot be used"),
    ],
)
def test_a_url_that_cannot_be_used_is_named_without_its_password(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says) as e:
        open_store(Settings(store=StoreSettings(url=url)))
    assert "secret" not in str(e.value)
