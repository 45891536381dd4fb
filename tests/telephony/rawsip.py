"""SIP by hand, over a plain UDP socket: the peer that says exactly what a test wants said.

`RawPeer` is both a caller and a callee. As a callee it hands every request to `script`, which returns the responses;
as a caller it can place one call and send requests inside it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable

from telephony.messages import parse_message

_numbers = itertools.count(1)
Script = Callable[["Request"], Iterable["str | float"]]


class Request:
    """A request as it came in. `reply` writes the response to it."""

    def __init__(self, text: str, own_port: int) -> None:
        self.text = text
        self.start, self.headers = parse_message(text)
        self.method = self.start.split(" ")[0]
        self.uri = self.start.split(" ")[1] if " " in self.start else ""
        self._own_port = own_port

    def reply(self, code: int, reason: str, headers: dict[str, str] | None = None, body: str = "") -> str:
        via = [line for line in self.text.splitlines() if line.lower().startswith("via:")]
        record = [line for line in self.text.splitlines() if line.lower().startswith("record-route:")]
        to = self.headers["To"]
        if ";tag=" not in to and code > 100:
            to += ";tag=raw"
        lines = [
            f"SIP/2.0 {code} {reason}",
            *via,
            *record,
            f"From: {self.headers['From']}",
            f"To: {to}",
            f"Call-ID: {self.headers['Call-ID']}",
            f"CSeq: {self.headers['CSeq']}",
            f"Contact: <sip:raw@127.0.0.1:{self._own_port}>",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines) + "\r\n\r\n" + body


def sdp(rtp_port: int, codecs: str = "8 0") -> str:
    return (
        "v=0\r\no=raw 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {rtp_port} RTP/AVP {codecs} 96\r\na=rtpmap:96 telephone-event/8000\r\na=sendrecv\r\n"
    )


class RawPeer(asyncio.DatagramProtocol):
    def __init__(self, port: int, script: Script | None = None) -> None:
        self.port = port
        self.requests: list[Request] = []
        self.responses: asyncio.Queue[str] = asyncio.Queue()
        self._script = script or (lambda request: [request.reply(200, "OK")])
        self._call_id = f"raw-{next(_numbers)}@127.0.0.1"
        self._sequence = 0
        self._target = ""
        self._to = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> RawPeer:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", self.port))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        self._transport.close()

    def number(self, user: str) -> str:
        return f"sip:{user}@127.0.0.1:{self.port}"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        text = data.decode("utf-8", "replace")
        if text.startswith("SIP/2.0"):
            self.responses.put_nowait(text)
            return
        request = Request(text, self.port)
        self.requests.append(request)
        if request.method != "ACK":
            task = asyncio.ensure_future(self._play(request, addr))
            self._tasks.add(task)

    async def _play(self, request: Request, addr: tuple[str, int]) -> None:
        for item in self._script(request):
            if isinstance(item, str):
                self._transport.sendto(item.encode(), addr)
            else:
                await asyncio.sleep(item)

    def methods(self) -> list[str]:
        return [request.method for request in self.requests]

    def send(self, text: str | bytes, port: int) -> None:
        self._transport.sendto(text if isinstance(text, bytes) else text.encode(), ("127.0.0.1", port))

    async def call(self, uri: str, headers: dict[str, str] | None = None, body: str = "") -> None:
        self._target, self._to = uri, f"<{uri}>"
        self._invite_branch = f"z9hG4bK-raw-{next(_numbers)}"
        self._send("INVITE", headers or {}, body or sdp(31990), branch=self._invite_branch)

    async def established(self) -> str:
        """Wait for the 200, acknowledge it and return it."""
        while True:
            text = await self._response("INVITE")
            start, headers = parse_message(text)
            if start.startswith("SIP/2.0 200"):
                break
        self._to = headers["To"]
        self._send("ACK", {}, sequence=self._sequence)
        return text

    def cancel(self) -> None:
        """Take the INVITE back: same transaction, so the same branch and sequence number."""
        self._send("CANCEL", {}, sequence=self._sequence, branch=self._invite_branch)

    async def request(self, method: str, headers: dict[str, str]) -> str:
        self._send(method, headers)
        return await self._response(method)

    async def _response(self, method: str) -> str:
        while True:
            text = await asyncio.wait_for(self.responses.get(), 5)
            if parse_message(text)[1]["CSeq"].endswith(method):
                return text

    def _send(self, method: str, headers: dict[str, str], body: str = "", sequence: int = 0, branch: str = "") -> None:
        if not sequence:
            self._sequence += 1
        lines = [
            f"{method} {self._target} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch={branch or f'z9hG4bK-raw-{next(_numbers)}'}",
            "Max-Forwards: 70",
            f"From: <sip:raw@127.0.0.1:{self.port}>;tag=rawtag",
            f"To: {self._to}",
            f"Call-ID: {self._call_id}",
            f"CSeq: {sequence or self._sequence} {method}",
            f"Contact: <sip:raw@127.0.0.1:{self.port}>",
            *(f"{name}: {value}" for name, value in headers.items()),
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self.send("\r\n".join(lines) + "\r\n\r\n" + body, int(self._target.rsplit(":", 1)[1]))
