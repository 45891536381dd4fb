"""A person takes over: call the seats in order, join the two legs, step out. Nobody answers: say so to the dialogue.

While the seat's phone rings the customer hears a soft ringback tone instead of nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dialogue.protocol import HandoffResult
from telephony import Endpoint, Leg, TelephonyError
from voicebot.speech.api import RATE_HZ

if TYPE_CHECKING:
    from voicebot.call.session import CallSession

RINGBACK_HZ = 450  # the Chinese ringback: 450 Hz, 1 s on, 4 s off
RINGBACK_ON_S, RINGBACK_OFF_S = 1, 4
RINGBACK_LEVEL = 1600  # about -26 dBFS


class SeatDialer:
    """Hands calls of one endpoint to the seats of the settings."""

    def __init__(self, endpoint: Endpoint, seats: Sequence[str], ring_timeout_s: float) -> None:
        self._endpoint = endpoint
        self._seats = seats
        self._ring_timeout_s = ring_timeout_s

    async def __call__(self, session: CallSession, reason: str) -> HandoffResult:
        """BRIDGED once customer and seat hear each other; NO_ANSWER when no seat took it or the customer left."""
        customer_gone = asyncio.create_task(session.leg.wait_ended())
        ringback = asyncio.create_task(_ringback(session.leg))
        try:
            for seat in self._seats:
                leg = await self._try(seat, session, reason, customer_gone)
                if leg is not None:
                    break
                if customer_gone.done():
                    return HandoffResult.NO_ANSWER
            else:
                return HandoffResult.NO_ANSWER
        finally:
            ringback.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ringback
            session.leg.flush()
            if not customer_gone.done():
                customer_gone.cancel()
        try:
            await self._endpoint.bridge(session.leg, leg)
        except BaseException:
            await leg.hangup()  # somebody has picked up there: not to be left on a dead line
            raise
        session.other_leg = leg
        session.keep(_end_together(session.leg, leg))
        return HandoffResult.BRIDGED

    async def _try(
        self, seat: str, session: CallSession, reason: str, customer_gone: asyncio.Task[object]
    ) -> Leg | None:
        try:
            leg = await self._endpoint.dial(
                seat,
                headers={"X-Voicebot-Call": session.call_id, "X-Voicebot-Reason": reason},
                ring_timeout_s=self._ring_timeout_s,
            )
        except TelephonyError as e:
            session.trouble(f"seat {seat}: {e}")
            return None
        answered = asyncio.create_task(leg.wait_answered())
        await asyncio.wait({answered, customer_gone}, return_when=asyncio.FIRST_COMPLETED)
        if answered.done() and answered.result() and not customer_gone.done():
            return leg
        answered.cancel()
        await leg.hangup()
        return None


async def _end_together(a: Leg, b: Leg) -> None:
    """When one side hangs up, so does the other."""
    ends = [asyncio.create_task(leg.wait_ended()) for leg in (a, b)]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    await a.hangup()
    await b.hangup()
    await asyncio.gather(*ends)


async def _ringback(leg: Leg) -> None:
    samples = range(RATE_HZ * RINGBACK_ON_S)
    tone = struct.pack(
        f"<{len(samples)}h", *(int(RINGBACK_LEVEL * math.sin(2 * math.pi * RINGBACK_HZ * n / RATE_HZ)) for n in samples)
    )
    while True:
        leg.write(tone)
        await asyncio.sleep(RINGBACK_ON_S + RINGBACK_OFF_S)
