"""Which secrets still match: before an old one is taken away, nobody should be using it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from gateway.store import keys
from gateway.store.connection import executed, guarded
from gateway.store.times import from_micros, to_micros


@dataclass(frozen=True, slots=True)
class SecretUse:
    """How often the secret under a label matched a delivery, and when last (aware UTC)."""

    label: str
    count: int
    last_at: datetime


class SecretUses:
    """Uses of each instance's secrets, by label. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def count(self, matched: Iterable[tuple[str, str]], at: datetime) -> None:
        """Counts (instance, label) pairs, in one round trip."""
        pipeline = self._client.pipeline(transaction=False)
        uses = Counter(matched)
        for (instance, label), times in uses.items():
            pipeline.hincrby(keys.secret_use(instance), f"{label} count", times)
            pipeline.hset(keys.secret_use(instance), f"{label} last", str(to_micros(at)))
        if uses:
            executed(pipeline)

    def of(self, instance: str) -> list[SecretUse]:
        """All labels of an instance that ever matched, in alphabetical order."""
        raw: Any = guarded(self._client.hgetall, keys.secret_use(instance))
        found = {name.decode(): int(value) for name, value in raw.items()}
        labels = sorted(name.removesuffix(" count") for name in found if name.endswith(" count"))
        return [
            SecretUse(label, found[f"{label} count"], from_micros(found[f"{label} last"]))
            for label in labels
        ]
