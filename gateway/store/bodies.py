"""What happens to bodies after they were applied: they are sealed anew, and let go of in time.

A digest of the body, the verdict, and all that came of the delivery stay.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from redis import Redis

from gateway.store import keys
from gateway.store.connection import Call, call_many, executed, guarded
from gateway.store.deliveries import decode, pack
from gateway.store.keys import DeliveryState
from gateway.store.sealing import Seal
from gateway.store.times import to_micros

_PAGE = 1000


class Bodies:
    """The bodies of deliveries. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, shards: int, seal: Seal) -> None:
        self._client = client
        self._shards = shards
        self._seal = seal

    def let_go(self, delivery_ids: Sequence[str]) -> int:
        """Removes the bodies of deliveries, and keeps their digests; how many there were."""
        calls = []
        for delivery_id, raw in self._load(delivery_ids):
            stored = decode(delivery_id, raw, self._seal)
            if body := stored.delivery.body:
                bare = replace(stored, delivery=replace(stored.delivery, body=b""))
                at = stored.finished_at or stored.delivery.received_at
                packed = pack(bare, at, stored.notes, self._seal) if b"packed" in raw else b""
                digest = hashlib.sha256(body).hexdigest()
                calls.append(
                    _rewrite(
                        delivery_id, raw, packed, digest, sealed=bool(packed) and self._seal.closes
                    )
                )
        return sum(call_many(self._client, calls))

    def let_go_of_old(self, shard: int, before: datetime) -> int:
        """Removes some bodies of what was applied before a time; how many, 0 at the end of it."""
        pointer, applied = keys.bodies_gone(shard), keys.deliveries(shard, DeliveryState.APPLIED)
        reached: Any = guarded(self._client.get, pointer) or b"-inf"
        end = to_micros(before) // 1000
        found: Any = guarded(
            self._client.zrangebyscore, applied, reached, end, start=0, num=_PAGE, withscores=True
        )
        if not found:
            return 0
        done = self.let_go([member.decode() for member, _ in found])
        # From here on: those of the same moment come once more, and have no body any more.
        guarded(self._client.set, pointer, str(int(found[-1][1])))
        return done

    def stored(self) -> Iterator[str]:
        """The ids of all deliveries that may have a body."""
        for shard in range(self._shards):
            for state in DeliveryState:
                where, start = keys.deliveries(shard, state), 0
                while True:
                    page: Any = guarded(self._client.zrange, where, start, start + _PAGE - 1)
                    yield from (member.decode() for member in page)
                    start += _PAGE
                    if len(page) < _PAGE:
                        break

    def seal_anew(self, delivery_ids: Sequence[str]) -> int:
        """Seals bodies with the first key, whatever they were sealed with; how many there were."""
        calls = []
        for delivery_id, raw in self._load(delivery_ids):
            if kept := raw.get(_field(raw)):
                opened = self._seal.open(kept) if b"sealed" in raw else kept
                calls.append(
                    _rewrite(
                        delivery_id, raw, self._seal.close(opened), "", sealed=self._seal.closes
                    )
                )
        return sum(call_many(self._client, calls))

    def _load(self, delivery_ids: Sequence[str]) -> Iterator[tuple[str, dict[bytes, bytes]]]:
        pipeline = self._client.pipeline(transaction=False)
        for delivery_id in delivery_ids:
            pipeline.hgetall(keys.delivery(delivery_id))
        found = executed(pipeline) if delivery_ids else []
        return ((at, raw) for at, raw in zip(delivery_ids, found, strict=True) if raw)


def _field(raw: Mapping[bytes, bytes]) -> bytes:
    """Where the body is."""
    return b"packed" if b"packed" in raw else b"body"


def _rewrite(
    delivery_id: str, raw: Mapping[bytes, bytes], value: bytes, digest: str, *, sealed: bool
) -> Call:
    field = _field(raw)
    values = [field, raw[field], value, "1" if sealed else "", digest]
    return "rewrite", [keys.delivery(delivery_id)], values
