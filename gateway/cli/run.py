"""`gateway run`: everything that a developer needs, until Ctrl-C."""

import json
import shlex
import shutil
import sys
import time
from itertools import count
from pathlib import Path

import click

from gateway.cli.development import (
    HOST,
    TOKEN_FILE,
    Gateway,
    Plan,
    development_environment,
    free_port,
    require_free,
    running,
)
from gateway.cli.operating import as_json, say
from gateway.client import GatewayClient, Refused
from gateway.config import environment
from gateway.supervisor import Stop

DATA = Path(".data")
_LOOK = 0.2
_LOOPBACK = frozenset({HOST, "localhost"})
_NOT_FOUND = 404


def _loopback(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if value not in _LOOPBACK:
        raise click.BadParameter(
            f"only {HOST}: everybody knows the development secrets. The Procfile shows how to "
            "serve others."
        )
    return HOST


@click.command(name="run")
@click.option("--host", default=HOST, callback=_loopback, help=f"Only {HOST}.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0: a free one."
)
@click.option(
    "--data",
    default=DATA,
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the data stay.",
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Of the web.")
@click.option("--logs", is_flag=True, help="Stream the logs in place of writing files.")
@as_json
def command(
    *,
    host: str,  # noqa: ARG001 - it is only checked
    port: int,
    data: Path,
    workers: int,
    logs: bool,
    as_json: bool,
) -> None:
    """Run a gateway with development secrets on loopback, until Ctrl-C.

    Its store is the one that GATEWAY_STORE_URL names, or an embedded Valkey.
    """
    port = port or free_port()
    require_free(port)
    plan = Plan(data, port, development_environment(environment()), workers, log_files=not logs)
    try:
        with Stop() as stop, running(plan, _say, stop) as gateway:
            if as_json:
                say(as_json, "", url=gateway.base_url, token=gateway.token, data=str(data))
            else:
                _explain(plan, gateway)
            while True:
                gateway.supervisor.check()
                time.sleep(_LOOK)
    except KeyboardInterrupt:
        click.echo("Stopped.", err=as_json)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _explain(plan: Plan, gateway: Gateway) -> None:
    url = gateway.base_url
    session_id = _free_session_id(gateway)
    lines = {
        "Webhooks": f"{url}/webhooks/<provider>",
        "API": f"{url}/sessions",
        "OpenAPI": f"{url}/openapi.json",
        "Token": f"{gateway.token}  (also in {plan.data / TOKEN_FILE})",
    }
    if plan.log_files:
        lines["Logs"] = f"{plan.data / 'logs'}/"
    click.echo("The gateway is ready; Ctrl-C stops it.\n")
    for name, value in lines.items():
        click.echo(f"  {name:<9} {value}")
    click.echo("\nCreate a session, then let its provider authorize it:\n")
    click.echo(_create_line(gateway, session_id))
    click.echo(_simulate_line(plan, session_id))


def _free_session_id(gateway: Gateway) -> str:
    """The first `ps_demo<n>` that no session has: the data survive a restart."""
    with GatewayClient(gateway.base_url, gateway.token) as client:
        for number in count(1):
            try:
                client.get(f"ps_demo{number}")
            except Refused as error:
                if error.status == _NOT_FOUND:
                    return f"ps_demo{number}"
                raise
    raise AssertionError("there is always another number")


def _create_line(gateway: Gateway, session_id: str) -> str:
    body = {"id": session_id, "provider_id": "stripe", "amount": 4250, "currency_code": "EUR"}
    words = ["curl", "-sS", f"{gateway.base_url}/sessions", "-H"]
    words += [f"Authorization: Bearer {gateway.token}", "-H", "Content-Type: application/json"]
    return shlex.join([*words, "-d", json.dumps(body)])


def _simulate_line(plan: Plan, session_id: str) -> str:
    words = [_executable(), "simulate", "stripe", "authorized", "--session", session_id]
    words += ["--url", plan.base_url]
    words += [] if plan.data == DATA else ["--data", str(plan.data)]
    return shlex.join(words)


def _executable() -> str:
    """This program as one can type it here: the virtual environment may not be active."""
    own = Path(sys.executable).with_name("gateway")
    if not own.exists() or shutil.which("gateway") == str(own):
        return "gateway"
    return str(own.relative_to(Path.cwd())) if own.is_relative_to(Path.cwd()) else str(own)
