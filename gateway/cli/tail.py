"""`gateway tail`: what becomes of deliveries, while it happens."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import click

from gateway.cli import operating
from gateway.cli.operating import as_json, delivery_facts, say
from gateway.store.deliveries import StoredDelivery
from gateway.store.keys import LISTED, DeliveryState
from jobs.runtime import Runtime

_PAUSE, _PAGE = 0.5, 500
# Clocks of workers differ, and a batch is listed a moment after it was decided.
_OVERLAP = timedelta(seconds=10)


@click.command(name="tail")
@click.option("--provider", "provider_id", help="Of this provider instance.")
@click.option("--since", callback=operating.time, help="Begin with what got there since this time.")
@click.option("--count", type=click.IntRange(1), help="Stop after so many deliveries.")
@as_json
def command(
    *, provider_id: str | None, since: datetime | None, count: int | None, as_json: bool
) -> None:
    """Follow what webhooks do: a line for each decision, until Ctrl-C."""
    with operating.runtime() as runtime:
        found = follow(runtime, since or datetime.now(UTC))
        wanted = (s for s in found if provider_id in (None, s.delivery.provider_id))
        for stored in islice(wanted, count):
            _show(stored, as_json=as_json)


def follow(runtime: Runtime, since: datetime) -> Iterator[StoredDelivery]:
    """Deliveries, each as it gets into the list of a state, for ever."""
    seen: dict[tuple[str, DeliveryState, int], None] = {}
    while True:
        spots = {
            (spot.delivery_id, state, spot.millis): spot
            for state in LISTED
            for spot in runtime.lists.page(state, None, since - _OVERLAP, _PAGE)
        }
        new = sorted((key for key in spots if key not in seen), key=lambda key: key[2])
        seen = dict.fromkeys(spots)
        for stored in runtime.inbox.load([key[0] for key in new]):
            if stored is not None and (stored.finished_at or since) >= since:
                yield stored
        since = max(since, datetime.now(UTC) - _OVERLAP)
        time.sleep(_PAUSE)


def _show(stored: StoredDelivery, *, as_json: bool) -> None:
    if as_json:
        say(as_json, "", **delivery_facts(stored))
        return
    at = stored.listed_at.isoformat(timespec="milliseconds")
    for note in stored.notes or ("",):
        click.echo(f"{at}  {stored.delivery.provider_id}  {stored.state}  {note}  {stored.id}")
