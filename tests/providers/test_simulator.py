import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from provider_cases import ADAPTERS, AT, case_of, instance_of, payment_of

from gateway.domain.errors import InvalidInput
from providers import simulator


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_session_can_be_authorized_with_every_adapter(adapter_id):
    events = case_of(instance_of(adapter_id), "authorized").events()
    assert "authorized" in {event.session_status for event in events}


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_what_is_told_is_about_the_payment(adapter_id):
    instance = replace(instance_of(adapter_id), name="shop-eu")
    case, payment = case_of(instance, "authorized"), payment_of(adapter_id)
    money = (payment.amount, payment.currency)
    assert ("/webhooks/shop-eu", AT) == (case.delivery.path, case.delivery.received_at)
    for event in case.events():
        assert "shop-eu" == event.provider_id
        assert payment.external_id == event.external_id or payment.session_id == event.reference
        # Some providers tell an id and what happened to it, and no money.
        assert (event.amount, event.currency) in (money, (None, None))
        assert timedelta(minutes=1) > AT - event.occurred_at >= timedelta(0)


@pytest.mark.parametrize("adapter_id", ADAPTERS)
@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD", "ISK", "CLP", "IDR"])
def test_amount_survives_the_providers_own_minor_unit(adapter_id, currency):
    told = payment_of(adapter_id, currency=currency, amount=120_000)
    for event in case_of(instance_of(adapter_id), "authorized", payment=told).events():
        # With one currency an account, the provider tells none.
        assert event.currency != currency or event.amount == 120_000


def test_amount_that_the_provider_cannot_tell_is_refused(instance_of, simulated, payment):
    told = replace(payment, currency="IDR", amount=150)
    with pytest.raises(InvalidInput, match="amount"):
        simulated(instance_of("adyen"), "captured", payment=told)


def test_unknown_kind_is_refused_with_the_list(instance_of, simulated):
    with pytest.raises(InvalidInput, match=r"kind: must be one of .*authorized"):
        simulated(instance_of("stripe"), "teleported")


def test_unknown_adapter_is_refused():
    with pytest.raises(InvalidInput, match="provider"):
        simulator.kinds("../secrets")


def test_batch_holds_all_its_kinds(instance_of, payment, at):
    adyen = instance_of("adyen")
    delivery = simulator.simulate_batch(
        adyen, ("authorized", "captured"), payment, event_id="x", at=at
    )
    assert 2 == len(json.loads(delivery.body)["notificationItems"])


@pytest.mark.parametrize("kinds", [(), ("authorized", "captured")])
def test_batch_is_refused_where_the_provider_sends_none(kinds, instance_of, payment, at):
    with pytest.raises(InvalidInput):
        simulator.simulate_batch(instance_of("stripe"), kinds, payment, event_id="x", at=at)


def test_refunds_with_ids_of_their_own_are_two(instance_of, simulated, payment):
    square = instance_of("square")
    told = [
        event.payment_change.reference
        for own in ("R1", "R2")
        for event in square.adapter.read(
            simulated(square, "refunded", payment=replace(payment, reference_id=own)),
            square.config,
        )
    ]
    assert 2 == len(set(told))


def test_any_time_zone_will_do(instance_of, simulated):
    stripe = instance_of("stripe")
    at = datetime(2025, 11, 24, 17, tzinfo=timezone(timedelta(hours=1)))
    (event,) = stripe.adapter.read(simulated(stripe, "captured", at=at), stripe.config)
    assert datetime(2025, 11, 24, 16, tzinfo=UTC) == event.occurred_at


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_development_configuration_cannot_be_spoilt(adapter_id):
    before = json.dumps(simulator.development_config(adapter_id))
    simulator.development_config(adapter_id).clear()
    assert before == json.dumps(simulator.development_config(adapter_id))
