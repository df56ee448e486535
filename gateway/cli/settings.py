"""`gateway config`: what the environment says, without its secrets."""

import click

from gateway.config import describe, from_environment


@click.command(name="config")
def command() -> None:
    """Show the configuration, or all that is wrong with it; never a secret."""
    shown = describe(from_environment())
    width = max(map(len, shown))
    for name, value in shown.items():
        click.echo(f"{name:<{width}}  {value}")
