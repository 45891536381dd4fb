"""What other systems are told, and the API's keys and repeated requests, on a real database."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import text
from store_samples import NOW, promise

from dialogue.acts import Disposition
from voicebot.store import CallEnd, NewPayment, NotFound, Store, StoreError
from voicebot.store.keys import Answer

_names = (f"key-{n}" for n in itertools.count(1))


def due(store: Store, webhook: int) -> list[str]:
    """The events that are due for a webhook; all others are put back."""
    url = f"http://127.0.0.1/{webhook}"
    return [d.event for d in store.take_deliveries(1000) if d.url == url]


@pytest.fixture
def webhook(store: Store) -> int:
    store._db.run(lambda db: db.execute(text("UPDATE deliveries SET next_at = NULL")))
    made = store.add_webhook("http://127.0.0.1/0", "whsec_x", [])
    store._db.run(
        lambda db: db.execute(text("UPDATE webhooks SET url = 'http://127.0.0.1/' || id WHERE id = :id"), {"id": made})
    )
    return made


def test_what_happened_is_told_in_its_order(store: Store, webhook: int, call: Callable[..., str]) -> None:
    call_id = call()
    number = store.store_promise(promise(call_id))
    store.store_promise(promise(call_id))  # a repeat is nothing new
    store.withdraw_promise(number, "算了", 1, 2)
    store.end_call(call_id, CallEnd(NOW, Disposition.REFUSED))
    store.add_payments([NewPayment(f"out-{call_id}", "nobody", Decimal("5"), NOW)])
    assert due(store, webhook) == ["promise.made", "promise.withdrawn", "call.ended", "payment.received"]


def test_a_webhook_is_told_what_it_asked_for_and_nothing_once_removed(store: Store, call: Callable[..., str]) -> None:
    some = store.add_webhook("http://127.0.0.1/some", "s", ["call.ended"])
    call_id = call()
    store.store_promise(promise(call_id, pay_date=date(2026, 12, 1)))
    store.end_call(call_id, CallEnd(NOW, Disposition.PROMISED))
    assert [d.event for d in store.take_deliveries(1000) if d.url.endswith("/some")] == ["call.ended"]
    store.remove_webhook(some)
    store.end_call(call(), CallEnd(NOW, Disposition.PROMISED))
    assert not [d for d in store.take_deliveries(1000) if d.url.endswith("/some")]
    with pytest.raises(NotFound):
        store.remove_webhook(some)


def test_a_delivery_is_nobody_else_s_and_comes_again_until_it_is_heard(
    store: Store, webhook: int, call: Callable[..., str]
) -> None:
    store.end_call(call(), CallEnd(NOW, Disposition.REFUSED))
    (taken,) = [d for d in store.take_deliveries(1000) if d.url.endswith(f"/{webhook}")]
    assert due(store, webhook) == []
    store.delivery_answered(taken.delivery_id, "500 Internal Server Error", good=False)
    (told,) = store.page("deliveries", {"webhook_id": webhook}).items
    assert told["next_at"] is not None and told["last_answer"].startswith("500") and told["tries"] == 1
    store.delivery_answered(taken.delivery_id, "204", good=True)
    (told,) = store.page("deliveries", {"webhook_id": webhook}).items
    assert told["next_at"] is None and told["delivered_at"] is not None


def test_a_key_opens_until_it_is_revoked(store: Store) -> None:
    name = next(_names)
    key = store.create_key(name, ["write", "read"])
    owner = store.owner_of(key)
    assert owner is not None and (owner.name, owner.scopes) == (name, ("read", "write"))
    assert store.owner_of(key[:-1]) is None and store.owner_of("") is None
    with pytest.raises(StoreError, match="another name"):
        store.create_key(name, ["read"])
    store.revoke_key(name)
    assert store.owner_of(key) is None
    assert (name, ("read", "write"), False) in store.api_keys()
    with pytest.raises(NotFound):
        store.revoke_key("nobody")


def test_a_request_is_carried_out_once(store: Store) -> None:
    store.create_key(name := next(_names), ["write"])
    owner = store._db.run(
        lambda db: db.execute(text("SELECT id FROM api_keys WHERE name = :n"), {"n": name}).scalar_one()
    )
    assert store.open_request(owner, "k", "a") is None
    assert store.open_request(owner, "k", "a") == Answer("a", None, "", b"")
    store.close_request(owner, "k", Answer("a", 201, "application/json", b"{}"))
    assert store.open_request(owner, "k", "a") == Answer("a", 201, "application/json", b"{}")
    assert store.open_request(owner, "failed", "a") is None
    store.close_request(owner, "failed", None)  # it failed: it may be tried again
    assert store.open_request(owner, "failed", "a") is None


def test_pages_follow_each_other_without_gaps(store: Store, batch: Callable[[int], int]) -> None:
    wanted = batch(7)
    seen: list[int] = []
    after = None
    while True:
        page = store.page("cases", {}, after, 3)
        seen += [row["id"] for row in page.items if row["batch_id"] == wanted]
        after = page.after
        if after is None:
            break
    assert len(seen) == 7 and seen == sorted(seen, reverse=True)
