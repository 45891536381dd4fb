"""How does a case become a call? Dials, talks, and writes down what came of it, for one process and its lines."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from dialogue.acts import Disposition
from dialogue.protocol import CaseFacts, StorePromise
from dialogue.script import Script
from telephony import CallOutcome, Endpoint, Leg, OutcomeKind, SipSettings
from voicebot.call.assembly import make_core, timing_of
from voicebot.call.chronicle import RECORDING, Span
from voicebot.call.core import CallBasis
from voicebot.call.handoff import SeatDialer
from voicebot.call.news import News, Observer
from voicebot.call.outcomes import DISPOSITION_OF
from voicebot.call.session import CallKit, CallResult, CallSession
from voicebot.call.ticker import Ticker
from voicebot.intent.understander import understander_of
from voicebot.presence.listener import LineListener
from voicebot.promises.ledger import Evidence
from voicebot.settings import Settings
from voicebot.speech.asr import make_asr
from voicebot.speech.prompts import PromptCache, make_prompts
from voicebot.speech.tts.errors import VoiceError
from voicebot.speech.vad import make_vad
from voicebot.store import AttemptEnd, CallEnd, NewCall, Store, StoreError

SPOKEN_BEFORE_DIALING = 6  # clauses of a case: the greeting and the facts
PREPARE_TIMEOUT_S = 20.0
LISTEN_EVERY_S, LISTENED_S = 0.2, 60.0  # to what comes before the answer
ENDS_THE_CALL = frozenset(
    {
        Disposition.INVALID_NUMBER,
        Disposition.SUSPENDED,
        Disposition.POWERED_OFF,
        Disposition.UNREACHABLE,
        Disposition.BUSY,
        Disposition.NO_ANSWER,
    }
)
"""Said by the network before the answer: nobody is going to pick up."""
HOURS_END = "the hours of the permit have ended"


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt, over. `result` is None when nobody answered."""

    case_id: str
    call_id: str
    disposition: Disposition
    outcome: CallOutcome
    result: CallResult | None


def sip_settings(settings: Settings) -> SipSettings:
    """The telephony layer's settings from the product's."""
    sip = settings.sip
    return SipSettings(
        bind=sip.bind,
        port=sip.port,
        public_address=sip.public_address,
        rtp_ports=sip.rtp_ports,
        codecs=sip.codecs,
        caller_id=sip.caller_id,
        outbound_proxy=sip.outbound_proxy,
        registrar=sip.account.registrar,
        user=sip.account.user,
        password=sip.account.password,
        realm=sip.account.realm,
        ring_timeout_s=sip.ring_timeout_s,
        dead_host_timeout_s=sip.dead_host_timeout_s,
        user_agent=sip.user_agent,
    )


class Dialer:
    """Everything that calls of this process share. Use as `async with Dialer(settings, store) as dialer`."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._zone = ZoneInfo(settings.timezone)
        self._stack = AsyncExitStack()
        self._sessions: dict[str, CallSession] = {}
        self._ringing: set[Leg] = set()
        self._chores: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def __aenter__(self) -> Dialer:
        try:
            return await self._open()
        except BaseException:
            await self._stack.aclose()
            raise

    async def _open(self) -> Dialer:
        s = self._settings
        self.endpoint = await self._stack.enter_async_context(Endpoint(sip_settings(s)))
        self.prompts: PromptCache = await self._stack.enter_async_context(make_prompts(s))
        self.ticker = await self._stack.enter_async_context(Ticker())
        executor = self._stack.enter_context(ThreadPoolExecutor(max_workers=2, thread_name_prefix="ears"))
        asr, vad = await asyncio.to_thread(lambda: (make_asr(s), make_vad(s)))
        self._understander = await asyncio.to_thread(understander_of, s)
        seats = s.seats
        self._kit = CallKit(
            asr=asr,
            vad=vad,
            prompts=self.prompts,
            executor=executor,
            duck_db=s.turns.duck_db,
            max_call_s=s.call.max_s,
            grace_s=s.call.grace_s,
            hand_off=SeatDialer(self.endpoint, seats.addresses, seats.ring_timeout_s) if seats.addresses else None,
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    @property
    def engines(self) -> str:
        ears = f"{self._kit.asr.name} + {self._kit.vad.name} + {self._understander.name}"
        return f"{ears} + {self._settings.speech.voice}, {self.endpoint.build}"

    def now(self) -> datetime:
        return datetime.now(self._zone)

    def hurry(self, reason: str) -> None:
        """Ask every running call for a polite end, and give up those that still ring."""
        self._stopping = True
        for leg in tuple(self._ringing):
            self._give_up(leg)
        for session in tuple(self._sessions.values()):
            session.hurry(reason)

    async def place(
        self,
        uri: str,
        case: CaseFacts,
        script: Script,
        observer: Observer,
        *,
        attempt_id: str | None = None,
        clauses: Sequence[str] = (),
        may_dial: Callable[[], bool] = lambda: True,
        caller_id: str | None = None,
        ends_at: datetime | None = None,
    ) -> Attempted | None:
        """Make one call. `may_dial` is asked just before the INVITE (off the loop); None when it says no. From
        `ends_at` on the call must not go on: it comes to a polite end.

        `clauses`: lines of this case to prepare, those said first standing first. The first few are spoken before the
        phone rings, because somebody may pick up at once; the others while it rings.
        """
        call_id = f"{self.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._prepare(clauses[:SPOKEN_BEFORE_DIALING]), PREPARE_TIMEOUT_S)
        preparing = asyncio.create_task(self._prepare(clauses[SPOKEN_BEFORE_DIALING:]))
        try:
            if self._stopping or not await asyncio.to_thread(may_dial):
                return None
            leg = await self.endpoint.dial(uri, caller_id=caller_id)
            observer(News(call_id, "dialing", case.case_id, text=uri))
            answered, announced = await self._ring(leg, ends_at)
            if not answered:
                outcome = await leg.wait_ended()
                disposition = announced or DISPOSITION_OF[outcome.kind.value]
                attempted = Attempted(case.case_id, call_id, disposition, outcome, None)
            else:
                try:
                    attempted = await self._talk(call_id, leg, case, script, observer, attempt_id, ends_at)
                except BaseException:
                    await leg.hangup()  # whatever went wrong here, nobody is left on a silent line
                    raise
        finally:
            preparing.cancel()
        if attempt_id is not None:
            given_up = self._stopping and attempted.result is None
            end = _attempt_end(attempted.outcome, attempted.disposition, given_up=given_up)
            await asyncio.to_thread(self._store.end_attempt, attempt_id, end)
        observer(_ended(attempted))
        return attempted

    async def _ring(self, leg: Leg, ends_at: datetime | None) -> tuple[bool, Disposition | None]:
        """(True once answered, what the network said while it rang). A stop that comes while it rings, or the end of
        the hours, gives the call up."""
        self._ringing.add(leg)
        said: list[Disposition] = []
        listening = asyncio.create_task(self._listen_to_the_line(leg, said))
        try:
            if self._stopping:
                await leg.hangup()
            with _at(ends_at, lambda: self._give_up(leg)):
                answered = await leg.wait_answered()
            return answered, said[0] if said and not answered else None
        except BaseException:
            await leg.hangup()
            raise
        finally:
            self._ringing.discard(leg)
            listening.cancel()

    async def _listen_to_the_line(self, leg: Leg, said: list[Disposition]) -> None:
        """What comes before the answer: 您拨打的用户已关机 is put into `said` and ends the call, as a person would hang
        up. Ringing, colour ring music and what cannot be typed are waited out."""
        if not await leg.wait_media():
            return
        loop = asyncio.get_running_loop()
        listener = LineListener(self._kit.asr, self._kit.vad)
        listened_s = 0.0
        while listened_s < LISTENED_S:
            await asyncio.sleep(LISTEN_EVERY_S)
            listened_s += LISTEN_EVERY_S
            frames = [frame.rx for frame in leg.take_frames()]
            verdict = await loop.run_in_executor(self._kit.executor, listener.listen_to, frames)
            if verdict is None:
                continue
            if verdict.disposition in ENDS_THE_CALL:
                said.append(verdict.disposition)
                await leg.hangup()
                return
            listener = LineListener(self._kit.asr, self._kit.vad)

    def _give_up(self, leg: Leg) -> None:
        self._chores.add(chore := asyncio.get_running_loop().create_task(leg.hangup()))
        chore.add_done_callback(self._chores.discard)

    async def end_now(self) -> None:
        """Hang up everything at once."""
        self._stopping = True
        for leg in self.endpoint.legs:
            await leg.hangup()

    async def _prepare(self, clauses: Sequence[str]) -> None:
        """A line that cannot be prepared is no reason not to call: it is reported when its time comes."""
        with contextlib.suppress(VoiceError):
            await self.prompts.prefetch(clauses)

    async def _talk(
        self,
        call_id: str,
        leg: Leg,
        case: CaseFacts,
        script: Script,
        observer: Observer,
        attempt_id: str | None,
        ends_at: datetime | None,
    ) -> Attempted:
        answered_at = self.now()
        folder = self._settings.data_home / "calls" / f"{answered_at:%Y-%m-%d}" / call_id
        folder.mkdir(parents=True, exist_ok=True)
        basis = CallBasis(
            case=case,
            started_at=answered_at,
            script=script.name,
            script_version=script.version,
            understander=self._understander.name,
            timing=timing_of(self._settings),
        )
        core = make_core(basis, script, self._understander)
        ledger = CallLedger(self._store, call_id, folder / RECORDING)
        session = CallSession(call_id, leg, basis, core, self._kit, ledger, folder, observer)
        # Beside the talk: a slow database must not be silence for somebody who has just picked up.
        starting = asyncio.create_task(
            asyncio.to_thread(
                ledger.open,
                NewCall(
                    call_id,
                    case.case_id,
                    script.name,
                    answered_at,
                    attempt_id,
                    recording=session.recording_path,
                    log=session.log_path,
                ),
            )
        )
        observer(News(call_id, "answered", case.case_id))
        self._sessions[call_id] = session
        try:
            talking = asyncio.create_task(session.run(self.ticker.add, self.ticker.remove))
            await asyncio.sleep(0)
            if self._stopping:
                session.hurry("stopped")
            with _at(ends_at, lambda: session.hurry(HOURS_END)):
                result = await talking
        finally:
            del self._sessions[call_id]
        mean_ms = round(sum(result.response_ms) / len(result.response_ms)) if result.response_ms else None
        end = CallEnd(
            ended_at=self.now(),
            disposition=result.disposition,
            answered_at=answered_at,
            flags=result.flags,
            turns=result.customer_turns,
            response_ms=mean_ms,
        )
        try:
            await starting
            await asyncio.to_thread(self._store.end_call, call_id, end)
        except StoreError as e:
            # The attempt still gets its real ending; the event log holds what the database does not.
            observer(News(call_id, "trouble", case.case_id, text=f"the call is not in the database: {e}"))
        return Attempted(case.case_id, call_id, result.disposition, result.outcome, result)


@contextlib.contextmanager
def _at(moment: datetime | None, do: Callable[[], None]) -> Iterator[None]:
    """Do it when that moment comes, should it come before the block is left."""
    if moment is None:
        yield
        return
    wait_s = max(0.0, (moment - datetime.now(UTC)).total_seconds())
    timer = asyncio.get_running_loop().call_later(wait_s, do)
    try:
        yield
    finally:
        timer.cancel()


class CallLedger:
    """The store, as one call sees it."""

    def __init__(self, store: Store, call_id: str, recording: Path) -> None:
        self._store = store
        self._call_id = call_id
        self._recording = recording
        self._opened = threading.Event()

    def open(self, call: NewCall) -> None:
        """Write down that the call has begun; what it books waits for that."""
        try:
            self._store.start_call(call)
        finally:
            self._opened.set()

    def store_promise(self, promise: StorePromise, said: Span, confirmed: Span) -> str:
        self._opened.wait()
        evidence = Evidence(
            recording=self._recording,
            from_sample=said.from_sample,
            to_sample=confirmed.to_sample,
            text=said.text,
            confirmation_text=confirmed.text,
            confirmed_turn=promise.confirmed_turn,
        )
        return self._store.store_promise(evidence.for_ledger(self._call_id, promise))

    def withdraw_promise(self, promise_id: str, said: Span) -> None:
        self._store.withdraw_promise(promise_id, said.text, said.from_sample, said.to_sample)

    def flag(self, name: str) -> None:
        self._opened.wait()
        self._store.flag_call(self._call_id, name)

    def book_callback(self, at: datetime | None, reason: str) -> None:
        self._opened.wait()
        self._store.book_callback(self._call_id, at, reason)


def _attempt_end(o: CallOutcome, disposition: Disposition, *, given_up: bool) -> AttemptEnd:
    given_up = given_up and o.kind is OutcomeKind.CANCELLED
    return AttemptEnd(o.kind.value, o.sip_code or None, o.q850_cause, o.early_media, given_up, disposition)


def _ended(a: Attempted) -> News:
    promise = a.result.promise if a.result else None
    detail = f"{promise.pay_date} ¥{promise.amount}" if promise else f"{a.outcome.sip_code} {a.outcome.sip_reason}"
    return News(a.call_id, "ended", a.case_id, text=a.disposition.value, detail=detail)
