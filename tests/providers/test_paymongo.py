import hmac
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.errors import Cause, Rejected


@pytest.fixture
def paymongo(instance_of):
    return instance_of("paymongo")


@pytest.fixture
def read(paymongo, simulated, resigned):
    """The one event of a kind under another type, with attributes of its resource replaced."""

    def make(kind, name=None, own_id=None, **changes):
        delivery = simulated(paymongo, kind)
        body = json.loads(delivery.body)
        attributes = body["data"]["attributes"]
        attributes["type"] = name or attributes["type"]
        attributes["data"]["id"] = own_id or attributes["data"]["id"]
        attributes["data"]["attributes"] |= changes
        (event,) = paymongo.adapter.read(resigned(paymongo, delivery, body), paymongo.config)
        return event

    return make


@pytest.fixture
def with_value(paymongo, simulated):
    """A delivery whose header is made of the time and the signature that it has."""

    def make(value, *, livemode=False):
        delivery = simulated(paymongo, "captured")
        body = json.loads(delivery.body)
        body["data"]["attributes"]["livemode"] = livemode
        delivery = replace(delivery, body=json.dumps(body).encode())
        signed = paymongo.adapter.scheme.sign(delivery, paymongo.config)
        items = signed.header_values("Paymongo-Signature")[0].split(",")
        found = dict(item.split("=") for item in items)
        made = value.format(t=found["t"], sig=found["te"] or found["li"])
        return replace(delivery, headers=(("paymongo-signature", made),))

    return make


@pytest.mark.parametrize(
    ("kind", "name", "state", "status", "change"),
    [
        ("captured", "payment.paid", "paid", "authorized", "captured"),
        ("captured", "payment.failed", "failed", "error", None),
        ("captured", "payment_intent.succeeded", "succeeded", "authorized", "captured"),
        ("authorized", "payment_intent.awaiting_capture", "awaiting", "authorized", None),
        ("authorized", "payment_intent.awaiting_payment_method", "x", "requires_more", None),
        ("processing", "source.chargeable", "chargeable", "pending", None),
        ("captured", "checkout_session.payment.paid", "active", "authorized", "captured"),
        ("captured", "link.payment.paid", "paid", "authorized", "captured"),
        ("captured", "qr.paid", "paid", "authorized", "captured"),
        ("captured", "qr.expired", "expired", "canceled", None),
        ("captured", "payment.refunded", "paid", None, "refunded"),
        ("refunded", "payment.refund.updated", "succeeded", None, "refunded"),
        ("refunded", "refund.updated", "succeeded", None, "refunded"),
        ("refunded", "refund.succeeded", "succeeded", None, "refunded"),
        ("refunded", "refund.updated", "failed", None, "refund_failed"),
        ("refunded", "payment.refund.updated", "pending", None, None),
        ("refunded", "refund.updated", "processing", None, None),
        ("disputed", "dispute.created", "pending", None, "disputed"),
        ("disputed", "dispute.resolved", "won", None, "dispute_won"),
        ("disputed", "dispute.resolved", "lost", None, "dispute_lost"),
        ("ignored", "payout.deposited", None, None, None),
        ("ignored", "subscription.activated", None, None, None),
        ("ignored", "workflow.done", None, None, None),
    ],
)
def test_event_means_what_the_table_says(kind, name, state, status, change, read):
    event = read(kind, name, status=state)
    told = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, told)
    assert event.recognized


def test_outcome_of_a_dispute_weighs_more_than_its_status(read):
    event = read("disputed", "dispute.resolved", outcome="won", status="resolved")
    assert "dispute_won" == event.payment_change.kind
    assert not read("disputed", "dispute.resolved", status="resolved").recognized


@pytest.mark.parametrize(
    ("value", "livemode", "cause"),
    [
        ("t={t},te=,li={sig}", True, None),
        ("t={t},te={sig},li=", False, None),
        ("li={sig},x=1, te=,t={t}", True, None),
        ("t={t},te=0000,li={sig}", True, None),
        ("t={t},te={sig},li=", True, Cause.BAD_SIGNATURE),
        ("t={t},te=,li={sig}", False, Cause.BAD_SIGNATURE),
        ("t={t},te={sig},li=0000", False, Cause.BAD_SIGNATURE),
        ("t={t},te={sig},li={sig}", False, Cause.BAD_SIGNATURE),
        ("t={t},te=,li=", False, Cause.MISSING_SIGNATURE),
        ("t={t},te={sig}", False, Cause.MISSING_SIGNATURE),
        ("te={sig},li=", False, Cause.MISSING_SIGNATURE),
        ("{sig}", False, Cause.MISSING_SIGNATURE),
        ("t={t},te={sig},te={sig},li=", False, Cause.MISSING_SIGNATURE),
        ("t={t}x,te={sig},li=", False, Cause.BAD_SIGNATURE),
    ],
)
def test_mode_of_the_signature_is_that_of_the_body(
    value, livemode, cause, paymongo, with_value, refusal
):
    assert cause == refusal(paymongo, with_value(value, livemode=livemode))


def test_time_must_be_one_though_it_is_signed(paymongo, simulated, refusal):
    delivery = simulated(paymongo, "captured")
    key = paymongo.config.webhook_secrets[0].bytes
    delivery = replace(delivery, body=b'{"data": {}}')
    value = hmac.digest(key, b"soon." + delivery.body, "sha256").hex()
    headers = (("Paymongo-Signature", f"t=soon,te={value},li="),)
    assert Cause.MALFORMED == refusal(paymongo, replace(delivery, headers=headers))


def test_signed_body_without_a_mode_is_kept(paymongo, simulated, resigned, refusal):
    assert refusal(paymongo, resigned(paymongo, simulated(paymongo, "captured"), b"[]")) is None


def test_without_a_tolerance_a_late_repeat_is_taken(instance_of, paymongo, simulated, refusal, at):
    late = replace(simulated(paymongo, "captured"), received_at=at + timedelta(days=2))
    assert Cause.STALE_TIMESTAMP == refusal(paymongo, late)
    assert refusal(instance_of("paymongo", tolerance_seconds=None), late) is None


def test_key_is_the_events_id(paymongo, simulated):
    delivery = simulated(paymongo, "captured")
    assert b"evt_captured" == paymongo.adapter.key(delivery, paymongo.config)
    assert b"{}" == paymongo.adapter.key(replace(delivery, body=b"{}"), paymongo.config)


def test_payment_is_found_by_its_intent_if_it_has_one(read):
    assert "ext_42" == read("captured").external_id
    assert "pay_1" == read("captured", own_id="pay_1", payment_intent_id=None).external_id


PAYMENT = {"amount": 700, "currency": "PHP", "status": "paid", "payment_intent_id": "ext_42"}


@pytest.mark.parametrize(
    ("name", "own_id", "changes"),
    [
        ("payment_intent.succeeded", "ext_42", {"payments": []}),
        ("payment_intent.succeeded", "pi_1", {"payments": [], "payment_intent_id": "ext_42"}),
        (
            "checkout_session.payment.paid",
            "cs_1",
            {"payment_intent": {"id": "ext_42"}, "payments": [{"id": "p", "attributes": PAYMENT}]},
        ),
        (
            "link.payment.paid",
            "link_1",
            {"payments": [{"data": {"id": "p", "attributes": PAYMENT}}]},
        ),
    ],
)
def test_same_money_is_the_same_capture(name, own_id, changes, read):
    event = read("captured", name, own_id, **{"payment_intent_id": None} | changes)
    assert read("captured").payment_change == event.payment_change


def test_checkout_tells_the_money_of_the_payment_that_was_made(read):
    failed = {"id": "p1", "attributes": PAYMENT | {"amount": 900, "status": "failed"}}
    payments = [failed, {"id": "p2", "attributes": PAYMENT}]
    changes = {"amount": None, "payments": payments, "payment_intent_id": None, "metadata": None}
    event = read("captured", "checkout_session.payment.paid", "cs_1", **changes)
    assert ("cs_1", 700, "PHP") == (event.external_id, event.amount, event.currency)


def test_reference_number_stands_in_for_metadata(read):
    assert "ps_1" == read("captured", metadata=None, reference_number="ps_1").reference
    assert "ps_2" == read("captured", metadata=[], external_reference_number="ps_2").reference


def test_refund_and_dispute_name_the_payment_only(read):
    for kind in ("refunded", "disputed"):
        event = read(kind, own_id="own_1", payment_id="pay_1")
        assert ("pay_1", "own_1") == (event.external_id, event.payment_change.reference)


def test_payment_that_is_all_back_is_a_sum(read):
    assert read("captured", "payment.refunded").payment_change.running_total


@pytest.mark.parametrize("name", ["amount", "currency"])
def test_paid_payment_without_money_is_malformed(name, read):
    with pytest.raises(Rejected) as refused:
        read("captured", **{name: None})
    assert Cause.MALFORMED == refused.value.cause
