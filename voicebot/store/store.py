"""What can the rest of the program ask of the database? This class, and nothing below it.

Everything blocks: callers on an event loop use `asyncio.to_thread`. Every call is one transaction and safe to repeat;
after a lost connection it repeats itself for `patience_s`.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple
from datetime import datetime
from types import TracebackType
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from voicebot.cases.model import CaseRow
from voicebot.compliance import Channel, Contact, Facts, Pack, Request, load_pack
from voicebot.settings import Settings, Trunk
from voicebot.store import (
    attempts,
    batches,
    calls,
    campaigns,
    keys,
    messages,
    outbox,
    payments,
    permits,
    planning,
    reading,
    trunks,
)
from voicebot.store.connection import Database
from voicebot.store.permits import Claimer
from voicebot.store.records import (
    AttemptEnd,
    BatchLoaded,
    BatchProgress,
    CallEnd,
    Campaign,
    Claim,
    MessageClaim,
    NewCall,
    NewPayment,
    NewPromise,
    PaymentsLoaded,
    ReportRow,
    StoredPromise,
)
from voicebot.store.server import PrivateServer

PATIENCE_S = 30.0
LOAD_CHUNK = 2000


def open_store(
    settings: Settings,
    *,
    lease_s: float | None = None,
    patience_s: float = PATIENCE_S,
    now: Callable[[], datetime] | None = None,
) -> Store:
    """Connect, starting the private server where no URL is set, and bring the schema up to date.

    `lease_s`: how long a worker may be silent before its attempts are judged; else the settings'. It renews at a third.
    `now` tells the time (timezone-aware); by default it is the database's, so that workers' clocks do not matter.
    Raises PackError for rules that cannot be read, ServerError, SchemaError or StoreError, each naming the way out.
    """
    zone = ZoneInfo(settings.timezone)
    return Store(
        Database(settings, patience_s=patience_s),
        load_pack(settings.compliance.pack),
        lease_s or settings.store.lease_s,
        zone,
        now,
        settings.sip.trunks,
    )


class Store(AbstractContextManager["Store"]):
    """Thread-safe. Get it from `open_store`; close it, or use it in a `with`."""

    def __init__(
        self,
        database: Database,
        pack: Pack,
        lease_s: float,
        zone: ZoneInfo,
        now: Callable[[], datetime] | None,
        trunks: tuple[Trunk, ...] = (),
    ) -> None:
        self._db = database
        self._pack = pack
        self._lease_s = lease_s
        self._zone = zone
        self._given_now = now
        self._trunks = trunks

    def _now(self) -> datetime:
        """In the bank's zone."""
        return self._given_now().astimezone(self._zone) if self._given_now else datetime.now(self._zone)

    @property
    def lease_s(self) -> float:
        return self._lease_s

    @property
    def server(self) -> PrivateServer | None:
        """The private server; None for a database by URL."""
        return self._db.server

    @property
    def conninfo(self) -> str:
        """For libraries that connect on their own."""
        return self._db.conninfo

    def close(self) -> None:
        self._db.close()

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    # ---- batches ------------------------------------------------------------------------------------------------

    def load_batch(
        self,
        name: str,
        sha256: str,
        script: str,
        cases: Iterable[CaseRow],
        *,
        round: str = "",
        campaign: str | None = None,
        progress: Callable[[int], None] = lambda rows: None,
    ) -> BatchLoaded:
        """Put the cases of one file into the database. Loading the same file for the same script again adds nothing
        and resets nothing, so a stopped run goes on where it stopped. A deliberate second run names a new `round`.

        Into a `campaign` its strategy decides what is done with them (its calls name their scripts), and a case that an
        older file brought takes on what this one says. `progress` is told the rows read so far.
        Raises NotFound for an unknown campaign.
        """
        of = self.campaign(campaign).campaign_id if campaign is not None else None
        key = f"campaign {campaign}" if campaign is not None else round
        batch_id = self._db.run(lambda db: batches.open_batch(db, name, sha256, script, key, of))
        new = total = 0
        rows = iter(cases)
        while chunk := list(itertools.islice(rows, LOAD_CHUNK)):
            new += self._db.run(lambda db, chunk=chunk: batches.add_cases(db, batch_id, chunk, of))  # type: ignore[misc]
            total += len(chunk)
            progress(total)
        return BatchLoaded(batch_id, new=new, already=total - new)

    def batch_progress(self, batch_id: int) -> BatchProgress:
        """Raises NotFound."""
        at = self._given_now() if self._given_now else None
        return self._db.run(lambda db: batches.progress(db, batch_id, at))

    def report_rows(self, batch_id: int) -> Iterator[ReportRow]:
        """One row per case, in calling order, streamed from one snapshot."""
        return self._db.stream(lambda db: batches.report(db, batch_id))

    # ---- campaigns ----------------------------------------------------------------------------------------------

    def create_campaign(self, name: str, strategy: str, *, priority: int = 0, lines: int | None = None) -> Campaign:
        """Made on first sight. `lines`: the most calls at the same time over all workers. Raises StoreError where
        another strategy goes by that name."""
        return self._db.run(lambda db: campaigns.create(db, name, strategy, priority, lines), durable=True)

    def campaign(self, name: str) -> Campaign:
        """Raises NotFound."""
        return self._db.run(lambda db: campaigns.named(db, name))

    def campaigns(self) -> tuple[Campaign, ...]:
        return self._db.run(campaigns.everyone)

    def change_campaign(
        self,
        name: str,
        *,
        state: str | None = None,
        strategy: str | None = None,
        priority: int | None = None,
        lines: int | None = None,
    ) -> Campaign:
        """Pause, resume, stop; or another strategy, under which everything that waits is planned anew.
        Raises NotFound."""
        given = {"state": state, "strategy": strategy, "priority": priority, "lines": lines}
        values: dict[str, object] = {k: v for k, v in given.items() if v is not None}

        def work(db: Connection) -> Campaign:
            changed = campaigns.change(db, name, values) if values else campaigns.named(db, name)
            if strategy is not None:
                planning.plan_again(db, changed.campaign_id)
            return changed

        return self._db.run(work, durable=True)

    def plan_again(self, name: str) -> int:
        """Everything of the campaign that waits is planned anew: its strategy's file has changed. How many."""
        of = self.campaign(name).campaign_id
        return self._db.run(lambda db: planning.plan_again(db, of))

    def campaign_batches(self, name: str) -> tuple[int, ...]:
        of = self.campaign(name).campaign_id
        return self._db.run(lambda db: campaigns.batches_of(db, of))

    def campaign_progress(self, name: str) -> BatchProgress:
        """Raises NotFound."""
        of = self.campaign(name).campaign_id
        return self._db.run(lambda db: campaigns.progress(db, of, self._given_now() if self._given_now else None))

    def plan_due(self, strategies: planning.Strategies, name: str | None = None) -> int:
        """Plan what is marked for it, in the running campaigns or that one; how many cases."""
        planned = 0
        for batch_id, campaign in self._db.run(lambda db: campaigns.running(db, name)):
            strategy = strategies(campaign.strategy)
            if strategy is None:
                continue
            by = planning.Planner(batch_id, strategy, self._zone, self._given_now() if self._given_now else None)
            while found := self._db.run(lambda db, by=by: planning.plan_due(db, by)):  # type: ignore[misc]
                planned += found
        return planned

    def claim_for_campaigns(self, boot: str, k: int, name: str | None = None) -> list[Claim]:
        """As `claim_due`, over all running campaigns, or that one; the more urgent first, none over its lines."""
        claims: list[Claim] = []
        for batch_id, campaign in self._db.run(lambda db: campaigns.running(db, name)):
            if len(claims) >= k:
                break
            claims += self.claim_due(boot, k - len(claims), batch_id, campaign)
        return claims

    def columns_of(self, source: str, change: Mapping[str, str] | None = None) -> dict[str, str]:
        """What this source calls our fields, column name -> field. `change` is kept for its next files."""

        def work(db: Connection) -> dict[str, str]:
            found = campaigns.columns_of(db, source) | dict(change or {})
            if change:
                campaigns.keep_columns(db, source, found)
            return found

        return self._db.run(work)

    # ---- messages -----------------------------------------------------------------------------------------------

    def claim_messages(self, k: int, channels: Sequence[Channel]) -> list[MessageClaim]:
        """Take up to `k` due messages of the running campaigns that the gate permits now, by these channels."""
        claims: list[MessageClaim] = []
        for batch_id, campaign in self._db.run(lambda db: campaigns.running(db, None)):
            given = self._given_now() if self._given_now else None
            by = Claimer(batch_id, "messages", self._lease_s, self._pack, self._zone, given, campaign)
            for _ in range(permits.ROUNDS):
                wanted = k - len(claims)
                found, judged = self._db.run(
                    lambda db, by=by, n=wanted: messages.claim(db, by, n, channels),  # type: ignore[misc]
                    durable=True,
                )
                claims += found
                if len(claims) >= k or not judged:
                    break
            if len(claims) >= k:
                break
        return claims

    def message_sent(self, message_id: int, state: str, told: str) -> bool:
        """Its ending: sent (with the provider's number), failed or unknown (with the reason)."""
        at = self._given_now() if self._given_now else None
        return self._db.run(lambda db: messages.ended(db, message_id, state, told, at), durable=True)

    def message_receipt(self, channel: Channel, provider_id: str, state: str, error: str | None = None) -> None:
        """What the provider says of it later: delivered or failed. Raises NotFound."""
        self._db.run(lambda db: messages.receipt(db, channel, provider_id, state, error))

    def message_replied(self, number: str, words: str) -> int:
        """Somebody answered; TD, 退订 opts out of messages. How many debtors that are."""
        return self._db.run(lambda db: messages.replied(db, number, words), durable=True)

    def reap_messages(self) -> int:
        """Messages whose sender vanished become unknown. How many."""
        return self._db.run(messages.reap)

    # ---- payments -----------------------------------------------------------------------------------------------

    def add_payments(self, new: Iterable[NewPayment]) -> PaymentsLoaded:
        """Money that came in: lowers what is owed, closes cases, keeps promises. The same payment twice is one."""
        total = PaymentsLoaded(0, 0, 0, 0)
        rows = iter(new)
        while chunk := list(itertools.islice(rows, LOAD_CHUNK)):
            some = self._db.run(
                lambda db, chunk=chunk: payments.add(db, chunk, self._zone, self._now()),  # type: ignore[misc]
                durable=True,
            )
            total = PaymentsLoaded(*(a + b for a, b in zip(astuple(total), astuple(some), strict=True)))
        return total

    def settle_promises(self) -> int:
        """Say of the promises whose day has passed whether they were kept. How many changed."""
        return self._db.run(lambda db: payments.settle(db, self._zone, self._now()))

    # ---- attempts -----------------------------------------------------------------------------------------------

    def claim_due(self, boot: str, k: int, batch_id: int, campaign: Campaign | None = None) -> list[Claim]:
        """Take up to `k` open cases of the batch that may be called now for the worker `boot` (unique for each start of
        a process). Those that may not be called wait, or are held.

        Nobody else gets them while the lease is renewed. A claim whose answer was lost runs out by itself.
        """
        given = self._given_now() if self._given_now else None
        by = Claimer(batch_id, boot, self._lease_s, self._pack, self._zone, given, campaign, self._trunks)
        claims: list[Claim] = []
        for _ in range(permits.ROUNDS):
            wanted = k - len(claims)
            found, judged = self._db.run(lambda db, n=wanted: permits.claim(db, by, n), durable=True)  # type: ignore[misc]
            claims += found
            if len(claims) >= k or not judged:
                break
        return claims

    def start_dialing(self, attempt_id: str, boot: str) -> bool:
        """Once this has said True, durable, the INVITE may go out. False: the lease was lost; do not dial."""
        token = secrets.token_hex(8)
        at = self._given_now() if self._given_now else None
        return self._db.run(
            lambda db: attempts.start_dialing(
                db, attempt_id=attempt_id, boot=boot, token=token, lease_s=self._lease_s, at=at
            ),
            durable=True,
        )

    def release(self, attempt_id: str, boot: str) -> bool:
        """Give a claim back before dialling: the case is open again. False: it was not ours to give any more."""
        return self._db.run(lambda db: attempts.release(db, attempt_id=attempt_id, boot=boot))

    def renew(self, boot: str, attempt_ids: Iterable[str]) -> frozenset[str]:
        """Extend the leases; returns those still held. A call whose lease is gone goes on: its ending still counts."""
        ids = tuple(attempt_ids)
        return self._db.run(lambda db: attempts.renew(db, boot=boot, ids=ids, lease_s=self._lease_s))

    def reap(self) -> tuple[int, int]:
        """Judge the leases that ran out, of any worker: (lost and open again, unknown)."""
        return self._db.run(attempts.reap)

    def end_attempt(self, attempt_id: str, outcome: AttemptEnd) -> bool:
        """Write the attempt's one ending; also a late one, after it was judged unknown. False: it already has one."""

        def work(db: Connection) -> bool:
            ended = attempts.end(db, attempt_id=attempt_id, outcome=outcome)
            if ended and self._trunks:
                trunks.ended(db, attempt_id, self._trunks, failed=outcome.kind == "failed")
            return ended

        return self._db.run(work, durable=True)

    def dial_slot(self, trunk: str | None) -> float:
        """Take the next slot of that trunk's calls per second; how long to wait for it, in seconds."""
        found = next((t for t in self._trunks if t.name == trunk), None)
        return self._db.run(lambda db: trunks.slot(db, found)) if found else 0.0

    # ---- debtors ------------------------------------------------------------------------------------------------

    def change_debtor(
        self, debtor: str, add: Mapping[str, Sequence[str]], remove: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Write down or strike statuses, consents, do_not_call, opted_out; what was put off for them is judged again.
        Raises NotFound."""
        self._db.run(lambda db: permits.change(db, debtor, add, remove), durable=True)

    def add_outside_contacts(self, debtor: str, contacts: Sequence[Contact]) -> None:
        """What agencies and other systems did; the same contact twice counts once."""
        self._db.run(lambda db: permits.add_outside(db, debtor, contacts), durable=True)

    def would_contact(self, case_id: str, at: datetime | None = None) -> tuple[Pack, Facts, Request]:
        """What the gate would be asked about the newest case of that number, now. Books nothing. Raises NotFound."""
        moment = at or self._now()
        facts, request = self._db.run(lambda db: permits.judged_now(db, case_id, self._pack, moment))
        return self._pack, facts, request

    def would_call(self, number: str, at: datetime | None = None) -> tuple[Pack, Facts, Request]:
        """The same for a number that somebody calls by hand. A debtor of whom nothing is known has no history."""
        moment = at or self._now()
        found = self._db.run(lambda db: permits.facts_of(db, [number], self._pack, moment, moment.date()))
        return self._pack, found.get(number, Facts(number)), Request(moment, number=number)

    # ---- calls --------------------------------------------------------------------------------------------------

    def start_call(self, call: NewCall) -> None:
        """Raises NotFound for an unknown attempt."""
        self._db.run(lambda db: calls.start(db, call))

    def end_call(self, call_id: str, how: CallEnd) -> None:
        """Raises NotFound."""
        self._db.run(lambda db: calls.end(db, call_id, how), durable=True)

    def store_promise(self, promise: NewPromise) -> str:
        """Write a promise; its id (P00000042) means that it is on disk. The same promise again gives the same id.

        Raises NotFound for an unknown call, PromiseConflict for another promise under the same confirmation,
        StoreUnavailable when the database stays away.
        """
        return self._db.run(lambda db: calls.add_promise(db, promise), durable=True)

    def withdraw_promise(self, promise_id: str, text: str, from_sample: int, to_sample: int) -> None:
        """The customer took it back, in these words, at these samples of the same recording. It stays in the ledger,
        struck; withdrawing it twice changes nothing. Raises NotFound."""
        self._db.run(lambda db: calls.withdraw(db, promise_id, text, from_sample, to_sample), durable=True)

    def flag_call(self, call_id: str, name: str) -> None:
        """Write a wish or a warning while the call still goes on; `end_call` has the last word. Raises NotFound."""
        self._db.run(lambda db: calls.flag(db, call_id, name), durable=True)

    def promises_of(self, call_id: str) -> tuple[StoredPromise, ...]:
        return self._db.run(lambda db: calls.promises_of(db, call_id))

    def book_callback(self, call_id: str, at: datetime | None, reason: str) -> None:
        """One per call: the last booking counts. `at` None: no time was agreed. Raises NotFound."""
        self._db.run(lambda db: calls.book_callback(db, call_id, at, reason), durable=True)

    # ---- the API's doors ----------------------------------------------------------------------------------------

    def page(self, name: str, filters: Mapping[str, object], after: str | None = None, limit: int = 50) -> reading.Page:
        """One page of a list of `voicebot.store.reading`, newest first."""
        return self._db.run(lambda db: reading.page(db, name, filters, after, limit))

    def create_key(self, name: str, scopes: Sequence[str]) -> str:
        """A new API key, which is shown this once. Raises StoreError for a name that was used before."""
        return self._db.run(lambda db: keys.create(db, name, scopes), durable=True)

    def revoke_key(self, name: str) -> None:
        """Raises NotFound."""
        self._db.run(lambda db: keys.revoke(db, name), durable=True)

    def owner_of(self, key: str) -> keys.ApiKey | None:
        return self._db.run(lambda db: keys.owner(db, key))

    def api_keys(self) -> list[tuple[str, tuple[str, ...], bool]]:
        """(name, scopes, whether it still works)."""
        return self._db.run(keys.everyone)

    def open_request(self, api_key: int, key: str, sha256: str) -> keys.Answer | None:
        """None: never asked, answer it. Otherwise how it was answered."""
        return self._db.run(lambda db: keys.open_request(db, api_key, key, sha256), durable=True)

    def close_request(self, api_key: int, key: str, answer: keys.Answer | None) -> None:
        self._db.run(lambda db: keys.close_request(db, api_key, key, answer), durable=True)

    def add_webhook(self, url: str, secret: str, events: Sequence[str]) -> int:
        return self._db.run(lambda db: outbox.add_webhook(db, url, secret, events), durable=True)

    def remove_webhook(self, webhook_id: int) -> None:
        """Raises NotFound."""
        self._db.run(lambda db: outbox.remove_webhook(db, webhook_id), durable=True)

    def take_deliveries(self, k: int) -> list[outbox.Delivery]:
        return self._db.run(lambda db: outbox.take(db, k))

    def delivery_answered(self, delivery_id: int, answer: str, *, good: bool) -> None:
        self._db.run(lambda db: outbox.answered(db, delivery_id, answer, good=good))
