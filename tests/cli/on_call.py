"""Deliveries for tests of the commands, and a drain that works on them."""

from datetime import UTC, datetime, timedelta

from jobs.drain import Drain
from providers import simulator
from providers.simulator import SimulatedPayment

SECRET = "whsec_development_not_a_secret"


def delivery(runtime):
    told = SimulatedPayment(session_id="ps_1", external_id="pi_1", amount=4250, currency="EUR")
    instance = runtime.instances["stripe"]
    return simulator.simulate(instance, "authorized", told, event_id="evt_1", at=datetime.now(UTC))


def keep(runtime, key=b"k"):
    appended = runtime.inbox.append(delivery(runtime), key, secret="s", settled=True)
    return appended.delivery_id


def drain(runtime):
    Drain(runtime, 0).run(linger=timedelta(0))
