import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.domain.errors import Cause, Rejected


@pytest.fixture
def paystack(instance_of):
    return instance_of("paystack")


@pytest.fixture
def read(paystack, simulated, resigned):
    """The one event of a kind under another name, with fields of its data replaced."""

    def make(kind, name=None, **changes):
        delivery = simulated(paystack, kind)
        body = json.loads(delivery.body)
        body["event"] = name or body["event"]
        body["data"] |= changes
        (event,) = paystack.adapter.read(resigned(paystack, delivery, body), paystack.config)
        return event

    return make


@pytest.mark.parametrize(
    ("kind", "name", "changes", "status", "change"),
    [
        ("captured", "charge.success", {}, "authorized", "captured"),
        ("captured", "charge.failed", {"status": "failed"}, "error", None),
        ("refunded", "refund.processed", {}, None, "refunded"),
        ("refunded", "refund.failed", {}, None, "refund_failed"),
        ("refunded", "refund.pending", {}, None, None),
        ("refunded", "refund.processing", {}, None, None),
        ("refunded", "refund.needs-attention", {}, None, None),
        ("disputed", "charge.dispute.create", {}, None, "disputed"),
        ("disputed", "charge.dispute.remind", {}, None, None),
        ("dispute_won", None, {"resolution": "declined"}, None, "dispute_won"),
        ("dispute_won", None, {"resolution": "merchant-accepted"}, None, "dispute_lost"),
        ("dispute_won", None, {"resolution": "auto-accepted"}, None, "dispute_lost"),
        ("dispute_won", None, {"resolution": None}, None, None),
        ("dispute_won", None, {"resolution": "moon"}, None, None),
        ("captured", "paymentrequest.success", {}, None, None),
        ("captured", "invoice.update", {}, None, None),
        ("captured", "customeridentification.failed", {}, None, None),
    ],
)
def test_event_means_what_the_table_says(kind, name, changes, status, change, read):
    event = read(kind, name, **changes)
    told = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, told)
    assert event.recognized


def test_charge_success_of_another_status_is_not_believed(read):
    event = read("captured", status="abandoned")
    assert (False, False) == (event.concerns_payment, event.recognized)


def test_other_algorithm_is_forged(paystack, instance_of, simulated, refusal):
    delivery = simulated(paystack, "captured")
    (value,) = delivery.header_values("x-paystack-signature")
    headers = (("x-paystack-signature", value[:64]),)
    assert Cause.BAD_SIGNATURE == refusal(paystack, replace(delivery, headers=headers))
    assert 128 == len(value)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"session_id": "ps_1"}, "ps_1"),
        ('{"session_id": "ps_1"}', "ps_1"),
        ({"session_id": 7}, "7"),
        ("", "ext_42"),
        ("{", "ext_42"),
        ("\ud800", "ext_42"),
        (0, "ext_42"),
        (None, "ext_42"),
        ([], "ext_42"),
        ({"session_id": ["ps_1"]}, "ext_42"),
    ],
)
def test_metadata_is_read_leniently(metadata, expected, read):
    """Where they name no session, the transaction's reference may be the merchant's own."""
    assert expected == read("captured", metadata=metadata).reference


def test_refund_belongs_to_its_transaction(read):
    event = read("refunded", amount="10000")
    assert ("ext_42", 10000, "EUR") == (event.external_id, event.amount, event.currency)


@pytest.mark.parametrize(
    ("changes", "reference", "event_id"),
    [
        ({"refund_reference": 13}, "13", "refund.processed:13:processed"),
        ({"refund_reference": None, "id": 9}, "9", "refund.processed:9:processed"),
        ({"refund_reference": "", "id": 9}, "9", "refund.processed:9:processed"),
        (
            {"refund_reference": None, "id": None, "transaction_reference": "T1"},
            "T1:4250",
            "refund.processed:T1:4250:processed",
        ),
    ],
)
def test_refund_is_known_by_what_it_has(changes, reference, event_id, read):
    event = read("refunded", **changes)
    assert (reference, event_id) == (event.payment_change.reference, event.event_id)


def test_failed_refund_is_the_refund_that_was_told(read):
    done, failed = read("refunded"), read("refund_failed")
    assert done.payment_change.reference == failed.payment_change.reference


def test_dispute_claims_an_amount_of_its_transaction(read):
    assert (5800, "ps_1") == (
        read("disputed", refund_amount=5800).amount,
        read(
            "disputed", transaction={"reference": "T1", "metadata": {"session_id": "ps_1"}}
        ).reference,
    )
    assert 4250 == read("disputed", refund_amount=None).amount
    assert "T1" == read("disputed", transaction=None, transaction_reference="T1").external_id


def test_field_that_is_empty_is_as_good_as_missing(read):
    empty = {"transaction_reference": "", "updated_at": "", "resolvedAt": ""}
    event = read("disputed", **empty, transaction={"reference": "T1", "metadata": ""})
    assert ("T1", "disputed") == (event.external_id, event.payment_change.kind)


def test_time_is_that_of_the_fact_or_of_the_receipt(read, at):
    paid = datetime(2025, 11, 24, 15, tzinfo=UTC)
    assert paid == read("captured", paid_at=None, paidAt="2025-11-24T15:00:00.000Z").occurred_at
    assert at == read("captured", "charge.failed", paid_at=None, paidAt=None).occurred_at
    assert paid == read("disputed", updated_at="2025-11-24T15:00:00.000Z").occurred_at


def test_franc_without_decimals_is_sent_times_a_hundred(read):
    assert 5000 == read("captured", currency="XOF", amount=500000).amount
    with pytest.raises(Rejected, match="XOF"):
        read("captured", currency="XOF", amount=500001)


@pytest.mark.parametrize(("domain", "expected"), [("live", True), ("test", False), ("moon", None)])
def test_mode_is_told_by_the_domain(domain, expected, read):
    assert expected is read("captured", domain=domain).livemode


@pytest.mark.parametrize("name", ["id", "reference", "amount", "currency"])
def test_charge_without_a_required_field_is_malformed(name, read):
    with pytest.raises(Rejected) as refused:
        read("captured", **{name: None})
    assert Cause.MALFORMED == refused.value.cause
