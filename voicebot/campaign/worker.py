"""A worker process: plans and claims due cases, of one batch or of the running campaigns, and calls them on its lines.

Run by `voicebot.campaign.group` as `python -m voicebot.campaign.worker`. The first line of its standard input is a
WorkerSpec as JSON; it prints one JSON line per piece of news. The line `drain` has it take no more cases and finish its
calls; the line `stop`, or the end of the input, asks it to end them politely, SIGTERM to end them at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import queue
import resource
import secrets
import signal
import sys
import threading
import time

from dialogue.rendering import case_clauses, likely_clauses
from voicebot.call.dialer import Dialer
from voicebot.call.news import News
from voicebot.campaign.caller_ids import choose
from voicebot.campaign.scripts import find_script
from voicebot.campaign.spec import WorkerSpec, WorkerStats
from voicebot.settings import Settings
from voicebot.store import AttemptEnd, Claim, Store, StoreError, open_store
from voicebot.strategy.loader import StrategyError, current_strategy
from voicebot.strategy.model import Strategy

POLL_S = 0.5
STOP_REASON = "batch stopped"
END_OF_NEWS = "\n"


_news: queue.SimpleQueue[str] = queue.SimpleQueue()


def say(news: News) -> None:
    """One line of news to the supervisor. Never waits: a supervisor that does not read must not stop the calls."""
    _news.put(news.to_json() + "\n")


def _tell_supervisor() -> None:
    while True:
        line = _news.get()
        with contextlib.suppress(OSError, ValueError):  # a supervisor that is gone
            sys.stdout.write(line)
            sys.stdout.flush()
        if line == END_OF_NEWS:
            return


class Worker:
    """One process' share of a batch."""

    def __init__(self, spec: WorkerSpec, settings: Settings, store: Store, dialer: Dialer) -> None:
        self._spec = spec
        self._settings = settings
        self._store = store
        self._dialer = dialer
        self._boot = f"worker-{secrets.token_hex(6)}"
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self._hurried = False
        self._ending: asyncio.Task[None] | None = None

    async def work(self) -> None:
        """Return when nothing is left to call, or after a stop once the running calls have ended."""
        leases = asyncio.create_task(self._keep_leases())
        try:
            while not self._stopping and not await self._take_cases():
                await self._wait()
        finally:
            while self._running:
                await asyncio.wait(tuple(self._running.values()))
            leases.cancel()

    async def _take_cases(self) -> bool:
        """Claim as many cases as there are free lines, none while the running calls keep the machine busy. True when
        nothing is left to do."""
        free = self._spec.lines - len(self._running)
        if self._running and self._dialer.ticker.is_late:
            free = 0
        try:
            claims = await asyncio.to_thread(self._claim, free) if free else []
            for claim in claims:
                self._running[claim.attempt_id] = asyncio.create_task(self._call(claim))
            if claims or self._running or not self._spec.until_done:
                return False
            return await asyncio.to_thread(self._finished)
        except StoreError as e:
            say(News(kind="trouble", text=f"the database does not answer, running calls go on: {e}"))
            return False

    def _claim(self, free: int) -> list[Claim]:
        if self._spec.batch_id is not None:
            return self._store.claim_due(self._boot, free, self._spec.batch_id)
        self._store.plan_due(_strategy, self._spec.campaign)
        return self._store.claim_for_campaigns(self._boot, free, self._spec.campaign)

    def _finished(self) -> bool:
        if self._spec.batch_id is not None:
            return self._store.batch_progress(self._spec.batch_id).finished
        names = [self._spec.campaign] if self._spec.campaign else [c.name for c in self._store.campaigns()]
        return all(self._store.campaign_progress(name).finished for name in names)

    def drain(self) -> None:
        """Take no more cases; the running calls go on to their ends."""
        self._stopping = True

    def stop(self) -> None:
        """Take no more cases; ask the running calls for a polite end."""
        self._stopping = True
        if not self._hurried:
            self._hurried = True
            self._dialer.hurry(STOP_REASON)

    def end_now(self) -> None:
        """Hang up whatever runs."""
        self.stop()
        self._ending = asyncio.get_running_loop().create_task(self._dialer.end_now())

    async def _wait(self) -> None:
        if self._running:
            await asyncio.wait(self._running.values(), timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(POLL_S)

    async def _call(self, claim: Claim) -> None:
        dialling = False

        def may_dial() -> bool:
            nonlocal dialling
            time.sleep(self._store.dial_slot(claim.trunk))
            dialling = self._store.start_dialing(claim.attempt_id, self._boot)
            return dialling

        try:
            case, now = claim.case, self._dialer.now()
            trunk = next((t for t in self._settings.sip.trunks if t.name == claim.trunk), None)
            script = find_script(claim.script, self._settings)
            clauses = (*case_clauses(script, case, now), *likely_clauses(script, case, now, limit=12))
            attempted = await self._dialer.place(
                claim.dial_uri(trunk.uri if trunk else self._settings.sip.trunk),
                case,
                script,
                say,
                attempt_id=claim.attempt_id,
                clauses=clauses,
                may_dial=may_dial,
                caller_id=choose(trunk.caller_ids, claim.number or claim.phone) if trunk else None,
                ends_at=claim.valid_until,
            )
            if attempted is None and not dialling:
                await asyncio.to_thread(self._store.release, claim.attempt_id, self._boot)
        except Exception as e:
            say(News(kind="trouble", case_id=claim.case.case_id, text=f"{type(e).__name__}: {e}"))
            await self._fail(claim, dialling)
        finally:
            self._running.pop(claim.attempt_id, None)

    async def _fail(self, claim: Claim, dialling: bool) -> None:
        """Give the attempt its one ending: no call came about. A case that cannot even be prepared fails as well,
        rather than being claimed again for ever."""
        try:
            if not dialling:
                await asyncio.to_thread(self._store.start_dialing, claim.attempt_id, self._boot)
            await asyncio.to_thread(self._store.end_attempt, claim.attempt_id, AttemptEnd("failed"))
        except StoreError as e:
            say(News(kind="trouble", case_id=claim.case.case_id, text=f"its ending is not in the database: {e}"))

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._store.lease_s / 3)
            try:
                await asyncio.to_thread(self._store.renew, self._boot, tuple(self._running))
                await asyncio.to_thread(self._store.reap)
            except StoreError as e:
                say(News(kind="trouble", text=f"leases not renewed: {e}"))


def _strategy(name: str) -> Strategy | None:
    try:
        return current_strategy(name)
    except StrategyError as e:
        say(News(kind="trouble", text=f"its campaigns are not planned: {e}"))
        return None


async def main(spec: WorkerSpec) -> None:
    settings = Settings.model_validate_json(spec.settings)
    with await asyncio.to_thread(open_store, settings) as store:
        async with Dialer(settings, store) as dialer:
            worker = Worker(spec, settings, store, dialer)
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, worker.end_now)
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
        if line.strip() == b"drain":
            worker.drain()
        elif not line or line.strip() == b"stop":
            worker.stop()
            return


if __name__ == "__main__":
    # The settings hold passwords: they come by the pipe, not by the command line, which everybody can read.
    speaker = threading.Thread(target=_tell_supervisor, daemon=True)
    speaker.start()
    try:
        # No byte past the line is read: what follows belongs to the loop.
        with io.FileIO(sys.stdin.fileno(), closefd=False) as pipe:
            spec = WorkerSpec.from_json(pipe.readline().decode())
        asyncio.run(main(spec))
    finally:
        _news.put(END_OF_NEWS)
        speaker.join(5)
