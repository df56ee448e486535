"""Signed webhooks with realistic bodies, each with ids of its own, as bytes that are ready to send.

The simulator's bodies hold what an adapter reads; `bodies.json` adds what providers send beside it,
so that the bodies are as long as theirs (3 to 4 KB). A body is made once for a kind and then only
its ids are replaced: signing is what takes the time.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from gateway.cli.development import provider_environment
from gateway.config import load
from gateway.domain.events import Delivery
from gateway.store import keys
from providers import simulator
from providers.registry import Instance
from providers.simulator import SimulatedPayment

PROVIDERS = ("stripe", "adyen", "paypal", "mollie")
AMOUNT, CURRENCY = 4250, "EUR"
SHARDS = 1
_BODIES = json.loads(Path(__file__).with_name("bodies.json").read_text())
# As long as what takes their place, so that a body's length is always the same.
_SESSION, _PAYMENT, _EVENT, _REFERENCE = (
    "ps_bench_XXXXXXXX",
    "pay_XXXXXXXX",
    "evt_XXXXXXXX",
    "refXXXX",
)


def settings() -> dict[str, str]:
    """The environment of a gateway that knows the four providers by development secrets."""
    return {k: v for name in PROVIDERS for k, v in provider_environment(name).items()}


INSTANCES = load({"GATEWAY_STORE_URL": "unix:///none", **settings()}).instances


def provider_of(session: int) -> str:
    return PROVIDERS[session % len(PROVIDERS)]


def session_id(session: int) -> str:
    return f"ps_{session:026}"


def payment_id(session: int) -> str:
    return f"pay_{session:08}"


@dataclass(frozen=True)
class Webhook:
    """One that is sent: event `event` about session `session`."""

    session: int
    event: int
    delivery: Delivery

    @property
    def instance(self) -> Instance:
        return INSTANCES[self.delivery.provider_id]

    @property
    def key(self) -> bytes:
        return self.instance.adapter.key(self.delivery, self.instance.config)

    @property
    def delivery_id(self) -> str:
        return keys.delivery_id(self.delivery.provider_id, self.key, SHARDS)

    def request(self, path: str = "") -> bytes:
        """The HTTP request. `path`: to another route than the provider's own."""
        made = self.delivery
        head = f"POST {path or made.path} HTTP/1.1\r\nHost: gateway.example.com\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in made.headers)
        return f"{head}Content-Length: {len(made.body)}\r\n\r\n".encode() + made.body


def webhook(session: int, event: int = 0) -> Webhook:
    """The authorization of a session's payment (event 0), or a refund of one minor unit."""
    provider = provider_of(session)
    made = _template(provider, "refunded" if event else "authorized")
    body = made.body
    for mark, own in (
        (_SESSION, session_id(session)),
        (_PAYMENT, payment_id(session)),
        (_EVENT, f"evt_{session:06}{event:02}"),
        (_REFERENCE, f"ref{event:04}"),
    ):
        body = body.replace(mark.encode(), own.encode())
    now = datetime.now(UTC)
    unsigned = replace(made, body=body, received_at=now)
    instance = INSTANCES[provider]
    return Webhook(session, event, instance.adapter.scheme.sign(unsigned, instance.config))


def webhooks(first: int, sessions: int, events: int = 1) -> Iterator[Webhook]:
    """`events` webhooks for each of `sessions` sessions; all sessions' first ones come first."""
    for event in range(events):
        for session in range(first, first + sessions):
            yield webhook(session, event)


@cache
def _template(provider: str, kind: str) -> Delivery:
    amount = AMOUNT if kind == "authorized" else 1
    told = SimulatedPayment(
        session_id=_SESSION,
        external_id=_PAYMENT,
        amount=amount,
        currency=CURRENCY,
        reference_id=_REFERENCE if kind == "refunded" else "",
    )
    made = simulator.simulate(
        INSTANCES[provider], kind, told, event_id=_EVENT, at=datetime.now(UTC)
    )
    body = json.loads(made.body)
    for path, more in _BODIES[provider].items():
        part = body
        for name in path.split("/") if path else ():
            part = part[int(name) if isinstance(part, list) else name]
        part.update({name: value for name, value in more.items() if not part.get(name)})
    # Stripe sends its bodies laid out, the others without any blank.
    indent = 2 if provider == "stripe" else None
    text = json.dumps(body, indent=indent, separators=None if indent else (",", ":"))
    return replace(made, body=text.encode())
