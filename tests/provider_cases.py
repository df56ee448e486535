"""What the generic tests of adapters share: simulated deliveries, and a provider's API to ask."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers import registry, simulator
from providers.configuration import Secret, load
from providers.conformance import delivery_of
from providers.contract import ApiAnswer

ADAPTERS = registry.adapter_ids()
VECTORS = [
    pytest.param(vector, id=f"{path.stem}-{vector['name']}")
    for path in sorted((Path(__file__).parent / "vectors").glob("*.json"))
    if path.stem in ADAPTERS
    for vector in json.loads(path.read_text(encoding="utf-8"))
]
KINDS = [(name, kind) for name in ADAPTERS for kind in simulator.kinds(name)]
AT = datetime(2025, 11, 24, 16, 0, 0, 123000, UTC)
PAYMENT = simulator.SimulatedPayment(
    session_id="payses_01JDTEST", external_id="ext_42", amount=4250, currency="EUR"
)
# How a secret may turn out to be the wrong one: it depends on the scheme.
WRONG_SECRET = {
    Cause.BAD_SIGNATURE,
    Cause.BAD_CREDENTIALS,
    Cause.UNKNOWN_KEY,
    Cause.UNTRUSTED_CERTIFICATE,
}


@dataclass(frozen=True)
class Case:
    """A simulated delivery with what the provider's API answers about it."""

    instance: registry.Instance
    delivery: Delivery
    calls: tuple = ()
    # The requests that the API knows an answer to; None: all to the URLs of `calls`.
    known: tuple | None = None

    @property
    def config(self):
        return self.instance.config

    def verify(self):
        return self.instance.adapter.verify(self.delivery, self.config)

    def key(self):
        return self.instance.adapter.key(self.delivery, self.config)

    def events(self):
        """What comes of the delivery. Raises Rejected, also for what the API does not know."""
        adapter = self.instance.adapter
        if self.verify().settled:
            return list(adapter.read(self.delivery, self.config))
        return list(self._played([]))

    def refusal(self):
        """The cause for which it is refused: at once or by the API's answers; else None."""
        try:
            if not self.verify().settled:
                self.events()
        except Rejected as error:
            return error.cause
        return None

    def ids(self):
        return [event.event_id for event in self.events()]

    def altered(self, **changes):
        return replace(self, delivery=replace(self.delivery, **changes))

    def with_header(self, name, values):
        kept = [pair for pair in self.delivery.headers if pair[0].lower() != name.lower()]
        return self.altered(headers=(*kept, *((name, value) for value in values)))

    def signed(self, body):
        """The case with another body, signed for it if it can be."""
        delivery = replace(self.delivery, body=body)
        return replace(self, delivery=self.instance.adapter.scheme.sign(delivery, self.config))

    def judged_by(self, instance):
        return replace(self, instance=instance)

    def answered(self, change):
        """The case with every JSON answer of the API changed."""
        calls = [
            replace(one, body=json.dumps(change(json.loads(one.body))).encode())
            for one in self.calls
        ]
        return replace(self, calls=tuple(calls))

    def asked(self):
        """The calls that are made to the API."""
        asked = []
        if not self.verify().settled:
            self._played(asked)
        return asked

    def _played(self, asked):
        """The events that the conversation with the API ends in; what it does not know is 404."""
        answers = {(c.method, c.url): ApiAnswer(c.status, c.body) for c in self.calls}
        settlement = self.instance.adapter.settle(self.delivery, self.config)
        try:
            request = next(settlement)
            while True:
                asked.append(request)
                answer = answers.get((request.method, request.url))
                if answer is None or (self.known is not None and request not in self.known):
                    answer = ApiAnswer(404, b"{}")
                request = settlement.send(answer)
        except StopIteration as end:
            return end.value or ()

    def covers_nothing(self):
        """Whether nothing of the body is signed: whoever knows the token may say anything."""
        try:
            return self.altered(body=b"{}").verify().settled
        except Rejected:
            return False

    def signs_bytes(self):
        """Whether a space at the end makes another signature, where signing is no lottery."""
        body = self.delivery.body
        try:
            once, again, other = (self.signed(one) for one in (body, body, body + b" "))
        except Rejected:
            return True  # only the provider has the key
        names = self.signature_headers()
        values = [[case.delivery.header_values(n) for n in names] for case in (once, again, other)]
        return values[0] == values[1] != values[2]

    def signature_headers(self):
        """The headers that prove who sends; none where the body or nothing does."""
        return [name for name, _ in self.delivery.headers if self._signs(name)]

    def _signs(self, name):
        """Whether a header that is taken away comes back by signing."""
        try:
            again = self.with_header(name, []).signed(self.delivery.body)
        except Rejected:
            return False  # it is signed itself
        return bool(again.delivery.header_values(name))


def instance_of(adapter_id, whole=None, **settings):
    """An instance with the development configuration, or another, some settings replaced."""
    adapter = registry.adapter(adapter_id)
    base = simulator.development_config(adapter_id) if whole is None else whole
    raw = {**base, **settings}
    return registry.Instance(adapter_id, adapter, load(adapter.Config, raw))


def payment_of(adapter_id, **changes):
    """A payment with an id as the provider would write it."""
    own = simulator.external_id(adapter_id, PAYMENT.session_id)
    return replace(PAYMENT, external_id=own, **changes)


def case_of(instance, kind, *, payment=None, at=AT):
    details = {"event_id": f"evt_{kind}", "at": at}
    payment = payment or payment_of(instance.adapter.id)
    delivery = simulator.simulate(instance, kind, payment, **details)
    return Case(instance, delivery, simulator.api_calls(instance, kind, payment, **details))


def recorded(vector):
    """A vector as a case."""
    adapter = registry.adapter(vector["provider"])
    instance = registry.Instance(adapter.id, adapter, load(adapter.Config, vector["config"]))
    calls = [
        simulator.ApiCall(c["method"], c["url"], c["status"], (c.get("body") or "").encode())
        for c in vector.get("api") or ()
    ]
    return Case(instance, delivery_of(vector), tuple(calls))


def outcome(case):
    """What comes of a delivery; None when it is refused.

    What an API settles has no words of the body in it: not even its type and its time count.
    """
    try:
        settled, told = case.verify().settled, case.events()
    except Rejected:
        return None
    plain = {"event_id": "", "livemode": None, "detail": "", "occurred_at": AT}
    plain |= {} if settled else {"type": ""}
    return [replace(event, **plain) for event in told if event.concerns_payment]


def body_of(case):
    """The body as a document: JSON, or a form's fields; None where it is neither."""
    try:
        return json.loads(case.delivery.body)
    except ValueError:
        fields = dict(parse_qsl(case.delivery.body.decode(), keep_blank_values=True))
        return fields or None


def encoded_like(case, document):
    """A document as a body of the same form."""
    try:
        json.loads(case.delivery.body)
    except ValueError:
        flat = {k: v if isinstance(v, str) else json.dumps(v) for k, v in document.items()}
        return urlencode(flat, errors="surrogatepass").encode()
    return json.dumps(document).encode()


def secrets_in(config):
    """The value of every secret of a configuration, also of its parts."""
    for item in fields(config):
        value = getattr(config, item.name)
        inner = value.values() if isinstance(value, Mapping) else value
        for one in inner if isinstance(inner, Iterable) else (inner,):
            if isinstance(one, Secret):
                yield one.value
            elif is_dataclass(one):
                yield from secrets_in(one)


def live_secrets(config):
    """The settings that hold all live secrets of a kind: plain values in a list, or by name."""
    for item in fields(config):
        value = getattr(config, item.name)
        if isinstance(value, tuple) and value and isinstance(value[0], Secret):
            yield item.name, [secret.value for secret in value]
        if isinstance(value, Mapping) and isinstance(next(iter(value.values()), None), Secret):
            yield item.name, {name: secret.value for name, secret in value.items()}


def bare_settings(adapter_id):
    """The least that an operator can configure: no secrets, and nothing that has a default."""
    raw, adapter = simulator.development_config(adapter_id), registry.adapter(adapter_id)
    config = load(adapter.Config, raw)
    live = {name: type(values)() for name, values in live_secrets(config)}
    kept = [
        item.name
        for item in fields(config)
        if item.default is MISSING
        and item.default_factory is MISSING
        and not isinstance(getattr(config, item.name), Secret)
    ]
    return {name: raw[name] for name in kept} | live
