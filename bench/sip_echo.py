"""How long does sound take through SIP alone, and how many calls does one process hold?

Dials a second process whose bridge sends back what it hears, and sends short bursts into silence. The round trip is
from `write` to the tick in which the burst comes back: our playout, two RTP hops, two jitter buffers.
Beside it, for the process that dialled: how regular the 20 ms ticks were, lost frames, CPU. A table row per call count.

    python bench/sip_echo.py --calls 1 4
    python bench/sip_echo.py --calls 1 10 30 60 100        # with an own build of PJSIP
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from telephony import Endpoint, Leg, MediaFrame, SipSettings  # noqa: E402

BURST = (8000 * np.sin(2 * np.pi * 1000 * np.arange(320) / 8000)).astype("<i2").tobytes()
BURST_EVERY_S = 0.6
LOUD = 1500


async def echo(port: int) -> None:
    """The peer: its bridge sends every call back to where it came from, with no program in between."""
    async with Endpoint(SipSettings(port=port, rtp_ports=(31000, 31999))) as endpoint:
        print("ready", flush=True)

        def loop_back(leg: Leg) -> None:
            call = leg.sip_call
            assert call is not None and call.port is not None
            call.port.stopTransmit(call.audio)
            call.audio.startTransmit(call.audio)

        async def reflect(leg: Leg) -> None:
            await leg.answer()
            await leg.wait_media()
            await endpoint.engine.run(loop_back, leg)

        async def take() -> None:
            reflecting = set()
            async for leg in endpoint:
                reflecting.add(asyncio.create_task(reflect(leg)))

        taking = asyncio.create_task(take())
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        taking.cancel()


def is_loud(pcm16: bytes) -> bool:
    return bool(np.abs(np.frombuffer(pcm16, "<i2")).max() > LOUD)


async def probe(leg: Leg, until_s: float, round_trips_ms: list[float], frames: list[MediaFrame]) -> None:
    """Send bursts on one leg until `until_s`, note when each comes back, keep every frame."""
    await asyncio.sleep(random.uniform(0, BURST_EVERY_S))
    leg.take_frames()
    while time.monotonic() < until_s:
        written_s = time.monotonic()
        leg.write(BURST)
        came_back = False
        while time.monotonic() < written_s + BURST_EVERY_S:
            await asyncio.sleep(0.02)
            for frame in leg.take_frames():
                frames.append(frame)
                if not came_back and frame.at_s > written_s and is_loud(frame.rx):
                    round_trips_ms.append((frame.at_s - written_s) * 1000)
                    came_back = True
        if not came_back:
            round_trips_ms.append(float("inf"))


async def row(calls: int, seconds: float, port: int) -> None:
    peer = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--peer", "--port", str(port + 1)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert peer.stdin and peer.stdout
    await peer.stdout.readline()
    async with Endpoint(SipSettings(port=port, rtp_ports=(30000, 30999))) as endpoint:
        if calls > endpoint.capacity:
            print(f"{calls:5d}  this build holds {endpoint.capacity} calls ({endpoint.build})")
        else:
            began_s = time.monotonic()
            legs = [await endpoint.dial(f"sip:echo@127.0.0.1:{port + 1}") for _ in range(calls)]
            up = sum([await leg.wait_media() for leg in legs])
            setup_s = time.monotonic() - began_s
            await asyncio.sleep(1)
            round_trips_ms: list[float] = []
            frames: list[list[MediaFrame]] = [[] for _ in legs]
            process = psutil.Process()
            process.cpu_percent()
            until_s = time.monotonic() + seconds
            await asyncio.gather(
                *(probe(leg, until_s, round_trips_ms, kept) for leg, kept in zip(legs, frames, strict=True))
            )
            cpu = process.cpu_percent()
            gaps = [(b.at_s - a.at_s) * 1000 for kept in frames for a, b in itertools.pairwise(kept)]
            lost = sum(kept[-1].index - kept[0].index + 1 - len(kept) for kept in frames)
            p50, p95 = (float(np.percentile(round_trips_ms, q, method="higher")) for q in (50, 95))
            print(
                f"{calls:5d} {up:5d} {setup_s:8.2f} {len(round_trips_ms):7d} {p50:8.0f} {p95:6.0f} "
                f"{statistics.median(gaps):7.1f} {np.percentile(gaps, 99):6.1f} {max(gaps):6.1f} {lost:5d} "
                f"{cpu:6.1f} {process.memory_info().rss / 2**20:7.1f}"
            )
    peer.stdin.close()
    await asyncio.wait_for(peer.wait(), 20)


async def table(counts: list[int], seconds: float, port: int) -> None:
    async with Endpoint(SipSettings(port=port)) as endpoint:
        print(f"{endpoint.build}, {endpoint.capacity} calls")
    print("calls    up  setup s  bursts  rtt p50    p95  tick ms    p99    max  lost   cpu%  RSS MB")
    for calls in counts:
        await row(calls, seconds, port)


def main() -> None:
    parser = argparse.ArgumentParser(description="Round trip and capacity of plain SIP on this machine.")
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--port", type=int, default=5150, help="this and the next one are used")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        asyncio.run(echo(options.port))
    else:
        asyncio.run(table(options.calls, options.seconds, options.port))


if __name__ == "__main__":
    main()
