"""Every provider's webhook through a real gateway: signed, sent, fetched back, applied."""

from datetime import UTC, datetime

import pytest
from processes import Gateway, eventually, free_port

from gateway.cli.development import development_environment
from gateway.cli.stand_in import serving
from gateway.config import instance_prefix, load
from providers import registry, simulator
from providers.simulator import SimulatedPayment

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

ADAPTERS = registry.adapter_ids()
AMOUNT, CURRENCY = 4250, "EUR"


@pytest.fixture
def api_port():
    return free_port()


@pytest.fixture
def developed(api_port, short_folder):
    """A gateway with the development secrets of all providers, and a stand-in for their APIs."""
    settings = development_environment({})
    settings |= {
        f"{instance_prefix(name)}API_BASE": f"http://127.0.0.1:{api_port}" for name in ADAPTERS
    }
    made = Gateway(short_folder, settings)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def payment(name):
    session_id = f"ps_{name}"
    return SimulatedPayment(
        session_id=session_id,
        external_id=simulator.external_id(name, session_id),
        amount=AMOUNT,
        currency=CURRENCY,
    )


def test_each_provider_authorizes_a_session(developed, api_port):
    environment = {"GATEWAY_STORE_URL": "unix:///none", **development_environment({})}
    instances = load(environment).instances
    assert set(ADAPTERS) == set(instances)
    at, deliveries, calls = datetime.now(UTC), {}, []
    for name, instance in instances.items():
        told = payment(name)
        deliveries[name] = simulator.simulate(
            instance, "authorized", told, event_id=f"evt_{name}", at=at
        )
        calls += simulator.api_calls(instance, "authorized", told, event_id=f"evt_{name}", at=at)
        developed.create(
            told.session_id, provider_id=name, amount=AMOUNT, data={"id": told.external_id}
        )
    with serving(calls, api_port):
        refused = {
            name: answer
            for name, delivery in deliveries.items()
            if not 200 <= (answer := developed.post(delivery)) < 300
        }
        assert {} == refused

        def left():
            return [name for name in ADAPTERS if developed.status(f"ps_{name}") != "authorized"]

        try:
            eventually(lambda: not left(), "all are authorized", seconds=30)
        except AssertionError:
            told = {name: developed.decisions(f"ps_{name}")[1:] for name in left()}
            pytest.fail(f"not authorized: {told}")
