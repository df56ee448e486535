"""`gateway dead`: deliveries that could not be worked on, with their cause."""

from itertools import islice
from typing import Any

import click

from gateway.cli import operating
from gateway.cli.deliveries import filters, found, run, selection
from gateway.cli.operating import as_json, delivery_facts, delivery_line, say
from jobs import replay as replaying


@click.group(name="dead")
def command() -> None:
    """List dead letters, and have them worked on again once their cause is mended."""


@command.command(name="list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@filters
@as_json
def list_(limit: int, *, as_json: bool, **chosen: Any) -> None:
    """List dead letters with their cause, newest first."""
    with operating.runtime() as runtime:
        found = replaying.find_all(runtime, selection("dead", **chosen))
        for stored in islice(found, limit):
            say(as_json, delivery_line(stored), **delivery_facts(stored))


@command.command()
@click.argument("delivery_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that fit the filters.")
@filters
@as_json
def requeue(
    delivery_ids: tuple[str, ...], *, everything: bool, as_json: bool, **chosen: Any
) -> None:
    """Put dead letters back to work. Safe to repeat: effects happen once."""
    if bool(delivery_ids) == everything:
        raise click.UsageError("Name deliveries, or say --all, with filters or without.")
    with operating.runtime() as runtime:
        if everything:
            wanted = list(replaying.find_all(runtime, selection("dead", **chosen)))
        else:
            wanted = [found(runtime, delivery_id) for delivery_id in delivery_ids]
        run(runtime, wanted, dry_run=False, as_json=as_json)
