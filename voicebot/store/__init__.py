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
    Campaign,
    CaseStatus,
    Claim,
    NewCall,
    NewPayment,
    NewPromise,
    PaymentsLoaded,
    ReportRow,
    StoredPromise,
    Withdrawal,
)
from voicebot.store.store import Store, open_store

__all__ = [
    "AttemptEnd",
    "AttemptState",
    "BatchLoaded",
    "BatchProgress",
    "CallEnd",
    "Campaign",
    "CaseStatus",
    "Claim",
    "NewCall",
    "NewPayment",
    "NewPromise",
    "NotFound",
    "PaymentsLoaded",
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
