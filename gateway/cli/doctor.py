"""`gateway doctor`: whether all that the gateway needs is there, and what to do if it is not."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib.metadata import version
from platform import python_version

import click

from gateway import __version__
from gateway.cli.operating import as_json, say
from gateway.config import from_environment
from gateway.domain.errors import ConfigurationError
from gateway.store.clients import edge_client
from gateway.store.health import Health, check
from gateway.store.keys import DeliveryState
from jobs import runtime as jobs_runtime
from jobs.runtime import Runtime

_SLOW = timedelta(seconds=30)
_LISTS = {
    DeliveryState.DEAD: "dead list",
    DeliveryState.QUARANTINED: "deliveries list --state quarantined",
}
_PACKAGES = ("flask", "granian", "redis", "rq")


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


_MARKS = {Verdict.OK: "✓", Verdict.WARNING: "!", Verdict.WRONG: "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and if need be what to do."""

    what: str
    verdict: Verdict
    told: str


@click.command(name="doctor")
@as_json
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """Check configuration, store, queue, workers and clocks, and say what to do; 1: it is wrong."""
    wrong = False
    for one in examine():
        wrong |= one.verdict is Verdict.WRONG
        line = f"{_MARKS[one.verdict]} {one.what}: {one.told}"
        say(as_json, line, what=one.what, verdict=one.verdict, told=one.told)
    ctx.exit(1 if wrong else 0)


def examine() -> Iterator[Finding]:
    """All findings; what cannot be looked at ends it."""
    told = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    yield Finding(
        "versions", Verdict.OK, f"gateway {__version__}, Python {python_version()}, {told}"
    )
    try:
        settings = from_environment()
    except ConfigurationError as error:
        yield Finding("configuration", Verdict.WRONG, str(error))
        return
    # As impatient as the edge: whoever asks wants to know now.
    with closing(edge_client(settings.store_url)) as client:
        runtime = jobs_runtime.connect(settings, client)
        yield from _configuration(runtime)
        health = check(client, runtime.clock)
        yield from _store(health)
        if health.used_memory:
            yield from _work(runtime)


def _configuration(runtime: Runtime) -> Iterator[Finding]:
    names = ", ".join(sorted(runtime.instances))
    if names:
        yield Finding("providers", Verdict.OK, names)
    else:
        told = "none; set their secrets (docs/providers.md), or every webhook is refused"
        yield Finding("providers", Verdict.WRONG, told)


def _store(health: Health) -> Iterator[Finding]:
    for fault in health.faults:
        yield Finding("store", Verdict.WRONG, fault)
    for warning in health.warnings:
        yield Finding("store", Verdict.WARNING, warning)
    if not health.faults:
        used, limit = health.used_memory / 2**20, health.max_memory / 2**20
        told = f"it persists; {used:,.0f} MiB used" + (f" of {limit:,.0f}" if limit else "")
        yield Finding("store", Verdict.OK, told)
    if health.used_memory and not any("clock" in warning for warning in health.warnings):
        yield Finding("clocks", Verdict.OK, f"{abs(health.clock_ahead):.3f} s apart")


def _work(runtime: Runtime) -> Iterator[Finding]:
    depths = runtime.queue.depths()
    if not depths:
        yield Finding("queue", Verdict.WRONG, "it cannot be reached; check GATEWAY_QUEUE_URL")
    for name, (waiting, workers) in depths.items():
        verdict = Verdict.OK if workers else Verdict.WRONG
        told = f"{workers} workers, {waiting} jobs wait"
        yield Finding(
            f"queue {name}", verdict, told if workers else f"{told}; start one (Procfile)"
        )
    left = runtime.inbox.waiting()
    oldest = left.oldest_at
    slow = oldest is not None and datetime.now(UTC) - oldest > _SLOW
    told = f"{left.count} webhooks wait" + (
        f", the oldest since {oldest.isoformat()}" if oldest else ""
    )
    if slow:
        told += "; see the workers' log"
    yield Finding("inbox", Verdict.WARNING if slow else Verdict.OK, told)
    for state, verb in _LISTS.items():
        count = runtime.lists.count(state)
        told = f"{count}; `gateway {verb}` says why" if count else "none"
        yield Finding(state.value, Verdict.WARNING if count else Verdict.OK, told)
