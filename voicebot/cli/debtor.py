"""`voicebot debtor`: simulated debtors that answer SIP calls like people."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from voicebot.settings import Settings, SettingsError, load_settings


def register(app: typer.Typer) -> None:
    app.command("debtor")(debtor)


def debtor(
    personas: Annotated[list[Path], typer.Argument(help="Persona files (YAML), or folders of them.")],
    port: Annotated[int, typer.Option(help="SIP port; 0 takes any free one.")] = 5080,
    bind: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    record: Annotated[Path | None, typer.Option(help="Folder for a stereo wav and a JSON of marks per call.")] = None,
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="Processes on consecutive ports; one takes 4 calls at a time.")
    ] = 1,
    rtp_ports: Annotated[str, typer.Option(help="RTP port range, FIRST-LAST.")] = "40000-49999",
    realtime_log: Annotated[
        bool, typer.Option("--realtime-log", help="Also print what is heard and said, as it happens.")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
) -> None:
    """Answer SIP calls as simulated debtors.

    Prints one JSON line per event: rendering, `ready` with the SIP address once calls can come in, then incoming,
    answered, ended for each call.
    Ends its calls politely on SIGTERM, SIGINT, or when a pipe on its standard input is closed.
    """
    from telephony import TelephonyError
    from voicebot.debtor.lines import kokoro_voices, render_personas
    from voicebot.debtor.persona import PersonaError, load_personas
    from voicebot.speech.asr.base import AsrError
    from voicebot.speech.tts.errors import VoiceError

    rtp = _port_range(rtp_ports)
    try:
        settings = load_settings(config)
        cast = load_personas(personas)
        if record is not None:
            record.mkdir(parents=True, exist_ok=True)
        stop = _StopRequest()

        def progress(done: int, total: int) -> None:
            if stop.requested.is_set():
                raise typer.Exit(0)
            print(json.dumps({"event": "rendering", "done": done, "of": total}), flush=True)

        cache = settings.data_home / "cache" / "debtor"
        wardrobe = render_personas(cast, kokoro_voices(settings), cache, progress)
        if processes > 1:
            raise typer.Exit(_spawn(personas, port, bind, record, processes, rtp, realtime_log, config, stop))
        asyncio.run(_serve(settings, cast, wardrobe, port, bind, rtp, record, realtime_log, stop))
    except (PersonaError, SettingsError, TelephonyError, AsrError, VoiceError, OSError) as e:
        print(f"voicebot debtor: {e}", file=sys.stderr)
        raise typer.Exit(2) from e


class _StopRequest:
    """Set by SIGTERM, SIGINT or the end of a piped standard input; can be awaited and polled."""

    def __init__(self) -> None:
        self.requested = threading.Event()
        self._wake: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.request())
        # A terminal or /dev/null is not watched: only a parent that holds the other end of a pipe can close it.
        if not sys.stdin.closed and stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
            threading.Thread(target=self._watch_stdin, daemon=True).start()

    def request(self) -> None:
        self.requested.set()
        for loop, event in self._wake:
            loop.call_soon_threadsafe(event.set)

    def as_event(self) -> asyncio.Event:
        event = asyncio.Event()
        self._wake.append((asyncio.get_running_loop(), event))
        if self.requested.is_set():
            event.set()
        return event

    def _watch_stdin(self) -> None:
        while os.read(0, 4096):
            pass
        self.request()


async def _serve(
    settings: Settings,
    cast: Any,
    wardrobe: Any,
    port: int,
    bind: str,
    rtp: tuple[int, int],
    record: Path | None,
    realtime_log: bool,
    stop: _StopRequest,
) -> None:
    from telephony import SipSettings
    from voicebot.debtor.ears import Transcriber
    from voicebot.debtor.endpoint import DebtorEndpoint
    from voicebot.speech.asr import make_asr

    def emit(event: Mapping[str, Any]) -> None:
        if realtime_log or event["event"] not in ("heard", "said"):
            print(json.dumps(event, ensure_ascii=False), flush=True)

    sip = SipSettings(bind=bind, port=port, rtp_ports=rtp, caller_id=f"sip:debtor@{bind}", user_agent="voicebot-debtor")
    transcriber = Transcriber(make_asr(settings))
    try:
        await DebtorEndpoint(cast, wardrobe, sip, transcriber, record, emit).run(stop.as_event())
    finally:
        transcriber.close()


def _spawn(
    personas: list[Path],
    port: int,
    bind: str,
    record: Path | None,
    processes: int,
    rtp: tuple[int, int],
    realtime_log: bool,
    config: Path | None,
    stop: _StopRequest,
) -> int:
    """Run one child per port, each with its share of the RTP ports, until a stop is requested or one child dies."""
    share = (rtp[1] - rtp[0] + 1) // processes // 2 * 2
    children = []
    for n in range(processes):
        command = [sys.executable, "-m", "voicebot.cli.debtor", *map(str, personas)]
        command += ["--port", str(port + n if port else 0), "--bind", bind]
        command += ["--rtp-ports", f"{rtp[0] + n * share}-{rtp[0] + (n + 1) * share - 1}"]
        command += ["--record", str(record)] if record is not None else []
        command += ["--config", str(config)] if config is not None else []
        command += ["--realtime-log"] if realtime_log else []
        # A process group of their own keeps Ctrl-C with this process, which then closes their standard input.
        children.append(
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        )
    one_at_a_time = threading.Lock()
    relays = [threading.Thread(target=_relay, args=(child.stdout, one_at_a_time), daemon=True) for child in children]
    for relay in relays:
        relay.start()
    while not stop.requested.wait(0.2):
        if any(child.poll() is not None for child in children):
            break
    died = [child.returncode for child in children if child.poll() is not None]
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    for child in children:
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
    for relay in relays:
        relay.join(1)
    return max(died, default=0)


def _relay(lines: IO[str] | None, one_at_a_time: threading.Lock) -> None:
    """A child's lines on this standard output, whole: a pipe that children shared would mix those longer than 4 KB."""
    assert lines is not None
    for line in lines:
        with one_at_a_time:
            print(line, end="", flush=True)


def _port_range(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not (dash and first.isdigit() and last.isdigit() and int(first) < int(last) <= 65535):
        raise typer.BadParameter(f"--rtp-ports: expected FIRST-LAST, like 40000-49999, got {text!r}")
    return int(first), int(last)


if __name__ == "__main__":
    # A child of `--processes`, or of DebtorProcess: this one command without importing the others. What the SIP library
    # prints by itself goes to standard error: half a line of it would spoil the event that follows.
    sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    alone = typer.Typer(pretty_exceptions_enable=False)
    register(alone)
    alone()
