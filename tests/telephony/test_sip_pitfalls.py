"""The library's known traps (pjsua2 from Python), each walked into on purpose."""

from __future__ import annotations

import asyncio
import gc
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from rawsip import RawPeer

from telephony import Endpoint, LegState, SipSettings
from telephony.sipcall import AudioPort, SipCall, call_parameters

ROOT = Path(__file__).resolve().parents[2]


async def test_every_call_into_the_library_is_made_on_the_one_sip_thread(endpoint, peer, monkeypatch):
    """Trap 1: an API call beside libHandleEvents on another thread deadlocks with the interpreter lock."""
    callers: dict[str, set[str]] = {}
    for name in ("makeCall", "hangup", "getInfo", "sendDtmf", "getStreamStat", "getAudioMedia"):
        original = getattr(SipCall, name)

        def spy(self, *arguments, _original=original, _name=name):
            callers.setdefault(_name, set()).add(threading.current_thread().name)
            return _original(self, *arguments)

        monkeypatch.setattr(SipCall, name, spy)
    leg = await endpoint.dial(peer.number("echo"))
    assert await leg.wait_answered()
    assert await leg.wait_media()
    await leg.send_dtmf("1")
    await leg.media_stats()
    await leg.hangup()
    await leg.wait_ended()
    assert set(callers) == {"makeCall", "hangup", "getInfo", "sendDtmf", "getStreamStat", "getAudioMedia"}
    assert set().union(*callers.values()) == {"sip"}


async def test_many_tasks_asking_at_once_do_not_deadlock(endpoint, peer):
    """Trap 1 again, from the asyncio side: everything at the same moment, and nobody waits for ever."""
    legs = await asyncio.gather(*(endpoint.dial(peer.number("tone500")) for _ in range(3)))
    async with asyncio.timeout(20):
        await asyncio.gather(*(leg.wait_media() for leg in legs))
        for _ in range(20):
            await asyncio.gather(*(leg.media_stats() for leg in legs for _ in range(5)))
        await asyncio.gather(*(leg.hangup() for leg in legs for _ in range(3)))
        await asyncio.gather(*(leg.wait_ended() for leg in legs))


async def test_garbage_collection_on_a_foreign_thread_does_not_kill_the_process():
    """Trap 2: in a process of its own, because the trap is an abort. bench/churn.py collects garbage all the time."""
    churn = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "bench" / "churn.py"), "--calls", "24", "--warm-up", "0"),
        *("--talk", "0.1", "--port", "5132"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(churn.communicate(), 60)
    text = output.decode()
    assert "callback faults                0" in text and "not exactly one ending         0" in text, text
    assert churn.returncode in (0, 1), text  # 1: memory has not settled after so few calls


async def test_the_librarys_objects_are_freed_with_the_call_and_not_by_the_garbage_collector(endpoint, peer):
    """Trap 2 from the inside: once the leg has ended, no Python object owns C++ memory any more."""
    leg = await endpoint.dial(peer.number("echo"))
    await leg.wait_media()
    call = leg.sip_call
    assert call is not None and call.port is not None
    port = call.port
    assert call.thisown and port.thisown
    await leg.hangup()
    await leg.wait_ended()
    assert not call.thisown and not port.thisown
    del leg, call, port
    collector = threading.Thread(target=gc.collect)
    collector.start()
    collector.join()
    assert endpoint.engine.alive


async def test_hanging_up_takes_milliseconds_because_no_text_stream_is_offered(endpoint, peer):
    """Trap 3: with a T.140 stream the library blocks 300 ms on every hang-up, and all other calls with it."""
    parameters = call_parameters()
    assert parameters.opt.audioCount == 1 and parameters.opt.videoCount == 0
    assert getattr(parameters.opt, "textCount", 0) == 0
    took_s = []
    for _ in range(3):
        leg = await endpoint.dial(peer.number("echo"))
        await leg.wait_media()
        began_s = time.monotonic()
        await leg.hangup()
        await leg.wait_ended()
        took_s.append(time.monotonic() - began_s)
    assert min(took_s) < 0.15


async def test_an_answer_offers_audio_only_as_well(endpoint):
    """Trap 3 for called legs."""
    offer = (
        "v=0\r\no=raw 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=audio 31990 RTP/AVP 8\r\nm=text 31992 RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\n"
    )
    async with RawPeer(5125) as caller:
        await caller.call(f"sip:robot@127.0.0.1:{endpoint.port}", body=offer)
        leg = await asyncio.wait_for(endpoint.incoming(), 3)
        await leg.answer()
        answer = await caller.established()
        assert dict(re.findall(r"^m=(\w+) (\d+)", answer, re.M))["text"] == "0"
        await leg.hangup()
        await leg.wait_ended()


async def test_an_error_in_a_media_callback_is_counted_and_stays_inside(endpoint, peer, monkeypatch):
    """Trap 4: an exception that escapes into the bridge clock ends the process."""
    leg = await endpoint.dial(peer.number("tone500"))
    await leg.wait_media()
    assert leg.sip_call is not None
    port = leg.sip_call.port
    assert isinstance(port, AudioPort)

    def broken(*_: object) -> bytes:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(port, "_read", broken)
    monkeypatch.setattr(port, "_write", broken)
    await asyncio.sleep(0.3)
    assert port.faults > 10
    assert leg.state is LegState.ANSWERED
    monkeypatch.undo()
    leg.take_frames()
    await asyncio.sleep(0.2)
    assert leg.take_frames()
    port.faults = 0


async def test_the_frame_callbacks_are_quick(endpoint, peer):
    """Trap 4: the bridge clock has 20 ms for all calls together; a callback takes a small part of one."""
    leg = await endpoint.dial(peer.number("tone500"))
    await leg.wait_media()
    leg.write(bytes(320 * 2000))
    media, took_s = leg._media, []
    for _ in range(300):
        began_s = time.perf_counter()
        media.push(media.pull())
        took_s.append(time.perf_counter() - began_s)
    assert sorted(took_s)[len(took_s) // 2] < 0.001


async def test_ports_of_the_bridge_suffice_for_every_line():
    """Trap 6: the bridge holds 254 ports unless told otherwise; every call takes two."""
    async with Endpoint(SipSettings(port=5120, rtp_ports=(30000, 30399))) as endpoint:
        ports = await endpoint.engine.run(lambda: endpoint.engine._endpoint.mediaMaxPorts())
        assert ports >= 2 * endpoint.capacity + 1


def test_a_process_that_forgets_to_close_its_endpoint_still_exits_cleanly():
    """The SIP thread and the bridge clock must not outlive the interpreter."""
    program = (
        "import asyncio\n"
        "from telephony import Endpoint, SipSettings\n"
        "async def main():\n"
        "    e = await Endpoint(SipSettings(port=5126)).__aenter__()\n"
        "    await e.dial('sip:x@127.0.0.1:5127')\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
