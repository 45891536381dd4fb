"""How is the database reached, and what happens when it goes away in the middle?

A piece of work is a function of one transaction. If the connection is lost on the way, the work is done again on a
new one, so every piece must be safe to repeat: the commit may have happened although nobody heard of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import psycopg
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from voicebot.settings import Settings
from voicebot.store.errors import StoreError, StoreUnavailable
from voicebot.store.schema import upgrade
from voicebot.store.server import PrivateServer, private_server

T = TypeVar("T")

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
CONNECT_TIMEOUT_S = 5
"""Of a bank's database; its URL may name another. A host that swallows packets would hold a call up for minutes."""

CONFLICTS = ("40001", "40P01")
"""Serialization failure and deadlock (PostgreSQL, appendix A): the transaction was undone and may be repeated."""


class Database:
    """An engine that finds its server again."""

    def __init__(self, settings: Settings, *, patience_s: float) -> None:
        self._patience_s = patience_s
        self._server: PrivateServer | None = None
        if settings.store.url is None:
            self._server = private_server(settings.data_home / "pg")
        try:
            self._engine = self._make_engine(settings.store.url)
            with self._engine.connect():
                pass
            upgrade(self._engine)
        except BaseException as e:
            self.close()
            if isinstance(e, SQLAlchemyError):
                where = make_url(settings.store.url).render_as_string() if settings.store.url else "the private server"
                reason = e.orig if isinstance(e, DBAPIError) else e
                raise StoreError(f"{where}: cannot be used: {str(reason).strip()}; check store.url") from e
            raise

    @property
    def server(self) -> PrivateServer | None:
        """The private server; None for a database by URL."""
        return self._server

    @property
    def conninfo(self) -> str:
        """As libpq takes it."""
        if self._server is not None:
            return self._server.url.replace("+psycopg", "", 1)
        return self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def _make_engine(self, url: str | None) -> Engine:
        server = self._server
        if server is None:
            assert url is not None
            try:
                parsed = make_url(url)
            except SQLAlchemyError as e:
                raise StoreError(
                    "store.url is not a database URL; expected postgresql+psycopg://user:password@host:5432/database"
                ) from e
            if parsed.get_backend_name() != "postgresql":
                raise StoreError(f"store.url names {parsed.get_backend_name()!r}; only PostgreSQL is supported")
            parsed = parsed.set(drivername="postgresql+psycopg")
            if "connect_timeout" not in parsed.query:
                parsed = parsed.update_query_dict({"connect_timeout": str(CONNECT_TIMEOUT_S)})
            return create_engine(parsed, pool_pre_ping=True)
        return create_engine(
            "postgresql+psycopg://",
            creator=lambda: psycopg.connect(server.url.replace("+psycopg", "", 1)),
            pool_pre_ping=True,
        )

    def run(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Do `work` in one transaction, again after a lost connection or a conflict.

        `durable`: the commit is on disk when this returns, whatever the server's default says.
        Raises StoreUnavailable when the database stays away for longer than the store's patience, StoreError when it
        refuses the work.
        """
        deadline = time.monotonic() + self._patience_s
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                with self._engine.begin() as db:
                    if durable:
                        db.execute(_DURABLE)
                    return work(db)
            except DBAPIError as e:
                if not worth_repeating(e):
                    raise StoreError(f"the database refused: {str(e.orig).strip()}") from e
                if time.monotonic() > deadline:
                    raise StoreUnavailable(
                        f"the database has been away for {self._patience_s:.0f} s: {str(e.orig).strip()}"
                    ) from e
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            if self._server is not None:
                self._server.ensure_running()

    def stream(self, work: Callable[[Connection], Iterator[T]]) -> Iterator[T]:
        """The rows of `work`, all from one snapshot; not repeated, as part of them is already in the caller's hands."""
        try:
            with self._engine.begin() as db:
                yield from work(db)
        except DBAPIError as e:
            kind = StoreUnavailable if worth_repeating(e) else StoreError
            raise kind(f"the database failed while rows were read: {str(e.orig).strip()}; read them again") from e

    def close(self) -> None:
        if hasattr(self, "_engine"):
            self._engine.dispose()
        if self._server is not None:
            self._server.leave()
            self._server = None


_DURABLE = text(
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)


def worth_repeating(e: DBAPIError) -> bool:
    """Is this a lost connection, a server that starts or stops, or a conflict? Judged by SQLSTATE, never by words."""
    state = getattr(e.orig, "sqlstate", None)
    if state is None:
        return e.connection_invalidated or isinstance(e.orig, psycopg.OperationalError)
    return bool(state.startswith(("08", "57P")) or state in CONFLICTS)
