import hmac
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.errors import Cause, Rejected

SECRET = "whsec_development_not_a_secret"


@pytest.fixture
def stripe(instance_of):
    return instance_of("stripe")


@pytest.fixture
def read(stripe, simulated, resigned):
    """The one event of a snapshot of a type, with some fields of its object replaced."""

    def make(kind, word, **changes):
        delivery = simulated(stripe, kind)
        body = json.loads(delivery.body)
        body["type"] = word
        body["data"]["object"].update(changes)
        (event,) = stripe.adapter.read(resigned(stripe, delivery, body), stripe.config)
        return event

    return make


def signature_of(delivery, stamp):
    signed = f"{stamp}.".encode() + delivery.body
    return hmac.digest(SECRET.encode(), signed, "sha256").hex()


def with_header(delivery, value):
    return replace(delivery, headers=(("Stripe-Signature", value),))


@pytest.mark.parametrize(
    "value",
    [
        "t={t},v1=00,v1={v1}",
        "t={t}, v1={v1}",
        "v1={v1},t={t}",
        "t={t},v0=00,v1={v1},v2=x,novalue,=",
        "t={t},v1=a=b,v1={v1}",
    ],
)
def test_header_with_a_good_signature_is_accepted(value, stripe, simulated, refusal, at):
    delivery = simulated(stripe, "captured")
    stamp = int(at.timestamp())
    made = value.format(t=stamp, v1=signature_of(delivery, stamp))
    assert refusal(stripe, with_header(delivery, made)) is None


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("t={t},v0={v1}", Cause.MISSING_SIGNATURE),
        ("v1={v1}", Cause.MISSING_SIGNATURE),
        ("t={t}", Cause.MISSING_SIGNATURE),
        ("t={t},t={t},v1={v1}", Cause.MISSING_SIGNATURE),
        ("{v1}", Cause.MISSING_SIGNATURE),
        ("t={t}.0,v1={v1}", Cause.MALFORMED),
        ("t= {t},v1={v1}", Cause.MALFORMED),
        ("t=٣,v1={v1}", Cause.MALFORMED),
        ("t={t},v1={v1}0", Cause.BAD_SIGNATURE),
        ("t=0{t},v1={v1}", Cause.BAD_SIGNATURE),
        ("t={t},v1=é", Cause.BAD_SIGNATURE),
    ],
)
def test_header_without_a_good_signature_is_refused(value, cause, stripe, simulated, refusal, at):
    delivery = simulated(stripe, "captured")
    stamp = int(at.timestamp())
    made = value.format(t=stamp, v1=signature_of(delivery, stamp))
    assert cause == refusal(stripe, with_header(delivery, made))


def test_stamp_from_the_future_is_refused(stripe, simulated, refusal, at):
    early = replace(simulated(stripe, "captured"), received_at=at - timedelta(hours=1))
    assert Cause.STALE_TIMESTAMP == refusal(stripe, early)


@pytest.mark.parametrize(
    ("word", "kind", "changes", "status", "change"),
    [
        ("payment_intent.partially_funded", "created", {}, "pending", None),
        ("payment_intent.canceled", "canceled", {}, "canceled", "voided"),
        ("payment_intent.canceled", "canceled", {"latest_charge": None}, "canceled", None),
        ("payment_intent.canceled", "canceled", {"last_payment_error": {}}, "canceled", "voided"),
        (
            "payment_intent.canceled",
            "canceled",
            {"last_payment_error": {"code": "card_declined"}},
            "canceled",
            None,
        ),
        ("checkout.session.completed", "checkout_completed", {}, "authorized", "captured"),
        (
            "checkout.session.completed",
            "checkout_completed",
            {"payment_status": "unpaid"},
            "pending",
            None,
        ),
        (
            "checkout.session.completed",
            "checkout_completed",
            {"payment_status": "no_payment_required"},
            None,
            None,
        ),
        (
            "checkout.session.completed",
            "checkout_completed",
            {"mode": "setup", "currency": None, "amount_total": None},
            None,
            None,
        ),
        (
            "checkout.session.async_payment_succeeded",
            "checkout_completed",
            {},
            "authorized",
            "captured",
        ),
        (
            "checkout.session.async_payment_failed",
            "checkout_completed",
            {"payment_status": "unpaid"},
            "error",
            None,
        ),
        ("charge.succeeded", "charge_captured", {}, "authorized", "captured"),
        ("charge.succeeded", "charge_authorized", {}, "authorized", None),
        ("charge.pending", "charge_captured", {"status": "pending"}, "pending", None),
        ("charge.failed", "charge_authorized", {"status": "failed"}, "error", None),
        ("charge.refunded", "expired", {}, "canceled", "voided"),
        ("charge.updated", "charge_captured", {}, None, None),
        ("refund.created", "refund_succeeded", {"status": "pending"}, None, None),
        ("refund.created", "refund_succeeded", {}, None, "refunded"),
        (
            "charge.refund.updated",
            "refund_succeeded",
            {"status": "canceled"},
            None,
            "refund_failed",
        ),
        (
            "charge.dispute.created",
            "disputed",
            {"status": "warning_needs_response"},
            None,
            "disputed",
        ),
        ("charge.dispute.closed", "disputed", {"status": "warning_closed"}, None, "dispute_won"),
        ("charge.dispute.closed", "disputed", {"status": "prevented"}, None, "dispute_won"),
        ("charge.dispute.funds_withdrawn", "disputed", {}, None, None),
    ],
)
def test_snapshot_means_what_the_table_says(word, kind, changes, status, change, read):
    event = read(kind, word, **changes)
    told = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, told)
    assert event.recognized


def test_capturable_amount_and_received_amount_are_what_counts(read):
    word = "payment_intent.amount_capturable_updated"
    assert 4000 == read("authorized", word, amount_capturable=4000).amount
    assert 3000 == read("captured", "payment_intent.succeeded", amount_received=3000).amount
    assert 2000 == read("refunded", "charge.refunded", amount_refunded=2000).amount


def test_intent_charge_and_checkout_session_tell_of_the_same_capture(read):
    told = {
        read("captured", "payment_intent.succeeded").payment_change,
        read("charge_captured", "charge.captured").payment_change,
        read("checkout_completed", "checkout.session.completed").payment_change,
    }
    (change,) = told
    assert ("ext_42", True) == (change.reference, change.running_total)


def test_refund_counts_by_its_own_id_and_a_total_by_its_charge(read):
    single = read("refund_succeeded", "refund.updated").payment_change
    total = read("refunded", "charge.refunded").payment_change
    assert (True, False) == (single.reference.startswith("re_"), single.running_total)
    assert (True, True) == (total.reference.startswith("ch_"), total.running_total)


@pytest.mark.parametrize(
    ("value", "external_id"),
    [({"id": "pi_9", "object": "payment_intent"}, "pi_9"), ("pi_9", "pi_9"), (None, "ch_9")],
)
def test_payment_intent_may_be_expanded_or_missing(value, external_id, read):
    event = read("charge_captured", "charge.captured", id="ch_9", payment_intent=value)
    assert external_id == event.external_id


def test_refund_without_an_intent_belongs_to_its_charge(read):
    event = read("refund_succeeded", "refund.updated", payment_intent=None, charge="ch_9")
    assert "ch_9" == event.external_id


def test_checkout_session_is_named_by_its_client_reference(read):
    word = "checkout.session.completed"
    named = read("checkout_completed", word, client_reference_id="a", metadata={"session_id": "b"})
    other = read("checkout_completed", word, client_reference_id=None, metadata={"session_id": "b"})
    assert ("a", "b") == (named.reference, other.reference)


@pytest.mark.parametrize(
    ("currency", "sent", "expected"),
    [("isk", 150000, 1500), ("ugx", 500, 5), ("mga", 7, 700), ("jpy", 7, 7), ("kwd", 7000, 7000)],
)
def test_amount_is_in_minor_units_of_iso_4217(currency, sent, expected, read):
    event = read("captured", "payment_intent.succeeded", currency=currency, amount_received=sent)
    assert (expected, currency.upper()) == (event.amount, event.currency)


@pytest.mark.parametrize(
    "changes",
    [{"amount_received": None}, {"currency": None}, {"currency": "isk", "amount_received": 150},
     {"amount_received": 42.5}, {"amount_received": "4250"}, {"amount_received": -1}],
)  # fmt: skip
def test_money_that_cannot_be_read_is_malformed(changes, read):
    with pytest.raises(Rejected) as refused:
        read("captured", "payment_intent.succeeded", **changes)
    assert Cause.MALFORMED == refused.value.cause


def test_mode_is_told(read, stripe, simulated, resigned):
    delivery = simulated(stripe, "captured")
    body = {**json.loads(delivery.body), "livemode": True}
    (event,) = stripe.adapter.read(resigned(stripe, delivery, body), stripe.config)
    assert (True, False) == (event.livemode, read("captured", "charge.updated").livemode)


def test_event_of_a_cloud_bus_is_refused(stripe, simulated, refusal):
    delivery = simulated(stripe, "captured")
    wrapped = json.dumps({"detail": json.loads(delivery.body)}).encode()
    assert Cause.MISSING_SIGNATURE == refusal(stripe, replace(delivery, body=wrapped, headers=()))
