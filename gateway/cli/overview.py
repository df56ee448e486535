"""`gateway overview`: what needs a person, each provider's day, the store and the workers."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import datetime

import click

from gateway.cli.operating import as_json, say
from gateway.config import from_environment
from gateway.store.clients import worker_client
from gateway.store.health import check
from jobs import runtime as jobs_runtime
from jobs.overview import COUNTED, Overview, look

_WIDE = 14


@click.command(name="overview")
@as_json
def command(*, as_json: bool) -> None:
    """Show what needs a person, each provider's last hour and day, the store and the workers."""
    settings = from_environment()
    with closing(worker_client(settings.store_url)) as client:
        runtime = jobs_runtime.connect(settings, client)
        found = look(runtime, check(client, runtime.clock))
    if as_json:
        say(as_json, "", **asdict(found))
        return
    for line in _lines(found, runtime.clock()):
        click.echo(line)


def _lines(found: Overview, now: datetime) -> Iterator[str]:
    yield "Needs a person:"
    for need in found.needs:
        yield f"  {need.text}"
    if not found.needs:
        yield "  nothing"
    width = max((len(day.name) for day in found.providers), default=0)
    yield f"\n{'':<{width}}" + "".join(f"{what:>{_WIDE}}" for what in COUNTED) + "   hour / day"
    for day in found.providers:
        counts = (f"{day.last_hour[what]:,} / {day.last_day[what]:,}" for what in COUNTED)
        yield f"{day.name:<{width}}" + "".join(f"{told:>{_WIDE}}" for told in counts)
    yield ""
    oldest = found.waiting.oldest_at
    since = f", the oldest for {(now - oldest).total_seconds():,.0f} s" if oldest else ""
    yield f"{found.waiting.count:,} webhooks wait{since}"
    yield f"the store uses {found.store.used_memory / 2**20:,.0f} MiB"
    for queue in found.queues:
        yield f"{queue.name}: {queue.workers} workers, {queue.jobs} jobs wait"
