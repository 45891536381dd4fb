"""What can go wrong with the database, each kind with its way out in the message?"""

from __future__ import annotations


class StoreError(RuntimeError):
    """The database cannot be used as asked."""


class ServerError(StoreError):
    """The private PostgreSQL server cannot be started or reached."""


class StoreUnavailable(StoreError):
    """The database was gone for longer than the store is willing to wait. Nothing was half written."""


class SchemaError(StoreError):
    """The database's schema is not one that this version of the program can work with."""


class NotFound(StoreError):
    """A call, attempt or batch that is not in the database."""


class PromiseConflict(StoreError):
    """The same turn of the same call already carries another promise."""
