"""Messages from the strategy's wish to their receipt: a real database, a real SMTP server, a real HTTP gateway."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Kept
from sqlalchemy import text
from store_samples import case, temporary_folder

from voicebot.compliance import Channel
from voicebot.messages.senders import senders_of
from voicebot.messages.sending import send_due
from voicebot.messages.templates import Template, TemplateError, load_templates
from voicebot.settings import Gateway, Mail, Messages, Settings
from voicebot.store import CaseStatus, NotFound, Store, open_store
from voicebot.store.server import private_server
from voicebot.strategy.loader import load_strategy

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 11, 23, 9, 30, tzinfo=SHANGHAI)
DUE = date(2026, 11, 18)
SEGMENT = """
  - name: {means}
    when: {{risks: [{means}]}}
    steps: [{{name: {means}_note, means: {means}, content: overdue, days: [1, 100], every_days: 1}}]
"""
_files = (f"{n:064x}" for n in itertools.count(1))
_numbers = itertools.count(1)


class Clock:
    now = MONDAY


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with temporary_folder() as folder:
        server = private_server(folder / "pg")
        default = (Path(__file__).parents[2] / "config/strategies/default.yaml").read_text("utf-8")
        head, tail = default.split("segments:", 1)[0], default[default.index("retries:") :]
        segments = "".join(SEGMENT.format(means=m) for m in ("sms", "email", "push", "letter"))
        rest = (
            "  - name: rest\n    when: {}\n    steps: [{name: z, means: voice, content: m1_collection, days: [1, 2]}]\n"
        )
        (folder / "notes.yaml").write_text(f"{head}segments:{segments}{rest}\n{tail}", "utf-8")
        yield folder
        server.leave()


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = MONDAY
    return clock


@pytest.fixture
def store(home: Path, clock: Clock) -> Iterator[Store]:
    with open_store(Settings(home=home), now=lambda: clock.now) as opened:
        yield opened


class Gate(BaseHTTPRequestHandler):
    """A gateway as carriers have them; what it answers is the server's `status`."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.got.append((dict(self.headers), body))  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()
        self.wfile.write(json.dumps({"id": f"gw-{body['id']}"}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Gate)
    server.got, server.status = [], 200  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


class Box(Kept):
    def __init__(self) -> None:
        super().__init__()
        self.got: list[object] = []

    def handle_message(self, message: object) -> None:
        self.got.append(message)


class Driven:
    def __init__(self, store: Store, home: Path, means: str, **other: object) -> None:
        self.store, n = store, next(_numbers)
        self.name, self.case_id, self.debtor = f"notes-{n}", f"N{n}", f"noted-{n}"
        self.phone = f"+86139{n:08d}"
        self.strategy = load_strategy(str(home / "notes.yaml"))
        store.create_campaign(self.name, str(home / "notes.yaml"))
        values = {"case_id": self.case_id, "debtor": self.debtor, "phone": self.phone, "due_date": DUE, "risk": means}
        store.load_batch("n.csv", next(_files), "", [case(1, **values | other)], campaign=self.name)

    def send(self, settings: Messages) -> dict[str, int]:
        self.plan()
        return dict(send_due(self.store, senders_of(settings), load_templates()))

    def plan(self) -> None:
        self.store.plan_due(lambda name: self.strategy, self.name)

    def row(self):
        (row,) = [r for b in self.store.campaign_batches(self.name) for r in self.store.report_rows(b)]
        return row

    def message(self) -> dict[str, object]:
        return self.store.page("messages", {"case_id": self.case_id}).items[0]


def by_http(server: HTTPServer) -> Messages:
    way = Gateway(url=f"http://127.0.0.1:{server.server_port}/send", token="t0ken")
    return Messages(sms=way, push=way, letter=way)


def test_a_text_message_goes_out_once_and_its_receipt_comes_back(
    store: Store, home: Path, gateway: HTTPServer, clock: Clock
) -> None:
    driven = Driven(store, home, "sms")
    assert driven.send(by_http(gateway)) == {"sent": 1} and driven.send(by_http(gateway)) == {}
    ((headers, body),) = gateway.got  # type: ignore[attr-defined]
    assert body["to"] == driven.phone and "王强先生" in body["text"] and "逾期5天" in body["text"]
    assert headers["Authorization"] == "Bearer t0ken" and headers["Idempotency-Key"] == body["id"]
    driven.plan()
    assert driven.row().status is CaseStatus.WAITING  # tomorrow's
    assert driven.message()["state"] == "sent"
    store.message_receipt(Channel.SMS, f"gw-{body['id']}", "delivered")
    assert driven.message()["state"] == "delivered"
    with pytest.raises(NotFound):
        store.message_receipt(Channel.SMS, "nobody's", "delivered")


def test_mail_goes_by_smtp(store: Store, home: Path) -> None:
    box = Box()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    try:
        driven = Driven(store, home, "email", email="wang@example.com")
        mail = Messages(email=Mail(host="127.0.0.1", port=port, sender="bank@bank.example"))
        assert driven.send(mail) == {"sent": 1}
    finally:
        server.stop()
    (got,) = box.got
    assert got["To"] == "wang@example.com" and got["Subject"]  # type: ignore[index]
    assert "王强先生" in got.get_payload(decode=True).decode()  # type: ignore[attr-defined]


def test_what_is_refused_has_failed_and_what_broke_off_is_unknown_and_never_sent_again(
    store: Store, home: Path, gateway: HTTPServer
) -> None:
    gateway.status = 400  # type: ignore[attr-defined]
    refused = Driven(store, home, "push", push_token="x")
    assert refused.send(by_http(gateway)) == {"failed": 1}
    gateway.status = 502  # type: ignore[attr-defined]
    broken = Driven(store, home, "push", push_token="y")
    assert broken.send(by_http(gateway)) == {"unknown": 1}
    assert broken.send(by_http(gateway)) == {}
    nowhere = Driven(store, home, "email")
    assert nowhere.send(Messages(email=Mail(host="127.0.0.1", port=9, sender="b@b.example"))) == {"failed": 1}
    assert "no address" in str(nowhere.message()["error"])


def test_a_sender_that_dies_leaves_a_message_that_is_never_sent_again(store: Store, home: Path) -> None:
    driven = Driven(store, home, "sms")
    driven.plan()
    (claim,) = store.claim_messages(5, [Channel.SMS])
    over = text("UPDATE messages SET lease_until = now() - interval '1 s' WHERE id = :id")
    store._db.run(lambda db: db.execute(over, {"id": claim.message_id}))
    assert store.reap_messages() == 1
    driven.plan()
    assert driven.message()["state"] == "unknown" and driven.row().status is CaseStatus.WAITING


def test_the_gate_stands_before_messages_too(store: Store, home: Path, gateway: HTTPServer, clock: Clock) -> None:
    driven = Driven(store, home, "sms")
    for _ in range(5):
        driven.send(by_http(gateway))  # others' become due as well
        clock.now += timedelta(days=1)
    got = [body for _, body in gateway.got if body["to"] == driven.phone]  # type: ignore[attr-defined]
    assert len(got) == 3  # in seven days
    assert driven.row().refused_by == ("HOUSE-SMS-WEEK",)


@pytest.mark.parametrize("words", ["TD", "td ", "退订", "T", "退订。"])
def test_who_opts_out_gets_no_more(store: Store, home: Path, gateway: HTTPServer, words: str) -> None:
    driven = Driven(store, home, "sms")
    assert store.message_replied(driven.phone, "好的") == 0
    assert store.message_replied(driven.phone, words) == 1
    assert driven.send(by_http(gateway)) == {}
    assert driven.row().status is CaseStatus.HELD and "HOUSE-OPT-OUT" in driven.row().refused_by


def test_what_nobody_has_set_up_waits(store: Store, home: Path) -> None:
    driven = Driven(store, home, "letter")
    assert driven.send(Messages()) == {} and driven.row().status is CaseStatus.TO_SEND


def test_a_template_is_approved_and_knows_its_values(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="nobody has approved"):
        Template("x", "您好").fill(case(1).facts(MONDAY.date()))
    bad = tmp_path / "t.yaml"
    bad.write_text("x:\n  approved: A\n  text: 您欠{sum}元\n", "utf-8")
    with pytest.raises(TemplateError, match=r"t\.yaml:3.*sum.*amount"):
        load_templates(bad)
