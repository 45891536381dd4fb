"""Who answers which call? Many personas behind one SIP port, told apart by the user part that is dialled."""

from __future__ import annotations

import asyncio
import itertools
import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from telephony import Endpoint, Leg, SipSettings
from voicebot.debtor.activity import Samples, samples_of
from voicebot.debtor.conversation import Conversation, Emit
from voicebot.debtor.ears import Transcriber
from voicebot.debtor.lines import Wardrobe, everything_said
from voicebot.debtor.persona import Persona, normalise_user
from voicebot.debtor.sound import babble
from voicebot.speech.audio import read_telephone

HANG_UP_GRACE_S = 3.0


class DebtorEndpoint:
    """Answers calls for its personas until `stop` is set, then hangs up politely."""

    def __init__(
        self,
        personas: Sequence[Persona],
        wardrobe: Wardrobe,
        sip: SipSettings,
        transcriber: Transcriber,
        folder: Path | None,
        emit: Emit,
    ) -> None:
        self._by_user = {normalise_user(p.user): p for p in personas}
        self._wardrobe, self._sip, self._transcriber = wardrobe, sip, transcriber
        self._folder, self._emit = folder, emit
        self._numbers = itertools.count(1)
        self._noise = {p.name: self._noise_source(p) for p in personas}
        self._calls: dict[asyncio.Task[None], Leg] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; emits a `ready` event with the SIP address once calls can come in."""
        async with Endpoint(self._sip) as endpoint:
            self._emit(
                {
                    "event": "ready",
                    "uri": endpoint.uri,
                    "port": endpoint.port,
                    "lines": endpoint.capacity,
                    "users": sorted(self._by_user),
                }
            )
            stopping = asyncio.create_task(stop.wait())
            try:
                while not stop.is_set():
                    coming = asyncio.create_task(endpoint.incoming())
                    await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
                    if not coming.done():
                        coming.cancel()
                        break
                    leg = coming.result()
                    task = asyncio.create_task(self._take(leg, endpoint.port))
                    self._calls[task] = leg
                    task.add_done_callback(lambda done: self._calls.pop(done, None))
            finally:
                stopping.cancel()
                await self._hang_up_all()

    async def _take(self, leg: Leg, port: int) -> None:
        user = unquote(leg.local_user)
        persona = self._by_user.get(normalise_user(user))
        if persona is None:
            self._emit({"event": "unknown", "user": user, "from": leg.remote_uri})
            await leg.reject(404)
            return
        began = datetime.now().strftime("%Y%m%d-%H%M%S")
        number = next(self._numbers)
        call = f"{began}-{persona.name}-{port}-{number:04d}"
        self._emit({"event": "incoming", "call": call, "persona": persona.name, "from": leg.remote_uri})
        conversation = Conversation(
            leg,
            persona,
            call,
            self._wardrobe,
            self._noise[persona.name],
            self._transcriber,
            self._folder,
            self._emit,
            seed=number,
        )
        try:
            record = await conversation.run()
        except Exception as e:
            # One call must not take the others down; the event carries what a bug report needs.
            self._emit({"event": "failed", "call": call, "error": repr(e), "trace": traceback.format_exc()})
            if leg.outcome is None:
                await leg.hangup()
            return
        self._emit(
            {
                "event": "ended",
                "call": call,
                "persona": persona.name,
                "outcome": record.outcome,
                "ended_by": record.ended_by,
                "lines": len(record.lines),
                "heard": len(record.heard),
                "record": str(self._folder / f"{call}.json") if self._folder is not None else None,
            }
        )

    async def _hang_up_all(self) -> None:
        calls = dict(self._calls)
        for leg in calls.values():
            if leg.outcome is None:
                await leg.hangup()
        if calls:
            await asyncio.wait(calls, timeout=HANG_UP_GRACE_S)

    def _noise_source(self, persona: Persona) -> Samples | None:
        if persona.noise is None or persona.noise.kind == "white":
            return None
        if persona.noise.wav is not None:
            return samples_of(read_telephone(persona.noise.wav))
        others = {key: sound for key, sound in self._wardrobe.items() if key[0] != persona.name}
        return babble(everything_said(others or self._wardrobe)[:8], np.random.default_rng(1))
