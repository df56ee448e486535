"""The providers page: each configured instance, its URL, its secrets by label, never by value."""

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, render_template

from gateway.config import Face
from gateway.store.secret_use import SecretUse
from gateway.web.console.trying import kinds_to_try
from gateway.web.ingress import PREFIX
from gateway.web.services import Services
from jobs.overview import unused
from providers.configuration import secret_labels
from providers.registry import Instance


@dataclass(frozen=True, slots=True)
class Shown:
    """An instance; `idle` are the secrets that another one has replaced.

    `kinds` are the test webhooks that can be sent as it.
    """

    name: str
    adapter: str
    path: str
    mode: str
    last_at: datetime | None
    secrets: tuple[tuple[str, SecretUse | None], ...]
    idle: frozenset[str]
    kinds: tuple[str, ...]


def add(routes: Blueprint, services: Services) -> None:
    @routes.get("/providers")
    def providers() -> str:
        runtime, now = services.runtime, services.runtime.clock()
        names = sorted(runtime.instances)
        lasts = dict(zip(names, runtime.tallies.last(names), strict=True))
        shown = [_shown(services, runtime.instances[name], lasts[name], now) for name in names]
        return render_template("console/providers.html", instances=shown)


def _shown(services: Services, instance: Instance, last: datetime | None, now: datetime) -> Shown:
    uses = services.runtime.secret_uses.of(instance.name)
    by_label = {use.label: use for use in uses}
    labels = dict.fromkeys([*secret_labels(instance.config), *by_label])
    return Shown(
        name=instance.name,
        adapter=instance.adapter.id,
        path=PREFIX + instance.name,
        mode=instance.mode,
        last_at=last,
        secrets=tuple((label, by_label.get(label)) for label in labels),
        idle=frozenset(unused(instance, uses, now)),
        kinds=kinds_to_try(instance, now) if Face.WEBHOOKS in services.settings.faces else (),
    )
