"""What came of each provider's webhooks in the last day, for whoever looks: a hash an hour.

They are for people. A worker that dies loses the counts of its last second, and one whose batch is
done again counts twice; the deliveries themselves are what is true.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from redis import Redis

from gateway.store import keys
from gateway.store.connection import executed
from gateway.store.secret_use import count_uses
from gateway.store.times import from_micros, to_micros

HOURS = 24
_KEEP = timedelta(hours=HOURS + 2)
_SLOT = timedelta(minutes=5)
RECEIVED, REFUSED = "received", "refused"
BOUNDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 3600, 86_400)
"""Upper bounds of what is counted together, in seconds; what is longer has none."""


@dataclass(frozen=True, slots=True)
class Worked:
    """A delivery that was worked on; `lag` from the provider's time to ours, if it told one.

    `secret` is the label of the one that matched. `first`: it had not been worked on before, so
    it counts as received, and its lags count.
    """

    provider_id: str
    state: str
    received_at: datetime
    finished_at: datetime
    secret: str = ""
    lag: timedelta | None = None
    first: bool = True


@dataclass(frozen=True, slots=True)
class Hour:
    """The counts of one hour that began at `start`; lags are counts for each of BOUNDS and above.

    `received_lags`: from the provider's time to ours; `applied_lags`: from there to the decision.
    """

    start: datetime
    counts: Mapping[str, int]
    received_lags: Sequence[int]
    applied_lags: Sequence[int]


@dataclass(frozen=True, slots=True)
class Day:
    """An instance's last 24 hours, oldest first, and its counts of the last hour."""

    hours: tuple[Hour, ...]
    last_hour: Mapping[str, int] = field(default_factory=dict)

    def total(self, name: str) -> int:
        return sum(hour.counts.get(name, 0) for hour in self.hours)


class Tallies:
    """Counts of each instance. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def count(self, worked: Sequence[Worked]) -> None:
        """Counts deliveries and the uses of secrets, in one round trip."""
        if not worked:
            return
        counts = Counter(mark for one in worked for mark in _marks(one))
        pipeline = self._client.pipeline(transaction=False)
        for (provider_id, hour, name), times in counts.items():
            pipeline.hincrby(keys.tally(provider_id, hour), name, times)
        for provider_id, hour in {(provider_id, hour) for provider_id, hour, _ in counts}:
            # Once is enough, and what changes nothing costs the store no write.
            pipeline.expire(keys.tally(provider_id, hour), _KEEP, nx=True)
        for provider_id, at in {one.provider_id: one.received_at for one in worked}.items():
            pipeline.set(keys.last_received(provider_id), to_micros(at))
        first = [one for one in worked if one.first]
        count_uses(pipeline, [(one.provider_id, one.secret, one.finished_at) for one in first])
        executed(pipeline)

    def count_refused(self, provider_id: str, at: datetime, times: int) -> None:
        """Counts refused requests."""
        where = keys.tally(provider_id, _name(at))
        pipeline = self._client.pipeline(transaction=False)
        pipeline.hincrby(where, _slotted(at, REFUSED), times)
        pipeline.expire(where, _KEEP, nx=True)
        executed(pipeline)

    def last(self, provider_ids: Sequence[str]) -> list[datetime | None]:
        """When each instance's last delivery came that was worked on."""
        wheres = [keys.last_received(provider_id) for provider_id in provider_ids]
        pipeline = self._client.pipeline(transaction=False)
        for where in wheres:
            pipeline.get(where)
        found = executed(pipeline) if wheres else []
        return [from_micros(int(at)) if at else None for at in found]

    def days(self, provider_ids: Sequence[str], now: datetime) -> list[Day]:
        """The last day of each instance, in one round trip."""
        this = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        starts = [this - timedelta(hours=back) for back in reversed(range(HOURS))]
        pipeline = self._client.pipeline(transaction=False)
        for provider_id in provider_ids:
            for start in starts:
                pipeline.hgetall(keys.tally(provider_id, _name(start)))
        found = executed(pipeline) if provider_ids else []
        size = len(starts)
        rows = [found[at : at + size] for at in range(0, len(found), size)]
        return [_day(starts, row, now) for row in rows]


def _marks(one: Worked) -> Iterable[tuple[str, str, str]]:
    """Instance, hour and field of all that is counted for a delivery."""
    provider_id = one.provider_id
    yield provider_id, _name(one.finished_at), _slotted(one.finished_at, one.state)
    if one.first:
        hour = _name(one.received_at)
        yield provider_id, hour, _slotted(one.received_at, RECEIVED)
        yield provider_id, hour, f"a{_bucket(one.finished_at - one.received_at)}"
        if one.lag is not None:
            yield provider_id, hour, f"r{_bucket(one.lag)}"


def _bucket(lag: timedelta) -> int:
    return bisect_left(BOUNDS, lag.total_seconds())


def _name(at: datetime) -> str:
    return _hour_name(int(at.timestamp()) // 3600)


@lru_cache(maxsize=64)
def _hour_name(hours: int) -> str:
    # Once an hour, not three times a delivery.
    return f"{datetime.fromtimestamp(hours * 3600, UTC):%Y%m%d%H}"


def _slotted(at: datetime, name: str) -> str:
    return f"{at.minute // (_SLOT.seconds // 60)} {name}"


def _day(starts: Sequence[datetime], rows: Sequence[Mapping[bytes, bytes]], now: datetime) -> Day:
    hours, recent = [], Counter[str]()
    for start, raw in zip(starts, rows, strict=True):
        counts, received, applied = Counter[str](), _lags(), _lags()
        for key, value in raw.items():
            slot, _, name = key.decode().partition(" ")
            if not name:
                lags = received if slot[0] == "r" else applied
                lags[int(slot[1:])] += int(value)
                continue
            counts[name] += int(value)
            if start + (int(slot) + 1) * _SLOT > now - timedelta(hours=1):
                recent[name] += int(value)
        hours.append(Hour(start, counts, received, applied))
    return Day(tuple(hours), recent)


def _lags() -> list[Any]:
    return [0] * (len(BOUNDS) + 1)


def quantile(lags: Sequence[int], share: float) -> float | None:
    """The bound under which this share of the lags lies, in seconds; None: there are none."""
    wanted, seen = sum(lags) * share, 0
    for bound, count in zip((*BOUNDS, BOUNDS[-1]), lags, strict=True):
        seen += count
        if count and seen >= wanted:
            return float(bound)
    return None
