import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.domain.errors import Rejected
from providers import registry, simulator
from providers.configuration import load


@pytest.fixture
def at():
    return datetime(2025, 11, 24, 16, 0, 0, 123000, UTC)


@pytest.fixture
def payment():
    return simulator.SimulatedPayment(
        session_id="payses_01JDTEST", external_id="ext_42", amount=4250, currency="EUR"
    )


@pytest.fixture
def instance_of():
    """An instance of an adapter: its development configuration, with some settings replaced."""

    def make(adapter_id, **settings):
        adapter = registry.adapter(adapter_id)
        raw = {**simulator.development_config(adapter_id), **settings}
        return registry.Instance(adapter_id, adapter, load(adapter.Config, raw))

    return make


@pytest.fixture
def simulated(at, payment):
    """A simulated delivery of an instance; the event's id is made of its kind."""

    def make(instance, kind, **changes):
        details = {"event_id": f"evt_{kind}", "at": at, **changes}
        payment_told = details.pop("payment", payment)
        return simulator.simulate(instance, kind, payment_told, **details)

    return make


@pytest.fixture
def resigned():
    """A delivery with another body (JSON value or bytes), signed for it."""

    def make(instance, delivery, body):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return instance.adapter.scheme.sign(replace(delivery, body=body), instance.config)

    return make


@pytest.fixture
def refusal():
    """The cause for which a delivery is refused; None if it is not."""

    def cause(instance, delivery):
        try:
            instance.adapter.verify(delivery, instance.config)
        except Rejected as error:
            return error.cause
        return None

    return cause
