"""Which secrets still match: before an old one is taken away, nobody should be using it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis
from redis.client import Pipeline

from gateway.store import keys
from gateway.store.connection import guarded
from gateway.store.times import from_micros, to_micros


@dataclass(frozen=True, slots=True)
class SecretUse:
    """How often the secret under a label matched a delivery, and when last (aware UTC)."""

    label: str
    count: int
    last_at: datetime


def count_uses(pipeline: Pipeline, matched: Iterable[tuple[str, str, datetime]]) -> None:
    """Counts instances' labels with their times along with what else a pipeline does."""
    uses: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for instance, label, at in matched:
        if label:
            uses[instance, label].append(at)
    for (instance, label), times in uses.items():
        pipeline.hincrby(keys.secret_use(instance), f"{label} count", len(times))
        pipeline.hset(keys.secret_use(instance), f"{label} last", str(to_micros(max(times))))


class SecretUses:
    """Uses of each instance's secrets, by label. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def of(self, instance: str) -> list[SecretUse]:
        """All labels of an instance that ever matched, in alphabetical order."""
        raw: Any = guarded(self._client.hgetall, keys.secret_use(instance))
        found = {name.decode(): int(value) for name, value in raw.items()}
        labels = sorted(name.removesuffix(" count") for name in found if name.endswith(" count"))
        return [
            SecretUse(label, found[f"{label} count"], from_micros(found[f"{label} last"]))
            for label in labels
        ]
