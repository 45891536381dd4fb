"""Real calls over loopback to a second process: audio, tones, bridging, transfers, lines."""

from __future__ import annotations

import asyncio
import math
import struct
import time

import numpy as np
import pytest
from rawsip import RawPeer, sdp

from telephony import (
    FRAME_BYTES,
    BadHeader,
    BadUri,
    Endpoint,
    EndpointBusy,
    EndpointClosed,
    EndpointFailed,
    Leg,
    LegEnded,
    LegState,
    NoFreeLine,
    OutcomeKind,
    SipSettings,
    TelephonyError,
)


def tone(hz: int, ms: int) -> bytes:
    n = 8 * ms
    return struct.pack(f"<{n}h", *(int(8000 * math.sin(2 * math.pi * hz * i / 8000)) for i in range(n)))


def loudest_hz(pcm16: bytes) -> float:
    samples = np.frombuffer(pcm16, "<i2").astype(float)
    return float(np.argmax(np.abs(np.fft.rfft(samples * np.hanning(len(samples))))) * 8000 / len(samples))


def level(pcm16: bytes) -> float:
    return float(np.abs(np.frombuffer(pcm16, "<i2").astype(float)).mean())


async def connected(endpoint: Endpoint, uri: str) -> Leg:
    leg = await endpoint.dial(uri)
    assert await asyncio.wait_for(leg.wait_answered(), 5)
    assert await asyncio.wait_for(leg.wait_media(), 5)
    return leg


async def hear(leg: Leg, seconds: float) -> bytes:
    leg.take_frames()
    await asyncio.sleep(seconds)
    return b"".join(frame.rx for frame in leg.take_frames())


async def eventually(condition, limit_s: float = 3.0) -> bool:
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return True
        await asyncio.sleep(0.05)
    return False


async def states_come_to(peer, states: list[str]) -> bool:
    """The far end's own legs reach these states: our end may be told before they are."""

    async def reached() -> bool:
        return [leg["state"] for leg in await peer.legs()] == states

    return await eventually(reached)


async def test_the_far_ends_voice_arrives_in_frames_of_20_ms(endpoint, peer):
    leg = await connected(endpoint, peer.number("tone1000"))
    await asyncio.sleep(0.3)
    leg.take_frames()
    frames = []
    async with asyncio.timeout(5):
        while len(frames) < 100:
            await asyncio.sleep(0.02)
            frames += leg.take_frames()
    lasted_s = frames[-1].at_s - frames[0].at_s
    assert lasted_s / (len(frames) - 1) == pytest.approx(0.02, rel=0.3)
    assert {len(frame.rx) for frame in frames} == {len(frame.tx) for frame in frames} == {FRAME_BYTES}
    assert [frame.index for frame in frames] == list(range(frames[0].index, frames[0].index + len(frames)))
    assert loudest_hz(b"".join(frame.rx for frame in frames)) == pytest.approx(1000, abs=5)
    assert leg.dropped_frames == 0


async def test_what_is_written_reaches_the_far_end_and_is_counted(endpoint, peer):
    leg = await connected(endpoint, peer.number("echo"))
    assert leg.write(tone(700, 1000)) == 16000
    leg.take_frames()
    await asyncio.sleep(1.4)
    frames = leg.take_frames()
    assert leg.played == leg.written == 8000
    sent = b"".join(frame.tx for frame in frames)
    assert tone(700, 900) in sent
    back = [frame.rx for frame in frames if level(frame.rx) > 1000]
    assert 40 <= len(back) <= 65  # the far jitter buffer conceals a late frame now and then
    assert loudest_hz(b"".join(back)) == pytest.approx(700, abs=5)


async def test_flush_silences_the_far_end_within_a_quarter_second(endpoint, peer):
    leg = await connected(endpoint, peer.number("echo"))
    leg.write(tone(700, 5000))
    await asyncio.sleep(0.6)
    dropped = leg.flush()
    assert leg.played + dropped == leg.written
    leg.take_frames()
    await asyncio.sleep(0.25)
    leg.take_frames()
    assert level(await hear(leg, 0.3)) < 50
    assert leg.played + dropped == leg.written


async def test_ducking_is_heard(endpoint, peer):
    leg = await connected(endpoint, peer.number("echo"))
    leg.write(tone(700, 3000))
    await asyncio.sleep(0.4)
    loud = level(await hear(leg, 0.4))
    leg.set_gain(-12)
    await asyncio.sleep(0.3)
    assert level(await hear(leg, 0.4)) == pytest.approx(loud / 4, rel=0.15)


async def test_tones_pressed_are_heard_on_both_sides(endpoint, peer):
    leg = await connected(endpoint, peer.number("dtmf"))
    seen: list[str] = []
    leg.on_dtmf.append(seen.append)
    pressed = "".join([await asyncio.wait_for(leg.next_dtmf(), 5) for _ in range(8)])
    assert pressed == "".join(seen) == "1234*0#9"
    await leg.send_dtmf("42#")

    async def arrived() -> bool:
        return (await peer.legs())[-1]["digits"] == "42#"

    assert await eventually(arrived)


async def test_waiting_for_a_digit_ends_with_the_call(endpoint, peer):
    leg = await connected(endpoint, peer.number("hangup200"))
    with pytest.raises(LegEnded, match="before another digit"):
        await asyncio.wait_for(leg.next_dtmf(), 5)


async def test_a_letter_that_no_phone_has_cannot_be_pressed(endpoint, peer):
    leg = await connected(endpoint, peer.number("echo"))
    with pytest.raises(ValueError, match="0-9"):
        await leg.send_dtmf("12x")


async def test_the_invite_carries_caller_id_and_headers(endpoint, peer):
    leg = await endpoint.dial(peer.number("busy"), caller_id="95588", headers={"X-Case": "c-17"})
    await leg.wait_ended()
    headers = (await peer.legs())[-1]["headers"]
    assert "sip:95588@127.0.0.1" in headers["from"]
    assert headers["x-case"] == "c-17"
    assert headers["user-agent"] == "voicebot"


async def test_an_incoming_call_is_taken_and_hung_up(endpoint, peer):
    await peer.ask(f"dial sip:%2B8613800@127.0.0.1:{endpoint.port}")
    leg = await asyncio.wait_for(endpoint.incoming(), 5)
    assert (leg.direction, leg.local_user, leg.state) == ("incoming", "+8613800", LegState.INCOMING)
    assert leg.headers["user-agent"] == "voicebot"
    await leg.ring()
    assert leg.state is LegState.RINGING
    await leg.answer()
    assert await asyncio.wait_for(leg.wait_answered(), 5)
    assert await asyncio.wait_for(leg.wait_media(), 5)
    leg.write(tone(500, 1000))
    await asyncio.sleep(0.4)
    assert loudest_hz(await hear(leg, 0.4)) == pytest.approx(500, abs=5)
    await leg.hangup()
    outcome = await asyncio.wait_for(leg.wait_ended(), 5)
    assert (outcome.kind, outcome.ended_by) == (OutcomeKind.ANSWERED, "local")


async def test_an_own_call_cannot_be_answered(endpoint, peer):
    leg = await connected(endpoint, peer.number("echo"))
    with pytest.raises(TelephonyError, match="call of our own"):
        await leg.answer()


async def test_bridged_legs_hear_each_other_and_not_our_playout(endpoint, peer, second_peer):
    customer = await connected(endpoint, peer.number("tone600"))
    seat = await connected(endpoint, second_peer.number("echo"))
    customer.write(tone(2000, 4000))
    await endpoint.bridge(customer, seat)
    assert customer.state is seat.state is LegState.BRIDGED
    await asyncio.sleep(0.5)
    seat.take_frames()
    frames_before = customer.take_frames()
    heard_by_customer = await hear(seat, 0.5)
    frames = customer.take_frames()
    assert loudest_hz(heard_by_customer) == pytest.approx(600, abs=5)
    assert len(frames) > 10 and frames_before
    assert loudest_hz(b"".join(frame.tx for frame in frames)) == pytest.approx(600, abs=5)
    played = customer.played
    await asyncio.sleep(0.1)
    assert customer.played == played

    await endpoint.unbridge(customer, seat)
    assert customer.state is seat.state is LegState.ANSWERED
    customer.flush()
    seat.write(tone(900, 2000))
    await asyncio.sleep(0.5)
    assert loudest_hz(await hear(seat, 0.5)) == pytest.approx(900, abs=5)


async def test_when_a_bridged_leg_ends_the_other_comes_back_to_us(endpoint, peer, second_peer):
    customer = await connected(endpoint, peer.number("echo"))
    seat = await connected(endpoint, second_peer.number("hangup700"))
    await endpoint.bridge(customer, seat)
    assert (await asyncio.wait_for(seat.wait_ended(), 5)).ended_by == "remote"
    assert customer.state is LegState.ANSWERED
    customer.write(tone(800, 1500))
    await asyncio.sleep(0.5)
    assert loudest_hz(await hear(customer, 0.5)) == pytest.approx(800, abs=5)


async def test_a_leg_that_is_not_answered_cannot_be_bridged(endpoint, peer):
    customer = await connected(endpoint, peer.number("echo"))
    ringing = await endpoint.dial(peer.number("noans"))
    with pytest.raises(LegEnded, match="has to be answered"):
        await endpoint.bridge(customer, ringing)
    with pytest.raises(TelephonyError, match="with itself"):
        await endpoint.bridge(customer, customer)
    assert customer.state is LegState.ANSWERED


async def test_a_blind_transfer_connects_the_far_end_elsewhere(endpoint, peer, second_peer):
    leg = await connected(endpoint, peer.number("echo"))
    result = await asyncio.wait_for(leg.transfer_blind(second_peer.number("tone900")), 10)
    assert (result.ok, result.sip_code) == (True, 200)
    await asyncio.wait_for(leg.wait_ended(), 5)
    assert await states_come_to(second_peer, ["answered"])


async def test_a_blind_transfer_to_nobody_reports_why_and_keeps_the_call(endpoint, peer, second_peer):
    leg = await connected(endpoint, peer.number("echo"))
    result = await asyncio.wait_for(leg.transfer_blind(second_peer.number("busy")), 10)
    assert (result.ok, result.sip_code) == (False, 486)
    assert leg.state is LegState.ANSWERED


async def test_a_far_end_that_declines_a_transfer_is_reported_at_once(endpoint):
    def script(request):
        if request.method == "INVITE":
            return [request.reply(200, "OK", {}, sdp(31998, codecs="8"))]
        return [request.reply(603 if request.method == "REFER" else 200, "Whatever")]

    async with RawPeer(5112, script) as callee:
        leg = await connected(endpoint, callee.number("x"))
        result = await asyncio.wait_for(leg.transfer_blind("sip:y@127.0.0.1:5113"), 5)
        assert (result.ok, result.sip_code) == (False, 603)
        assert leg.state is LegState.ANSWERED


async def test_an_attended_transfer_joins_the_two_far_ends(endpoint, peer, second_peer):
    first = await connected(endpoint, peer.number("echo"))
    second = await connected(endpoint, second_peer.number("tone900"))
    result = await asyncio.wait_for(first.transfer_attended(second), 10)
    assert (result.ok, result.sip_code) == (True, 200)
    await asyncio.wait_for(first.wait_ended(), 5)
    await asyncio.wait_for(second.wait_ended(), 5)
    assert await states_come_to(second_peer, ["ended", "answered"])


async def test_nobody_can_make_us_dial_by_transferring_us(endpoint, peer, second_peer):
    """The peer dials us and then refers us on; we decline and stay in the call."""
    async with asyncio.timeout(20):
        reply = await raw_refer(endpoint, second_peer.number("echo"))
    assert reply.startswith("SIP/2.0 603")
    assert endpoint.legs == ()
    assert await second_peer.legs() == []


async def raw_refer(endpoint: Endpoint, target: str) -> str:
    async with RawPeer(5112) as caller:
        await caller.call(f"sip:robot@127.0.0.1:{endpoint.port}")
        leg = await endpoint.incoming()
        await leg.answer()
        await caller.established()
        reply = await caller.request("REFER", {"Refer-To": f"<{target}>"})
        await leg.hangup()
        await leg.wait_ended()
        return reply


async def test_more_calls_than_lines_are_refused_with_a_way_out(peer, second_peer):
    async with Endpoint(SipSettings(port=5120, rtp_ports=(30000, 30399), max_calls=2)) as endpoint:
        assert endpoint.capacity == endpoint.free_lines == 2
        first = await connected(endpoint, peer.number("echo"))
        await connected(endpoint, second_peer.number("echo"))
        assert endpoint.free_lines == 0
        with pytest.raises(NoFreeLine, match=r"all 2 lines .* more processes"):
            await endpoint.dial(peer.number("echo"))
        await first.hangup()
        await first.wait_ended()
        assert endpoint.free_lines == 1
        await connected(endpoint, peer.number("echo"))


async def test_a_caller_who_finds_every_line_taken_hears_busy(peer):
    async with Endpoint(SipSettings(port=5120, rtp_ports=(30000, 30399), max_calls=1)) as endpoint:
        await connected(endpoint, peer.number("echo"))
        await peer.ask(f"dial sip:robot@127.0.0.1:{endpoint.port}")

        async def refused() -> bool:
            return (await peer.legs())[-1]["kind"] == "busy"

        assert await eventually(refused)


async def test_a_bad_target_or_header_is_refused_before_anything_is_sent(endpoint):
    for uri in ("13800138000", "sip:a b@127.0.0.1", "sip:x@127.0.0.1\r\nX: y"):
        with pytest.raises(BadUri):
            await endpoint.dial(uri)
    with pytest.raises(BadUri):
        await endpoint.dial("sip:x@127.0.0.1", caller_id="a b")
    with pytest.raises(BadHeader):
        await endpoint.dial("sip:x@127.0.0.1", headers={"X-A": "1\r\nX-B: 2"})
    assert endpoint.free_lines == endpoint.capacity


async def test_rtp_counters_tell_what_flowed(endpoint, peer):
    leg = await connected(endpoint, peer.number("tone500"))
    await asyncio.sleep(1.0)
    stats = await leg.media_stats()
    assert stats is not None
    assert stats.codec == "PCMA"
    assert stats.rx_packets > 30 and stats.tx_packets > 30
    assert stats.rx_lost == 0


async def test_one_process_can_open_endpoints_one_after_the_other(peer):
    for _ in range(3):
        async with Endpoint(SipSettings(port=5120, rtp_ports=(30000, 30399))) as endpoint:
            leg = await connected(endpoint, peer.number("echo"))
            await leg.hangup()
            await leg.wait_ended()
        with pytest.raises(EndpointClosed):
            await endpoint.dial(peer.number("echo"))


async def test_a_second_live_endpoint_is_refused_clearly(endpoint):
    with pytest.raises(EndpointBusy, match="already has a live SIP endpoint"):
        async with Endpoint(SipSettings()):
            pass
    assert endpoint.engine.alive


async def test_a_taken_port_is_an_error_and_leaves_the_process_usable(peer):
    with pytest.raises(EndpointFailed, match=r"cannot start SIP on 127\.0\.0\.1:5110"):
        async with Endpoint(SipSettings(port=5110)):
            pass
    async with Endpoint(SipSettings(port=5120, rtp_ports=(30000, 30399))) as endpoint:
        await connected(endpoint, peer.number("echo"))


async def test_leaving_the_endpoint_says_goodbye_on_every_leg(peer):
    async with Endpoint(SipSettings(port=5120, rtp_ports=(30000, 30399))) as endpoint:
        answered = await connected(endpoint, peer.number("echo"))
        ringing = await endpoint.dial(peer.number("noans"))
        assert await eventually(lambda: ringing.state is LegState.RINGING)
        waiting = asyncio.create_task(endpoint.incoming())
        await asyncio.sleep(0)
    assert answered.outcome and answered.outcome.kind is OutcomeKind.ANSWERED
    assert ringing.outcome and ringing.outcome.kind is OutcomeKind.CANCELLED
    with pytest.raises(EndpointClosed):
        await waiting
    assert [leg["state"] for leg in await peer.legs()] == ["ended", "ended"]
    assert [leg["ended_by"] for leg in await peer.legs()] == ["remote", "remote"]
