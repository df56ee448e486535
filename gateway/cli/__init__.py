"""The command line: `gateway COMMAND`, each command group in a module of its own."""

from importlib import import_module
from typing import Any

import click

from gateway import __version__
from gateway.domain.errors import GatewayError

# Imported when they are asked for: `gateway token` must not wait for what `gateway run` needs.
_COMMANDS = {
    "bodies": "gateway.cli.bodies",
    "config": "gateway.cli.settings",
    "dead": "gateway.cli.dead",
    "deliveries": "gateway.cli.deliveries",
    "demo": "gateway.cli.demo",
    "doctor": "gateway.cli.doctor",
    "export": "gateway.cli.export",
    "overview": "gateway.cli.overview",
    "providers": "gateway.cli.providers",
    "rejections": "gateway.cli.rejections",
    "run": "gateway.cli.run",
    "sessions": "gateway.cli.sessions",
    "simulate": "gateway.cli.simulate",
    "tail": "gateway.cli.tail",
    "token": "gateway.cli.token",
}


class _Commands(click.Group):
    """The commands, and how their errors are shown: what to do, in place of a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(_COMMANDS[cmd_name]).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except GatewayError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands)
@click.version_option(__version__, prog_name="gateway")
def main() -> None:
    """A gateway for the webhooks of payment providers."""
