"""The far end of the tests: a second process with a real SIP endpoint, whose behaviour is in the number one dials.

Started as `python peer.py PORT RTP_LOW RTP_HIGH`. Prints `ready` and its URI. On standard input: `legs` prints what
became of every call as one line of JSON, `dial URI` makes it call somebody, end of input stops it.
"""

from __future__ import annotations

import asyncio
import json
import math
import struct
import sys

from telephony import Endpoint, Leg, SipSettings
from telephony.settings import RATE_HZ

history: list[tuple[str, Leg, str]] = []
digits: dict[str, str] = {}


def tone(hz: int, ms: int, amplitude: int = 8000) -> bytes:
    n = RATE_HZ * ms // 1000
    return struct.pack(f"<{n}h", *(int(amplitude * math.sin(2 * math.pi * hz * i / RATE_HZ)) for i in range(n)))


async def echo(leg: Leg) -> None:
    while leg.outcome is None:
        for frame in leg.take_frames():
            leg.write(frame.rx)
        await asyncio.sleep(0.004)


async def serve(leg: Leg) -> None:
    user = leg.local_user
    leg.on_dtmf.append(lambda digit: digits.__setitem__(leg.id, digits.get(leg.id, "") + digit))
    refusals = {"nf": 404, "busy": 486, "decline": 603, "gone": 410, "broken": 500}
    if user in refusals:
        await leg.reject(refusals[user])
    elif user == "noans":
        await leg.ring()
    elif user == "silent":
        pass
    elif user == "slow":
        await leg.ring()
        await asyncio.sleep(0.6)
        await leg.answer()
    elif user in ("early", "earlyonly"):
        await leg.early_media()
        await leg.wait_media()
        leg.write(tone(440, 4000))
        if user == "early":
            await asyncio.sleep(1.0)
            await leg.answer()
    elif user.startswith("tone"):
        await leg.answer()
        leg.write(tone(int(user.removeprefix("tone")), 20000))
    elif user.startswith("hangup"):
        await leg.answer()
        await leg.wait_answered()
        await asyncio.sleep(int(user.removeprefix("hangup")) / 1000)
        await leg.hangup()
    elif user == "dtmf":
        await leg.answer()
        await leg.wait_answered()
        await asyncio.sleep(0.3)
        await leg.send_dtmf("1234*0#9")
    else:
        await leg.answer()
        await echo(leg)


def report() -> str:
    return json.dumps(
        [
            {
                "user": user,
                "direction": leg.direction,
                "remote": leg.remote_uri,
                "headers": {name.lower(): value for name, value in leg.headers.items()},
                "state": leg.state,
                "digits": digits.get(leg.id, ""),
                "kind": leg.outcome and leg.outcome.kind,
                "ended_by": leg.outcome and leg.outcome.ended_by,
            }
            for user, leg, _ in history
        ]
    )


async def obey(endpoint: Endpoint, tasks: set[asyncio.Task[None]]) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := (await lines.readline()).decode().strip():
        if line == "legs":
            print(report(), flush=True)
        elif line.startswith("dial "):
            leg = await endpoint.dial(line.split()[1])
            history.append(("", leg, "dialled"))
            tasks.add(asyncio.create_task(echo(leg)))
            print("{}", flush=True)


async def main(port: int, rtp_low: int, rtp_high: int) -> None:
    settings = SipSettings(port=port, rtp_ports=(rtp_low, rtp_high), follow_transfers=True)
    async with Endpoint(settings) as endpoint:
        print("ready", endpoint.uri, flush=True)
        tasks: set[asyncio.Task[None]] = set()
        commands = asyncio.create_task(obey(endpoint, tasks))

        async def take() -> None:
            async for leg in endpoint:
                history.append((leg.local_user, leg, ""))
                adopted = not leg.local_user
                tasks.add(asyncio.create_task(echo(leg) if adopted else serve(leg)))

        taking = asyncio.create_task(take())
        await commands
        taking.cancel()


if __name__ == "__main__":
    asyncio.run(main(*(int(argument) for argument in sys.argv[1:4])))
