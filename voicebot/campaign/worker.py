"""A worker process: claims due cases of one batch and calls them on its own lines until none is left.

Run by `voicebot.campaign.batch` as `python -m voicebot.campaign.worker SPEC`, SPEC being JSON. It prints one JSON line
per piece of news; the line `stop` on its standard input, or the end of that input, asks it to end its calls politely.
"""

from __future__ import annotations

import asyncio
import resource
import secrets
import signal
import sys
import time

from dialogue.rendering import case_clauses, likely_clauses
from dialogue.script import Script
from telephony import TelephonyError
from voicebot.call.dialer import Dialer
from voicebot.call.news import News
from voicebot.campaign.scripts import find_script
from voicebot.campaign.spec import WorkerSpec, WorkerStats
from voicebot.settings import Settings
from voicebot.store import AttemptEnd, Claim, Store, open_store

POLL_S = 0.5
STOP_REASON = "batch stopped"


def say(news: News) -> None:
    """One line of news to the supervisor. Written at once: it is shown live."""
    sys.stdout.write(news.to_json() + "\n")
    sys.stdout.flush()


class Worker:
    """One process' share of a batch."""

    def __init__(self, spec: WorkerSpec, settings: Settings, store: Store, dialer: Dialer, script: Script) -> None:
        self._spec = spec
        self._settings = settings
        self._store = store
        self._dialer = dialer
        self._script = script
        self._boot = f"worker-{secrets.token_hex(6)}"
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    async def work(self) -> None:
        """Return when the batch has no case left to call, or after a stop once the running calls have ended."""
        leases = asyncio.create_task(self._keep_leases())
        try:
            while not self._stopping:
                free = self._spec.lines - len(self._running)
                claims = (
                    await asyncio.to_thread(self._store.claim_due, self._boot, free, self._spec.batch_id)
                    if free
                    else []
                )
                for claim in claims:
                    self._running[claim.attempt_id] = asyncio.create_task(self._call(claim))
                if not claims and not self._running:
                    progress = await asyncio.to_thread(self._store.batch_progress, self._spec.batch_id)
                    if progress.finished:
                        return
                await self._wait()
            if self._running:
                await asyncio.wait(self._running.values())
        finally:
            leases.cancel()

    def stop(self) -> None:
        """Take no more cases; ask the running calls for a polite end."""
        if not self._stopping:
            self._stopping = True
            self._dialer.hurry(STOP_REASON)

    async def _wait(self) -> None:
        if self._running:
            await asyncio.wait(self._running.values(), timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(POLL_S)

    async def _call(self, claim: Claim) -> None:
        case, now = claim.case, self._dialer.now()
        clauses = (*case_clauses(self._script, case, now), *likely_clauses(self._script, case, now, limit=12))
        try:
            if self._stopping:
                await asyncio.to_thread(self._store.release, claim.attempt_id, self._boot)
                return
            await self._dialer.place(
                claim.dial_uri(self._settings.sip.trunk),
                case,
                self._script,
                say,
                attempt_id=claim.attempt_id,
                clauses=clauses,
                may_dial=lambda: self._store.start_dialing(claim.attempt_id, self._boot),
            )
        except TelephonyError as e:
            # The attempt was committed as dialing; its one ending is that no call came about.
            say(News("", "trouble", case.case_id, text=str(e)))
            await asyncio.to_thread(self._store.end_attempt, claim.attempt_id, AttemptEnd("failed"))
        except Exception as e:
            say(News("", "trouble", case.case_id, text=f"{type(e).__name__}: {e}"))
            await asyncio.to_thread(self._store.end_attempt, claim.attempt_id, AttemptEnd("failed"))
        finally:
            self._running.pop(claim.attempt_id, None)

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._store.lease_s / 3)
            await asyncio.to_thread(self._store.renew, self._boot, tuple(self._running))
            await asyncio.to_thread(self._store.reap)


async def main(spec: WorkerSpec) -> None:
    settings = Settings.model_validate_json(spec.settings)
    script = find_script(spec.script, settings)
    with await asyncio.to_thread(open_store, settings) as store:
        async with Dialer(settings, store) as dialer:
            worker = Worker(spec, settings, store, dialer, script)
            loop = asyncio.get_running_loop()
            # Ctrl-C reaches the whole process group; the supervisor alone decides what it means.
            loop.add_signal_handler(signal.SIGINT, lambda: None)
            loop.add_signal_handler(signal.SIGTERM, worker.stop)
            orders = asyncio.create_task(_take_orders(worker))
            say(News("", "ready", text=dialer.engines))
            cpu_s, wall_s = time.process_time(), time.monotonic()
            try:
                await worker.work()
            finally:
                orders.cancel()
            say(News("", "stats", detail=_stats(spec.lines, dialer, cpu_s, wall_s).to_json()))


def _stats(lines: int, dialer: Dialer, cpu_s: float, wall_s: float) -> WorkerStats:
    ticker = dialer.ticker
    return WorkerStats(
        lines=lines,
        cpu_s=round(time.process_time() - cpu_s, 2),
        wall_s=round(time.monotonic() - wall_s, 2),
        peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        ticks=ticker.count,
        tick_late_p50_ms=ticker.lateness_quantile_ms(0.5),
        tick_late_p99_ms=ticker.lateness_quantile_ms(0.99),
        tick_late_max_ms=ticker.lateness_quantile_ms(1.0),
    )


async def _take_orders(worker: Worker) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while True:
        line = await reader.readline()
        if not line or line.strip() == b"stop":
            worker.stop()
            return


if __name__ == "__main__":
    asyncio.run(main(WorkerSpec.from_json(sys.argv[1])))
