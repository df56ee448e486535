"""`gateway simulate`: a provider's webhook without the provider."""

import secrets
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from gateway.cli import operating
from gateway.cli.development import TOKEN_FILE, development_instance, simulated_adapters
from gateway.cli.operating import as_json
from gateway.cli.posting import post
from gateway.cli.stand_in import PORT, StandIn, serving
from gateway.client import GatewayClient, Refused, Session
from gateway.config import environment
from providers import simulator
from providers.registry import Instance
from providers.simulator import SimulatedPayment

BASE_URL = "http://127.0.0.1:8080"
_NOT_FOUND = 404
_LATE = timedelta(hours=1)


def _list(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's
    if value:
        for adapter_id in simulated_adapters():
            click.echo(f"{adapter_id}: {', '.join(simulator.kinds(adapter_id))}")
        ctx.exit()


@click.command(name="simulate")
@click.argument("provider")
@click.argument("kind")
@click.option("--session", "session_id", required=True, help="The session that it is about.")
@click.option("--amount", type=click.IntRange(0), help="Minor units; else the session's.")
@click.option("--currency", help="ISO 4217; else the session's.")
@click.option("--external-id", help="The provider's id of the payment.")
@click.option("--at", callback=operating.time, help="When it happened; else now.")
@click.option("--late", is_flag=True, help="It happened an hour ago.")
@click.option("--twice", is_flag=True, help="Post it twice, as providers do.")
@click.option("--url", default=BASE_URL, show_default=True, envvar="GATEWAY_URL")
@click.option("--token", envvar="GATEWAY_TOKEN", help="To ask the API for the session.")
@click.option(
    "--api-port",
    default=PORT,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Where the gateway asks the provider's API back.",
)
@click.option(
    "--data",
    default=".data",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where `gateway run` keeps the development token.",
)
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="Show what can be simulated.",
)
@as_json
@click.pass_context
def command(
    ctx: click.Context, /, provider: str, kind: str, *, as_json: bool, **options: Any
) -> None:
    """Sign a webhook as PROVIDER would, and post it to the gateway.

    It is signed with the provider's secret in the environment, or with the development secret.
    """
    instance = development_instance(provider, environment())
    kinds = simulator.kinds(instance.adapter.id)
    if kind not in kinds:
        raise click.ClickException(f"{provider} has no {kind!r}; it has {', '.join(kinds)}.")
    payment = _payment(instance, **options)
    now = datetime.now(UTC)
    at = options["at"] or (now - _LATE if options["late"] else now)
    event_id = f"evt_{secrets.token_hex(8)}"
    delivery = simulator.simulate(instance, kind, payment, event_id=event_id, at=at)
    # It is sent now, whenever it happened: an old signature would be refused.
    delivery = instance.adapter.scheme.sign(replace(delivery, received_at=now), instance.config)
    calls = simulator.api_calls(instance, kind, payment, event_id=event_id, at=at)
    note = f"{payment.session_id}  {payment.amount} {payment.currency}"
    rounds = 2 if options["twice"] else 1
    with serving(calls, options["api_port"]) if calls else nullcontext() as stand_in:
        url = options["url"]
        answers = [post(url, instance, delivery, note, as_json=as_json) for _ in range(rounds)]
        ok = all(answer.ok for answer in answers)
        if ok and stand_in is not None:
            ok = _asked_back(stand_in)
    for answer in answers:
        if not (answer.ok or as_json):
            click.echo(answer.text, err=True)
    ctx.exit(0 if ok else 1)


def _asked_back(stand_in: StandIn) -> bool:
    """Waits until the gateway has asked for what the webhook alone does not prove."""
    asked = stand_in.wait()
    if asked:
        click.echo("← the gateway has asked the provider's API, and was answered", err=True)
    else:
        click.echo(
            "The gateway did not ask the provider's API: is it `gateway run`, or is its "
            "GATEWAY_<PROVIDER>_API_BASE this stand-in?",
            err=True,
        )
    return asked


def _payment(
    instance: Instance,
    *,
    session_id: str,
    amount: int | None,
    currency: str | None,
    external_id: str | None,
    **where: Any,
) -> SimulatedPayment:
    """What was told on the command line, and the rest from the session."""
    session = None
    if amount is None or currency is None:
        session = _session(session_id, where["url"], where["token"], where["data"])
        amount = session.amount if amount is None else amount
        currency = currency or session.currency_code
    known = session.data.get("id") if session else None
    return SimulatedPayment(
        session_id=session_id,
        # The same for every webhook about this session: they speak of one payment.
        external_id=external_id or known or simulator.external_id(instance.adapter.id, session_id),
        amount=amount,
        currency=currency,
    )


def _session(session_id: str, url: str, token: str | None, data: Path) -> Session:
    file = data / TOKEN_FILE
    if token is None and file.exists():
        token = file.read_text(encoding="utf-8").strip()
    if token is None:
        raise click.ClickException(
            "Give --amount and --currency, or a --token to ask the API for the session."
        )
    with GatewayClient(url, token) as client:
        try:
            return client.get(session_id)
        except Refused as error:
            if error.status == _NOT_FOUND:
                raise click.ClickException(
                    f"There is no session {session_id}; create it first, or give --amount and "
                    "--currency to send a webhook ahead of it."
                ) from None
            raise
