"""Lists of deliveries by state, for whoever looks: sorted sets by when they got there.

The inbox keeps them, in the same step in which a delivery changes its state.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from redis import Redis

from gateway.store import keys
from gateway.store.connection import guarded
from gateway.store.deliveries import Spot
from gateway.store.keys import DeliveryState
from gateway.store.times import to_millis


class DeliveryLists:
    """The lists of all shards. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, shards: int) -> None:
        self._client = client
        self.shards = shards

    def listed(self, state: DeliveryState, count: int) -> list[str]:
        """Ids of the latest deliveries in a state, newest first."""
        return [spot.delivery_id for spot in self.page(state, None, None, count)]

    def page(
        self, state: DeliveryState, after: Spot | None, since: datetime | None, count: int
    ) -> list[Spot]:
        """The next deliveries of a state, those first that got there last; `since` ends them."""
        oldest = "-inf" if since is None else str(to_millis(since))
        found = [
            spot
            for shard in range(self.shards)
            for spot in self._page(keys.deliveries(shard, state), after, oldest, count)
        ]
        return sorted(found, reverse=True)[:count]

    def _page(self, where: str, after: Spot | None, oldest: str, count: int) -> list[Spot]:
        newest = str(after.millis) if after else "+inf"
        found: list[Spot] = []
        start = 0
        while len(found) < count:
            page: Any = guarded(
                self._client.zrevrangebyscore,
                where,
                newest,
                oldest,
                start=start,
                num=count,
                withscores=True,
            )
            spots = [Spot(int(score), member.decode()) for member, score in page]
            # A batch gets there in one moment: those of it that were seen come once more.
            found += [spot for spot in spots if after is None or spot < after]
            start += count
            if len(page) < count:
                break
        return found[:count]

    def count(self, state: DeliveryState) -> int:
        """How many deliveries are in a state."""
        wheres = [keys.deliveries(shard, state) for shard in range(self.shards)]
        return sum(int(guarded(self._client.zcard, where)) for where in wheres)

    def oldest(self, shard: int, state: DeliveryState, before: datetime, count: int) -> list[str]:
        """Ids of deliveries that have been in a state, or were last touched, before a time."""
        where, until = keys.deliveries(shard, state), to_millis(before)
        found: Any = guarded(self._client.zrangebyscore, where, "-inf", until, start=0, num=count)
        return [member.decode() for member in found]

    def touch(self, shard: int, state: DeliveryState, ids: Sequence[str], at: datetime) -> None:
        """Moves listed deliveries to the end of their list."""
        if ids:
            scores: Any = dict.fromkeys(ids, to_millis(at))
            guarded(self._client.zadd, keys.deliveries(shard, state), scores, xx=True)

    def forget_applied(self, shard: int, before: datetime) -> None:
        """Takes deliveries that have expired off the list of the applied ones."""
        where = keys.deliveries(shard, DeliveryState.APPLIED)
        guarded(self._client.zremrangebyscore, where, "-inf", to_millis(before))
