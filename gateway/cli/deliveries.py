"""`gateway deliveries`: what came, what became of it, and having it worked on again."""

from collections.abc import Callable
from itertools import islice
from typing import Any, TypeVar

import click

from gateway.cli import operating
from gateway.cli.operating import as_json, delivery_facts, delivery_line, say
from gateway.cli.rejections import diagnose
from gateway.store.deliveries import StoredDelivery
from gateway.store.keys import LISTED, DeliveryState
from jobs import replay as replaying
from jobs.replay import Preview, Selection
from jobs.runtime import Runtime

F = TypeVar("F", bound=Callable[..., Any])
STATES = [state.value for state in LISTED]


def filters(command: F) -> F:
    """The options that choose deliveries."""
    for option in (
        click.option("--until", callback=operating.time, help="That got there before this time."),
        click.option("--since", callback=operating.time, help="That got there since this time."),
        click.option("--cause", help="With this text in their notes."),
        click.option("--type", help="With an event of this type of the provider."),
        click.option("--session", "session_id", help="That had an effect on this session."),
        click.option("--provider", "provider_id", help="Of this provider instance."),
    ):
        command = option(command)
    return command


def selection(state: str, **chosen: Any) -> Selection:
    return Selection(DeliveryState(state), **chosen)


@click.group(name="deliveries")
def command() -> None:
    """Look at deliveries in the store that GATEWAY_STORE_URL names, and replay them."""


@command.command(name="list")
@click.option("--state", type=click.Choice(STATES), default="applied", show_default=True)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@filters
@as_json
def list_(state: str, limit: int, *, as_json: bool, **chosen: Any) -> None:
    """List deliveries of a state, those first that got there last."""
    with operating.runtime() as runtime:
        found = replaying.find_all(runtime, selection(state, **chosen))
        for stored in islice(found, limit):
            say(as_json, delivery_line(stored), **delivery_facts(stored))


@command.command()
@click.argument("delivery_id")
@as_json
def show(delivery_id: str, *, as_json: bool) -> None:
    """Show a delivery, its body, and what a replay would do."""
    with operating.runtime() as runtime:
        stored = found(runtime, delivery_id)
        told = replaying.preview(runtime, stored)
        body = stored.delivery.body.decode("utf-8", "backslashreplace")
        if as_json:
            headers = [list(pair) for pair in stored.delivery.headers]
            facts = delivery_facts(stored) | {"headers": headers, "body": body}
            say(as_json, "", **facts, **_preview_facts(told))
            return
        click.echo(f"{delivery_line(stored)}\n")
        for name, value in stored.delivery.headers:
            click.echo(f"{name}: {value}")
        click.echo(f"\n{body}\n")
        show_preview(told)


@command.command()
@click.argument("delivery_ids", nargs=-1)
@click.option("--state", type=click.Choice(STATES), help="All of this state that fit the filters.")
@filters
@click.option("--dry-run", is_flag=True, help="Only tell what that would do.")
@as_json
def replay(
    delivery_ids: tuple[str, ...], state: str | None, *, dry_run: bool, as_json: bool, **chosen: Any
) -> None:
    """Have deliveries worked on again; what their sessions know already changes nothing."""
    if bool(delivery_ids) == bool(state):
        raise click.UsageError("Name deliveries, or a --state and filters.")
    with operating.runtime() as runtime:
        if state:
            wanted = list(replaying.find_all(runtime, selection(state, **chosen)))
        else:
            wanted = [found(runtime, delivery_id) for delivery_id in delivery_ids]
        run(runtime, wanted, dry_run=dry_run, as_json=as_json)


def run(runtime: Runtime, wanted: list[StoredDelivery], *, dry_run: bool, as_json: bool) -> None:
    """Replays deliveries, or tells what that would do."""
    if dry_run:
        for stored in wanted:
            told = replaying.preview(runtime, stored)
            if as_json:
                say(as_json, "", **_preview_facts(told))
            else:
                show_preview(told)
        return
    who, ids = operating.operator(), [stored.id for stored in wanted]
    operating.with_progress(ids, "Replaying", lambda one: replaying.replay(runtime, [one], who))
    say(as_json, f"{len(ids)} put back to work.", replayed=len(ids))


# Refused requests are deliveries as well, to whoever looks for one.
command.add_command(diagnose)


def found(runtime: Runtime, delivery_id: str) -> StoredDelivery:
    try:
        stored = runtime.inbox.load([delivery_id])[0]
    except ValueError:
        stored = None
    if stored is None:
        raise click.ClickException(f"There is no delivery {delivery_id!r}.")
    return stored


def show_preview(told: Preview) -> None:
    click.echo(f"{told.stored.id}  {told.verdict}; {told.reading}")
    for effect in told.effects:
        moved = f"{effect.before} → {effect.after}" if effect.before else ""
        line = f"  {effect.event.type}  {effect.session_id or ''}  {effect.outcome}  {moved}"
        click.echo(line.rstrip())


def _preview_facts(told: Preview) -> dict[str, Any]:
    return {
        "delivery_id": told.stored.id,
        "verdict": told.verdict,
        "reading": told.reading,
        "effects": [
            {
                "type": effect.event.type,
                "session_id": effect.session_id,
                "outcome": effect.outcome,
                "before": effect.before,
                "after": effect.after,
            }
            for effect in told.effects
        ],
    }
