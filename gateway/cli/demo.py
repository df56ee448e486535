"""`gateway demo`: two providers' webhooks through a real gateway, in the disorder of real life."""

import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from gateway.cli.development import Gateway, Plan, development_environment, free_port, running
from gateway.cli.operating import as_json, say
from gateway.cli.posting import post
from gateway.cli.timeline import timeline
from gateway.client import Answer, GatewayClient, NewSession, Refused, Session
from gateway.config import PREFIX, environment, load
from gateway.domain.errors import Cause, GatewayError
from gateway.domain.events import Delivery, SessionStatus
from gateway.supervisor import Stop
from providers import simulator
from providers.registry import Instance
from providers.simulator import SimulatedPayment

_PATIENCE = 30.0
_AMOUNT, _CURRENCY = 4250, "EUR"
_NOT_FOUND = 404
_REFUSALS = (400, 401)


class DemoFailure(GatewayError):
    """Something was not as the gateway promises."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What the story is played on. `began` is when it begins in the providers' time."""

    gateway: Gateway
    client: GatewayClient
    instances: Mapping[str, Instance]
    began: datetime

    def at(self, seconds: int) -> datetime:
        return self.began + timedelta(seconds=seconds)

    def simulate(self, provider: str, kind: str, session_id: str, second: int) -> Delivery:
        instance = self.instances[provider]
        event_id = f"evt_{session_id}_{kind}"
        at = self.at(second)
        return simulator.simulate(instance, kind, _payment(session_id), event_id=event_id, at=at)

    def post(self, delivery: Delivery, note: str = "") -> Answer:
        base_url = self.gateway.base_url
        return post(base_url, self.instances[delivery.provider_id], delivery, note)

    def create(self, session_id: str, provider: str) -> Session:
        new = NewSession(
            id=session_id, provider_id=provider, amount=_AMOUNT, currency_code=_CURRENCY
        )
        session = self.client.create(new)
        click.echo(f"+ {session.id} created: {session.provider_id}, {session.status}")
        return session

    def wait_for(self, session_id: str, status: SessionStatus) -> Session:
        session = self.client.wait_for(session_id, {status}, _PATIENCE)
        click.echo(f"← {session.id} is {session.status}, version {session.version}")
        return session

    def wait_until_decided(self, session_id: str, delivery: Delivery) -> None:
        """Waits until a session's history has the delivery's events about it."""
        instance = self.instances[delivery.provider_id]
        told = instance.adapter.read(delivery, instance.config)
        wanted = {event.event_id for event in told if event.reference == session_id}

        def decided() -> bool:
            known = {decision.event_id for decision in self.client.history(session_id)}
            return wanted <= known

        what = f"The webhooks about {session_id} are not applied"
        self.gateway.supervisor.wait_until(decided, _PATIENCE, what)


def _payment(session_id: str) -> SimulatedPayment:
    return SimulatedPayment(
        session_id=session_id,
        external_id=f"payment_of_{session_id}",
        amount=_AMOUNT,
        currency=_CURRENCY,
    )


@click.command(name="demo")
@as_json
def command(*, as_json: bool) -> None:
    """Play two providers' payments through a real gateway, print their timelines, check them.

    Everything is real, but the providers: an embedded Valkey that syncs every write, a web
    server, a worker, the cron process.
    """
    # The demo is the same everywhere: nothing of this environment's configuration gets into it.
    plain = {k: v for k, v in environment().items() if not k.startswith(PREFIX)}
    with Stop() as stop, tempfile.TemporaryDirectory(prefix="gateway-demo-") as data:
        plan = Plan(Path(data), free_port(), development_environment(plain))
        # Programs get the result only; the story is for people.
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            checks = _run(plan, stop)
    for text, holds in checks.items():
        say(as_json, f"{'✓' if holds else '✗'} {text}", check=text, holds=holds)
    broken = [text for text, holds in checks.items() if not holds]
    if broken:
        raise DemoFailure(f"This did not hold: {'; '.join(broken)}.")
    click.echo("\nAll of it held, and nothing is left running.", err=as_json)


def _run(plan: Plan, stop: Stop) -> Mapping[str, bool]:
    """Plays the story; what should hold, and whether it did."""
    click.echo("Starting Valkey, a web server, a worker and the cron process …")
    with running(plan, lambda text: click.echo(text, err=True), stop) as gateway:
        try:
            return _play(gateway, plan)
        except GatewayError:
            click.echo(gateway.supervisor.last_lines(), err=True)
            raise


def _play(gateway: Gateway, plan: Plan) -> Mapping[str, bool]:
    instances = load({f"{PREFIX}STORE_URL": "redis://localhost", **plan.environment}).instances
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=30)
    with GatewayClient(gateway.base_url, gateway.token) as client:
        stage = Stage(gateway, client, instances, began)
        checks = _stripe(stage) | _forgery(stage) | _adyen(stage)
        for session_id in ("ps_demo_stripe", "ps_demo_adyen_1", "ps_demo_adyen_2"):
            click.echo("")
            for line in timeline(client.get(session_id), client.history(session_id)):
                click.echo(line)
    click.echo("")
    return checks


def _stripe(stage: Stage) -> dict[str, bool]:
    """A card payment with 3-D Secure, told in the wrong order, and one webhook of it twice."""
    session_id = "ps_demo_stripe"
    click.echo("\nStripe: a payment with 3-D Secure; its webhooks come out of order, one twice.")
    session = stage.create(session_id, "stripe")
    unchanged = stage.client.changed(session) is None
    click.echo(f"← {session_id} {'unchanged (304)' if unchanged else 'has changed'}")
    seconds = {"created": 0, "requires_action": 4, "authorized": 11, "captured": 14}
    told = {k: stage.simulate("stripe", k, session_id, s) for k, s in seconds.items()}
    answers = [stage.post(told[kind]) for kind in ("captured", "created", "authorized")]
    stage.wait_for(session_id, SessionStatus.AUTHORIZED)
    stage.wait_until_decided(session_id, told["authorized"])
    before = stage.client.get(session_id)
    answers.append(stage.post(told["authorized"], "the same again"))
    # It comes after the repetition: when it is decided, so would that be.
    answers.append(stage.post(told["requires_action"]))
    stage.wait_until_decided(session_id, told["requires_action"])
    after, history = stage.client.get(session_id), stage.client.history(session_id)
    return {
        "asking for an unchanged session is answered 304": unchanged,
        "each genuine Stripe webhook was answered 2xx": all(answer.ok for answer in answers),
        "the Stripe session is authorized": after.status is SessionStatus.AUTHORIZED,
        "its authorization time is the earliest that was told": (
            after.payment_authorized_at == stage.at(seconds["authorized"])
        ),
        "the repeated webhook changed nothing": before.version == after.version,
        "each event stands once in the history": len(history) == 1 + len(told),
    }


def _forgery(stage: Stage) -> dict[str, bool]:
    """A genuine webhook with one byte more than was signed."""
    click.echo("\nStripe: a webhook that was changed on its way.")
    session_id = "ps_demo_stripe"
    genuine = stage.simulate("stripe", "captured", session_id, 20)
    answer = stage.post(replace(genuine, body=genuine.body + b" "))
    return {
        "the changed webhook was refused for its signature": (
            answer.status in _REFUSALS and answer.cause == Cause.BAD_SIGNATURE
        )
    }


def _adyen(stage: Stage) -> dict[str, bool]:
    """Two authorisations in one delivery; the session of the second is created after it came."""
    first, second = "ps_demo_adyen_1", "ps_demo_adyen_2"
    click.echo("\nAdyen: two authorisations in one delivery, the second ahead of its session.")
    stage.create(first, "adyen")
    batch = _batch(stage, {first: 16, second: 17})
    answer = stage.post(batch)
    one = stage.wait_for(first, SessionStatus.AUTHORIZED)
    parked = _is_unknown(stage, second)
    stage.create(second, "adyen")
    two = stage.wait_for(second, SessionStatus.AUTHORIZED)
    created, *applied = stage.client.history(second)
    return {
        "the Adyen batch was answered 2xx": answer.ok,
        "the first Adyen session is authorized": one.payment_authorized_at == stage.at(16),
        "the second one's webhook came before its session": (
            parked and all(decision.received_at < created.received_at for decision in applied)
        ),
        "and was applied when the session was created": two.payment_authorized_at == stage.at(17),
        "the first one was told only once": len(stage.client.history(first)) == 1 + len(applied),
    }


def _batch(stage: Stage, seconds: Mapping[str, int]) -> Delivery:
    """One delivery with an authorisation for each session; Adyen signs every item by itself."""
    alone = [
        stage.simulate("adyen", "authorized", session_id, second)
        for session_id, second in seconds.items()
    ]
    documents = [json.loads(delivery.body) for delivery in alone]
    items = [item for document in documents for item in document["notificationItems"]]
    body = json.dumps(documents[0] | {"notificationItems": items})
    return replace(alone[0], body=body.encode())


def _is_unknown(stage: Stage, session_id: str) -> bool:
    try:
        stage.client.get(session_id)
    except Refused as error:
        return error.status == _NOT_FOUND
    return False
