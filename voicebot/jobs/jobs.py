"""The jobs beside the calls, on a queue in the database (procrastinate): any machine's runner takes them.

A job does what is due and nothing else, so it may run twice, late, or on two machines at once. What a runner had in
hand when it died is adopted by another one. A dial is never a job: see voicebot.store.permits.
"""

from __future__ import annotations

import logging

from procrastinate import App, PsycopgConnector

from voicebot.jobs.webhooks import tell
from voicebot.messages.senders import senders_of
from voicebot.messages.sending import send_due
from voicebot.messages.templates import load_templates
from voicebot.settings import Settings
from voicebot.store import Store
from voicebot.strategy.loader import StrategyError, current_strategy
from voicebot.strategy.model import Strategy

SEARCH_PATH = "-c search_path=jobs,public"
EVERY_FIVE_SECONDS, EVERY_MINUTE, EVERY_HOUR = "* * * * * */5", "* * * * *", "7 * * * *"
AT_ONCE = 4

log = logging.getLogger(__name__)


def make_jobs(store: Store, settings: Settings) -> App:
    """The queue with its jobs. `async with app.open_async(): await run(app)`."""
    connector = PsycopgConnector(conninfo=store.conninfo, kwargs={"options": SEARCH_PATH})
    app = App(connector=connector)

    @app.periodic(cron=EVERY_FIVE_SECONDS)
    @app.task(name="tell_webhooks", queueing_lock="tell_webhooks", pass_context=False)
    def tell_webhooks(timestamp: int) -> None:
        tell(store)

    @app.periodic(cron=EVERY_MINUTE)
    @app.task(name="judge_leases", queueing_lock="judge_leases")
    def judge_leases(timestamp: int) -> None:
        lost, unknown = store.reap()
        messages = store.reap_messages()
        if lost or unknown or messages:
            log.warning("leases ran out: %d lost, %d unknown, %d messages", lost, unknown, messages)

    @app.periodic(cron=EVERY_MINUTE)
    @app.task(name="send_messages", queueing_lock="send_messages", lock="send_messages")
    def send_messages(timestamp: int) -> None:
        store.plan_due(strategy_or_none)
        if ways := senders_of(settings.messages):
            done = send_due(store, ways, load_templates(settings.messages.templates))
            if done:
                log.info("messages: %s", dict(done))

    @app.periodic(cron=EVERY_HOUR)
    @app.task(name="settle_promises", queueing_lock="settle_promises")
    def settle_promises(timestamp: int) -> None:
        log.info("promises settled: %d", store.settle_promises())

    @app.periodic(cron=EVERY_MINUTE)
    @app.task(name="adopt_stalled", queueing_lock="adopt_stalled")
    async def adopt_stalled(timestamp: int) -> None:
        for job in await app.job_manager.get_stalled_jobs():
            log.warning("job %s %s is adopted", job.id, job.task_name)
            await app.job_manager.retry_job(job)

    return app


def strategy_or_none(name: str) -> Strategy | None:
    try:
        return current_strategy(name)
    except StrategyError as e:
        log.warning("its campaigns are not planned: %s", e)
        return None


async def run(app: App) -> None:
    """Do jobs until cancelled."""
    await app.run_worker_async(
        concurrency=AT_ONCE, delete_jobs="successful", install_signal_handlers=False, listen_notify=True
    )
