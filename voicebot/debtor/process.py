"""How do a demo, a bench or a test get simulated debtors in a process of their own?

with DebtorProcess([Path("examples/personas")], record=folder, log=folder / "debtor.log") as debtors:
    uri = f"sip:+8613800000001@127.0.0.1:{debtors.port}"
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

STOP_GRACE_S = 10.0


class DebtorFailed(RuntimeError):
    """The debtor process did not come up, or went away; the message carries what it said."""


class DebtorProcess:
    """`voicebot debtor` as a child process. Leaving the context ends its calls politely and stops it.

    `ready_timeout_s` is long because a persona's first start synthesises its lines. Raises DebtorFailed on entering.
    """

    def __init__(
        self,
        personas: Sequence[Path],
        *,
        port: int = 0,
        bind: str = "127.0.0.1",
        record: Path | None = None,
        processes: int = 1,
        rtp_ports: tuple[int, int] | None = None,
        config: Path | None = None,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        ready_timeout_s: float = 600.0,
    ) -> None:
        command = [sys.executable, "-m", "voicebot.cli.debtor", *map(str, personas)]
        command += ["--port", str(port), "--bind", bind, "--processes", str(processes), "--realtime-log"]
        command += ["--record", str(record)] if record is not None else []
        command += ["--rtp-ports", f"{rtp_ports[0]}-{rtp_ports[1]}"] if rtp_ports is not None else []
        command += ["--config", str(config)] if config is not None else []
        self._command, self._env, self._log = command, env, log
        self._wanted, self._timeout_s = processes, ready_timeout_s
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._child: subprocess.Popen[str] | None = None
        self._log_file: IO[str] | None = None
        self.ports: tuple[int, ...] = ()

    @property
    def port(self) -> int:
        """The SIP port of the first process."""
        return self.ports[0]

    @property
    def pid(self) -> int:
        """The process that was started; with several processes, their parent."""
        assert self._child is not None, "only while the context is entered"
        return self._child.pid

    def __enter__(self) -> DebtorProcess:
        self._log_file = self._log.open("w", encoding="utf-8") if self._log is not None else None
        self._child = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log_file if self._log_file is not None else subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=dict(self._env) if self._env is not None else None,
        )
        threading.Thread(target=self._read, args=(self._child,), daemon=True).start()
        try:
            self._await_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        child, self._child = self._child, None
        if child is not None:
            assert child.stdin is not None
            child.stdin.close()
            try:
                child.wait(STOP_GRACE_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if self._log_file is not None:
            self._log_file.close()

    def events(self, timeout_s: float = 0.0) -> Iterator[dict[str, Any]]:
        """Call events as they come; ends after `timeout_s` without one, or when the process is gone."""
        while True:
            try:
                event = self._events.get(timeout=timeout_s) if timeout_s else self._events.get_nowait()
            except queue.Empty:
                return
            if event is None:
                self._events.put(None)
                return
            yield event

    def wait_for(self, event: str, timeout_s: float, **fields: object) -> dict[str, Any]:
        """The next event of that name with those fields; others are passed over. Raises DebtorFailed on time-out."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                found = self._events.get(timeout=left_s)
            except queue.Empty:
                break
            if found is None:
                raise DebtorFailed(f"the debtor process ended before {event!r}; its log: {self._log}")
            if found["event"] == event and all(found.get(k) == v for k, v in fields.items()):
                return found
        raise DebtorFailed(f"no {event!r} event {fields or ''} within {timeout_s:.0f} s")

    def _await_ready(self) -> None:
        ports = []
        for _ in range(self._wanted):
            ports.append(int(self.wait_for("ready", self._timeout_s)["port"]))
        self.ports = tuple(sorted(ports))

    def _read(self, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        for line in child.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # not an event; nothing is known to print such, and nothing breaks if it does
            if isinstance(event, dict) and "event" in event:
                self._events.put(event)
        self._events.put(None)
