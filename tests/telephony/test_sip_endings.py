"""Every way a call attempt can end, over real SIP; most of them by a far end that says exactly what the test wants."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from rawsip import RawPeer, sdp

from telephony import Endpoint, LegEnded, LegState, NoFreeLine, OutcomeKind, SipSettings

K = OutcomeKind


@pytest.fixture
async def raw():
    peers: list[RawPeer] = []

    async def make(script) -> RawPeer:
        peer = RawPeer(5113 + len(peers), script)
        peers.append(peer)
        return await peer.__aenter__()

    yield make
    for peer in peers:
        await peer.__aexit__()


def ring_then(*rest):
    """A callee that rings on INVITE, obeys CANCEL and then does `rest` (code, reason, headers, body)."""

    def script(request):
        if request.method == "INVITE":
            yield request.reply(180, "Ringing")
            for item in rest:
                yield item if isinstance(item, float) else request.reply(*item)
        else:
            yield request.reply(200, "OK")

    return script


@pytest.mark.parametrize(
    ("user", "kind", "code"),
    [
        ("nf", K.INVALID_NUMBER, 404),
        ("busy", K.BUSY, 486),
        ("decline", K.REJECTED, 603),
        ("gone", K.INVALID_NUMBER, 410),
        ("broken", K.FAILED, 500),
    ],
)
async def test_a_refusal_is_reported_with_its_code(endpoint, peer, user, kind, code):
    leg = await endpoint.dial(peer.number(user))
    assert not await asyncio.wait_for(leg.wait_answered(), 5)
    assert not await leg.wait_media()
    outcome = await leg.wait_ended()
    assert (outcome.kind, outcome.sip_code, outcome.ended_by) == (kind, code, "remote")
    assert not outcome.answered and not outcome.early_media
    assert outcome.talk_s == 0


async def test_nobody_answers_and_our_own_timer_cancels(endpoint, peer):
    leg = await endpoint.dial(peer.number("noans"))
    outcome = await asyncio.wait_for(leg.wait_ended(), 5)
    assert (outcome.kind, outcome.ended_by) == (K.NO_ANSWER, "timeout")
    assert outcome.ring_s == pytest.approx(1.5, abs=0.3)
    for _ in range(100):  # the CANCEL is on its way
        if (await peer.legs())[-1]["state"] == "ended":
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"the far end still rings: {await peer.legs()}")


async def test_the_ring_time_can_be_given_per_call(endpoint, peer):
    leg = await endpoint.dial(peer.number("noans"), ring_timeout_s=0.4)
    outcome = await asyncio.wait_for(leg.wait_ended(), 5)
    assert outcome.ring_s == pytest.approx(0.4, abs=0.2)


async def test_early_media_is_heard_and_then_answered(endpoint, peer):
    leg = await endpoint.dial(peer.number("early"))
    assert await asyncio.wait_for(leg.wait_media(), 3)
    assert leg.state is LegState.EARLY
    await asyncio.sleep(0.6)
    assert any(any(frame.rx) for frame in leg.take_frames())
    assert await asyncio.wait_for(leg.wait_answered(), 5)
    await leg.hangup()
    outcome = await leg.wait_ended()
    assert outcome.early_media and outcome.answered


async def test_early_media_and_then_nothing_is_no_answer(endpoint, peer):
    leg = await endpoint.dial(peer.number("earlyonly"))
    outcome = await asyncio.wait_for(leg.wait_ended(), 5)
    assert (outcome.kind, outcome.early_media, outcome.answered) == (K.NO_ANSWER, True, False)


async def test_a_dead_host_is_given_up_by_our_own_timer_and_not_after_half_a_minute(endpoint):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 5113))
        leg = await endpoint.dial("sip:x@127.0.0.1:5113")
        outcome = await asyncio.wait_for(leg.wait_ended(), 3)
    assert (outcome.kind, outcome.sip_code, outcome.ended_by) == (K.UNREACHABLE, 408, "timeout")
    assert outcome.ring_s == pytest.approx(1.0, abs=0.3)
    assert endpoint.free_lines == endpoint.capacity


async def test_a_host_name_without_address_is_unreachable(endpoint):
    leg = await endpoint.dial("sip:x@no-such-host.invalid")
    outcome = await asyncio.wait_for(leg.wait_ended(), 5)
    assert outcome.kind is K.UNREACHABLE
    assert "no-such-host.invalid" in outcome.sip_reason


async def test_a_host_that_says_trying_is_alive_but_still_has_to_ring_in_time(endpoint, raw):
    callee = await raw(lambda r: [r.reply(100, "Trying")] if r.method == "INVITE" else [r.reply(200, "OK")])
    leg = await endpoint.dial(callee.number("x"))
    outcome = await asyncio.wait_for(leg.wait_ended(), 6)
    assert (outcome.kind, outcome.ended_by) == (K.NO_ANSWER, "timeout")
    assert "CANCEL" in callee.methods()


async def test_lines_of_dead_hosts_are_free_for_the_next_call(peer):
    settings = SipSettings(port=5120, rtp_ports=(30000, 30399), dead_host_timeout_s=0.3, max_calls=2)
    async with Endpoint(settings) as endpoint:
        dead = [await endpoint.dial(f"sip:x@127.0.0.1:{port}") for port in (5113, 5114)]
        with pytest.raises(NoFreeLine):
            await endpoint.dial(peer.number("echo"))
        for leg in dead:
            await asyncio.wait_for(leg.wait_ended(), 2)
        alive = [await endpoint.dial(peer.number("echo")) for _ in range(2)]
        for leg in alive:
            assert await asyncio.wait_for(leg.wait_answered(), 2)


async def test_a_slow_host_that_wakes_up_after_we_gave_up_is_cancelled(endpoint, raw):
    callee = await raw(lambda r: [1.6, r.reply(180, "Ringing")] if r.method == "INVITE" else [r.reply(200, "OK")])
    leg = await endpoint.dial(callee.number("x"))
    assert (await asyncio.wait_for(leg.wait_ended(), 3)).kind is K.UNREACHABLE
    await asyncio.sleep(1.2)
    assert "CANCEL" in callee.methods()


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (480, 'Q.850;cause=20;text="Subscriber absent"', K.POWERED_OFF),
        (480, "Q.850;cause=1", K.INVALID_NUMBER),
        (403, "Q.850;cause=54", K.SUSPENDED),
        (486, None, K.BUSY),
    ],
)
async def test_the_isdn_cause_of_a_refusal_is_read(endpoint, raw, code, reason, kind):
    callee = await raw(ring_then((code, "No", {"Reason": reason} if reason else {})))
    leg = await endpoint.dial(callee.number("x"))
    outcome = await asyncio.wait_for(leg.wait_ended(), 5)
    assert (outcome.kind, outcome.sip_code) == (kind, code)
    assert outcome.q850_cause == (int(reason.split("cause=")[1].split(";")[0]) if reason else None)


async def test_the_isdn_cause_of_a_goodbye_is_read(endpoint):
    async with RawPeer(5113) as caller:
        await caller.call(f"sip:robot@127.0.0.1:{endpoint.port}")
        leg = await asyncio.wait_for(endpoint.incoming(), 3)
        await leg.answer()
        await caller.established()
        assert await asyncio.wait_for(leg.wait_answered(), 3)
        assert (await caller.request("BYE", {"Reason": "Q.850;cause=16"})).startswith("SIP/2.0 200")
        outcome = await asyncio.wait_for(leg.wait_ended(), 3)
    assert (outcome.kind, outcome.q850_cause, outcome.ended_by) == (K.ANSWERED, 16, "remote")


async def test_rtp_that_never_comes_is_silence_and_shows_in_the_counters(endpoint, raw):
    callee = await raw(ring_then((200, "OK", {}, sdp(31998))))
    leg = await endpoint.dial(callee.number("x"))
    assert await asyncio.wait_for(leg.wait_answered(), 3)
    assert await asyncio.wait_for(leg.wait_media(), 3)
    await asyncio.sleep(0.6)
    frames = leg.take_frames()
    assert len(frames) > 10
    assert not any(any(frame.rx) for frame in frames)
    stats = await leg.media_stats()
    assert stats is not None and stats.rx_packets == 0 and stats.tx_packets > 10
    await leg.hangup()
    assert (await asyncio.wait_for(leg.wait_ended(), 5)).kind is K.ANSWERED


async def test_an_answer_without_a_codec_of_ours_ends_the_call(endpoint, raw):
    callee = await raw(ring_then((200, "OK", {}, sdp(31998, codecs="97"))))
    leg = await endpoint.dial(callee.number("x"))
    outcome = await asyncio.wait_for(leg.wait_ended(), 5)
    assert outcome.kind in (K.FAILED, K.ANSWERED)
    assert endpoint.free_lines == endpoint.capacity


async def test_a_goodbye_nobody_answers_ends_the_leg_all_the_same(endpoint, raw):
    callee = await raw(lambda r: [r.reply(200, "OK", {}, sdp(31998))] if r.method == "INVITE" else [])
    leg = await endpoint.dial(callee.number("x"))
    assert await asyncio.wait_for(leg.wait_answered(), 3)
    began_s = time.monotonic()
    await leg.hangup()
    outcome = await asyncio.wait_for(leg.wait_ended(), 4)
    assert time.monotonic() - began_s < 2.5
    assert (outcome.kind, outcome.ended_by) == (K.ANSWERED, "local")
    assert endpoint.free_lines == endpoint.capacity


@pytest.mark.parametrize("after", ["at once", "noans", "early", "echo"])
async def test_we_can_hang_up_in_every_state_of_an_outgoing_call(endpoint, peer, after):
    leg = await endpoint.dial(peer.number("silent" if after == "at once" else after))
    wanted = {"noans": LegState.RINGING, "early": LegState.EARLY, "echo": LegState.ANSWERED}.get(after)
    async with asyncio.timeout(3):
        while wanted and leg.state is not wanted:  # noqa: ASYNC110 - a leg offers no event for ringing
            await asyncio.sleep(0.01)
    await leg.hangup()
    await leg.hangup()
    outcome = await asyncio.wait_for(leg.wait_ended(), 4)
    assert outcome.ended_by == "local"
    assert outcome.kind is (K.ANSWERED if after == "echo" else K.CANCELLED)
    await asyncio.sleep(0.2)
    assert {entry["state"] for entry in await peer.legs()} <= {"ended"}


@pytest.mark.parametrize("state", ["incoming", "ringing", "early", "answered"])
@pytest.mark.parametrize("who", ["we", "they"])
async def test_either_side_can_hang_up_in_every_state_of_an_incoming_call(endpoint, state, who):
    async with RawPeer(5113) as caller:
        await caller.call(f"sip:robot@127.0.0.1:{endpoint.port}")
        leg = await asyncio.wait_for(endpoint.incoming(), 3)
        if state == "ringing":
            await leg.ring()
        elif state == "early":
            await leg.early_media()
        elif state == "answered":
            await leg.answer()
            await caller.established()
            assert await asyncio.wait_for(leg.wait_answered(), 3)
        assert leg.state == state
        if who == "we":
            await leg.reject(486) if state != "answered" else await leg.hangup()
        elif state == "answered":
            await caller.request("BYE", {})
        else:
            caller.cancel()
        outcome = await asyncio.wait_for(leg.wait_ended(), 4)
    assert outcome.ended_by == ("local" if who == "we" else "remote")
    assert outcome.kind is (K.ANSWERED if state == "answered" else K.CANCELLED)
    with pytest.raises(LegEnded, match="the caller has gone"):
        await leg.answer()


async def test_a_bridged_leg_can_be_hung_up(endpoint, peer, second_peer):
    legs = [await endpoint.dial(p.number("echo")) for p in (peer, second_peer)]
    for leg in legs:
        await leg.wait_answered()
        await leg.wait_media()
    await endpoint.bridge(*legs)
    await legs[0].hangup()
    await asyncio.wait_for(legs[0].wait_ended(), 4)
    assert legs[1].state is LegState.ANSWERED


async def test_the_far_end_hangs_up_in_the_middle(endpoint, peer):
    leg = await endpoint.dial(peer.number("hangup300"))
    outcome = await asyncio.wait_for(leg.wait_ended(), 4)
    assert (outcome.kind, outcome.ended_by) == (K.ANSWERED, "remote")
    assert outcome.talk_s == pytest.approx(0.3, abs=0.2)
    assert leg.write(bytes(320)) == 320
    assert await leg.media_stats() is None
    await leg.hangup()
