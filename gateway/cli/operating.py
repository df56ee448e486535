"""What the commands for whoever is on call share: the store, who acts, and how things are shown.

They work on the store itself, as `gateway token` does: they must serve while the web does not.
"""

import getpass
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from gateway.config import from_environment
from gateway.domain.actions import Actor
from gateway.store.clients import worker_client
from gateway.store.deliveries import StoredDelivery
from jobs import runtime as jobs_runtime
from jobs.runtime import Runtime

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")


def time(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """A moment with its zone, as UTC."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a time like 2026-11-20T14:00:00Z.") from None
    if at.tzinfo is None:
        raise click.BadParameter("say the zone as well, like 2026-11-20T14:00:00Z.")
    return at.astimezone(UTC)


@contextmanager
def runtime() -> Iterator[Runtime]:
    """The gateway's data, by the configuration in the environment. Raises ConfigurationError."""
    settings = from_environment()
    with closing(worker_client(settings.store_url)) as client:
        yield jobs_runtime.connect(settings, client)


def operator() -> Actor:
    """Whoever runs this command, now."""
    return Actor(f"cli:{getpass.getuser()}", datetime.now(UTC))


def say(as_json: bool, line: str, **facts: Any) -> None:  # noqa: FBT001 - the option's value
    """One line for people, or the facts for programs."""
    click.echo(json.dumps(facts, default=str) if as_json else line)


def delivery_line(stored: StoredDelivery) -> str:
    at = stored.delivery.received_at.isoformat(timespec="seconds")
    return f"{stored.id}  {at}  {stored.delivery.provider_id}  {'; '.join(stored.notes)}"


def delivery_facts(stored: StoredDelivery) -> dict[str, Any]:
    return {
        "id": stored.id,
        "provider_id": stored.delivery.provider_id,
        "state": stored.state.value,
        "received_at": stored.delivery.received_at.isoformat(),
        "notes": list(stored.notes),
        "secret": stored.secret,
        "asked": stored.asked,
        "request_id": stored.request_id,
    }


def with_progress(ids: Sequence[str], label: str, work: Callable[[str], object]) -> None:
    """Works on each, with a bar where somebody watches."""
    with click.progressbar(ids, label=label, file=sys.stderr) as bar:
        for item in bar:
            work(item)
