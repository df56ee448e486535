"""The overview: what needs a person on top, then each provider's day, the store and the workers."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template, url_for

from gateway.store.tallies import BOUNDS, REFUSED
from gateway.web.services import Services
from jobs.overview import COUNTED, Need, ProviderDay, ProviderHour, Topic, look

_HEIGHT = 32


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

    day: ProviderDay
    received_lags: Sequence[Bar]
    applied_lags: Sequence[Bar]


def add(routes: Blueprint, services: Services) -> None:
    @routes.get("/")
    def overview() -> str:
        found = look(services.runtime, services.health())
        oldest = found.waiting.oldest_at
        return render_template(
            "console/overview.html",
            needs=[(need.text, _link(need)) for need in found.needs],
            rows=[_row(day) for day in found.providers],
            columns=COUNTED,
            height=_HEIGHT,
            health=found.store,
            backlog=found.waiting.count,
            oldest=services.runtime.clock() - oldest if oldest else None,
            queues=found.queues,
        )


def _link(need: Need) -> str:
    match need.topic:
        case Topic.STORE:
            return url_for("console.overview", _anchor="store")
        case Topic.DELIVERIES:
            return url_for("console.deliveries", state=need.name)
        case Topic.REFUSALS:
            return url_for("console.deliveries", state=REFUSED, provider_id=need.name)
        case Topic.PROVIDER:
            return url_for("console.providers", _anchor=need.name)


def _row(day: ProviderDay) -> Row:
    received = _bars((hour, hour.received_within) for hour in day.hours)
    return Row(day, received, _bars((hour, hour.applied_within) for hour in day.hours))


def _bars(lags: Iterable[tuple[ProviderHour, float | None]]) -> list[Bar]:
    return [_bar(at, hour, within) for at, (hour, within) in enumerate(lags)]


def _bar(at: int, hour: ProviderHour, within: float | None) -> Bar:
    """The time within which 19 of 20 were done; the scale is logarithmic, as the bounds are."""
    if within is None:
        return Bar(at, _HEIGHT, 0, f"{hour.start:%H:%M}: none")
    share = math.log(within / BOUNDS[0]) / math.log(BOUNDS[-1] / BOUNDS[0])
    height = max(2.0, share * _HEIGHT)
    return Bar(at, _HEIGHT - height, height, f"{hour.start:%H:%M}: 95 % within {within:g} s")
