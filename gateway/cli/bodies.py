"""`gateway bodies`: keys that seal bodies at rest, and sealing everything with a new one."""

import click

from gateway.cli import operating
from gateway.cli.operating import as_json, say
from gateway.store.sealing import new_key


@click.group(name="bodies")
def command() -> None:
    """Seal the bodies of deliveries at rest, with the keys in GATEWAY_BODY_KEYS."""


@command.command()
@as_json
def key(*, as_json: bool) -> None:
    """Print a new key. Put it first in GATEWAY_BODY_KEYS, and keep the old ones behind it."""
    made = new_key()
    say(as_json, made, key=made)


@command.command()
@as_json
def rotate(*, as_json: bool) -> None:
    """Seal all stored bodies with the first key. Then old keys serve refused requests only."""
    with operating.runtime() as runtime:
        ids, done = list(runtime.bodies.stored()), 0

        def seal(delivery_id: str) -> None:
            nonlocal done
            done += runtime.bodies.seal_anew([delivery_id])

        operating.with_progress(ids, "Sealing", seal)
        say(as_json, f"{done} bodies sealed.", sealed=done)
