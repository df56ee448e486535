"""What happens to bodies after they were applied: they are sealed anew, and let go of in time.

A digest of the body, the verdict, and all that came of the delivery stay.
"""

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from redis import Redis

from gateway.store import keys
from gateway.store.connection import call, call_many, executed, guarded
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
        done = 0
        for delivery_id, (body, _) in zip(delivery_ids, self._load(delivery_ids), strict=True):
            if body is not None:
                digest = hashlib.sha256(body).hexdigest()
                done += call(self._client, "let_go", [keys.delivery(delivery_id)], [digest])
        return done

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
        for delivery_id, (body, packed) in zip(
            delivery_ids, self._load(delivery_ids, unpack=False), strict=True
        ):
            if body is not None:
                sealed = "1" if self._seal.closes else ""
                values = [self._seal.close(body), packed, sealed]
                calls.append(("seal_anew", [keys.delivery(delivery_id)], values))
        return sum(int(done) for done in call_many(self._client, calls))

    def _load(
        self, delivery_ids: Sequence[str], *, unpack: bool = True
    ) -> list[tuple[bytes | None, str]]:
        """Each body, opened, and whether it is packed; None where it is gone."""
        pipeline = self._client.pipeline(transaction=False)
        for delivery_id in delivery_ids:
            pipeline.hmget(keys.delivery(delivery_id), ["body", "packed", "sealed"])
        found = executed(pipeline) if delivery_ids else []
        return [self._opened(*fields, unpack=unpack) for fields in found]

    def _opened(
        self, body: bytes | None, packed: bytes | None, sealed: bytes | None, *, unpack: bool
    ) -> tuple[bytes | None, str]:
        if body is None:
            return None, ""
        opened = open_body(self._seal, body, packed=packed if unpack else None, sealed=sealed)
        return opened, "1" if packed else ""


def open_body(seal: Seal, body: bytes, *, packed: bytes | None, sealed: bytes | None) -> bytes:
    """A body as it came. Raises StoreRefused if no key opens it."""
    opened = seal.open(body) if sealed else body
    return zlib.decompress(opened) if packed else opened
