"""`gateway sessions`: acts on single sessions that only an operator may take."""

import click

from gateway.cli import operating
from gateway.cli.operating import as_json, say
from jobs.erase import erase_session


@click.group(name="sessions")
def command() -> None:
    """Act on sessions in the store that GATEWAY_STORE_URL names."""


@command.command()
@click.argument("session_id")
@click.confirmation_option(prompt="This cannot be undone. Erase it?")
@as_json
def erase(session_id: str, *, as_json: bool) -> None:
    """Remove a person's data from a session: its cart, its data, and the bodies of its webhooks."""
    with operating.runtime() as runtime:
        bodies = erase_session(runtime, session_id, operating.operator())
        say(as_json, f"Erased, with {bodies} bodies.", session_id=session_id, bodies=bodies)
