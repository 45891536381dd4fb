"""The SIP world's own test tool, with the scenarios that come inside it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from telephony import Endpoint, OutcomeKind, SipSettings

pytestmark = pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed (Debian: sip-tester)")


async def sipp(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *("sipp", *arguments, "-nostdin", "-i", "127.0.0.1", "-mi", "127.0.0.1"),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def test_sipps_caller_gets_ten_calls_through(tmp_path):
    async with Endpoint(SipSettings(port=5122, rtp_ports=(30500, 30599))) as endpoint:
        caller = await sipp(
            tmp_path,
            *("-sn", "uac", f"127.0.0.1:{endpoint.port}", "-p", "5123", "-mp", "31900"),
            *("-m", "10", "-r", "5", "-l", "3", "-d", "200", "-timeout", "20"),
        )
        outcomes = []
        for _ in range(10):
            leg = await asyncio.wait_for(endpoint.incoming(), 10)
            await leg.answer()
            outcomes.append(asyncio.ensure_future(leg.wait_ended()))
        ended = await asyncio.wait_for(asyncio.gather(*outcomes), 20)
        assert await asyncio.wait_for(caller.wait(), 20) == 0
    assert {(o.kind, o.ended_by) for o in ended} == {(OutcomeKind.ANSWERED, "remote")}


async def test_sipps_callee_answers_and_takes_our_goodbye(tmp_path):
    callee = await sipp(
        tmp_path,
        *("-sn", "uas", "-p", "5124", "-mp", "31920", "-rtp_echo", "-m", "4", "-timeout", "30"),
    )
    await asyncio.sleep(0.5)
    async with Endpoint(SipSettings(port=5122, rtp_ports=(30500, 30599), dead_host_timeout_s=2)) as endpoint:
        for _ in range(4):
            leg = await endpoint.dial("sip:service@127.0.0.1:5124")
            assert await asyncio.wait_for(leg.wait_answered(), 5)
            assert await asyncio.wait_for(leg.wait_media(), 5)
            leg.write(b"\x00\x20" * 1600)
            await asyncio.sleep(0.5)
            assert any(max(frame.rx) > 0x10 for frame in leg.take_frames()), "sipp echoes RTP"
            await leg.hangup()
            outcome = await asyncio.wait_for(leg.wait_ended(), 5)
            assert (outcome.kind, outcome.ended_by) == (OutcomeKind.ANSWERED, "local")
    assert await asyncio.wait_for(callee.wait(), 20) == 0
