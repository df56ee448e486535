import json
from dataclasses import replace

import provider_cases
import pytest

from gateway.domain.errors import Rejected
from providers import simulator


@pytest.fixture
def at():
    return provider_cases.AT


@pytest.fixture
def payment():
    return provider_cases.PAYMENT


@pytest.fixture
def instance_of():
    """An instance of an adapter: its development configuration, with some settings replaced."""

    def make(adapter_id, **settings):
        return provider_cases.instance_of(adapter_id, **settings)

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
