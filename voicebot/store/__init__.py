"""The database: the only room that knows SQL. Others import from here."""

from voicebot.store.errors import (
    NotFound,
    PromiseConflict,
    SchemaError,
    ServerError,
    StoreError,
    StoreUnavailable,
)
from voicebot.store.records import (
    AttemptEnd,
    AttemptState,
    BatchLoaded,
    BatchProgress,
    CallEnd,
    CaseStatus,
    Claim,
    NewCall,
    NewPromise,
    ReportRow,
    StoredPromise,
    Withdrawal,
)
from voicebot.store.store import LEASE_S, Store, open_store

__all__ = [
    "LEASE_S",
    "AttemptEnd",
    "AttemptState",
    "BatchLoaded",
    "BatchProgress",
    "CallEnd",
    "CaseStatus",
    "Claim",
    "NewCall",
    "NewPromise",
    "NotFound",
    "PromiseConflict",
    "ReportRow",
    "SchemaError",
    "ServerError",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "StoredPromise",
    "Withdrawal",
    "open_store",
]
