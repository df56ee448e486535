"""A provider of the tests' own: its deliveries are lists of events in our own words."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from builders import START
from redis import Redis

from gateway.config import Settings
from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import (
    ChangeKind,
    Delivery,
    PaymentChange,
    PaymentEvent,
    SessionStatus,
)
from jobs.runtime import Runtime, make
from providers import configuration
from providers.configuration import Secret, Secrets
from providers.contract import Adapter, ApiRequest, Reply, Settlement, Verified
from providers.registry import Instance
from providers.schemes.body_hmac import BodyHmac

NO_TIME = timedelta(0)
API = "https://api.toy.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyConfig:
    secrets: Secrets = ()
    api_key: Secret | None = None


class Toy(Adapter[ToyConfig]):
    """https://toy.example/webhooks"""

    id = "toy"
    Config = ToyConfig
    scheme = BodyHmac(header="X-Toy-Signature", secrets=lambda config: config.secrets)
    reply = Reply(200, "[toy]")
    refusal_status = 401
    secret_headers = ("X-Toy-Token",)
    secret_query = ("token",)

    def verify(self, delivery: Delivery, config: ToyConfig) -> Verified:
        verified = self.scheme.verify(delivery, config)
        return Verified(verified.secret, settled=b'"ask"' not in delivery.body)

    def read(self, delivery: Delivery, config: ToyConfig) -> Iterable[PaymentEvent]:
        return events_of(delivery, delivery.body)

    def settle(self, delivery: Delivery, config: ToyConfig) -> Settlement:
        answer = yield ApiRequest("GET", f"{API}/payments/1")
        if answer.status == 404:
            raise Rejected(Cause.UNKNOWN_PAYMENT, "the provider does not know it")
        return events_of(delivery, answer.body)


def events_of(delivery: Delivery, body: bytes) -> list[PaymentEvent]:
    try:
        told = json.loads(body)["events"]
    except (ValueError, KeyError, TypeError):
        raise Rejected(Cause.MALFORMED, "no events") from None
    if told == "crash":
        raise RuntimeError("an adapter's mistake")
    return [_event(delivery, item) for item in told]


def _event(delivery: Delivery, item: dict[str, Any]) -> PaymentEvent:
    change = item.pop("change", None)
    status = item.pop("status", None)
    at = item.pop("at", None)
    return PaymentEvent(
        provider_id=delivery.provider_id,
        event_id=item.pop("id"),
        type=item.pop("type", "toy"),
        occurred_at=datetime.fromisoformat(at) if at else START,
        session_status=SessionStatus(status) if status else None,
        payment_change=PaymentChange(ChangeKind(change[0]), change[1]) if change else None,
        **item,
    )


TOY = Toy()


def instance(name: str = "toy", secret: str = "toy-secret", **fields: Any) -> Instance:
    config = configuration.load(ToyConfig, {"secrets": [secret]})
    return Instance(name, TOY, config, **fields)


def settings(**fields: Any) -> Settings:
    """Settings with two toy accounts."""
    instances = {name: instance(name) for name in ("toy", "toy-eu")}
    return Settings(store_url="", queue_url="", instances=instances, **fields)


def runtime(client: Redis, clock: Callable[[], datetime], **fields: Any) -> Runtime:
    """What jobs work with, over one connection."""
    return make(settings(**fields), client, client, clock)


def signed(*events: dict[str, Any], name: str = "toy", **fields: Any) -> Delivery:
    """A signed delivery of these events; further fields go into its body."""
    body = json.dumps({"events": list(events), **fields}).encode()
    bare = Delivery(provider_id=name, body=body, headers=(), received_at=START)
    return TOY.scheme.sign(bare, instance(name).config)


def told(event_id: str, session_id: str = "ps_1", **fields: Any) -> dict[str, Any]:
    """One event as the toy provider writes it: by default an authorization of the whole."""
    values = {"status": "authorized", "amount": 1000, "currency": "EUR"}
    return {"id": event_id, "reference": session_id, **values, **fields}


def keep(runtime: Any, *events: dict[str, Any], name: str = "toy", **fields: Any) -> str:
    """Appends a delivery as the edge would; its id."""
    delivery = signed(*events, name=name, **fields)
    settled = TOY.verify(delivery, instance(name).config).settled
    appended = runtime.inbox.append(delivery, delivery.body, secret="secrets[0]", settled=settled)
    return appended.delivery_id
