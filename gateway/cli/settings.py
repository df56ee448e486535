"""`gateway config`: what the environment says, without its secrets."""

import click

from gateway.cli.operating import as_json, say
from gateway.config import describe, from_environment


@click.command(name="config")
@as_json
def command(*, as_json: bool) -> None:
    """Show the configuration, or all that is wrong with it; never a secret."""
    shown = describe(from_environment())
    if as_json:
        say(as_json, "", **shown)
        return
    width = max(map(len, shown))
    for name, value in shown.items():
        click.echo(f"{name:<{width}}  {value}")
