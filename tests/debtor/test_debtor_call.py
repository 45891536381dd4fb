"""Calls to real simulated debtors: their own process, real SIP and RTP, real ears. The robot here is a few tones and
recorded words in this process."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from debtor_sounds import voice

from telephony import Endpoint, Leg, OutcomeKind, SipSettings
from voicebot.debtor.activity import Samples, samples_of, speech_spans
from voicebot.debtor.measure import measure
from voicebot.debtor.process import DebtorFailed, DebtorProcess
from voicebot.debtor.record import CallRecord, read_channels, read_record
from voicebot.settings import load_settings
from voicebot.speech.audio import read_telephone, write_wav

MODELS = load_settings().data_home / "models"
pytestmark = pytest.mark.skipif(
    not (MODELS / "muggle" / "encoder.onnx").exists(),
    reason="the debtor's ears need weights: voicebot models pull muggle",
)

CAST = {
    "answers": """
answer: {after_ms: 200}
lines:
  - {play: one.wav, delay_ms: 100, nth: 1}
  - {play: two.wav, delay_ms: 400, hang_up: true}
""",
    "interrupts": """
answer: {after_ms: 100}
lines:
  - {play: one.wav, barge_in_after_ms: 900}
""",
    "noisy": """
answer: {after_ms: 100}
noise: {kind: white, snr_db: 25}
network: {packet_loss_percent: 8}
greeting: {play: two.wav, delay_ms: 300}
""",
    "cuts_off": """
answer: {after_ms: 100}
greeting: {play: two.wav, delay_ms: 200, hang_up_after_ms: 700}
""",
    "dials": """
answer: {after_ms: 100}
greeting: {dtmf: "42#", delay_ms: 300}
""",
    "busy": "answer: {kind: busy, after_ms: 100}",
    "rejects": "answer: {kind: reject, after_ms: 100}",
    "unknown_number": "answer: {kind: not_found, after_ms: 0}",
    "rings_on": "answer: {kind: no_answer}",
    "announces": "answer: {kind: early_media, then_after_ms: 1500}\ngreeting: {play: one.wav, delay_ms: 200}",
    "silent": "answer: {after_ms: 100}",
    "customer": "answer: {after_ms: 100}\ngreeting: {play: today.wav, delay_ms: 1200}",
    "seat": "answer: {after_ms: 100}\nlines:\n  - {hears: 今天, play: seat.wav}",
}
WORDS = Path(__file__).parent / "data"  # 请问您今天能还款吗; 可以的，我先给您登记分期申请
USERS = {name: f"1390000{n:04d}" for n, name in enumerate(CAST)}


def line_of(*parts: Samples) -> bytes:
    return np.concatenate(parts).astype("<i2").tobytes()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DebtorProcess, Path]]:
    folder = tmp_path_factory.mktemp("debtors")
    write_wav(folder / "one.wav", line_of(voice(900, seed=11)))
    write_wav(folder / "two.wav", line_of(voice(1600, seed=12)))
    for words in WORDS.glob("*.wav"):
        (folder / words.name).write_bytes(words.read_bytes())
    for name, text in CAST.items():
        head = f'name: {name}\nabout: a test\nuser: "{USERS[name]}"\n'
        (folder / f"{name}.yaml").write_text(head + text, "utf-8")
    record = folder / "calls"
    with DebtorProcess(
        sorted(folder.glob("*.yaml")),
        record=record,
        rtp_ports=(34000, 34999),
        log=folder / "debtor.log",
        ready_timeout_s=60,
    ) as debtors:
        yield debtors, record


@pytest.fixture
async def robot() -> AsyncIterator[Endpoint]:
    async with Endpoint(SipSettings(rtp_ports=(35000, 35999))) as endpoint:
        yield endpoint


class Call:
    """The robot's side of one call: what it sent and heard, tick by tick."""

    def __init__(self, leg: Leg) -> None:
        self.leg, self.rx, self.tx = leg, b"", b""

    async def listen(self, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline and self.leg.outcome is None:
            self.take()
            await asyncio.sleep(0.02)

    def take(self) -> None:
        for frame in self.leg.take_frames():
            self.rx += frame.rx
            self.tx += frame.tx


async def call(robot: Endpoint, debtors: DebtorProcess, name: str, prefix: str = "+86") -> Call:
    leg = await robot.dial(f"sip:{prefix}{USERS[name]}@127.0.0.1:{debtors.port}")
    return Call(leg)


async def record_of(debtors: DebtorProcess, name: str) -> CallRecord:
    ended = await asyncio.to_thread(debtors.wait_for, "ended", 20, persona=name)
    return read_record(Path(ended["record"]))


def heard_by(debtor: CallRecord, folder: Path) -> Samples:
    assert debtor.wav is not None
    return read_channels(folder / debtor.wav)[0]


async def test_marks_agree_with_the_recording_and_with_what_the_robot_heard(
    robot: Endpoint, stage: tuple[DebtorProcess, Path]
) -> None:
    debtors, folder = stage
    ours = await call(robot, debtors, "answers")
    assert await ours.leg.wait_answered()
    await ours.listen(0.5)
    ours.leg.write(line_of(voice(1000)))
    await ours.listen(3.2)
    ours.leg.write(line_of(voice(700, seed=5)))
    await ours.listen(8)
    assert (await ours.leg.wait_ended()).ended_by == "remote"
    ours.take()
    theirs = await record_of(debtors, "answers")

    assert theirs.notes == () and theirs.gaps == 0
    assert [line.text for line in theirs.lines] == ["one.wav", "two.wav"]
    assert theirs.hung_up == "line"
    # What the debtor sent, as its own recording has it: the marks are exact.
    sent = read_channels(folder / str(theirs.wav))[1]
    for line, (seed, ms) in zip(theirs.lines, [(11, 900), (12, 1600)], strict=True):
        played = sent[line.first_sample : line.last_sample + 1]
        source = voice(ms, seed=seed)
        at = int(np.flatnonzero(source == played[0])[0])
        assert at < 40 and np.array_equal(played, source[at : at + played.size])
        assert line.last_sample - line.first_sample + 1 >= (ms - 5) * 8
    # Between its lines lies what the robot, too, saw between them, to a frame or two.
    robot_ear = speech_spans(samples_of(ours.rx), join_ms=100)
    assert len(robot_ear) == 2
    ear_gap = robot_ear[1].first - robot_ear[0].last
    mark_gap = theirs.lines[1].first_sample - theirs.lines[0].last_sample
    assert abs(ear_gap - mark_gap) <= 320
    # And the robot's two utterances are where the debtor heard them, as long as they were.
    assert [round((h.last_sample - h.first_sample) / 8) for h in theirs.heard] == pytest.approx([1000, 700], abs=30)
    our_gap = np.diff([s.first for s in speech_spans(samples_of(ours.tx), join_ms=100)])[0]
    assert abs((theirs.heard[1].first_sample - theirs.heard[0].first_sample) - our_gap) <= 320


async def test_response_time_measured_outside_is_what_the_robot_did_plus_the_line(
    robot: Endpoint, stage: tuple[DebtorProcess, Path]
) -> None:
    debtors, folder = stage
    ours = await call(robot, debtors, "answers", prefix="")
    assert await ours.leg.wait_answered()
    await ours.listen(0.4)
    ours.leg.write(line_of(voice(600)))
    spans: list = []
    while ours.leg.outcome is None:
        await ours.listen(0.02)
        spans = speech_spans(samples_of(ours.rx), join_ms=100)
        if spans and len(ours.rx) // 2 - spans[0].last >= 400 * 8:
            break
    before = len(ours.tx) // 2
    ours.leg.write(line_of(voice(700, seed=5)))
    await ours.listen(0.6)
    await ours.leg.hangup()
    theirs = await record_of(debtors, "answers")
    ours.take()
    first = speech_spans(samples_of(ours.tx)[before:])[0].first + before
    inside_ms = (first - spans[0].last) / 8
    (response,) = measure(theirs, heard_by(theirs, folder)).responses
    # Outside it is longer by one round trip on the line: a packet each way and a jitter buffer at both ends.
    assert 0 <= response.response_ms - inside_ms <= 400


async def test_an_interruption_starts_when_it_was_planned_and_is_marked_as_one(
    robot: Endpoint, stage: tuple[DebtorProcess, Path]
) -> None:
    debtors, folder = stage
    ours = await call(robot, debtors, "interrupts")
    assert await ours.leg.wait_answered()
    await ours.listen(0.3)
    ours.leg.write(line_of(voice(3000)))
    await ours.listen(1.7)
    ours.leg.flush()
    await ours.listen(1.5)
    await ours.leg.hangup()
    theirs = await record_of(debtors, "interrupts")
    (line,) = theirs.lines
    assert line.barge_in
    assert (line.first_sample - theirs.heard[0].first_sample) / 8 == pytest.approx(900, abs=80)
    (interruption,) = measure(theirs, heard_by(theirs, folder)).interruptions
    expected_ms = (theirs.heard[0].last_sample - line.first_sample) / 8
    assert interruption.stop_ms == pytest.approx(expected_ms, abs=15)


async def test_noise_and_loss_are_really_on_the_line(robot: Endpoint, stage: tuple[DebtorProcess, Path]) -> None:
    debtors, folder = stage
    ours = await call(robot, debtors, "noisy")
    assert await ours.leg.wait_answered()
    await ours.listen(4)
    await ours.leg.hangup()
    theirs = await record_of(debtors, "noisy")
    (line,) = theirs.lines
    assert line.lost_samples and theirs.lost_frames == len(line.lost_samples)
    sent = read_channels(folder / str(theirs.wav))[1]
    for first in line.lost_samples:
        assert not sent[first : first + 160].any()
    before = sent[line.first_sample - 1600 : line.first_sample].astype(float)
    speech = sent[line.first_sample : line.last_sample].astype(float)
    assert 15 < 20 * np.log10(speech.std() / before.std()) < 32
    tail = samples_of(ours.rx)[-8000:].astype(float)
    assert tail.std() > 20


async def test_it_hangs_up_in_the_middle_of_its_sentence(robot: Endpoint, stage: tuple[DebtorProcess, Path]) -> None:
    debtors, _ = stage
    ours = await call(robot, debtors, "cuts_off")
    outcome = await asyncio.wait_for(ours.leg.wait_ended(), 10)
    assert outcome.answered and outcome.ended_by == "remote"
    theirs = await record_of(debtors, "cuts_off")
    (line,) = theirs.lines
    assert line.cut_off and theirs.hung_up == "mid_line"
    assert 450 <= (line.last_sample - line.first_sample) / 8 <= 750


async def test_digits_arrive(robot: Endpoint, stage: tuple[DebtorProcess, Path]) -> None:
    debtors, _ = stage
    ours = await call(robot, debtors, "dials")
    assert await ours.leg.wait_answered()
    digits = [await asyncio.wait_for(ours.leg.next_dtmf(), 10) for _ in range(3)]
    await ours.leg.send_dtmf("9")
    await ours.listen(1)
    await ours.leg.hangup()
    theirs = await record_of(debtors, "dials")
    assert "".join(digits) == theirs.dtmf_sent == "42#"
    assert theirs.dtmf_heard == "9"


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("busy", OutcomeKind.BUSY, 486),
        ("rejects", OutcomeKind.REJECTED, 603),
        ("unknown_number", OutcomeKind.INVALID_NUMBER, 404),
    ],
)
async def test_who_does_not_want_to_talk_says_so_in_sip(
    robot: Endpoint, stage: tuple[DebtorProcess, Path], name: str, kind: OutcomeKind, code: int
) -> None:
    ours = await call(robot, stage[0], name)
    outcome = await asyncio.wait_for(ours.leg.wait_ended(), 10)
    assert (outcome.kind, outcome.sip_code) == (kind, code)


async def test_a_number_nobody_has_is_not_found(robot: Endpoint, stage: tuple[DebtorProcess, Path]) -> None:
    leg = await robot.dial(f"sip:nobody@127.0.0.1:{stage[0].port}")
    assert (await asyncio.wait_for(leg.wait_ended(), 10)).sip_code == 404


async def test_a_phone_that_nobody_picks_up_rings_until_the_robot_gives_up(
    robot: Endpoint, stage: tuple[DebtorProcess, Path]
) -> None:
    debtors, _ = stage
    leg = await robot.dial(f"sip:{USERS['rings_on']}@127.0.0.1:{debtors.port}", ring_timeout_s=1.5)
    outcome = await asyncio.wait_for(leg.wait_ended(), 10)
    assert outcome.kind is OutcomeKind.NO_ANSWER
    theirs = await record_of(debtors, "rings_on")
    assert theirs.answered_sample is None and theirs.lines == ()


async def test_early_media_opens_before_the_answer(robot: Endpoint, stage: tuple[DebtorProcess, Path]) -> None:
    debtors, _ = stage
    ours = await call(robot, debtors, "announces")
    assert await ours.leg.wait_media()
    assert ours.leg.state == "early"
    assert await ours.leg.wait_answered()
    await ours.listen(2)
    await ours.leg.hangup()
    theirs = await record_of(debtors, "announces")
    assert theirs.answered_sample is not None
    assert theirs.answered_sample / 8 == pytest.approx(1500, abs=400)
    assert [line.text for line in theirs.lines] == ["one.wav"]


async def test_four_calls_at_once_each_have_their_own_record(
    robot: Endpoint, stage: tuple[DebtorProcess, Path]
) -> None:
    debtors, _folder = stage
    calls = [await call(robot, debtors, "interrupts") for _ in range(4)]
    assert all([await ours.leg.wait_answered() for ours in calls])
    for ours in calls:
        ours.leg.write(line_of(voice(2500)))
    await asyncio.gather(*(ours.listen(4) for ours in calls))
    for ours in calls:
        await ours.leg.hangup()
    records = [await record_of(debtors, "interrupts") for _ in calls]
    assert len({theirs.call for theirs in records}) == 4
    for theirs in records:
        assert theirs.notes == () and len(theirs.lines) == 1
        assert (theirs.lines[0].first_sample - theirs.heard[0].first_sample) / 8 == pytest.approx(900, abs=80)


async def test_the_debtor_understands_what_it_hears(robot: Endpoint, stage: tuple[DebtorProcess, Path]) -> None:
    recording = WORDS / "today.wav"
    debtors, _ = stage
    ours = await call(robot, debtors, "silent")
    assert await ours.leg.wait_answered()
    await ours.listen(0.4)
    ours.leg.write(read_telephone(recording))
    await ours.listen(len(read_telephone(recording)) / 16000 + 1.8)
    await ours.leg.hangup()
    theirs = await record_of(debtors, "silent")
    assert "今天" in "".join(heard.text for heard in theirs.heard)


async def test_after_a_handoff_customer_and_seat_hear_each_other(
    robot: Endpoint, stage: tuple[DebtorProcess, Path]
) -> None:
    debtors, _ = stage
    customer, seat = await call(robot, debtors, "customer"), await call(robot, debtors, "seat")
    assert await customer.leg.wait_answered() and await seat.leg.wait_answered()
    await robot.bridge(customer.leg, seat.leg)
    await customer.listen(7.5)
    await customer.leg.hangup()
    at_customer = await record_of(debtors, "customer")  # one after the other: waiting for one passes over the rest
    await seat.leg.hangup()
    at_seat = await record_of(debtors, "seat")
    assert "今天" in "".join(heard.text for heard in at_seat.heard)
    assert "登记" in "".join(heard.text for heard in at_customer.heard)


def tool(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "voicebot.cli.debtor", *map(str, arguments)]


def test_a_broken_persona_is_an_exit_code_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("name: x\nabout: y\nuser: 1\n", "utf-8")
    done = subprocess.run(tool(tmp_path / "p.yaml"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "p.yaml: line 3: user" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_process_that_cannot_start_is_reported_and_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(DebtorFailed), DebtorProcess([tmp_path / "none.yaml"], ready_timeout_s=60):
        pass


@pytest.mark.parametrize("how", ["sigterm", "end of input"])
def test_it_ends_politely_when_asked(tmp_path: Path, how: str) -> None:
    (tmp_path / "p.yaml").write_text('name: x\nabout: y\nuser: "1"\n', "utf-8")
    command = tool(tmp_path / "p.yaml", "--port", "0", "--processes", "2", "--rtp-ports", "34000-34999")
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None and child.stdout is not None
    try:
        ready: set[int] = set()
        for text in child.stdout:
            if text.startswith("{") and (event := json.loads(text))["event"] == "ready":
                ready.add(event["port"])
            if len(ready) == 2:
                break
        if how == "sigterm":
            child.send_signal(signal.SIGTERM)
        else:
            child.stdin.close()
        assert child.wait(15) == 0
    finally:
        if child.poll() is None:
            child.kill()
