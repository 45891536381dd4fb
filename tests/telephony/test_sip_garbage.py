"""What comes in on an open SIP port is not always SIP."""

from __future__ import annotations

import asyncio
import random

from rawsip import RawPeer, sdp

from telephony import Endpoint, LegState

INVITE = (
    "INVITE sip:robot@127.0.0.1:5120 SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:5116;branch=z9hG4bK-{n}\r\n"
    "Max-Forwards: 70\r\n"
    "From: <sip:mallory@127.0.0.1:5116>;tag={n}\r\n"
    "To: <sip:robot@127.0.0.1:5120>\r\n"
    "Call-ID: garbage-{n}\r\n"
    "CSeq: 1 INVITE\r\n"
    "Contact: <sip:mallory@127.0.0.1:5116>\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: {length}\r\n\r\n{body}"
)


def invite(n: int, body: str = sdp(31996)) -> bytes:
    return INVITE.format(n=n, length=len(body), body=body).encode()


def mutated(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        kind, at = rng.randrange(4), rng.randrange(len(out))
        if kind == 0:
            out[at] = rng.randrange(256)
        elif kind == 1:
            del out[at : at + rng.randint(1, 40)]
        elif kind == 2:
            out[at:at] = rng.randbytes(rng.randint(1, 40))
        else:
            out[at:at] = out[at : at + rng.randint(1, 200)]
        if not out:
            return b"\0"
    return bytes(out[:60000])


async def hang_up_all(endpoint: Endpoint) -> None:
    for leg in endpoint.legs:
        await leg.hangup()
    for leg in endpoint.legs:
        await asyncio.wait_for(leg.wait_ended(), 5)


async def test_random_and_mutated_datagrams_do_not_disturb_a_call(endpoint, peer):
    rng = random.Random(20251122)
    leg = await endpoint.dial(peer.number("tone700"))
    assert await leg.wait_answered()
    assert await leg.wait_media()
    async with RawPeer(5116) as mallory:
        for n in range(1500):
            kind = n % 5
            if kind == 0:
                datagram = rng.randbytes(rng.randint(1, 1400))
            elif kind == 1:
                datagram = b"\r\n" * rng.randint(1, 50)
            elif kind == 2:
                datagram = mutated(b"SIP/2.0 200 OK\r\n" + invite(n).split(b"\r\n", 1)[1], rng)
            else:
                datagram = mutated(invite(n), rng)
            mallory.send(datagram, endpoint.port)
            if n % 50 == 0:
                await asyncio.sleep(0.01)
                for stray in endpoint.legs:
                    if stray is not leg:
                        await stray.hangup(486)
        await asyncio.sleep(0.3)
    assert leg.state is LegState.ANSWERED
    leg.take_frames()
    await asyncio.sleep(0.5)
    frames = leg.take_frames()
    assert sum(any(frame.rx) for frame in frames) > 10
    await hang_up_all(endpoint)
    again = await endpoint.dial(peer.number("echo"))
    assert await asyncio.wait_for(again.wait_answered(), 5)


async def test_broken_session_descriptions_are_refused_and_cost_no_line(endpoint):
    bodies = [
        "",
        "hello",
        "v=0\r\n",
        sdp(31996).replace("m=audio 31996", "m=audio 999999"),
        sdp(31996).replace("IN IP4 127.0.0.1", "IN IP4 not-an-address"),
        sdp(31996, codecs="99"),
        sdp(31996).replace("m=audio", "m=video"),
        "m=" * 3000,
    ]
    async with RawPeer(5116) as mallory:
        for n, body in enumerate(bodies):
            mallory.send(invite(9000 + n, body), endpoint.port)
            await asyncio.sleep(0.05)
        for leg in endpoint.legs:
            try:
                await leg.answer()
            except Exception:
                await leg.hangup()
        await asyncio.sleep(0.3)
        await hang_up_all(endpoint)
    assert endpoint.free_lines == endpoint.capacity
    assert endpoint.engine.alive
