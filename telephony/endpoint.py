"""How many lines does this process have, and who is on them?"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import AsyncIterator, Mapping
from types import TracebackType

from telephony import library
from telephony.call import Leg
from telephony.engine import Engine, Listener
from telephony.errors import BadUri, EndpointClosed, LegEnded, LibraryError, NoFreeLine, TelephonyError
from telephony.leg import Direction, LegEvent, LegState
from telephony.media import LegMedia
from telephony.messages import Headers, check_headers, check_sip_uri, host_part, request_user
from telephony.settings import SipSettings
from telephony.sipcall import SipCall, SipFact

log = logging.getLogger(__name__)

_CLOSE_S = 3.0


class Endpoint(Listener):
    """A SIP endpoint: `async with Endpoint(settings) as endpoint`. One may be live per process at a time.

    Entering raises EndpointBusy or EndpointFailed; leaving hangs up every leg and frees the library.
    """

    def __init__(self, settings: SipSettings | None = None) -> None:
        self.settings = settings or SipSettings()
        self.engine = Engine(self.settings, self)
        self._legs: set[Leg] = set()
        self._incoming: asyncio.Queue[Leg | None] = asyncio.Queue()
        self._bridges: dict[Leg, Leg] = {}
        self._registered = asyncio.Event()
        self._registration: tuple[int, str] = (0, "not tried yet")
        self._closed = True

    async def __aenter__(self) -> Endpoint:
        await self.engine.start()
        self._closed = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up every leg, wait for the far ends within bounds, free the library. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._incoming.put_nowait(None)
        legs = list(self._legs)
        try:
            async with asyncio.timeout(_CLOSE_S):
                await asyncio.gather(*(leg.hangup() for leg in legs), return_exceptions=True)
                await asyncio.gather(*(leg.wait_ended() for leg in legs))
        except TimeoutError:
            log.warning("%d legs did not say goodbye in time", sum(leg.outcome is None for leg in legs))
        await self.engine.stop()
        for leg in list(self._legs):
            leg.apply(LegEvent.FAIL)

    # What it is

    @property
    def capacity(self) -> int:
        """Most calls this process can hold."""
        return self.engine.capacity

    @property
    def free_lines(self) -> int:
        """Calls that could be made or taken now."""
        return max(0, self.capacity - len(self._legs))

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The legs that have not ended."""
        return tuple(self._legs)

    @property
    def build(self) -> str:
        """Which SIP library this is, in words: "PyPI wheel, PJSIP 2.15.1"."""
        return library.describe(self.engine.version)

    @property
    def port(self) -> int:
        return self.engine.port

    @property
    def uri(self) -> str:
        """Where this endpoint can be called."""
        return f"sip:{self.settings.user or 'robot'}@{self._address}:{self.port}"

    @property
    def _address(self) -> str:
        return self.settings.public_address or self.settings.bind

    @property
    def registered(self) -> bool:
        """True while a registrar holds our address."""
        return self._registered.is_set()

    @property
    def registration(self) -> tuple[int, str]:
        """SIP code and reason of the registrar's last answer."""
        return self._registration

    async def wait_registered(self, timeout_s: float = 10.0) -> bool:
        """True once registered; False when the registrar did not accept us in time (see `registration`)."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._registered.wait()
        except TimeoutError:
            return False
        return True

    # What it does

    async def dial(
        self,
        uri: str,
        *,
        caller_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: float | None = None,
    ) -> Leg:
        """Send an INVITE and return the leg at once; how it goes on is the leg's to tell.

        Raises NoFreeLine, BadUri, BadHeader, EndpointClosed.
        """
        self._check_open()
        check_sip_uri(uri)
        from_uri = self.settings.caller_uri(caller_id)
        headers = dict(headers or {})
        check_headers(headers)
        if self.free_lines < 1:
            raise NoFreeLine(self._no_free_line())
        media = LegMedia(self.settings.playout_limit_ms)
        leg = Leg(self, "outgoing", uri, media=media)
        self._legs.add(leg)
        leg.apply(LegEvent.DIAL)
        host = host_part(self.settings.outbound_proxy or uri)
        if not await self._resolves(host):
            self._give_up(leg, 502, f"no address found for {host}")
            return leg
        try:
            call = await self.engine.run(self.engine.make_call, media, leg, uri, from_uri, headers)
        except NoFreeLine:
            self._legs.discard(leg)
            raise NoFreeLine(self._no_free_line()) from None
        except LibraryError as e:
            return self._refused_by_library(leg, uri, e)
        leg.attach(call)
        leg.start_timers(self.settings.dead_host_timeout_s, ring_timeout_s or self.settings.ring_timeout_s)
        return leg

    async def incoming(self) -> Leg:
        """The next incoming call, unanswered. Raises EndpointClosed when the endpoint closes."""
        if self._closed and self._incoming.empty():
            raise EndpointClosed("the SIP endpoint is closed")
        leg = await self._incoming.get()
        if leg is None:
            self._incoming.put_nowait(None)
            raise EndpointClosed("the SIP endpoint is closed")
        return leg

    async def __aiter__(self) -> AsyncIterator[Leg]:
        while True:
            try:
                yield await self.incoming()
            except EndpointClosed:
                return

    async def bridge(self, a: Leg, b: Leg) -> None:
        """Let the far ends of two answered legs talk to each other. Our playout leaves both; frames keep coming."""
        if a is b:
            raise TelephonyError(f"{a.id} cannot be bridged with itself")
        for leg in (a, b):
            if leg.state is not LegState.ANSWERED or not leg.has_media:
                raise LegEnded(f"{leg.id} is {leg.state} and cannot be bridged; it has to be answered")
        self._bridges[a], self._bridges[b] = b, a
        a.apply(LegEvent.BRIDGE)
        b.apply(LegEvent.BRIDGE)
        try:
            await self.engine.run(_joined(a).join, _joined(b))
        except LibraryError:
            await self.unbridge(a, b)
            raise

    async def unbridge(self, a: Leg, b: Leg) -> None:
        """Separate them again; each gets our playout back. Does nothing when they are not bridged."""
        if self._bridges.get(a) is not b:
            return
        a.apply(LegEvent.UNBRIDGE)
        await self.engine.run(_joined(a).part)

    # What the legs and the engine tell it

    def on_unbridged(self, leg: Leg) -> None:
        other = self._bridges.pop(leg, None)
        if other is None:
            return
        self._bridges.pop(other, None)
        other.apply(LegEvent.UNBRIDGE)
        if leg.state is not LegState.ANSWERED:
            self.engine.post(_joined(other).part)

    def on_ended(self, leg: Leg) -> None:
        self._legs.discard(leg)

    def on_incoming(self, call: SipCall, start_line: str, headers: Headers, remote_uri: str) -> None:
        user = request_user(start_line)
        leg = self._take(call, "incoming", remote_uri, user, headers)
        leg.apply(LegEvent.OFFER)
        if self._closed:
            self.engine.post(call.end, 503)
            return
        self._incoming.put_nowait(leg)

    def on_adopted(self, call: SipCall, remote_uri: str, outgoing: bool) -> None:
        leg = self._take(call, "outgoing" if outgoing else "incoming", remote_uri, "", None)
        leg.apply(LegEvent.DIAL if outgoing else LegEvent.OFFER)
        self._incoming.put_nowait(leg)

    def on_fact(self, call: SipCall, fact: SipFact) -> None:
        if call.leg is not None:
            call.leg.on_fact(fact)

    def on_registration(self, code: int, reason: str, active: bool) -> None:
        self._registration = (code, reason)
        if active:
            self._registered.set()
        else:
            self._registered.clear()

    def _take(self, call: SipCall, direction: Direction, remote_uri: str, user: str, headers: Headers | None) -> Leg:
        leg = Leg(self, direction, remote_uri, media=call.media, local_user=user, headers=headers)
        leg.attach(call)
        call.leg = leg
        self._legs.add(leg)
        return leg

    def _refused_by_library(self, leg: Leg, uri: str, error: LibraryError) -> Leg:
        """The library would not send the INVITE: a bad URI is the caller's mistake, all else an ended call."""
        reason = error.reason
        if "URI" in reason.upper():
            self._legs.discard(leg)
            raise BadUri(f"{uri!r} is not a SIP URI that can be dialled: {reason}") from None
        self._give_up(leg, 503, reason)
        return leg

    def _give_up(self, leg: Leg, code: int, reason: str) -> None:
        leg.apply(LegEvent.DISCONNECT, SipFact(LegEvent.DISCONNECT, time.monotonic(), code=code, reason=reason))

    async def _resolves(self, host: str) -> bool:
        """Whether a host name has an address: the library would look it up on the SIP thread, and every call with it
        would wait for the name server."""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            try:
                async with asyncio.timeout(self.settings.dead_host_timeout_s):
                    await asyncio.get_running_loop().getaddrinfo(host, None)
            except (OSError, TimeoutError, UnicodeError):
                return False
        return True

    def _check_open(self) -> None:
        if self._closed:
            raise EndpointClosed("the SIP endpoint is closed; use it inside `async with Endpoint(...)`")

    def _no_free_line(self) -> str:
        way_out = "wait for a call to end, start more processes, or build the library for more calls (docs/trunk.md)"
        return f"all {self.capacity} lines of this process are taken ({self.build}): {way_out}"


def _joined(leg: Leg) -> SipCall:
    call = leg.sip_call
    assert call is not None, "an answered leg has its call"
    return call
