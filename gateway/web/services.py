"""What the web floor works with; tests hand in their own."""

from dataclasses import dataclass

from gateway.config import Settings
from gateway.store.changes import Changes
from gateway.store.collections import Collections
from gateway.store.connection import edge_client, listening_client
from gateway.store.health import HealthWatch
from gateway.store.idempotency import IdempotencyKeys
from gateway.store.tokens import Tokens
from jobs import runtime as jobs_runtime
from jobs.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Services:
    """The runtime that web shares with the jobs, and what only web needs."""

    settings: Settings
    runtime: Runtime
    collections: Collections
    idempotency: IdempotencyKeys
    changes: Changes
    tokens: Tokens
    health: HealthWatch


def connect(settings: Settings) -> Services:
    """The services of a web process; a store that is down is a 503 later, not a crash now."""
    client = edge_client(settings.store_url)
    runtime = jobs_runtime.connect(settings, client)
    return Services(
        settings=settings,
        runtime=runtime,
        collections=Collections(client),
        idempotency=IdempotencyKeys(client),
        changes=Changes(listening_client(settings.store_url)),
        tokens=Tokens(client),
        health=HealthWatch(client, runtime.clock),
    )
