"""The overview: what needs a person on top, then each provider's day, the store and the workers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, render_template, url_for

from gateway.store.health import Health
from gateway.store.keys import DeliveryState
from gateway.store.secret_use import SecretUse
from gateway.store.tallies import BOUNDS, HOURS, RECEIVED, REFUSED, Day, Hour, quantile
from gateway.web.services import Services
from providers.configuration import secret_labels
from providers.registry import Instance

COLUMNS = (RECEIVED, REFUSED, "applied", "parked", "dead")
# How many would have come in an hour that nothing came, for a provider to count as silent.
_SILENT = 5.0
# Refusals of the last hour against the day's mean hour, and how many there must be at least.
_RISING, _RISING_LEAST = 3.0, 10
# A secret that another one has replaced for so long is not needed any more.
_UNUSED = timedelta(days=1)
_STATES = {
    DeliveryState.DEAD: "dead: mend what their notes say, then requeue them",
    DeliveryState.QUARANTINED: "in quarantine: accept or refuse their claims",
}
_HEIGHT = 32


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a person has to look at, and where."""

    text: str
    link: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour in a chart; `top` and `height` in the chart's own units, `told` in words."""

    at: int
    top: float
    height: float
    told: str


@dataclass(frozen=True, slots=True)
class Row:
    """One instance's day."""

    name: str
    day: Day
    received_lags: Sequence[Bar]
    applied_lags: Sequence[Bar]


def add(routes: Blueprint, services: Services) -> None:
    @routes.get("/")
    def overview() -> str:
        runtime, now = services.runtime, services.runtime.clock()
        names = sorted(runtime.instances)
        days = dict(zip(names, runtime.tallies.days(names, now), strict=True))
        inbox = runtime.inbox
        health, queues = services.health(), runtime.queue.depths()
        oldest = min(filter(None, map(inbox.oldest_at, range(inbox.shards))), default=None)
        return render_template(
            "console/overview.html",
            needs=[*_waiting(services, health, queues), *_of_providers(services, days, now)],
            rows=[_row(name, day) for name, day in days.items()],
            columns=COLUMNS,
            height=_HEIGHT,
            health=health,
            backlog=sum(inbox.backlog(shard) for shard in range(inbox.shards)),
            oldest=now - oldest if oldest else None,
            queues=queues,
        )


def _waiting(
    services: Services, health: Health, queues: Mapping[str, tuple[int, int]]
) -> Iterator[Need]:
    for fault in health.faults:
        yield Need(fault, url_for("console.overview", _anchor="store"))
    for name, (_, workers) in queues.items():
        if not workers:
            told = f"Nobody works on the queue {name}: start its worker (Procfile)"
            yield Need(told, url_for("console.overview", _anchor="store"))
    for state, told in _STATES.items():
        if count := services.runtime.inbox.count(state):
            link = url_for("console.deliveries", state=state.value)
            yield Need(f"{count:,} deliveries {told}", link)


def _of_providers(services: Services, days: dict[str, Day], now: datetime) -> Iterator[Need]:
    for name, instance in sorted(services.runtime.instances.items()):
        day, here = days[name], url_for("console.providers", _anchor=name)
        if is_silent(day):
            told = f"{name} has gone silent: nothing in an hour, {day.total(RECEIVED):,} in a day"
            yield Need(told, here)
        if is_rising(day):
            link = url_for("console.deliveries", state=REFUSED, provider_id=name)
            yield Need(f"{name}: {day.last_hour[REFUSED]:,} refused in the last hour", link)
        for label in unused(instance, services.runtime.secret_uses.of(name), now):
            yield Need(f"{name}: {label} matches nothing any more; take it away", here)


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


def _row(name: str, day: Day) -> Row:
    received = [_bar(at, hour, hour.received_lags) for at, hour in enumerate(day.hours)]
    applied = [_bar(at, hour, hour.applied_lags) for at, hour in enumerate(day.hours)]
    return Row(name, day, received, applied)


def _bar(at: int, hour: Hour, lags: Sequence[int]) -> Bar:
    """The time within which 19 of 20 were done; the scale is logarithmic, as the bounds are."""
    bound = quantile(lags, 0.95)
    if bound is None:
        return Bar(at, _HEIGHT, 0, f"{hour.start:%H:%M}: none")
    share = math.log(bound / BOUNDS[0]) / math.log(BOUNDS[-1] / BOUNDS[0])
    height = max(2.0, share * _HEIGHT)
    return Bar(at, _HEIGHT - height, height, f"{hour.start:%H:%M}: 95 % within {bound:g} s")
