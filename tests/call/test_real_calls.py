"""Real calls: the robot's own process, real SIP and RTP, real ears and voice, against debtors in another process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from dialogue.acts import Disposition
from dialogue.rendering import all_fixed_clauses, case_clauses, likely_clauses
from telephony import OutcomeKind
from voicebot.call.assembly import make_core
from voicebot.call.dialer import Attempted, Dialer
from voicebot.call.news import News
from voicebot.call.replay import replay
from voicebot.campaign.scripts import find_script
from voicebot.cases import load_case
from voicebot.cli.prepare import prepare_voice
from voicebot.debtor.process import DebtorProcess
from voicebot.debtor.record import CallRecord, read_record
from voicebot.intent.understander import understander_of
from voicebot.promises.ledger import proof
from voicebot.settings import PROJECT_ROOT, Settings, load_settings
from voicebot.speech.api import RATE_HZ
from voicebot.speech.audio import to_pcm16, write_wav
from voicebot.store import Store, open_store
from voicebot.weights import Weights

PERSONAS = PROJECT_ROOT / "examples" / "personas"
SCRIPT = "m1_collection"

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not all(Weights(load_settings().data_home).present(name) for name in ("muggle", "kokoro", "silero-vad")),
        reason="the weights are not here; run: voicebot models pull",
    ),
]


class Town:
    """Debtors, a seat and a robot that knows where they live."""

    def __init__(self, settings: Settings, debtors: int, seat: int, records: Path) -> None:
        self.settings = settings
        self.port, self.seat_port, self.records = debtors, seat, records
        self.news: list[News] = []
        self.robot_spoke = asyncio.Event()

    def observe(self, news: News) -> None:
        self.news.append(news)
        if news.kind == "robot":
            self.robot_spoke.set()

    def uri(self, user: str) -> str:
        return f"sip:{user}@127.0.0.1:{self.port}"

    async def call(self, dialer: Dialer, user: str) -> Attempted:
        case = load_case(
            PROJECT_ROOT / "examples" / "case.json", dialer.now(), "Asia/Shanghai", default_bank="示例银行"
        )
        attempted = await dialer.place(self.uri(user), case, find_script(SCRIPT, self.settings), self.observe)
        assert attempted is not None
        return attempted

    def said_in(self, attempted: Attempted) -> list[str]:
        return [n.text for n in self.news if n.call_id == attempted.call_id and n.kind == "robot"]

    async def records_of(self, persona: str) -> list[CallRecord]:
        """What that persona heard; its process writes it a moment after the call."""
        for _ in range(100):
            found = [r for p in sorted(self.records.glob("*.json")) if (r := read_record(p)).persona == persona]
            if found:
                return found
            await asyncio.sleep(0.2)
        return []


def nobody_there(folder: Path) -> list[Path]:
    """Two numbers at which there is no one: a busy tone behind the answer, an announcement before it."""
    beat = [np.sin(2 * np.pi * 450 * np.arange(350 * 8) / RATE_HZ), np.zeros(350 * 8)]
    write_wav(folder / "busy.wav", to_pcm16(0.2 * np.concatenate(beat * 10)))
    tone = """{name: line_is_dead, about: 接通后只有忙音, user: "13900000021",
        noise: {kind: wav, wav: busy.wav, snr_db: 10}, expect: {disposition: busy}}"""
    told = """{name: no_such_number, about: 空号提示音, user: "13900000022",
        answer: {kind: early_media, announce: 对不起，您拨打的号码是空号，请核对后再拨。},
        expect: {disposition: invalid_number}}"""
    files = [folder / "line_is_dead.yaml", folder / "no_such_number.yaml"]
    for file, text in zip(files, (tone, told), strict=True):
        file.write_text(text, "utf-8")
    return files


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    records = tmp_path_factory.mktemp("heard")
    cast = [PERSONAS / "01_pays_today.yaml", PERSONAS / "07_demands_person.yaml", PERSONAS / "12_busy.yaml"]
    with ExitStack() as stack:
        debtors = stack.enter_context(
            DebtorProcess(
                [*cast, PERSONAS / "bench" / "shouts.yaml", *nobody_there(tmp_path_factory.mktemp("nobody"))],
                record=records,
                rtp_ports=(46000, 46999),
            )
        )
        seat = stack.enter_context(DebtorProcess([PERSONAS / "seat.yaml"], record=records, rtp_ports=(47000, 47999)))
        base = load_settings()
        settings = base.model_copy(
            update={
                "seats": base.seats.model_copy(update={"addresses": (f"sip:8001@127.0.0.1:{seat.port}",)}),
                "call": base.call.model_copy(update={"max_s": 100.0, "grace_s": 15.0}),
            }
        )
        yield Town(settings, debtors.port, seat.port, records)


@pytest.fixture(scope="module", autouse=True)
def spoken_lines(town: Town) -> None:
    """The lines that these calls need are at hand, as they are when a batch begins."""
    script, now = find_script(SCRIPT, town.settings), datetime.now(ZoneInfo("Asia/Shanghai"))
    case = load_case(PROJECT_ROOT / "examples" / "case.json", now, "Asia/Shanghai", default_bank="示例银行")
    own = (*case_clauses(script, case, now), *likely_clauses(script, case, now)[:10])
    prepare_voice(town.settings, [*own, *all_fixed_clauses(script)[:120]])


@pytest.fixture(scope="module")
def store(town: Town) -> Iterator[Store]:
    with open_store(town.settings) as opened:
        yield opened


async def test_promise_handoff_and_a_shouting_debtor_at_once(town: Town, store: Store) -> None:
    async with Dialer(town.settings, store) as dialer:
        pays, person, shouts = await asyncio.gather(
            town.call(dialer, "13800000001"), town.call(dialer, "13800000007"), town.call(dialer, "13900000009")
        )

    assert pays.disposition is Disposition.PROMISED
    assert pays.result is not None and pays.result.promise is not None
    assert pays.result.promise.pay_date == datetime.now(ZoneInfo("Asia/Shanghai")).date()
    [stored] = store.promises_of(pays.call_id)
    evidence = proof(stored)
    assert len(evidence.customer) > 8000, "a second or more of the customer's own voice"
    said = town.said_in(pays)
    assert any("登记好" in line for line in said)
    kinds = [n.kind for n in town.news if n.call_id == pays.call_id]
    noted = next(i for i, n in enumerate(town.news) if n.call_id == pays.call_id and "登记好" in n.text)
    assert next(i for i, n in enumerate(town.news) if n.call_id == pays.call_id and n.kind == "promise") < noted
    assert kinds.count("ended") == 1

    assert person.disposition is Disposition.TRANSFERRED
    [seat_heard] = await town.records_of("seat")
    assert seat_heard.heard, "the seat heard the customer"
    [customer_heard] = await town.records_of("demands_person")
    words = "".join(h.text for h in customer_heard.heard[-3:])
    assert any(c in words for c in "客服帮您分期登记"), "the customer heard the seat"

    assert shouts.outcome.kind is OutcomeKind.ANSWERED
    assert shouts.result is not None and not shouts.result.troubles
    assert shouts.outcome.talk_s < 100 + 15 + 5, "nobody is held on the line for ever"

    for attempted in (pays, person, shouts):
        assert attempted.result is not None
        again = replay(
            attempted.result.log,
            lambda basis: make_core(basis, find_script(basis.script, town.settings), understander_of(town.settings)),
        )
        assert again.same, (attempted.case_id, again.difference)


async def test_busy_is_busy_and_leaves_no_call_behind(town: Town, store: Store) -> None:
    async with Dialer(town.settings, store) as dialer:
        busy = await town.call(dialer, "13800000012")
    assert busy.disposition is Disposition.BUSY
    assert busy.result is None


async def test_a_busy_tone_behind_the_answer_ends_the_call(town: Town, store: Store) -> None:
    async with Dialer(town.settings, store) as dialer:
        dead = await town.call(dialer, "13900000021")
    assert dead.disposition is Disposition.BUSY
    assert dead.outcome.kind is OutcomeKind.ANSWERED
    assert ("tone", "busy") in [(n.kind, n.text) for n in town.news if n.call_id == dead.call_id]
    [record] = await town.records_of("line_is_dead")
    assert record.ended_sample < 6 * RATE_HZ


async def test_an_announcement_before_the_answer_ends_the_dial(town: Town, store: Store) -> None:
    async with Dialer(town.settings, store) as dialer:
        nobody = await town.call(dialer, "13900000022")
    assert nobody.disposition is Disposition.INVALID_NUMBER
    assert nobody.result is None


async def test_an_operator_ends_a_running_call_politely(town: Town, store: Store) -> None:
    async with Dialer(town.settings, store) as dialer:
        calling = asyncio.create_task(town.call(dialer, "13800000001"))
        town.robot_spoke.clear()
        await asyncio.wait_for(town.robot_spoke.wait(), 30)
        dialer.hurry("batch stopped")
        stopped = await asyncio.wait_for(calling, 30)
    assert "再见" in town.said_in(stopped)[-1]
    assert stopped.outcome.ended_by == "local"


async def test_a_call_whose_disk_is_full_goes_on_without_its_recording(
    town: Town, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recording's own tests fill a real disk; here the call is watched while it happens."""
    import errno
    import os

    from voicebot.call import recording

    real, room = recording.os.write, 200_000  # bytes: six seconds of both sides

    def write(fd: int, data: bytes) -> int:
        nonlocal room
        if len(data) % recording.BLOCK_BYTES == 0 and len(data) >= 3200:
            room -= len(data)
            if room < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data)

    monkeypatch.setattr(recording.os, "write", write)
    async with Dialer(town.settings, store) as dialer:
        calling = asyncio.create_task(town.call(dialer, "13800000001"))
        await asyncio.sleep(14)
        dialer.hurry("batch stopped")
        attempted = await asyncio.wait_for(calling, 40)
    assert attempted.result is not None
    assert any("recording stopped" in t for t in attempted.result.troubles)
    assert "再见" in town.said_in(attempted)[-1]
