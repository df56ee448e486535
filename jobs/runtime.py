"""What jobs work with: made once a process from the environment, or handed in by tests."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from redis import Redis

from gateway.config import Settings, from_environment
from gateway.store.bodies import Bodies
from gateway.store.carts import Carts
from gateway.store.clients import edge_client, worker_client
from gateway.store.delivery_lists import DeliveryLists
from gateway.store.inbox import Inbox
from gateway.store.journal import Journal
from gateway.store.listings import Listings
from gateway.store.provider_apis import ProviderApis
from gateway.store.sealing import Seal
from gateway.store.secret_use import SecretUses
from gateway.store.sessions import Sessions
from gateway.store.tallies import Tallies
from jobs.queue import JobQueue
from providers.registry import Instance

stopping = threading.Event()
"""Set when this worker was asked to stop: long jobs end early, and what is left is woken again."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """`clock` gives aware UTC."""

    inbox: Inbox
    lists: DeliveryLists
    bodies: Bodies
    journal: Journal
    sessions: Sessions
    carts: Carts
    listings: Listings
    provider_apis: ProviderApis
    secret_uses: SecretUses
    tallies: Tallies
    queue: JobQueue
    instances: Mapping[str, Instance]
    clock: Callable[[], datetime]
    body_days: int = 35


def now() -> datetime:
    return datetime.now(UTC)


@cache
def runtime() -> Runtime:
    """This process's runtime. Raises ConfigurationError."""
    settings = from_environment()
    return connect(settings, worker_client(settings.store_url))


def connect(settings: Settings, client: Redis) -> Runtime:
    """A runtime over a connection to the store, patient or not."""
    # A wake-up that fails is made good by the sweep: not worth waiting for.
    return make(settings, client, edge_client(settings.queue_url), now)


def make(settings: Settings, client: Redis, queue: Redis, clock: Callable[[], datetime]) -> Runtime:
    sessions, seal = Sessions(client, settings.ack_replicas), Seal(settings.body_keys)
    return Runtime(
        inbox=Inbox(client, settings.shards, seal, settings.ack_replicas),
        lists=DeliveryLists(client, settings.shards),
        bodies=Bodies(client, settings.shards, seal),
        journal=Journal(client, seal),
        sessions=sessions,
        carts=Carts(client, sessions),
        listings=Listings(client),
        provider_apis=ProviderApis(client),
        secret_uses=SecretUses(client),
        tallies=Tallies(client),
        queue=JobQueue(queue),
        instances=settings.instances,
        clock=clock,
        body_days=settings.body_days,
    )
