"""The overview: what needs a person, each provider's day, the store, the inbox and the workers.

Looked up for whoever is on call; the console, the API and the command line show the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.store.deliveries import Waiting
from gateway.store.health import Health
from gateway.store.keys import DeliveryState
from gateway.store.secret_use import SecretUse
from gateway.store.tallies import HOURS, RECEIVED, REFUSED, Day, Hour, quantile
from jobs.runtime import Runtime
from providers.configuration import secret_labels
from providers.registry import Instance

COUNTED = (RECEIVED, REFUSED, "applied", "parked", "dead")
"""What is counted of each provider."""

# How many would have come in an hour that nothing came, for a provider to count as silent.
_SILENT = 5.0
# Refusals of the last hour against the day's mean hour, and how many there must be at least.
_RISING, _RISING_LEAST = 3.0, 10
# A secret that another one has replaced for so long is not needed any more.
_UNUSED = timedelta(days=1)
# The share of a lag's cases that lie within what is told of it.
_MOST = 0.95
_STATES = {
    DeliveryState.DEAD: "dead: mend what their notes say, then requeue them",
    DeliveryState.QUARANTINED: "in quarantine: accept or refuse their claims",
}


class Topic(StrEnum):
    """What a need is about, and so where to look."""

    STORE = "store"
    DELIVERIES = "deliveries"
    REFUSALS = "refusals"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a person has to look at; `name`: of the list, the provider or the queue."""

    topic: Topic
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ProviderHour:
    """One hour of a provider. The lags: within what time, in seconds, 95 % were done; None: none.

    `received_within` is from the provider's time to ours, `applied_within` from there to the
    decision.
    """

    start: datetime
    received_within: float | None
    applied_within: float | None


@dataclass(frozen=True, slots=True)
class ProviderDay:
    """An instance's last hour and day: counts by COUNTED, and the day's hours, oldest first."""

    name: str
    last_hour: Mapping[str, int]
    last_day: Mapping[str, int]
    hours: tuple[ProviderHour, ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """One of RQ's queues: how many jobs wait, and how many workers listen."""

    name: str
    jobs: int
    workers: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything at one glance. No queues: their server cannot be reached."""

    needs: tuple[Need, ...]
    providers: tuple[ProviderDay, ...]
    store: Health
    waiting: Waiting
    queues: tuple[Queue, ...]


def look(runtime: Runtime, health: Health) -> Overview:
    """How things are now. Raises StoreUnavailable."""
    now, names = runtime.clock(), sorted(runtime.instances)
    days = dict(zip(names, runtime.tallies.days(names, now), strict=True))
    queues = tuple(Queue(name, *depth) for name, depth in runtime.queue.depths().items())
    return Overview(
        needs=(*_of_store(runtime, health, queues), *_of_providers(runtime, days, now)),
        providers=tuple(_told(name, day) for name, day in days.items()),
        store=health,
        waiting=runtime.inbox.waiting(),
        queues=queues,
    )


def _of_store(runtime: Runtime, health: Health, queues: Sequence[Queue]) -> Iterator[Need]:
    for fault in health.faults:
        yield Need(Topic.STORE, "", fault)
    for queue in queues:
        if not queue.workers:
            told = f"Nobody works on the queue {queue.name}: start its worker (Procfile)"
            yield Need(Topic.STORE, queue.name, told)
    for state, told in _STATES.items():
        if count := runtime.lists.count(state):
            yield Need(Topic.DELIVERIES, state.value, f"{count:,} deliveries {told}")


def _of_providers(runtime: Runtime, days: Mapping[str, Day], now: datetime) -> Iterator[Need]:
    for name, instance in sorted(runtime.instances.items()):
        day = days[name]
        if is_silent(day):
            told = f"{name} has gone silent: nothing in an hour, {day.total(RECEIVED):,} in a day"
            yield Need(Topic.PROVIDER, name, told)
        if is_rising(day):
            told = f"{name}: {day.last_hour[REFUSED]:,} refused in the last hour"
            yield Need(Topic.REFUSALS, name, told)
        for label in unused(instance, runtime.secret_uses.of(name), now):
            told = f"{name}: {label} matches nothing any more; take it away"
            yield Need(Topic.PROVIDER, name, told)


def is_silent(day: Day) -> bool:
    """Whether nothing came in the last hour, though it usually would."""
    return not day.last_hour.get(RECEIVED) and day.total(RECEIVED) / HOURS >= _SILENT


def is_rising(day: Day) -> bool:
    """Whether far more was refused in the last hour than in the day's others."""
    recent = day.last_hour.get(REFUSED, 0)
    before = (day.total(REFUSED) - recent) / (HOURS - 1)
    return recent >= max(_RISING_LEAST, _RISING * before)


def unused(instance: Instance, uses: Sequence[SecretUse], now: datetime) -> list[str]:
    """The secrets that have matched nothing for long, while another one has."""
    last = {use.label: use.last_at for use in uses}
    configured = list(dict.fromkeys(secret_labels(instance.config)))
    if not any(label in last and now - last[label] < _UNUSED for label in configured):
        return []
    return [label for label in configured if label in last and now - last[label] >= _UNUSED]


def _told(name: str, day: Day) -> ProviderDay:
    return ProviderDay(
        name,
        last_hour={what: day.last_hour.get(what, 0) for what in COUNTED},
        last_day={what: day.total(what) for what in COUNTED},
        hours=tuple(map(_hour, day.hours)),
    )


def _hour(hour: Hour) -> ProviderHour:
    return ProviderHour(
        hour.start, quantile(hour.received_lags, _MOST), quantile(hour.applied_lags, _MOST)
    )
