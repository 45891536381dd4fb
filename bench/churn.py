"""Does a process survive its three-hundredth call as well as its first?

Calls a peer process again and again over loopback, one call after the other, with frames flowing both ways, while
Python's garbage collector runs on a foreign thread all the time: that is what kills a process whose SIP objects are not
kept and freed with care. Prints a table; exit code 1 when a call has not exactly one ending, a callback failed, or the
memory of the last third is more than 3% above that of the first third.

    python bench/churn.py --calls 300
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from telephony import Endpoint, LegEvent, LegState, OutcomeKind, SipSettings  # noqa: E402

ENDINGS = (LegEvent.DISCONNECT, LegEvent.LINGER, LegEvent.FAIL)
GROWTH_LIMIT = 0.03
WARM_UP_S = 40.0
"""The library keeps each call's transactions for 32 s (64*T1, RFC 3261 and RFC 6026), so its memory is at its level for
a given call rate only after that."""


async def answer_everything(port: int, talk_s: float) -> None:
    """The peer: answers, echoes, and hangs up itself every second time."""
    async with Endpoint(SipSettings(port=port, rtp_ports=(31000, 31499))) as endpoint:
        print("ready", flush=True)
        tasks = set()

        async def serve(number: int, leg) -> None:
            await leg.answer()
            until_s = time.monotonic() + (talk_s if number % 2 else 60)
            while leg.outcome is None and time.monotonic() < until_s:
                for frame in leg.take_frames():
                    leg.write(frame.rx)
                await asyncio.sleep(0.01)
            await leg.hangup()

        async def take() -> None:
            number = 0
            async for leg in endpoint:
                number += 1
                tasks.add(asyncio.create_task(serve(number, leg)))

        taking = asyncio.create_task(take())
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        taking.cancel()


async def churn(calls: int, warm_up_s: float, talk_s: float, port: int) -> int:
    peer = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--peer", "--port", str(port + 1), "--talk", str(talk_s)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert peer.stdout and peer.stdin
    await peer.stdout.readline()
    process = psutil.Process()
    stop = threading.Event()
    threading.Thread(target=collect_garbage, args=(stop,), daemon=True).start()
    rss_mb: list[float] = []
    setup_ms: list[float] = []
    kinds: Counter[str] = Counter()
    wrong: list[str] = []
    began_s = time.monotonic()
    async with Endpoint(SipSettings(port=port, rtp_ports=(30600, 30999))) as endpoint:
        build = f"{endpoint.build}, {endpoint.capacity} calls"
        warm_up = 0
        while len(rss_mb) < calls:
            warming_up = time.monotonic() - began_s < warm_up_s
            warm_up += warming_up
            dialled_s = time.monotonic()
            leg = await endpoint.dial(f"sip:echo@127.0.0.1:{port + 1}")
            if await leg.wait_answered() and await leg.wait_media():
                answered_ms = (time.monotonic() - dialled_s) * 1000
                leg.write(b"\x00\x10" * 4000)
                until_s = time.monotonic() + talk_s
                while leg.outcome is None and time.monotonic() < until_s:
                    leg.take_frames()
                    await asyncio.sleep(0.02)
                await leg.hangup()
            else:
                answered_ms = float("nan")
            outcome = await asyncio.wait_for(leg.wait_ended(), 10)
            kinds[f"{outcome.kind}, ended by {outcome.ended_by}"] += 1
            endings = [event for _, event in leg.history if event in ENDINGS]
            if (
                leg.state is not LegState.ENDED
                or len(endings) != 1
                or outcome.kind is not OutcomeKind.ANSWERED
                or endpoint.legs
            ):
                wrong.append(f"call {sum(kinds.values())}: {outcome}")
            if not warming_up:
                rss_mb.append(process.memory_info().rss / 2**20)
                setup_ms.append(answered_ms)
        faults = endpoint.engine.faults
    stop.set()
    peer.stdin.close()
    peer_code = await asyncio.wait_for(peer.wait(), 20)
    third = max(1, calls // 3)
    first, last = statistics.mean(rss_mb[:third]), statistics.mean(rss_mb[-third:])
    growth = last / first - 1
    print(f"build                       {build}")
    print(f"calls                       {calls} after {warm_up} to warm up, in {time.monotonic() - began_s:.0f} s")
    for kind, n in sorted(kinds.items()):
        print(f"ended                       {n:4d}  {kind}")
    print(f"not exactly one ending      {len(wrong):4d}")
    print(f"callback faults             {faults:4d}")
    print(f"peer's exit code            {peer_code:4d}")
    print(f"dial to media, ms           p50 {statistics.median(setup_ms):.1f}  max {max(setup_ms):.1f}")
    print(f"RSS, first {third:3d} calls        {first:.2f} MB")
    print(f"RSS, last {third:3d} calls         {last:.2f} MB")
    print(f"growth                      {growth:+.2%} (limit {GROWTH_LIMIT:+.0%})")
    for line in wrong[:5]:
        print("  ", line)
    return int(bool(wrong or faults or peer_code or growth > GROWTH_LIMIT))


def collect_garbage(stop: threading.Event) -> None:
    while not stop.is_set():
        gc.collect()
        time.sleep(0.05)


def main() -> int:
    parser = argparse.ArgumentParser(description="Many calls in a row in one process.")
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--warm-up", type=float, default=WARM_UP_S, help="seconds of calls before the count begins")
    parser.add_argument("--talk", type=float, default=0.2, help="seconds per call")
    parser.add_argument("--port", type=int, default=5130, help="this and the next one are used")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        asyncio.run(answer_everything(options.port, options.talk))
        return 0
    return asyncio.run(churn(options.calls, options.warm_up, options.talk, options.port))


if __name__ == "__main__":
    sys.exit(main())
