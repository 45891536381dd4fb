"""The API over its own ASGI application and a real database: what it takes, what it refuses, and how it says so."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import httpx
import pytest
from starlette.testclient import TestClient

from dialogue.acts import Disposition
from voicebot.api.app import create_app
from voicebot.jobs.webhooks import sign, tell
from voicebot.settings import Settings
from voicebot.store import CallEnd, NewCall, Store, open_store

CASE = {
    "case_id": "A1",
    "name": "王强",
    "product": "信用卡",
    "card_tail": "3344",
    "amount": "1235.60",
    "due_date": str(date.today() - timedelta(days=5)),
    "phone": "13800000001",
}


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30
    with (
        TemporaryDirectory(prefix="voicebot-test-", dir=memory if roomy else None, ignore_cleanup_errors=True) as home,
        open_store(Settings(home=Path(home))) as opened,
    ):
        yield opened


@pytest.fixture(scope="module")
def key(store: Store) -> str:
    return store.create_key("tests", ["admin"])


@pytest.fixture(scope="module")
def api(store: Store, key: str) -> TestClient:
    app = create_app(store, Settings())
    return TestClient(app, raise_server_exceptions=False, headers={"Authorization": f"Bearer {key}"})


@pytest.fixture(scope="module")
def campaign(api: TestClient) -> str:
    assert api.post("/api/v1/campaigns", json={"name": "m1"}).status_code == 201
    return "m1"


def problem(answer: httpx.Response, status: int) -> dict[str, object]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    return answer.json()


def test_without_a_key_nothing_and_with_a_small_one_little(api: TestClient, store: Store, campaign: str) -> None:
    for header in ({"Authorization": ""}, {"Authorization": "Bearer vb_wrong"}, {"Authorization": "Basic eDp5"}):
        refused = api.get("/api/v1/campaigns", headers=header)
        problem(refused, 401)
        assert refused.headers["www-authenticate"] == "Bearer"
    small = {"Authorization": f"Bearer {store.create_key('small', ['read'])}"}
    assert api.get("/api/v1/campaigns", headers=small).status_code == 200
    assert "scope write" in str(problem(api.post("/api/v1/campaigns", json={"name": "x"}, headers=small), 403))


def test_health_needs_no_key(api: TestClient) -> None:
    assert api.get("/api/v1/health", headers={"Authorization": ""}).json() == {"database": True}


def test_cases_come_in_and_bad_ones_are_named(api: TestClient, campaign: str) -> None:
    bad = CASE | {"case_id": "A2", "phone": "138"}
    loaded = api.post(f"/api/v1/campaigns/{campaign}/cases", json={"cases": [CASE, bad]}).json()
    assert (loaded["new"], loaded["rejected"]) == (1, 1)
    assert loaded["errors"][0]["row"] == 1 and loaded["errors"][0]["field"] == "phone"
    (case,) = api.get("/api/v1/cases", params={"case_id": "A1"}).json()["items"]
    assert (case["amount_due"], case["status"], case["campaign"]) == ("1235.60", "to_plan", campaign)


def test_a_file_comes_in_once(api: TestClient, campaign: str) -> None:
    header = "案件编号,姓名,手机号,产品,卡尾号,应还金额,到期日"
    csv = f"{header}\nF1,李娜,13800000009,信用卡,0917,5600,-5d\nF2,,1,,,,\n".encode()
    first, again = (
        api.post("/api/v1/batches", data={"campaign": campaign}, files={"file": ("f.csv", csv)}).json()
        for _ in range(2)
    )
    assert (first["new"], first["rejected"], again["new"], again["already"]) == (1, 1, 0, 1)
    assert again["batch_id"] == first["batch_id"]
    unreadable = api.post("/api/v1/batches", data={"campaign": campaign}, files={"file": ("g.csv", b"a,b\n1,2\n")})
    told = problem(unreadable, 422)
    assert told["errors"][0]["field"] == "file" and str(told["detail"]).startswith("g.csv, row 1")  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": "-3"}, "body.payments.0.amount"),
        ({"amount": "1.234"}, "body.payments.0.amount"),
        ({"paid_at": "2026-11-27T10:00:00"}, "body.payments.0.paid_at"),
        ({"reference": ""}, "body.payments.0.reference"),
        ({"case_id": "a\x00b"}, "body.payments.0.case_id"),
        ({"sum": 3}, "body.payments.0.sum"),
    ],
)
def test_every_error_names_its_field(api: TestClient, change: dict[str, object], field: str) -> None:
    paid = {"reference": "r", "case_id": "A1", "amount": "5", "paid_at": "2026-11-27T10:00:00+08:00"} | change
    told = problem(api.post("/api/v1/payments", json={"payments": [paid]}), 422)
    assert [e["field"] for e in told["errors"]] == [field]  # type: ignore[union-attr]


def test_payments_close_cases(api: TestClient, campaign: str) -> None:
    api.post(f"/api/v1/campaigns/{campaign}/cases", json={"cases": [CASE | {"case_id": "P1"}]})
    paid = {"reference": "p1", "case_id": "P1", "amount": "1235.60", "paid_at": "2026-11-27T10:00:00+08:00"}
    first, again = (api.post("/api/v1/payments", json={"payments": [paid]}).json() for _ in range(2))
    assert (first["new"], first["closed"]) == (1, 1) and (again["new"], again["already"]) == (0, 1)
    (payment,) = api.get("/api/v1/payments", params={"case_id": "P1"}).json()["items"]
    assert payment["amount"] == "1235.60"


def test_a_request_that_comes_twice_is_carried_out_once(api: TestClient, campaign: str) -> None:
    case = {"cases": [CASE | {"case_id": "I1"}]}
    once = {"Idempotency-Key": "i1"}
    first, again = (api.post(f"/api/v1/campaigns/{campaign}/cases", json=case, headers=once) for _ in range(2))
    assert first.json() == again.json() and again.headers["idempotent-replay"] == "true"
    other = api.post(f"/api/v1/campaigns/{campaign}/cases", json={"cases": [CASE]}, headers=once)
    assert "another request" in str(problem(other, 422)["errors"])
    # What was refused is answered the same way again; it can be sent anew under another key.
    wrong = api.post("/api/v1/campaigns", json={"name": ""}, headers={"Idempotency-Key": "i2"})
    problem(wrong, 422)


def test_a_permit_is_explained_and_a_debtor_left_alone(api: TestClient, campaign: str) -> None:
    api.post(f"/api/v1/campaigns/{campaign}/cases", json={"cases": [CASE | {"case_id": "Q1", "debtor": "Q"}]})
    noon, night = ({"case_id": "Q1", "at": f"2026-11-27T{h}:00:00+08:00"} for h in ("12", "23"))
    assert api.post("/api/v1/permits/check", json=noon).json()["permitted"]
    refused = api.post("/api/v1/permits/check", json=night).json()
    assert refused["refused_by"] == ["CN-TIME"]
    assert datetime.fromisoformat(refused["next_allowed"]) == datetime.fromisoformat("2026-11-28T08:00:00+08:00")
    assert api.patch("/api/v1/debtors/Q", json={"add": {"statuses": ["legal_hold"]}}).status_code == 204
    assert not api.post("/api/v1/permits/check", json=noon).json()["permitted"]
    problem(api.patch("/api/v1/debtors/Q", json={"add": {"statuses": ["tired"]}}), 422)
    problem(api.post("/api/v1/permits/check", json={"case_id": "nobody"}), 404)
    contact = {"at": "2026-11-27T09:00:00+08:00", "agency": "other"}
    assert api.post("/api/v1/debtors/Q/contacts", json={"contacts": [contact]}).status_code == 204
    problem(api.post("/api/v1/debtors/nobody/contacts", json={"contacts": [contact]}), 404)


def test_a_strategy_must_be_there_and_is_no_file_of_this_machine(api: TestClient) -> None:
    for name in ("nowhere", "/etc/passwd", "../../config/strategies/default.yaml"):
        told = problem(api.post("/api/v1/campaigns", json={"name": "s", "strategy": name}), 422)
        assert told["errors"][0]["field"] == "body.strategy"  # type: ignore[index]


def test_pages_end(api: TestClient, campaign: str) -> None:
    api.post(f"/api/v1/campaigns/{campaign}/cases", json={"cases": [CASE | {"case_id": f"N{n}"} for n in range(7)]})
    seen, after = [], None
    while True:
        page = api.get("/api/v1/cases", params={"limit": 2} | ({"after": after} if after else {})).json()
        seen += [c["id"] for c in page["items"]]
        if (after := page["after"]) is None:
            break
    assert len(seen) == len(set(seen)) >= 7
    problem(api.get("/api/v1/cases", params={"after": "x"}), 422)


class Receiver(BaseHTTPRequestHandler):
    """A bank's end of a webhook. The first request of each run is answered with 500."""

    got: ClassVar[list[tuple[dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(500 if len(self.got) == 1 else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_what_happens_is_told_signed_and_again_until_it_is_heard(api: TestClient, store: Store) -> None:
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made = api.post(
        "/api/v1/webhooks", json={"url": f"http://127.0.0.1:{server.server_port}/in", "events": ["call.ended"]}
    ).json()
    now = store._now()
    store.start_call(NewCall("hooked", "A1", "m1_collection", now))
    store.end_call("hooked", CallEnd(now, Disposition.REFUSED))
    try:
        assert tell(store) == 1  # answered with 500
        (told,) = api.get(f"/api/v1/webhooks/{made['id']}/deliveries").json()["items"]
        assert told["last_answer"].startswith("500") and told["delivered_at"] is None
        deadline = threading.Event()
        for _ in range(80):
            if len(Receiver.got) > 1:
                break
            deadline.wait(0.1)
            tell(store)
    finally:
        server.shutdown()
    (first, body), (second, repeated) = Receiver.got
    assert first["webhook-id"] == second["webhook-id"] and body == repeated
    assert second["webhook-signature"] == sign(
        made["secret"], second["webhook-id"], int(second["webhook-timestamp"]), repeated
    )
    data = json.loads(body)
    assert (data["type"], data["data"]["disposition"]) == ("call.ended", "refused")
    assert api.delete(f"/api/v1/webhooks/{made['id']}").status_code == 204
    problem(api.delete(f"/api/v1/webhooks/{made['id']}"), 404)
    assert hashlib.sha256(made["secret"].encode()).hexdigest() not in api.get("/api/v1/webhooks").text
