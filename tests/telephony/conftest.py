from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from telephony import Endpoint, SipSettings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


class Peer:
    """Handle on a peer process (peer.py)."""

    def __init__(self, process: asyncio.subprocess.Process, uri: str) -> None:
        self._process = process
        self.address = uri.split("@")[1]

    def number(self, user: str) -> str:
        return f"sip:{user}@{self.address}"

    async def legs(self) -> list[dict[str, Any]]:
        return await self.ask("legs")

    async def ask(self, command: str) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{command}\n".encode())
        return json.loads(await asyncio.wait_for(self._process.stdout.readline(), 5))

    async def stop(self) -> int:
        assert self._process.stdin
        self._process.stdin.close()
        return await asyncio.wait_for(self._process.wait(), 10)


async def start_peer(port: int, rtp_low: int) -> Peer:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "peer.py"),
        *(str(n) for n in (port, rtp_low, rtp_low + 399)),
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    line = (await asyncio.wait_for(process.stdout.readline(), 15)).decode().split()
    assert line[:1] == ["ready"], line
    return Peer(process, line[1])


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = await start_peer(5110, 31000)
    yield peer
    assert await peer.stop() == 0, "the peer process crashed"


@pytest.fixture
async def second_peer() -> AsyncIterator[Peer]:
    peer = await start_peer(5111, 31400)
    yield peer
    assert await peer.stop() == 0, "the second peer process crashed"


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    settings = SipSettings(port=5120, rtp_ports=(30000, 30399), ring_timeout_s=1.5, dead_host_timeout_s=1.0)
    async with Endpoint(settings) as endpoint:
        yield endpoint
    assert endpoint.engine.faults == 0, "a callback of the SIP library failed"
