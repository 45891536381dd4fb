"""Who talks to the SIP library, and on which thread?

One thread does: it makes every API call and handles every event (`threadCnt=0` and `libHandleEvents`). The library's
own worker threads would deadlock with Python's interpreter lock (pjproject#3125). The rest of the program posts
closures (`run`, `post`), and hears back through `loop.call_soon_threadsafe`. Audio frames do not come this way: they
run on the bridge clock thread, see sipcall.AudioPort.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import pjsua2 as pj

from telephony import library
from telephony.errors import EndpointBusy, EndpointClosed, EndpointFailed, LibraryError, NoFreeLine
from telephony.media import LegMedia
from telephony.messages import Headers, parse_message
from telephony.settings import FRAME_MS, RATE_HZ, SipSettings
from telephony.sipcall import SipCall, SipFact

log = logging.getLogger(__name__)
T = TypeVar("T")

_POLL_MS = 5
_ASK_FOR_CALLS = 4000  # more than any build holds: the library cuts it down to what it was compiled for
_JITTER_BUFFER_MAX_MS = 200
_JITTER_PREFETCH_MS = 60  # the most delay that the buffer takes on by itself after a disturbance
_GOODBYE_S = 2.0
_UNREGISTER_S = 1.0
_ROOM_S = 0.5
_ROOM_RETRY_S = 0.1
_TRANSACTION_S = 33.0  # 64*T1 and a little: by then the library has given up by itself (RFC 3261, 17.1.1)
_TOO_MANY = 70010  # PJ_ETOOMANY

_one_live = threading.Lock()


class Listener:
    """What the engine tells; every method is called on the event loop."""

    def on_incoming(self, call: SipCall, start_line: str, headers: Headers, remote_uri: str) -> None: ...

    def on_adopted(self, call: SipCall, remote_uri: str, outgoing: bool) -> None: ...

    def on_fact(self, call: SipCall, fact: SipFact) -> None: ...

    def on_registration(self, code: int, reason: str, active: bool) -> None: ...


class _Account(pj.Account):  # type: ignore[misc]
    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self.bound = False  # a registrar holds our address

    def onIncomingCall(self, prm: Any) -> None:
        try:
            self._engine.receive(prm)
        except Exception:
            self._engine.fault("incoming call")

    def onRegState(self, prm: Any) -> None:
        try:
            active = prm.code // 100 == 2 and prm.expiration > 0
            self.bound = active
            self._engine.tell(self._engine.listener.on_registration, int(prm.code), prm.reason, active)
        except Exception:
            self._engine.fault("registration")


class Engine:
    """The SIP thread and everything that lives on it."""

    def __init__(self, settings: SipSettings, listener: Listener) -> None:
        self.settings = settings
        self.listener = listener
        self.access = library.frame_access()
        self.capacity = 0
        self.version = ""
        self.port = 0
        self.faults = 0
        self._calls: set[SipCall] = set()
        self._dead: list[tuple[SipCall, SipFact | None]] = []
        self._queue: deque[Callable[[], None]] = deque()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stale: list[tuple[float, bytes]] = []
        self._room_at_s = 0.0
        self._endpoint: Any = None
        self._account: Any = None

    # From the event loop

    async def start(self) -> None:
        """Bring the library up. Raises EndpointBusy, EndpointFailed."""
        if not _one_live.acquire(blocking=False):
            raise EndpointBusy(
                "this process already has a live SIP endpoint and the library allows only one: "
                "leave the first one before entering another, or use a process of its own"
            )
        self._loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._main, args=(ready,), name="sip", daemon=True)
        atexit.register(self._at_exit)
        self._thread.start()
        try:
            await ready
        except EndpointFailed:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Hang up what is left, destroy everything, join the thread."""
        self._stopping.set()
        if self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        atexit.unregister(self._at_exit)

    async def run(self, job: Callable[..., T], *args: Any) -> T:
        """Do `job(*args)` on the SIP thread and return what it returns. Raises what it raises, the library's own
        errors as LibraryError, and EndpointClosed."""
        if not self.alive or self._loop is None:
            raise EndpointClosed("the SIP endpoint is closed")
        done: asyncio.Future[T] = self._loop.create_future()

        def task() -> None:
            if self._stopping.is_set():
                self._settle(done, error=EndpointClosed("the SIP endpoint was closed meanwhile"))
                return
            try:
                result = job(*args)
            except pj.Error as e:
                self._settle(done, error=LibraryError(e.status, e.reason))
            except Exception as e:
                self._settle(done, error=e)
            else:
                self._settle(done, result)

        self._queue.append(task)
        return await done

    def post(self, job: Callable[..., object], *args: Any) -> None:
        """Do `job(*args)` on the SIP thread, some time soon; what it raises is logged."""

        def task() -> None:
            try:
                job(*args)
            except Exception:
                self.fault(getattr(job, "__name__", "job"))

        self._queue.append(task)

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive() and not self._stopping.is_set()

    # On the SIP thread

    def make_call(self, media: LegMedia, leg: Any, uri: str, from_uri: str, headers: Mapping[str, str]) -> SipCall:
        """Send an INVITE. Raises NoFreeLine, or the library's own error."""
        call = SipCall(self, self._account, media)
        call.leg = leg
        self._calls.add(call)
        until_s = time.monotonic() + _ROOM_S
        while True:
            try:
                call.dial(uri, from_uri, headers)
                return call
            except Exception as e:
                crowded = isinstance(e, pj.Error) and e.status == _TOO_MANY
                if crowded and time.monotonic() < until_s:
                    self._make_room()
                    self._turn(_POLL_MS)
                    continue
                if not call.over:
                    self._dead.append((call, None))
                if crowded:
                    raise NoFreeLine(f"all {self.capacity} lines of this process are taken") from None
                raise

    def receive(self, prm: Any) -> None:
        """An INVITE came in."""
        call = SipCall(self, self._account, LegMedia(self.settings.playout_limit_ms), prm.callId)
        self._calls.add(call)
        start_line, headers = parse_message(prm.rdata.wholeMsg)
        self.tell(self.listener.on_incoming, call, start_line, headers, call.getInfo().remoteUri)

    def adopt(self, call_id: int | None, remote_uri: str) -> SipCall:
        """A call that the library makes for a transfer that we follow."""
        call = SipCall(self, self._account, LegMedia(self.settings.playout_limit_ms), call_id)
        self._calls.add(call)
        self.tell(self.listener.on_adopted, call, remote_uri, call_id is None)
        return call

    def bury(self, call: SipCall, fact: SipFact) -> None:
        """The call is over: free it once its callback has returned, then say so."""
        self._dead.append((call, fact))

    def linger(self, call: SipCall) -> None:
        """The leg has ended while the library still waits for an answer; give the line up when it is needed."""
        call.lingering = True

    def deliver(self, call: SipCall, fact: SipFact) -> None:
        self.tell(self.listener.on_fact, call, fact)

    def tell(self, callback: Callable[..., None], *args: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *args)

    def fault(self, where: str) -> None:
        """A callback failed; nothing may escape into C++, so it is counted and logged here."""
        self.faults += 1
        log.exception("unexpected error in the SIP library's %s", where)

    # The thread itself

    def _main(self, ready: asyncio.Future[None]) -> None:
        try:
            try:
                self._set_up()
            except Exception as e:
                reason = e.reason if isinstance(e, pj.Error) else str(e)
                self._tear_down()
                where = f"{self.settings.bind}:{self.settings.port}"
                self._settle(ready, error=EndpointFailed(f"cannot start SIP on {where}: {reason}"))
                return
            self._settle(ready, None)
            while not self._stopping.is_set():
                self._turn(_POLL_MS)
            self._tear_down()
        finally:
            _one_live.release()

    def _turn(self, wait_ms: int) -> None:
        while self._queue:
            self._queue.popleft()()
        self._endpoint.libHandleEvents(wait_ms)
        while self._dead:
            call, fact = self._dead.pop(0)
            self._calls.discard(call)
            if answer := call.unanswered_response():
                self._stale.append((time.monotonic() + _TRANSACTION_S, answer))
            call.destroy()
            if fact is not None:
                self.deliver(call, fact)
        if len(self._calls) + len(self._stale) >= self.capacity:
            self._make_room()

    def _set_up(self) -> None:
        s = self.settings
        library.hush()
        self._endpoint = pj.Endpoint()
        self._endpoint.libCreate()
        config = pj.EpConfig()
        ua, media, logs = config.uaConfig, config.medConfig, config.logConfig
        ua.threadCnt = 0
        ua.mainThreadOnly = False
        ua.maxCalls = min(s.max_calls or _ASK_FOR_CALLS, _ASK_FOR_CALLS)
        ua.userAgent = s.user_agent
        logs.level = logs.consoleLevel = s.log_level
        media.clockRate = media.sndClockRate = RATE_HZ
        media.audioFramePtime = media.ptime = FRAME_MS
        media.noVad = True
        media.ecTailLen = 0
        media.hasIoqueue = True
        media.threadCnt = 1
        media.jbInit, media.jbMinPre, media.jbMaxPre = 0, 0, _JITTER_PREFETCH_MS
        media.jbMax = _JITTER_BUFFER_MAX_MS
        media.sndAutoCloseTime = -1
        media.maxMediaPorts = 2 * min(ua.maxCalls, 500) + 16
        self._endpoint.libInit(config)
        self.capacity = min(library.compiled_capacity(), ua.maxCalls)
        self.version = self._endpoint.libVersion().full
        transport = pj.TransportConfig()
        transport.port = s.port
        transport.boundAddress = "" if s.bind == "0.0.0.0" else s.bind
        transport.publicAddress = s.public_address or ""
        transport_id = self._endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        self.port = int(self._endpoint.transportGetInfo(transport_id).localName.rsplit(":", 1)[1])
        self._endpoint.libStart()
        self._endpoint.audDevManager().setNullDev()
        for codec in self._endpoint.codecEnum2():
            name = codec.codecId.split("/")[0]
            rank = 255 - s.codecs.index(name) if name in s.codecs else 0
            self._endpoint.codecSetPriority(codec.codecId, rank)
        self._account = _Account(self)
        self._account.create(self._account_config(transport_id))

    def _account_config(self, transport_id: int) -> Any:
        s = self.settings
        config = pj.AccountConfig()
        config.idUri = f"sip:{s.user}@{s.domain}" if s.registrar else s.caller_uri()
        config.sipConfig.transportId = transport_id
        if s.outbound_proxy:
            config.sipConfig.proxies.append(_loose(s.outbound_proxy))
        if s.user:
            config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", s.realm, s.user, 0, s.password or ""))
        if s.registrar:
            config.regConfig.registrarUri = s.registrar
            config.regConfig.retryIntervalSec = 30
            config.regConfig.firstRetryIntervalSec = 5
        rtp = config.mediaConfig.transportConfig
        rtp.boundAddress = "" if s.bind == "0.0.0.0" else s.bind
        rtp.publicAddress = s.public_address or ""
        low, high = s.rtp_ports
        rtp.port = low + low % 2
        rtp.portRange = high - rtp.port - 1
        if hasattr(rtp, "randomizePort"):
            rtp.randomizePort = True  # several processes share the range: they should not race for its first ports
        return config

    def _make_room(self) -> None:
        """Free the lines that the library holds for far ends that stay silent, by giving ourselves the answers that
        they owe us. Until a line is needed they are left alone: should such a far end wake up, the library still
        takes the call back properly."""
        now_s = time.monotonic()
        if now_s - self._room_at_s < _ROOM_RETRY_S:
            return
        self._room_at_s = now_s
        owed = [answer for expires_s, answer in self._stale if expires_s > now_s]
        self._stale.clear()
        self._answer_ourselves(owed, [call for call in self._calls if call.lingering])

    def _answer_ourselves(self, answers: list[bytes], calls: Iterable[SipCall]) -> None:
        answers += [answer for call in calls if (answer := call.unanswered_response())]
        if not answers:
            return
        host = "127.0.0.1" if self.settings.bind == "0.0.0.0" else self.settings.bind
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for answer in answers:
                out.sendto(answer, (host, self.port))

    def _tear_down(self) -> None:
        if self._endpoint is None:
            return
        while self._queue:
            self._queue.popleft()()
        for call in list(self._calls):
            try:
                call.end()
            except pj.Error as e:
                log.debug("hanging up at the end: %s", e.info())
        self._pump_until_empty(_GOODBYE_S, but_for_lingering=True)
        if self._calls:
            self._answer_ourselves([], self._calls)
            self._pump_until_empty(_ROOM_S)
        for call in list(self._calls):
            self._calls.discard(call)
            call.destroy()
        if self._account is not None:
            account, self._account = self._account, None
            self._unregister(account)
            account.shutdown()
            pj.Account.__swig_destroy__(account)
        self._endpoint.libDestroy(pj.PJSUA_DESTROY_NO_RX_MSG)  # else it waits a second for what is over by now
        pj.Endpoint.__swig_destroy__(self._endpoint)
        while self._queue:
            self._queue.popleft()()

    def _unregister(self, account: Any) -> None:
        if not account.bound:
            return
        until_s = time.monotonic() + _UNREGISTER_S
        account.setRegistration(False)
        while account.bound and time.monotonic() < until_s:
            self._endpoint.libHandleEvents(_POLL_MS)

    def _pump_until_empty(self, limit_s: float, but_for_lingering: bool = False) -> None:
        until_s = time.monotonic() + limit_s
        while time.monotonic() < until_s and any(not (but_for_lingering and call.lingering) for call in self._calls):
            self._turn(_POLL_MS)

    def _settle(self, future: asyncio.Future[T], result: Any = None, error: Exception | None = None) -> None:
        def settle() -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.tell(settle)

    def _at_exit(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(10)


def _loose(uri: str) -> str:
    """A proxy URI that asks for loose routing (RFC 3261, 16.12)."""
    if uri.startswith("<"):
        return uri
    return f"<{uri if ';lr' in uri else uri + ';lr'}>"
