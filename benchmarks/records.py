"""Sessions and deliveries put into a store directly, in the form that the gateway itself writes."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from random import getrandbits

from processes import eventually
from redis import Redis
from stage import Stage
from traffic import (
    AMOUNT,
    CURRENCY,
    SHARDS,
    Webhook,
    payment_id,
    provider_of,
    session_id,
    webhooks,
)

from gateway.domain.events import SessionStatus
from gateway.domain.history import session_created
from gateway.domain.sessions import PaymentSession, Record, new_payment
from gateway.store import keys
from gateway.store.clients import worker_client
from gateway.store.deliveries import StoredDelivery, pack
from gateway.store.inbox import RETENTION, Inbox
from gateway.store.keys import DeliveryState
from gateway.store.listings import Listings
from gateway.store.sealing import Seal
from gateway.store.sessions import Commit, Sessions

_BATCH = 500
# Times its size after the last rewrite; by itself a store rewrites at twice.
_DUE = 1.3


@contextmanager
def writing(stage: Stage) -> Iterator[Redis]:
    """A client for filling the store, which need not sync every write meanwhile."""
    client = worker_client(stage.store_url)
    fsync = client.config_get("appendfsync")["appendfsync"]
    client.config_set("appendfsync", "no")
    try:
        yield client
    finally:
        client.config_set("appendfsync", fsync)
        tidy(client)
        client.close()


def tidy(client: Redis) -> None:
    """Has the store rewrite its file, if that has grown.

    It takes a core for a while, and would hit one round and not the other: so it is done between
    rounds, and the store of a stage never begins by itself.
    """
    told = client.info("persistence")
    if told["aof_current_size"] > _DUE * told["aof_base_size"]:
        client.bgrewriteaof()
        eventually(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "tidy", 600)


def make_sessions(client: Redis, first: int, count: int) -> None:
    """Sessions as the checkout makes them, with an idempotency key as long as a real one."""
    sessions, listings = Sessions(client), Listings(client)
    now = datetime.now(UTC)
    for start in range(first, first + count, _BATCH):
        made = [_session(n, now) for n in range(start, min(start + _BATCH, first + count))]
        commits = [
            Commit(None, Record(one, new_payment(one)), (session_created(one, "api:checkout"),))
            for one in made
        ]
        assert all(sessions.commit(commits))
        sessions.index(made)
        listings.state(made)


def _session(number: int, now: datetime) -> PaymentSession:
    return PaymentSession(
        id=session_id(number),
        provider_id=provider_of(number),
        amount=AMOUNT,
        currency_code=CURRENCY,
        cart_id=None,
        data={"id": payment_id(number)},
        is_initiated=True,
        idempotency_key=f"{number:032}",
        created_at=now,
        updated_at=now,
        version=1,
    )


def make_backlog(client: Redis, given: Iterable[Webhook]) -> None:
    """Webhooks as the edge keeps them."""
    inbox = Inbox(client, SHARDS)
    for one in given:
        made = inbox.append(
            one.delivery,
            one.key,
            secret="webhook_secrets[0]",
            settled=True,
            request_id=f"{getrandbits(128):032x}",
        )
        assert made.new


def make_applied(client: Redis, first: int, count: int) -> None:
    """Deliveries that were applied some time ago."""
    listed = keys.deliveries(0, DeliveryState.APPLIED)
    made = webhooks(first, count)
    while some := list(islice(made, _BATCH)):
        pipeline = client.pipeline(transaction=False)
        for one in some:
            at = one.delivery.received_at
            stored = StoredDelivery(one.delivery_id, one.delivery, DeliveryState.APPLIED)
            notes = (f"payment.authorized: applied to {session_id(one.session)}",)
            packed = {"state": "applied", "packed": pack(stored, at, notes, Seal())}
            pipeline.hset(keys.delivery(one.delivery_id), mapping=packed)
            pipeline.pexpire(keys.delivery(one.delivery_id), RETENTION)
            pipeline.zadd(listed, {one.delivery_id: at.timestamp() * 1000})
        pipeline.execute()


def missing(client: Redis, given: Iterable[Webhook]) -> int:
    """How many of the webhooks are in no form in the store."""
    ids, lost = (one.delivery_id for one in given), 0
    while some := list(islice(ids, _BATCH)):
        pipeline = client.pipeline(transaction=False)
        for one in some:
            pipeline.exists(keys.delivery(one))
        lost += pipeline.execute().count(0)
    return lost


def check_applied(client: Redis, first: int, count: int, events: int) -> None:
    """Every session is authorized, and has each of its events once in its history."""
    sessions, seen = Sessions(client), Counter()
    for start in range(first, first + count, _BATCH):
        ids = [session_id(n) for n in range(start, min(start + _BATCH, first + count))]
        statuses = [one.status for one in sessions.get_many(ids)]
        assert set(statuses) == {SessionStatus.AUTHORIZED}, Counter(statuses)
        pipeline = client.pipeline(transaction=False)
        for one in ids:
            pipeline.hlen(keys.history(one))
        seen.update(pipeline.execute())
    assert seen == {1 + events: count}, seen
