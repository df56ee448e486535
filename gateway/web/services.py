"""What the web floor works with; tests hand in their own."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.config import Settings
from gateway.store.changes import Changes
from gateway.store.clients import edge_client, listening_client
from gateway.store.collections import Collections
from gateway.store.health import HealthWatch
from gateway.store.idempotency import IdempotencyKeys
from gateway.store.keys import DeliveryState
from gateway.store.logins import Logins
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
    logins: Logins
    health: HealthWatch
    unsettled: Callable[[], int]


class Glance:
    """A number that is looked up at most once in a while, by whoever asks next."""

    def __init__(self, look: Callable[[], int], max_age: float = 1.0) -> None:
        self._look = look
        self._max_age = max_age
        self._last = (-math.inf, 0)

    def __call__(self) -> int:
        at, number = self._last
        if time.monotonic() - at > self._max_age:
            number = self._look()
            self._last = (time.monotonic(), number)
        return number


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
        logins=Logins(client, Tokens(client)),
        health=HealthWatch(client, runtime.clock),
        unsettled=Glance(lambda: runtime.lists.count(DeliveryState.UNSETTLED)),
    )
