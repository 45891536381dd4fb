"""The routes under /api/v1. Each says what it takes and gives; the store does the work."""

from __future__ import annotations

import dataclasses
import re
import secrets
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi import Path as InPath
from pydantic import AfterValidator

from voicebot.api import models as m
from voicebot.api.access import ADMIN, READ, WRITE, OnceRoute, StoreDep
from voicebot.api.problems import ERRORS, Refused
from voicebot.cases import CaseFile, CaseRow, CasesError, RowError
from voicebot.cases.rows import read_row
from voicebot.compliance import Contact, Permit, judge
from voicebot.settings import Settings
from voicebot.store import Campaign, NewPayment, Store
from voicebot.store.keys import ApiKey
from voicebot.store.reading import TEXT_IDS
from voicebot.strategy.loader import StrategyError, load_strategy

MOST_ROWS = 200
SHOWN_ERRORS = 100
LARGEST_FILE = 512 << 20

router = APIRouter(prefix="/api/v1", route_class=OnceRoute, responses=ERRORS)

NameInPath = Annotated[str, InPath(min_length=1, max_length=200), AfterValidator(m._storable)]
BigId = Annotated[int, InPath(ge=1, lt=2**63)]
Text = Annotated[str | None, Query(max_length=200), AfterValidator(lambda v: v if v is None else m._storable(v))]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="Items of a page.")]
After = Annotated[str | None, Query(max_length=100, description="`after` of the page before.")]


def _page(store: Store, name: str, after: str | None, limit: int, **filters: object) -> dict[str, Any]:
    if after is not None and not re.fullmatch(r"[0-9A-Za-z:.\-]{1,100}" if name in TEXT_IDS else r"[0-9]{1,18}", after):
        wrong = ("query.after", "expected the `after` of the page before")
        raise Refused(422, "The request cannot be taken", "see errors", wrong)
    found = store.page(name, filters, after, limit)
    return {"items": found.items, "after": found.after}


# ---- campaigns ----------------------------------------------------------------------------------------------------


def _campaign(store: Store, c: Campaign) -> dict[str, Any]:
    p = store.campaign_progress(c.name)
    return {**dataclasses.asdict(c), "progress": {**dataclasses.asdict(p), "total": p.total}}


def _strategy_or_refuse(name: str | None) -> None:
    """Only those that are installed: a caller names no file of this machine."""
    if name is None:
        return
    try:
        if not re.fullmatch(r"[\w\-]+", name):
            raise StrategyError(f"{name}: a name in config/strategies expected")
        load_strategy(name)
    except StrategyError as e:
        raise Refused(422, "The request cannot be taken", "see errors", ("body.strategy", str(e))) from e


@router.get("/campaigns", response_model=m.Listed[m.Campaign], tags=["campaigns"])
def list_campaigns(store: StoreDep, key: ApiKey = READ) -> dict[str, Any]:
    """All campaigns and how far they are."""
    return {"items": [_campaign(store, c) for c in store.campaigns()], "after": None}


@router.post("/campaigns", response_model=m.Campaign, status_code=201, tags=["campaigns"])
def create_campaign(body: m.NewCampaign, store: StoreDep, key: ApiKey = WRITE) -> dict[str, Any]:
    """Make a campaign; the same one again is itself."""
    _strategy_or_refuse(body.strategy)
    made = store.create_campaign(body.name, body.strategy, priority=body.priority, lines=body.lines)
    return _campaign(store, made)


@router.get("/campaigns/{name}", response_model=m.Campaign, tags=["campaigns"])
def show_campaign(name: NameInPath, store: StoreDep, key: ApiKey = READ) -> dict[str, Any]:
    """One campaign and how far it is."""
    return _campaign(store, store.campaign(name))


@router.patch("/campaigns/{name}", response_model=m.Campaign, tags=["campaigns"])
def change_campaign(name: NameInPath, body: m.ChangedCampaign, store: StoreDep, key: ApiKey = WRITE) -> dict[str, Any]:
    """Pause, resume, stop it; give it another strategy, priority, number of lines."""
    _strategy_or_refuse(body.strategy)
    return _campaign(store, store.change_campaign(name, **body.model_dump(exclude_none=True)))


@router.post("/campaigns/{name}/cases", response_model=m.Loaded, status_code=201, tags=["campaigns"])
def add_cases(
    name: NameInPath, body: m.NewCases, store: StoreDep, request: Request, key: ApiKey = WRITE
) -> dict[str, Any]:
    """Put cases into a campaign: a batch of up to a thousand. Bad ones are named, the others are in."""
    settings: Settings = request.app.state.settings
    today = datetime.now(ZoneInfo(settings.timezone)).date()
    errors: list[RowError] = []
    good: list[CaseRow] = []
    for number, case in enumerate(body.cases):
        cells = {k: _cell(v) for k, v in case.model_dump().items()}
        cells["amount_due"] = cells.pop("amount")
        row = read_row(cells, row=number, names={}, today=today, default_bank=settings.bank)
        if isinstance(row, CaseRow):
            good.append(row)
        else:
            errors += row
    digest = secrets.token_hex(32)  # each request is a batch of its own
    loaded = store.load_batch(f"API {key.name}", digest, "", good, campaign=name)
    rejected = len(body.cases) - len(good)
    return {**dataclasses.asdict(loaded), "rejected": rejected, "errors": _rows(errors)}


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ";".join(map(str, value))
    return "" if value is None else str(value)


def _rows(errors: list[RowError]) -> list[dict[str, object]]:
    return [{"row": e.row, "field": e.column, "message": e.message} for e in errors[:SHOWN_ERRORS]]


# ---- batches and cases --------------------------------------------------------------------------------------------


@router.post("/batches", response_model=m.Loaded, status_code=201, tags=["batches"])
def load_batch(
    file: Annotated[UploadFile, File(description="CSV or Excel, as for `voicebot batch load`.")],
    campaign: Annotated[m.Name, Form()],
    store: StoreDep,
    request: Request,
    source: Annotated[m.Words, Form(description="Whose column names to use.")] = "",
    key: ApiKey = WRITE,
) -> dict[str, Any]:
    """Load a file of cases into a campaign. The same file again changes nothing."""
    settings: Settings = request.app.state.settings
    store.campaign(campaign)
    today = datetime.now(ZoneInfo(settings.timezone)).date()
    with _on_disk(file) as path:
        mapping = store.columns_of(source) if source else {}
        try:
            cases = CaseFile(path, today, settings.bank, None, mapping)
        except CasesError as e:
            raise CasesError(str(e).replace(str(path), file.filename or "file")) from e
        loaded = store.load_batch(file.filename or "upload", cases.sha256, "", cases, campaign=campaign)
    return {**dataclasses.asdict(loaded), "rejected": cases.rejected, "errors": _rows(cases.errors)}


class _on_disk:
    """The upload as a file of its own, for as long as it is read."""

    def __init__(self, file: UploadFile) -> None:
        self._upload = file
        self._folder = tempfile.TemporaryDirectory()

    def __enter__(self) -> Path:
        path = Path(self._folder.name) / "upload"
        size = 0
        with path.open("wb") as out:
            while chunk := self._upload.file.read(1 << 20):
                size += len(chunk)
                if size > LARGEST_FILE:
                    raise Refused(413, "Too large", f"{LARGEST_FILE >> 20} MiB at most; split the file")
                out.write(chunk)
        return path

    def __exit__(self, *exc: object) -> None:
        self._folder.cleanup()


@router.get("/batches", response_model=m.Listed[m.Batch], tags=["batches"])
def list_batches(
    store: StoreDep, campaign: Text = None, after: After = None, limit: Limit = 50, key: ApiKey = READ
) -> dict[str, Any]:
    """Files and requests that brought cases."""
    return _page(store, "batches", after, limit, campaign=campaign)


@router.get("/batches/{batch_id}", response_model=m.Progress, tags=["batches"])
def show_batch(batch_id: BigId, store: StoreDep, key: ApiKey = READ) -> dict[str, Any]:
    """How far a batch is."""
    p = store.batch_progress(batch_id)
    return {**dataclasses.asdict(p), "total": p.total}


@router.get("/cases", response_model=m.Listed[m.Case], tags=["cases"])
def list_cases(
    store: StoreDep,
    campaign: Text = None,
    status: Text = None,
    case_id: Text = None,
    debtor: Text = None,
    after: After = None,
    limit: Limit = 50,
    key: ApiKey = READ,
) -> dict[str, Any]:
    """Cases with what is planned for them next."""
    return _page(store, "cases", after, limit, campaign=campaign, status=status, case_id=case_id, debtor=debtor)


@router.get("/attempts", response_model=m.Listed[m.Attempt], tags=["calls"])
def list_attempts(
    store: StoreDep, case_id: Text = None, after: After = None, limit: Limit = 50, key: ApiKey = READ
) -> dict[str, Any]:
    """Every dial, with its ending."""
    return _page(store, "attempts", after, limit, case_id=case_id)


@router.get("/calls", response_model=m.Listed[m.Call], tags=["calls"])
def list_calls(
    store: StoreDep,
    case_id: Text = None,
    disposition: Text = None,
    after: After = None,
    limit: Limit = 50,
    key: ApiKey = READ,
) -> dict[str, Any]:
    """Conversations."""
    return _page(store, "calls", after, limit, case_id=case_id, disposition=disposition)


@router.get("/promises", response_model=m.Listed[m.Promise], tags=["promises"])
def list_promises(
    store: StoreDep,
    case_id: Text = None,
    outcome: Text = None,
    after: After = None,
    limit: Limit = 50,
    key: ApiKey = READ,
) -> dict[str, Any]:
    """The ledger of promises, with the words and where they are in the recording."""
    return _page(store, "promises", after, limit, case_id=case_id, outcome=outcome)


# ---- messages -----------------------------------------------------------------------------------------------------


@router.get("/messages", response_model=m.Listed[m.Message], tags=["messages"])
def list_messages(
    store: StoreDep, case_id: Text = None, after: After = None, limit: Limit = 50, key: ApiKey = READ
) -> dict[str, Any]:
    """SMS, e-mails, pushes, letters."""
    return _page(store, "messages", after, limit, case_id=case_id)


@router.post("/messages/receipts", status_code=204, tags=["messages"])
def add_receipt(body: m.Receipt, store: StoreDep, key: ApiKey = WRITE) -> None:
    """What a provider says became of a message."""
    store.message_receipt(body.channel, body.provider_id, body.state, body.error)


@router.post("/messages/replies", response_model=m.RepliedTo, tags=["messages"])
def add_reply(body: m.Reply, store: StoreDep, key: ApiKey = WRITE) -> dict[str, Any]:
    """Somebody answered a message. TD, T, 退订: they get no more."""
    return {"opted_out": store.message_replied(body.number, body.text)}


# ---- payments -----------------------------------------------------------------------------------------------------


@router.post("/payments", response_model=m.PaymentsLoaded, status_code=201, tags=["payments"])
def add_payments(body: m.NewPayments, store: StoreDep, key: ApiKey = WRITE) -> dict[str, Any]:
    """Money that came in: lowers what is owed, closes cases, keeps promises. The same payment again changes nothing."""
    rows = (NewPayment(p.reference, p.case_id, p.amount, p.paid_at, p.source) for p in body.payments)
    return dataclasses.asdict(store.add_payments(rows))


@router.get("/payments", response_model=m.Listed[m.Payment], tags=["payments"])
def list_payments(
    store: StoreDep, case_id: Text = None, after: After = None, limit: Limit = 50, key: ApiKey = READ
) -> dict[str, Any]:
    """What came in."""
    return _page(store, "payments", after, limit, case_id=case_id)


# ---- permits and debtors ------------------------------------------------------------------------------------------


@router.get("/permits", response_model=m.Listed[m.Permit], tags=["permits"])
def list_permits(
    store: StoreDep, case_id: Text = None, after: After = None, limit: Limit = 50, key: ApiKey = READ
) -> dict[str, Any]:
    """Every decision of the gate."""
    return _page(store, "permits", after, limit, case_id=case_id)


@router.post("/permits/check", response_model=m.Decision, tags=["permits"])
def check_permit(body: m.Question, store: StoreDep, key: ApiKey = READ) -> dict[str, Any]:
    """May this case be called, now or at that moment? Books nothing."""
    pack, facts, request = store.would_contact(body.case_id, body.at)
    found = judge(pack, facts, request)
    if isinstance(found, Permit):
        return {"permitted": True, "refused_by": [], "next_allowed": None, "valid_until": found.valid_until}
    rules = [o.rule for o in found.objections]
    return {"permitted": False, "refused_by": rules, "next_allowed": found.next_allowed, "valid_until": None}


@router.patch("/debtors/{debtor}", status_code=204, tags=["permits"])
def change_debtor(debtor: NameInPath, body: m.DebtorChange, store: StoreDep, key: ApiKey = WRITE) -> None:
    """Write down or strike what is known of a debtor; what was put off for them is judged again."""
    add, remove = body.add.model_dump(mode="json"), body.remove.model_dump(mode="json")
    store.change_debtor(debtor, add, remove)


@router.post("/debtors/{debtor}/contacts", status_code=204, tags=["permits"])
def add_contacts(debtor: NameInPath, body: m.OutsideContacts, store: StoreDep, key: ApiKey = WRITE) -> None:
    """What agencies and other systems did: it counts for every cap. The same contact again counts once."""
    contacts = [Contact(**c.model_dump()) for c in body.contacts]
    store.add_outside_contacts(debtor, contacts)


# ---- webhooks -----------------------------------------------------------------------------------------------------


@router.post("/webhooks", response_model=m.WebhookMade, status_code=201, tags=["webhooks"])
def add_webhook(body: m.NewWebhook, store: StoreDep, key: ApiKey = ADMIN) -> dict[str, Any]:
    """Tell that address what happens from now on."""
    secret = f"whsec_{secrets.token_urlsafe(32)}"
    return {"id": store.add_webhook(body.url, secret, body.events), "secret": secret}


@router.get("/webhooks", response_model=m.Listed[m.Webhook], tags=["webhooks"])
def list_webhooks(store: StoreDep, after: After = None, limit: Limit = 50, key: ApiKey = READ) -> dict[str, Any]:
    """Who is told what."""
    return _page(store, "webhooks", after, limit)


@router.delete("/webhooks/{webhook_id}", status_code=204, tags=["webhooks"])
def remove_webhook(webhook_id: BigId, store: StoreDep, key: ApiKey = ADMIN) -> None:
    """Tell it nothing more."""
    store.remove_webhook(webhook_id)


@router.get("/webhooks/{webhook_id}/deliveries", response_model=m.Listed[m.Delivery], tags=["webhooks"])
def list_deliveries(
    webhook_id: BigId, store: StoreDep, after: After = None, limit: Limit = 50, key: ApiKey = READ
) -> dict[str, Any]:
    """What it was told, what it answered, and when it is tried again."""
    return _page(store, "deliveries", after, limit, webhook_id=webhook_id)
