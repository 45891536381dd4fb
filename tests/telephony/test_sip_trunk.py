"""Being somebody's customer: registration, proxy, caller ID, codecs, ports and addresses, against real bytes."""

from __future__ import annotations

import asyncio
import hashlib
import re

import pytest
from rawsip import RawPeer, Request, sdp

from telephony import Endpoint, EndpointFailed, OutcomeKind, SipSettings

REGISTRAR = "sip:127.0.0.1:5117"
PASSWORD = "s3cret"
RTP = (30400, 30499)


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


class Exchange:
    """A PBX of its own: challenges REGISTER and INVITE by digest (RFC 2617, MD5) and checks the answer."""

    NONCE, REALM = "abc123", "bank.example"

    def __init__(self) -> None:
        self.bindings: list[str] = []
        self.refused = 0

    def __call__(self, request: Request):
        if request.method in ("REGISTER", "INVITE"):
            challenge, answer = (
                ("WWW-Authenticate", "Authorization")
                if request.method == "REGISTER"
                else ("Proxy-Authenticate", "Proxy-Authorization")
            )
            if answer not in request.headers:
                code = 401 if request.method == "REGISTER" else 407
                return [
                    request.reply(
                        code,
                        "Who are you",
                        {challenge: f'Digest realm="{self.REALM}", nonce="{self.NONCE}", algorithm=MD5, qop="auth"'},
                    )
                ]
            if not self.proves(request.headers[answer], request.method):
                self.refused += 1
                return [request.reply(403, "Forbidden")]
        if request.method == "REGISTER":
            contact = request.headers["Contact"]
            expires = request.headers.get("Expires", "300")
            self.bindings.append(f"{contact} {expires}")
            return [request.reply(200, "OK", {"Expires": expires})]
        if request.method == "INVITE":
            return [request.reply(200, "OK", {}, sdp(31994))]
        return [request.reply(200, "OK")]

    def proves(self, authorization: str, method: str) -> bool:
        said = dict(re.findall(r'(\w+)="?([^",]+)"?', authorization))
        ha1 = md5(f"{said['username']}:{self.REALM}:{PASSWORD}")
        ha2 = md5(f"{method}:{said['uri']}")
        return said["response"] == md5(f"{ha1}:{self.NONCE}:{said['nc']}:{said['cnonce']}:{said['qop']}:{ha2}")


def trunk(**changes) -> SipSettings:
    values = {"port": 5121, "rtp_ports": RTP, "registrar": REGISTRAR, "user": "8001", "password": PASSWORD}
    return SipSettings(**(values | changes))


async def test_we_register_with_digest_call_through_the_exchange_and_unregister():
    exchange = Exchange()
    async with RawPeer(5117, exchange) as pbx:
        async with Endpoint(trunk(caller_id="95588")) as endpoint:
            assert await endpoint.wait_registered(5)
            assert endpoint.registration[0] == 200
            assert "sip:8001@127.0.0.1:5121" in exchange.bindings[0]
            leg = await endpoint.dial(pbx.number("13800138000"))
            assert await asyncio.wait_for(leg.wait_answered(), 5)
            proven = [r for r in pbx.requests if "Proxy-Authorization" in r.headers]
            assert [r.method for r in proven] == ["INVITE"]
            assert "sip:95588@127.0.0.1" in proven[0].headers["From"]
            await leg.hangup()
            await leg.wait_ended()
        assert exchange.bindings[-1].endswith(" 0"), "leaving takes the registration back"
        assert exchange.refused == 0


async def test_a_wrong_password_is_reported_and_not_registered():
    async with RawPeer(5117, Exchange()), Endpoint(trunk(password="wrong")) as endpoint:
        assert not await endpoint.wait_registered(1.0)
        assert not endpoint.registered
        assert endpoint.registration[0] == 403


async def test_a_silent_registrar_does_not_keep_us_from_calling(peer):
    async with RawPeer(5117, lambda request: []), Endpoint(trunk()) as endpoint:
        leg = await endpoint.dial(peer.number("echo"))
        assert await asyncio.wait_for(leg.wait_answered(), 5)
        assert not endpoint.registered


async def test_everything_goes_through_the_outbound_proxy():
    async with RawPeer(5118, lambda r: [r.reply(486, "Busy Here")]) as proxy:
        settings = SipSettings(port=5121, rtp_ports=RTP, outbound_proxy="sip:127.0.0.1:5118")
        async with Endpoint(settings) as endpoint:
            leg = await endpoint.dial("sip:13800138000@carrier.invalid")
            outcome = await asyncio.wait_for(leg.wait_ended(), 5)
        assert outcome.kind is OutcomeKind.BUSY
        invite = proxy.requests[0]
        assert invite.uri == "sip:13800138000@carrier.invalid"
        assert "127.0.0.1:5118;lr" in invite.headers["Route"]


@pytest.mark.parametrize(
    ("codecs", "payloads"), [(("PCMA", "PCMU"), "8 0"), (("PCMU", "PCMA"), "0 8"), (("PCMU",), "0")]
)
async def test_codecs_are_offered_in_the_order_of_the_settings(codecs, payloads):
    async with RawPeer(5118, lambda r: [r.reply(486, "Busy Here")]) as callee:
        async with Endpoint(SipSettings(port=5121, rtp_ports=RTP, codecs=codecs)) as endpoint:
            leg = await endpoint.dial(callee.number("x"))
            await asyncio.wait_for(leg.wait_ended(), 5)
        offer = re.search(r"m=audio (\d+) RTP/AVP ([\d ]+)", callee.requests[0].text)
        assert offer and offer[2].startswith(payloads)
        assert not set(offer[2].split()) & {"0", "8", "3", "9"} - set(payloads.split())


async def test_the_offer_is_audio_only_and_rtp_stays_in_its_range():
    """No T.140 text stream: PJSIP from 2.16 on would offer one and hang up 300 ms late."""
    ports = set()
    async with RawPeer(5118, lambda r: [r.reply(486, "Busy Here")]) as callee:
        async with Endpoint(SipSettings(port=5121, rtp_ports=(30450, 30459))) as endpoint:
            for _ in range(8):
                leg = await endpoint.dial(callee.number("x"))
                await asyncio.wait_for(leg.wait_ended(), 5)
        for invite in (r for r in callee.requests if r.method == "INVITE"):
            assert re.findall(r"^m=(\w+)", invite.text, re.M) == ["audio"]
            ports.add(int(re.search(r"m=audio (\d+)", invite.text)[1]))
    assert ports <= set(range(30450, 30460))


async def test_the_public_address_is_advertised_while_we_listen_on_the_private_one():
    async with RawPeer(5118, lambda r: [r.reply(486, "Busy Here")]) as callee:
        settings = SipSettings(port=5121, rtp_ports=RTP, public_address="203.0.113.7")
        async with Endpoint(settings) as endpoint:
            assert endpoint.uri == "sip:robot@203.0.113.7:5121"
            leg = await endpoint.dial(callee.number("x"))
            await asyncio.wait_for(leg.wait_ended(), 5)
        invite = callee.requests[0]
    assert "@203.0.113.7:5121" in invite.headers["Contact"]
    assert "c=IN IP4 203.0.113.7" in invite.text
    assert "203.0.113.7:5121" in invite.headers["Via"]


async def test_an_address_of_another_machine_cannot_be_bound():
    with pytest.raises(EndpointFailed, match=r"203\.0\.113\.7"):
        async with Endpoint(SipSettings(bind="203.0.113.7", port=5121)):
            pass


async def test_any_free_port_is_found_when_none_is_given(peer):
    async with Endpoint(SipSettings(rtp_ports=RTP)) as endpoint:
        assert endpoint.port > 1024
        leg = await endpoint.dial(peer.number("echo"))
        assert await asyncio.wait_for(leg.wait_answered(), 5)
