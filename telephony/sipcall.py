"""What the SIP library tells about one call, and what can be asked of it - all on the SIP thread.

`SipCall` and `AudioPort` are pjsua2's own objects. They must never be destroyed by Python's garbage collector, which
runs on whatever thread happens to allocate: that aborts the process. So the engine keeps them, and destroys them itself
(`destroy`) on the SIP thread once the call is over; the empty Python shells may then die anywhere.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pjsua2 as pj

from telephony.leg import LegEvent
from telephony.library import FrameAccess
from telephony.media import LegMedia
from telephony.messages import parse_message, q850_cause, response_to
from telephony.settings import FRAME_MS, RATE_HZ

if TYPE_CHECKING:
    from telephony.engine import Engine

log = logging.getLogger(__name__)

_DTMF_MS = 160
_ANSWERED = 200


@dataclass(frozen=True, slots=True)
class SipFact:
    """Something that happened to a call, on its way from the SIP thread to the leg. `event` None: not a transition."""

    event: LegEvent | None
    at_s: float
    code: int = 0
    reason: str = ""
    q850: int | None = None
    from_wire: bool = False
    media_up: bool = False
    digit: str = ""
    transfer: bool = False
    final: bool = False


@dataclass(frozen=True, slots=True)
class MediaStats:
    """RTP of a leg so far. `rx_packets` 0 after the answer: the far end sends nothing at all."""

    codec: str
    rx_packets: int
    rx_lost: int
    rx_discarded: int
    tx_packets: int
    jitter_buffer_ms: int
    rtt_ms: float


class AudioPort(pj.AudioMediaPort):  # type: ignore[misc]
    """The bridge port of a leg. Its callbacks run on the bridge clock: O(1), and nothing may escape from them."""

    def __init__(self, name: str, media: LegMedia, access: FrameAccess) -> None:
        super().__init__()
        self._media = media
        self._read, self._write = access.read, access.write
        self.faults = 0
        shape = pj.MediaFormatAudio()
        shape.type = pj.PJMEDIA_TYPE_AUDIO
        shape.init(pj.PJMEDIA_FORMAT_PCM, RATE_HZ, 1, FRAME_MS * 1000, 16)
        self.createPort(name, shape)

    def onFrameRequested(self, frame: Any) -> None:
        try:
            data = self._media.pull()
            frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
            self._write(frame.buf, data)
            frame.size = len(data)
        except Exception:
            self.faults += 1

    def onFrameReceived(self, frame: Any) -> None:
        try:
            heard = self._read(frame.buf) if frame.type == pj.PJMEDIA_FRAME_TYPE_AUDIO else None
            self._media.push(heard)
        except Exception:
            self.faults += 1


class SipCall(pj.Call):  # type: ignore[misc]
    """One call inside the library. Made and used on the SIP thread only."""

    def __init__(self, engine: Engine, account: Any, media: LegMedia, call_id: int | None = None) -> None:
        super().__init__(account, pj.PJSUA_INVALID_ID if call_id is None else call_id)
        self.engine = engine
        self.media = media
        self.port: AudioPort | None = None
        self.audio: Any = None
        self.peer: SipCall | None = None
        self.leg: Any = None
        self.lingering = False
        self.over = False
        self._outgoing = call_id is None
        self._q850: int | None = None
        self._unanswered: dict[str, str] = {}

    # What can be asked of it

    def dial(self, uri: str, from_uri: str, headers: Mapping[str, str]) -> None:
        prm = call_parameters()
        prm.txOption.localUri = from_uri
        for name, value in headers.items():
            header = pj.SipHeader()
            header.hName, header.hValue = name, value
            prm.txOption.headers.append(header)
        self.makeCall(uri, prm)

    def respond(self, code: int) -> None:
        prm = call_parameters()
        prm.statusCode = code
        self.answer(prm)

    def end(self, code: int = 0, reason: str = "") -> None:
        """CANCEL, BYE or a final response, whichever the state wants. Does nothing to a call that is over."""
        if self.over or not self.isActive():
            return
        prm = call_parameters()
        prm.statusCode, prm.reason = code, reason
        self.hangup(prm)

    def send_digits(self, digits: str) -> None:
        prm = pj.CallSendDtmfParam()
        prm.method, prm.duration, prm.digits = pj.PJSUA_DTMF_METHOD_RFC2833, _DTMF_MS, digits
        self.sendDtmf(prm)

    def refer(self, uri: str) -> None:
        self.xfer(uri, call_parameters())

    def refer_replacing(self, other: SipCall) -> None:
        self.xferReplaces(other, call_parameters())

    def stats(self) -> MediaStats | None:
        if self.over or self.audio is None:
            return None
        stat, info = self.getStreamStat(0), self.getStreamInfo(0)
        rx, tx = stat.rtcp.rxStat, stat.rtcp.txStat
        return MediaStats(
            codec=info.codecName,
            rx_packets=rx.pkt,
            rx_lost=rx.loss,
            rx_discarded=rx.discard,
            tx_packets=tx.pkt,
            jitter_buffer_ms=stat.jbuf.avgDelayMsec,
            rtt_ms=stat.rtcp.rttUsec.mean / 1000,
        )

    def wire(self) -> None:
        """Connect what should be connected now: our port, or the bridged leg in place of our playout."""
        if self.over or self.audio is None or self.port is None:
            return
        self.audio.startTransmit(self.port)
        peer = self.peer
        if peer is not None and not peer.over and peer.audio is not None:
            self.audio.startTransmit(peer.audio)
            self.media.hear(peer.media)
            _disconnect(self.port, self.audio)
        else:
            self.media.hear(None)
            self.port.startTransmit(self.audio)

    def join(self, other: SipCall) -> None:
        """Bridge two calls, both ways."""
        self.peer, other.peer = other, self
        self.wire()
        other.wire()

    def part(self) -> None:
        """Undo `join` and give both legs their own playout back."""
        other, self.peer = self.peer, None
        if other is None:
            return
        other.peer = None
        if not self.over and not other.over and self.audio is not None and other.audio is not None:
            _disconnect(self.audio, other.audio)
            _disconnect(other.audio, self.audio)
        self.wire()
        other.wire()

    def unanswered_response(self) -> bytes | None:
        """The answer that the library still waits for, written by us; None where it waits for nothing."""
        if bye := self._unanswered.get("BYE"):
            return response_to(bye, _ANSWERED, "OK")
        if invite := self._unanswered.get("INVITE"):
            return response_to(invite, 408, "Request Timeout")
        return None

    def destroy(self) -> None:
        """Free the C++ objects, here and now, on the SIP thread."""
        port, self.port, self.audio, self.peer = self.port, None, None, None
        if port is not None:
            if port.faults:
                log.error("%d audio frames failed on a leg", port.faults)
            pj.AudioMediaPort.__swig_destroy__(port)
        pj.Call.__swig_destroy__(self)

    # What the library tells

    def onCallState(self, prm: Any) -> None:
        try:
            info = self.getInfo()
            if info.state == pj.PJSIP_INV_STATE_CALLING:
                return
            if info.state == pj.PJSIP_INV_STATE_EARLY and self._outgoing:
                self._tell(LegEvent.RING if info.lastStatusCode == 180 else LegEvent.PROGRESS)
            elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
                self._tell(LegEvent.ANSWER, code=_ANSWERED)
            elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
                self.over = True
                self.audio = None
                event = prm.e
                from_wire = event.type == pj.PJSIP_EVENT_TSX_STATE and event.body.tsxState.type == pj.PJSIP_EVENT_RX_MSG
                if from_wire:
                    self._read_reason(event.body.tsxState.src.rdata.wholeMsg)
                fact = SipFact(
                    LegEvent.DISCONNECT,
                    time.monotonic(),
                    code=int(info.lastStatusCode),
                    reason=info.lastReason,
                    q850=self._q850,
                    from_wire=from_wire,
                )
                self.engine.bury(self, fact)
        except Exception:
            self.engine.fault("call state")

    def onCallTsxState(self, prm: Any) -> None:
        try:
            change = prm.e.body.tsxState
            tsx = change.tsx
            if tsx.role != pj.PJSIP_ROLE_UAC or tsx.method not in ("INVITE", "BYE"):
                return
            if tsx.state == pj.PJSIP_TSX_STATE_CALLING or tsx.state == pj.PJSIP_TSX_STATE_TRYING:
                if change.type == pj.PJSIP_EVENT_TX_MSG:
                    self._unanswered[tsx.method] = change.src.tdata.wholeMsg
            elif tsx.state == pj.PJSIP_TSX_STATE_PROCEEDING:
                if tsx.method == "INVITE":
                    self._tell(LegEvent.PROGRESS)
            else:
                self._unanswered.pop(tsx.method, None)
        except Exception:
            self.engine.fault("transaction state")

    def onCallMediaState(self, prm: Any) -> None:
        try:
            info = self.getInfo()
            for index, media in enumerate(info.media):
                if media.type != pj.PJMEDIA_TYPE_AUDIO or media.status not in (
                    pj.PJSUA_CALL_MEDIA_ACTIVE,
                    pj.PJSUA_CALL_MEDIA_REMOTE_HOLD,
                ):
                    continue
                self.audio = self.getAudioMedia(index)
                if self.port is None:
                    self.port = AudioPort(f"leg-{info.id}", self.media, self.engine.access)
                self.wire()
                if self.peer is not None:
                    self.peer.wire()
                early = self._outgoing and info.state == pj.PJSIP_INV_STATE_EARLY
                if early and 100 < info.lastStatusCode < 200:
                    self._tell(LegEvent.EARLY_MEDIA)
                self._send(SipFact(None, time.monotonic(), media_up=True))
                break
        except Exception:
            self.engine.fault("media state")

    def onDtmfDigit(self, prm: Any) -> None:
        try:
            self._send(SipFact(None, time.monotonic(), digit=prm.digit))
        except Exception:
            self.engine.fault("DTMF")

    def onCallTransferRequest(self, prm: Any) -> None:
        try:
            if not self.engine.settings.follow_transfers:
                prm.statusCode = 603
                return
            prm.newCall = self.engine.adopt(None, prm.dstUri)
        except Exception:
            self.engine.fault("transfer request")

    def onCallReplaceRequest(self, prm: Any) -> None:
        try:
            if not self.engine.settings.follow_transfers:
                prm.statusCode, prm.reason = 486, "Busy Here"
        except Exception:
            self.engine.fault("replace request")

    def onCallReplaced(self, prm: Any) -> None:
        try:
            prm.newCall = self.engine.adopt(prm.newCallId, "")
        except Exception:
            self.engine.fault("call replaced")

    def onCallTransferStatus(self, prm: Any) -> None:
        try:
            self._send(
                SipFact(
                    None,
                    time.monotonic(),
                    code=int(prm.statusCode),
                    reason=prm.reason,
                    transfer=True,
                    final=bool(prm.finalNotify),
                )
            )
        except Exception:
            self.engine.fault("transfer status")

    def _read_reason(self, text: str) -> None:
        start, headers = parse_message(text)
        final = start.startswith("SIP/2.0 ") and start[8:9] not in ("", "1")
        if final or start.startswith(("BYE ", "CANCEL ")):
            self._q850 = q850_cause(headers)

    def _tell(self, event: LegEvent, code: int = 0) -> None:
        self._send(SipFact(event, time.monotonic(), code=code))

    def _send(self, fact: SipFact) -> None:
        self.engine.deliver(self, fact)


def call_parameters() -> Any:
    """Operation parameters for audio only. PJSIP from 2.16 on would offer a T.140 text stream as well, and then hang up
    300 ms late."""
    prm = pj.CallOpParam(True)
    prm.opt.audioCount = 1
    prm.opt.videoCount = 0
    if hasattr(prm.opt, "textCount"):
        prm.opt.textCount = 0
    return prm


def _disconnect(source: Any, sink: Any) -> None:
    try:
        source.stopTransmit(sink)
    except pj.Error as e:
        log.debug("nothing to disconnect: %s", e.info())
