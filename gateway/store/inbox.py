"""Deliveries and the inbox: what was acknowledged, and what is still to be applied.

The inbox, not RQ, is the truth about what is left to do. It is a stream a shard with one consumer
group; an entry is a delivery id, and stays until the delivery's work is finished.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from gateway.domain.events import Delivery
from gateway.store import keys
from gateway.store.connection import Call, batched, call, call_many, executed, guarded
from gateway.store.deliveries import (
    Appended,
    Entry,
    Finished,
    Parked,
    StoredDelivery,
    Waiting,
    decode,
    decode_parked,
    encode_meta,
    encode_waits,
    pack,
)
from gateway.store.keys import LISTED, DeliveryState
from gateway.store.sealing import Seal
from gateway.store.times import from_micros, to_micros, to_millis

NO_SEAL = Seal()
GROUP = "drains"
# All drains are one consumer: who holds an entry does not matter, only for how long.
CONSUMER = "drain"
# While the flag lives somebody is looking after the shard: a drain renews it, and one that died
# leaves it behind for this long.
WAKE_TTL = timedelta(seconds=4)
_WAKE_MILLIS = WAKE_TTL // timedelta(milliseconds=1)
# The place in the stream of a delivery that has left it.
NO_ENTRY = "0-0"
# A parked delivery has no body to unpack, unless it was applied once and replayed.
_PARKED_FIELDS = [b"meta", b"waits", b"packed", b"sealed"]
# Providers allow resending for 30 days; a delivery is kept longer, so that it is known again.
RETENTION = timedelta(days=35)


class Inbox:
    """Deliveries of all shards. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, shards: int, seal: Seal = NO_SEAL, replicas: int = 0) -> None:
        """`replicas`: how many must have a delivery before it is acknowledged."""
        self._client = client
        self._replicas = replicas
        self.shards = shards
        self._seal = seal

    def append(
        self,
        delivery: Delivery,
        key: bytes,
        *,
        secret: str,
        settled: bool,
        request_id: str = "",
        trace: str = "",
    ) -> Appended:
        """Makes a verified delivery durable in one round trip, unless its key is known."""
        delivery_id = keys.delivery_id(delivery.provider_id, key, self.shards)
        shard = keys.shard_of(delivery_id)
        where = [keys.delivery(delivery_id), keys.inbox(shard), keys.wake(shard)]
        meta = encode_meta(
            delivery, secret=secret, settled=settled, request_id=request_id, trace=trace
        )
        values = [delivery_id, _WAKE_MILLIS, "meta", meta]
        values += ["body", self._seal.close(delivery.body), *_sealed(self._seal)]
        if self._replicas:
            [(new, due)] = call_many(self._client, [("append", where, values)], self._replicas)
        else:
            new, due = call(self._client, "append", where, values)
        return Appended(delivery_id, bool(new), bool(due))

    def open(self) -> None:
        """Makes every shard's stream and group, if they are not there."""
        for shard in range(self.shards):
            guarded(self._make_group, shard)

    def claim(self, shard: int, count: int, wait: timedelta) -> list[Entry]:
        """Takes up to `count` new entries; waits for the first one for up to `wait`."""
        block = _milliseconds(wait) or None

        def read() -> Any:
            stream: dict[Any, Any] = {keys.inbox(shard): ">"}
            return self._client.xreadgroup(GROUP, CONSUMER, stream, count=count, block=block)

        return _entries(guarded(self._with_group, shard, read))

    def overdue(self, shard: int, idle: timedelta, count: int) -> list[tuple[str, int]]:
        """Entries that a drain took and left for over `idle`, with how often they were taken.

        The least tried come first: one that kills its drain must not hold up the others.
        """

        def read() -> Any:
            inbox, least = keys.inbox(shard), _milliseconds(idle)
            return self._client.xpending_range(inbox, GROUP, "-", "+", count, idle=least or None)

        pending = guarded(self._with_group, shard, read)
        tried = [(_text(item["message_id"]), int(item["times_delivered"])) for item in pending]
        return sorted(tried, key=lambda item: item[1])

    def take_over(self, shard: int, stream_ids: Sequence[str], idle: timedelta) -> list[Entry]:
        """Takes overdue entries from a dead drain, but for those that another has taken."""
        if not stream_ids:
            return []
        inbox, least = keys.inbox(shard), _milliseconds(idle)
        claimed = guarded(self._client.xclaim, inbox, GROUP, CONSUMER, least, list(stream_ids))
        return _entry_list(claimed)

    def load(self, delivery_ids: Sequence[str]) -> list[StoredDelivery | None]:
        """The deliveries of these ids in one round trip; None where there is none."""
        if not delivery_ids:
            return []
        pipeline = self._client.pipeline(transaction=False)
        for delivery_id in delivery_ids:
            pipeline.hgetall(keys.delivery(delivery_id))
        pairs = zip(delivery_ids, executed(pipeline), strict=True)
        return [decode(at, raw, self._seal) if raw else None for at, raw in pairs]

    def finish(self, shard: int, finished: Iterable[Finished]) -> None:
        """Ends the work on entries of one shard, in one round trip."""
        together = defaultdict(list)
        for one in finished:
            together[one.state, one.at].append(one)
        calls = [
            _finish_call(shard, state, at, part, self._seal)
            for (state, at), ended in together.items()
            for part in batched(ended)
        ]
        call_many(self._client, calls)

    def note_failure(self, delivery_id: str, why: str) -> None:
        """Remembers why a try failed, for whoever finds the delivery dead one day."""
        call(self._client, "annotate", [keys.delivery(delivery_id)], ["failure", why])

    def count_try(self, delivery_id: str) -> int:
        """Counts a try to settle the delivery; which one it is, since it was last put to work."""
        return int(call(self._client, "count_try", [keys.delivery(delivery_id)], []))

    def tries(self, delivery_ids: Sequence[str]) -> list[int]:
        """How often each delivery was tried to be settled."""
        pipeline = self._client.pipeline(transaction=False)
        for delivery_id in delivery_ids:
            pipeline.hget(keys.delivery(delivery_id), "tries")
        return [int(found or 0) for found in (executed(pipeline) if delivery_ids else [])]

    def requeue(self, delivery_id: str) -> Appended:
        """Puts a finished or waiting delivery back to work."""
        shard = keys.shard_of(delivery_id)
        where = [keys.delivery(delivery_id), keys.inbox(shard), keys.wake(shard), *_lists(shard)]
        new, due = call(self._client, "requeue", where, [delivery_id, _WAKE_MILLIS])
        return Appended(delivery_id, bool(new), bool(due))

    def renew_wake(self, shard: int) -> None:
        """Says that a drain looks after the shard, so that arrivals need no wake-up."""
        guarded(self._client.set, keys.wake(shard), "1", px=_WAKE_MILLIS)

    def clear_wake(self, shard: int) -> None:
        """From here on an arrival wakes the shard again; look once more after calling this."""
        guarded(self._client.delete, keys.wake(shard))

    def needs_wake(self, shard: int) -> bool:
        """Whether entries wait, or are held, and nobody looks after the shard; takes the flag."""
        if not self.backlog(shard):
            return False
        ttl = _WAKE_MILLIS
        return bool(guarded(self._client.set, keys.wake(shard), "1", nx=True, px=ttl))

    def backlog(self, shard: int) -> int:
        """How many entries of a shard are not finished."""
        return int(guarded(self._client.xlen, keys.inbox(shard)))

    def oldest_at(self, shard: int) -> datetime | None:
        """When the longest waiting entry of a shard came; None: there is none."""
        found: Any = guarded(self._client.xrange, keys.inbox(shard), count=1)
        return from_micros(int(_text(found[0][0]).partition("-")[0]) * 1000) if found else None

    def waiting(self) -> Waiting:
        """What waits in all shards together."""
        shards = range(self.shards)
        oldest = min(filter(None, map(self.oldest_at, shards)), default=None)
        return Waiting(sum(map(self.backlog, shards)), oldest)

    def note_asked(self, delivery_id: str, who: str) -> None:
        """Remembers who had a delivery worked on again."""
        call(self._client, "annotate", [keys.delivery(delivery_id)], ["asked", who])

    def give_up(self, delivery_id: str, at: datetime, why: str) -> None:
        """Makes a delivery that has waited for too long a dead letter."""
        finished = Finished(Entry(NO_ENTRY, delivery_id), DeliveryState.DEAD, at, (why,))
        self.finish(keys.shard_of(delivery_id), [finished])

    def parked(self, delivery_ids: Sequence[str]) -> list[Parked]:
        """What these deliveries wait for, without their bodies; what is gone is left out."""
        pipeline = self._client.pipeline(transaction=False)
        for delivery_id in delivery_ids:
            pipeline.hmget(keys.delivery(delivery_id), _PARKED_FIELDS)
        found = zip(delivery_ids, executed(pipeline) if delivery_ids else [], strict=True)
        read = [
            (at, {k: v for k, v in zip(_PARKED_FIELDS, raw, strict=True) if v}) for at, raw in found
        ]
        return [decode_parked(at, raw, self._seal) for at, raw in read if raw]

    def _make_group(self, shard: int) -> None:
        try:
            self._client.xgroup_create(keys.inbox(shard), GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _with_group(self, shard: int, read: Any) -> Any:
        try:
            return read()
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            # The store is new, or was emptied since this process started.
            self._make_group(shard)
            return read()


def _lists(shard: int) -> list[str]:
    return [keys.deliveries(shard, state) for state in LISTED]


def _sealed(seal: Seal) -> list[Any]:
    return ["sealed", 1] if seal.closes else []


def _finish_call(
    shard: int,
    state: DeliveryState,
    at: datetime,
    finished: Sequence[Finished],
    seal: Seal,
) -> Call:
    # It leaves all others, whatever they are: it may have been parked once more while another
    # drain had it, and would stand in two.
    others = [keys.deliveries(shard, one) for one in LISTED if one is not state]
    lists = [keys.deliveries(shard, state), *others]
    where = [keys.inbox(shard), *lists]
    where += [keys.delivery(one.entry.delivery_id) for one in finished]
    keep = _milliseconds(RETENTION) if state is DeliveryState.APPLIED else 0
    values: list[Any] = [GROUP, state.value, to_millis(at), keep, len(others)]
    for one in finished:
        fields = _finish_fields(one, seal)
        values += [one.entry.stream_id, one.entry.delivery_id, len(fields), *fields]
    return "finish", where, values


def _finish_fields(one: Finished, seal: Seal) -> list[Any]:
    if one.state is DeliveryState.APPLIED and one.stored is not None:
        # Now and not at the edge: a provider waits there.
        fields: list[Any] = ["packed", pack(one.stored, one.at, one.notes, seal), *_sealed(seal)]
    else:
        fields = ["finished", to_micros(one.at), "notes", json.dumps(one.notes)]
    return fields + (["waits", encode_waits(one.waits)] if one.waits else [])


def _entries(reply: Any) -> list[Entry]:
    """The entries of one stream, in either shape that the client's protocol versions give."""
    if not reply:
        return []
    streams = reply.values() if isinstance(reply, Mapping) else [item[1] for item in reply]
    found: list[Entry] = []
    for items in streams:
        found += _entry_list(items)
    return found


def _entry_list(items: Any) -> list[Entry]:
    if items and isinstance(items[0], list) and items[0] and isinstance(items[0][0], tuple | list):
        items = items[0]
    return [Entry(_text(at), _text(fields[b"d"])) for at, fields in items if fields]


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
