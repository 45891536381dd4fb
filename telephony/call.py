"""How does the program hold a phone call in its hand?

A `Leg` is one side of a call as asyncio sees it. All of its state changes happen on the event loop, through the table
in leg.py; the SIP thread only reports facts and carries out wishes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from telephony.errors import LegEnded, LibraryError, TelephonyError
from telephony.leg import Direction, LegEvent, LegRecord, LegState, step
from telephony.media import LegMedia, MediaFrame
from telephony.messages import Headers, check_sip_uri
from telephony.outcome import CallOutcome, classify, ended_by
from telephony.sipcall import MediaStats, SipCall, SipFact

if TYPE_CHECKING:
    from telephony.endpoint import Endpoint

log = logging.getLogger(__name__)

_LINGER_S = 2.0
_LINGER_SILENT_S = 0.5
_TRANSFER_S = 30.0
_DTMF_GAP_S = 0.3
_DTMF_DIGITS = frozenset("0123456789*#ABCD")
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class TransferResult:
    """What the far end reported about a transfer: `ok` when the new call was answered."""

    ok: bool
    sip_code: int
    sip_reason: str


class Leg:
    """One side of a call. Made by Endpoint.dial and Endpoint.incoming; used on the event loop of its endpoint.

    `remote_uri`: who is at the far end. `local_user`: whom the caller dialled (incoming legs). `headers`: of the
    INVITE (incoming legs). `on_dtmf`: callbacks that get each digit as it arrives, beside `next_dtmf`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        direction: Direction,
        remote_uri: str,
        *,
        media: LegMedia,
        local_user: str = "",
        headers: Headers | None = None,
    ) -> None:
        self.id = f"leg-{next(_numbers)}"
        self.direction: Direction = direction
        self.remote_uri = remote_uri
        self.local_user = local_user
        self.headers = headers or Headers()
        self.outcome: CallOutcome | None = None
        self.on_dtmf: list[Callable[[str], None]] = []
        self._endpoint = endpoint
        self._engine = endpoint.engine
        self._call: SipCall | None = None
        self._media = media
        self._record = LegRecord(direction)
        self._answered = asyncio.Event()
        self._media_up = asyncio.Event()
        self._ended = asyncio.Event()
        self._has_media = False
        self._digits: asyncio.Queue[str] = asyncio.Queue()
        self._timers: dict[LegEvent, asyncio.TimerHandle] = {}
        self._transfer: asyncio.Future[TransferResult] | None = None

    def __repr__(self) -> str:
        return f"<{self.id} {self.direction} {self.state} {self.remote_uri}>"

    # Where it stands

    @property
    def state(self) -> LegState:
        return self._record.state

    @property
    def history(self) -> tuple[tuple[float, LegEvent], ...]:
        """(monotonic seconds, event) of every transition so far."""
        return self._record.history

    @property
    def has_media(self) -> bool:
        """True once audio can flow (early media included)."""
        return self._has_media

    async def wait_answered(self) -> bool:
        """True when the call is answered, False when it ended without that."""
        await self._answered.wait()
        return self._record.answered

    async def wait_media(self) -> bool:
        """True when audio can flow (early media included), False when the leg ended without any."""
        await self._media_up.wait()
        return self._has_media

    async def wait_ended(self) -> CallOutcome:
        """The one ending of this leg."""
        await self._ended.wait()
        assert self.outcome is not None
        return self.outcome

    # What a called leg can do

    async def ring(self) -> None:
        """Let the caller hear that it rings (180)."""
        await self._respond(180)
        self.apply(LegEvent.RING)

    async def early_media(self) -> None:
        """Open the audio path before the answer (183)."""
        await self._respond(183)
        self.apply(LegEvent.EARLY_MEDIA)

    async def answer(self) -> None:
        """Take the call (200). Waits for nothing but the message to be sent."""
        await self._respond(200)

    async def reject(self, code: int = 486, reason: str = "") -> None:
        """Refuse an incoming call with a final response code, 300 to 699."""
        if not 300 <= code <= 699:
            raise ValueError(f"{code} is no refusal; a SIP code from 300 to 699 expected")
        await self.hangup(code, reason)

    # What both can do

    async def hangup(self, code: int = 0, reason: str = "") -> None:
        """End the leg, whatever its state: CANCEL, BYE or a final response `code`. Does nothing when it is over.

        Returns once the message is on its way; `wait_ended` tells when the leg is over.
        """
        if self.state in (LegState.ENDING, LegState.ENDED):
            return
        self.apply(LegEvent.HANGUP)
        if self._call is not None and self._engine.alive:
            try:
                await self._engine.run(self._call.end, code, reason)
            except LibraryError as e:
                log.debug("%s ended while it was being hung up: %s", self.id, e)

    def take_frames(self) -> list[MediaFrame]:
        """Every 20 ms tick since the last call of this, both directions; never waits. Keeps 30 s."""
        return self._media.take_frames()

    def write(self, pcm16: bytes) -> int:
        """Queue speech for the far end. Returns the bytes accepted; less than given when the playout is full."""
        return self._media.write(pcm16)

    def flush(self) -> int:
        """Drop speech that is not yet played. Returns the samples dropped."""
        return self._media.flush()

    def set_gain(self, db: float) -> None:
        """Loudness of the playout from the next frame on, in decibels (0: as written)."""
        self._media.set_gain(db)

    @property
    def written(self) -> int:
        """Samples accepted by `write` so far."""
        return self._media.written

    @property
    def played(self) -> int:
        """Samples of those handed to RTP so far. Silence that filled a gap is not counted."""
        return self._media.played

    @property
    def queued(self) -> int:
        """Samples that wait to be played."""
        return self._media.queued

    @property
    def dropped_frames(self) -> int:
        """Ticks lost because nobody took them for 30 s."""
        return self._media.dropped_frames

    async def media_stats(self) -> MediaStats | None:
        """RTP counters so far, None before media and after the end."""
        if self._call is None or not self._has_media or self.state is LegState.ENDED:
            return None
        return await self._engine.run(self._call.stats)

    async def send_dtmf(self, digits: str) -> None:
        """Send digits (0-9 * # A-D) as RFC 4733 events. Raises LegEnded, ValueError."""
        wrong = set(digits) - _DTMF_DIGITS
        if wrong or not digits:
            raise ValueError(f"{digits!r} cannot be dialled as tones; 0-9 * # A-D expected")
        call = self._live("send tones")
        await self._engine.run(call.send_digits, digits)

    async def next_dtmf(self) -> str:
        """The next digit the far end presses. Raises LegEnded when the leg ends first."""
        if not self._digits.empty():
            return self._digits.get_nowait()
        digit = asyncio.ensure_future(self._digits.get())
        end = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({digit, end}, return_when=asyncio.FIRST_COMPLETED)
            if digit.done():
                return digit.result()
        finally:
            digit.cancel()
            end.cancel()
        raise LegEnded(f"{self.id} ended before another digit came")

    async def transfer_blind(self, uri: str) -> TransferResult:
        """Ask the far end to call `uri` instead of us (REFER); our leg ends when that call is answered."""
        check_sip_uri(uri)
        call = self._live("be transferred")
        return await self._refer(call.refer, uri)

    async def transfer_attended(self, other: Leg) -> TransferResult:
        """Connect our far end with the far end of `other` (REFER with Replaces); both our legs end."""
        call, target = self._live("be transferred"), other._live("take over a transfer")
        return await self._refer(call.refer_replacing, target)

    async def _refer(self, job: Callable[..., None], *args: object) -> TransferResult:
        if self._transfer is not None and not self._transfer.done():
            raise TelephonyError(f"{self.id} is already being transferred")
        self._transfer = asyncio.get_running_loop().create_future()
        await self._engine.run(job, *args)
        try:
            result = await asyncio.wait_for(asyncio.shield(self._transfer), _TRANSFER_S)
        except TimeoutError:
            return TransferResult(False, 408, "the far end did not report what became of the transfer")
        if result.ok:
            await self.hangup()
        return result

    def _live(self, wish: str) -> SipCall:
        if self._call is None or self.state not in (LegState.ANSWERED, LegState.BRIDGED):
            raise LegEnded(f"{self.id} is {self.state} and cannot {wish}; it has to be answered")
        return self._call

    async def _respond(self, code: int) -> None:
        if self.direction != "incoming" or self._call is None:
            raise TelephonyError(f"{self.id} is a call of our own; only an incoming one can be answered")
        if self.state in (LegState.ENDING, LegState.ENDED):
            raise LegEnded(f"{self.id} is over; the caller has gone")
        await self._engine.run(self._call_respond, code)

    def _call_respond(self, code: int) -> None:
        if self._call is None or self._call.over:
            raise LegEnded(f"{self.id} is over; the caller has gone")
        self._call.respond(code)

    # What the endpoint feeds it

    def attach(self, call: SipCall) -> None:
        self._call = call

    @property
    def sip_call(self) -> SipCall | None:
        return self._call

    def start_timers(self, dead_host_s: float, ring_s: float) -> None:
        """Watch over a call of our own, from whatever it has come to by now."""
        if self.state in (LegState.ANSWERED, LegState.BRIDGED, LegState.ENDING, LegState.ENDED):
            return
        self._arm(LegEvent.RING_TIMEOUT, ring_s)
        if not self._record.responded:
            self._arm(LegEvent.DEAD_HOST, dead_host_s)

    def _arm(self, event: LegEvent, after_s: float) -> None:
        self._timers[event] = asyncio.get_running_loop().call_later(after_s, self._on_timer, event)

    def on_fact(self, fact: SipFact) -> None:
        if fact.event is not None:
            self.apply(fact.event, fact)
        if fact.media_up and self.state is not LegState.ENDED:
            self._has_media = True
            self._media_up.set()
        if fact.digit:
            self._digits.put_nowait(fact.digit)
            for callback in list(self.on_dtmf):
                try:
                    callback(fact.digit)
                except Exception:
                    log.exception("a DTMF callback of %s failed", self.id)
        if fact.transfer and fact.final and self._transfer is not None and not self._transfer.done():
            ok = 200 <= fact.code < 300
            self._transfer.set_result(TransferResult(ok, fact.code, fact.reason))

    def apply(self, event: LegEvent, fact: SipFact | None = None) -> None:
        """One step of the state machine and what follows from it. Raises leg.IllegalEvent."""
        before = self._record
        self._record = step(before, event, fact.at_s if fact else time.monotonic())
        if self._record is before:
            return
        if self._record.responded:
            self._disarm(LegEvent.DEAD_HOST)
        if event is LegEvent.ANSWER:
            self._disarm(LegEvent.RING_TIMEOUT)
            self._answered.set()
        if before.state is LegState.BRIDGED and self.state is not LegState.BRIDGED:
            self._endpoint.on_unbridged(self)
        if self.state is LegState.ENDING:
            self._arm(LegEvent.LINGER, _LINGER_S if self._record.responded else _LINGER_SILENT_S)
        elif self.state is LegState.ENDED:
            self._finish(event, fact)

    def _on_timer(self, event: LegEvent) -> None:
        self._timers.pop(event, None)
        self.apply(event)
        call = self._call
        if call is None:
            return
        if event in (LegEvent.RING_TIMEOUT, LegEvent.DEAD_HOST) and self._record.cause is event:
            self._engine.post(call.end)
        if event in (LegEvent.DEAD_HOST, LegEvent.LINGER) and self.state is LegState.ENDED:
            self._engine.post(self._engine.linger, call)

    def _disarm(self, event: LegEvent) -> None:
        if timer := self._timers.pop(event, None):
            timer.cancel()

    def _finish(self, last: LegEvent, fact: SipFact | None) -> None:
        for event in list(self._timers):
            self._disarm(event)
        record = self._record
        cause = record.cause or last
        code, reason = (fact.code, fact.reason) if fact else (0, "")
        responded = record.responded or bool(fact and fact.from_wire)
        if record.answered:
            code, reason = 200, "OK"
        elif cause in (LegEvent.RING_TIMEOUT, LegEvent.DEAD_HOST):
            code = 408
            reason = "no answer" if cause is LegEvent.RING_TIMEOUT else "the host does not respond"
        elif not code:
            code, reason = 487, "Request Terminated"
        born_s = record.history[0][0]
        answered_s = record.at(LegEvent.ANSWER)
        closed_s = record.at(cause) or record.history[-1][0]
        q850 = fact.q850 if fact else None
        self.outcome = CallOutcome(
            kind=classify(
                cause=cause,
                answered=record.answered,
                responded=responded,
                sip_code=code,
                q850_cause=q850,
            ),
            sip_code=code,
            sip_reason=reason,
            q850_cause=q850,
            early_media=record.early_media,
            answered=record.answered,
            ended_by=ended_by(cause=cause, responded=responded, sip_code=code),
            ring_s=(closed_s if answered_s is None else answered_s) - born_s,
            talk_s=0.0 if answered_s is None else closed_s - answered_s,
        )
        if self._transfer is not None and not self._transfer.done():
            self._transfer.set_result(TransferResult(False, code, "the leg ended during the transfer"))
        for waiter in (self._answered, self._media_up, self._ended):
            waiter.set()
        self._endpoint.on_ended(self)
