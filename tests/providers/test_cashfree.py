import base64
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.errors import Cause, Rejected


@pytest.fixture
def cashfree(instance_of):
    return instance_of("cashfree")


@pytest.fixture
def read(cashfree, simulated, resigned):
    """The one event of a kind under another type, with fields of a part of its data replaced."""

    def make(kind, name=None, about="payment", **changes):
        delivery = simulated(cashfree, kind)
        body = json.loads(delivery.body)
        body["type"] = name or body["type"]
        body["data"].setdefault(about, {}).update(changes)
        (event,) = cashfree.adapter.read(resigned(cashfree, delivery, body), cashfree.config)
        return event

    return make


@pytest.mark.parametrize(
    ("kind", "name", "word", "status", "change"),
    [
        ("authorized", "PAYMENT_SUCCESS_WEBHOOK", "SUCCESS", "authorized", "captured"),
        ("authorized", "PAYMENT_FAILED_WEBHOOK", "FAILED", "error", None),
        ("authorized", "PAYMENT_USER_DROPPED_WEBHOOK", "USER_DROPPED", "error", None),
        ("authorized", "PAYMENT_SUCCESS_WEBHOOK", "PENDING", "pending", None),
        ("authorized", "PAYMENT_FAILED_WEBHOOK", "NOT_ATTEMPTED", "pending", None),
        ("authorized", "PAYMENT_SUCCESS_WEBHOOK", "VOID", "canceled", "voided"),
        ("authorized", "PAYMENT_FAILED_WEBHOOK", "CANCELLED", "canceled", "voided"),
        ("refunded", "REFUND_STATUS_WEBHOOK", "SUCCESS", None, "refunded"),
        ("refunded", "REFUND_STATUS_WEBHOOK", "CANCELLED", None, "refund_failed"),
        ("refunded", "REFUND_STATUS_WEBHOOK", "FAILED", None, "refund_failed"),
        ("refunded", "REFUND_STATUS_WEBHOOK", "PENDING", None, None),
        ("refunded", "REFUND_STATUS_WEBHOOK", "ONHOLD", None, None),
        ("disputed", "DISPUTE_CREATED", "DISPUTE_CREATED", None, "disputed"),
        ("disputed", "DISPUTE_UPDATED", "DISPUTE_MERCHANT_WON", None, "dispute_won"),
        ("disputed", "DISPUTE_CLOSED", "DISPUTE_MERCHANT_LOST", None, "dispute_lost"),
        ("disputed", "DISPUTE_CLOSED", "DISPUTE_MERCHANT_ACCEPTED", None, "dispute_lost"),
        ("disputed", "DISPUTE_UPDATED", "DISPUTE_DOCS_RECEIVED", None, None),
        ("disputed", "DISPUTE_UPDATED", "DISPUTE_UNDER_REVIEW", None, None),
        ("disputed", "DISPUTE_UPDATED", "DISPUTE_INSUFFICIENT_EVIDENCE", None, None),
        ("authorized", "PAYMENT_CHARGES_WEBHOOK", "SUCCESS", None, None),
        ("authorized", "PAYMENT_LINK_EVENT", "SUCCESS", None, None),
        ("authorized", "SETTLEMENT_REVERSED", "SUCCESS", None, None),
    ],
)
def test_status_means_what_the_table_says(kind, name, word, status, change, read):
    about = {"authorized": "payment", "refunded": "refund", "disputed": "dispute"}[kind]
    event = read(kind, name, about, **{f"{about}_status": word})
    told = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, told)
    assert event.recognized


def test_unheard_of_status_is_recorded_and_does_nothing(read):
    event = read("authorized", payment_status="TELEPORTED")
    assert (False, False) == (event.concerns_payment, event.recognized)


def test_dot_of_the_documentation_is_not_signed(cashfree, simulated, refusal):
    delivery = simulated(cashfree, "authorized")
    (stamp,) = delivery.header_values("x-webhook-timestamp")
    key = cashfree.config.client_secrets[0].bytes
    for joint, cause in ((b"", None), (b".", Cause.BAD_SIGNATURE)):
        digest = hmac.digest(key, stamp.encode() + joint + delivery.body, "sha256")
        value = base64.b64encode(digest).decode()
        headers = (("X-Webhook-Timestamp", stamp), ("X-Webhook-Signature", value))
        assert cause == refusal(cashfree, replace(delivery, headers=headers))


@pytest.mark.parametrize("digits", [-1, 1, 12])
def test_boundary_of_time_and_body_cannot_be_shifted(digits, cashfree, simulated, refusal):
    delivery = simulated(cashfree, "authorized")
    (stamp,) = delivery.header_values("x-webhook-timestamp")
    (value,) = delivery.header_values("x-webhook-signature")
    whole = stamp.encode() + delivery.body
    headers = (
        ("x-webhook-timestamp", whole[: 13 - digits].decode()),
        ("x-webhook-signature", value),
    )
    shifted = replace(delivery, headers=headers, body=whole[13 - digits :])
    assert Cause.MALFORMED == refusal(cashfree, shifted)


@pytest.mark.parametrize("other", ["1763999999", "soon", "176399999900\ud800"])
def test_signature_over_another_time_is_forged(other, cashfree, simulated, refusal):
    delivery = simulated(cashfree, "authorized")
    (value,) = delivery.header_values("x-webhook-signature")
    headers = (("x-webhook-timestamp", other), ("x-webhook-signature", value))
    assert Cause.BAD_SIGNATURE == refusal(cashfree, replace(delivery, headers=headers))


def test_without_a_tolerance_a_late_repeat_is_taken(instance_of, cashfree, simulated, refusal, at):
    late = replace(simulated(cashfree, "authorized"), received_at=at + timedelta(days=2))
    assert Cause.STALE_TIMESTAMP == refusal(cashfree, late)
    assert refusal(instance_of("cashfree", tolerance_seconds=None), late) is None


def test_own_tag_weighs_more_than_the_order_id(read):
    assert "ps_1" == read("authorized", about="order", order_tags={"session_id": "ps_1"}).reference
    event = read("authorized", about="order", order_tags=None, order_id="ps_2")
    assert "ps_2" == event.reference


@pytest.mark.parametrize("payment_id", ["1453002795", 1453002795])
def test_payment_id_is_a_number_or_a_text(payment_id, read):
    event = read("authorized", cf_payment_id=payment_id)
    assert "1453002795" == event.external_id
    assert "PAYMENT_SUCCESS_WEBHOOK:1453002795:SUCCESS" == event.event_id


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [(4250.50, "INR", 425050), ("2.00", "INR", 200), (42, "JPY", 42), (1.5, "KWD", 1500)],
)
def test_money_is_in_major_units(amount, currency, expected, read):
    assert expected == read("authorized", payment_amount=amount, payment_currency=currency).amount


def test_amount_paid_counts_and_not_that_of_the_order(read):
    assert 4250 == read("authorized", about="order", order_amount=99).amount


def test_automatic_refund_is_found_by_its_payment(cashfree, simulated, resigned):
    delivery = simulated(cashfree, "refunded")
    body = json.loads(delivery.body)
    refund = body["data"].pop("refund")
    del refund["order_id"]
    body |= {"type": "AUTO_REFUND_STATUS_WEBHOOK", "data": {"auto_refund": refund}}
    for payment_id, expected in (("7", "refunded"), (None, None)):
        refund["cf_payment_id"] = payment_id
        (event,) = cashfree.adapter.read(resigned(cashfree, delivery, body), cashfree.config)
        change = event.payment_change
        assert (payment_id, expected) == (event.external_id, change.kind if change else None)
        assert event.recognized


def test_time_has_an_offset(cashfree, simulated, resigned):
    delivery = simulated(cashfree, "authorized")
    body = json.loads(delivery.body) | {"event_time": "2026-11-18T16:36:40+05:30"}
    (event,) = cashfree.adapter.read(resigned(cashfree, delivery, body), cashfree.config)
    assert datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC) == event.occurred_at


@pytest.mark.parametrize(
    ("kind", "about", "field"),
    [
        ("failed", "payment", "payment_amount"),
        ("refund_failed", "refund", "refund_amount"),
        ("disputed", "dispute", "dispute_amount"),
    ],
)
def test_what_moves_no_money_may_tell_none(kind, about, field, read):
    event = read(kind, about=about, **{field: None})
    assert (True, None) == (event.concerns_payment, event.amount)


def test_dispute_without_a_currency_has_that_of_the_payment(read):
    event = read("disputed", about="dispute", dispute_amount_currency=None)
    assert (4250, "EUR") == (event.amount, event.currency)


@pytest.mark.parametrize("name", ["cf_payment_id", "payment_amount", "payment_currency"])
def test_payment_without_a_required_field_is_malformed(name, read):
    with pytest.raises(Rejected) as refused:
        read("authorized", about="payment", **{name: "" if name != "payment_amount" else None})
    assert Cause.MALFORMED == refused.value.cause
