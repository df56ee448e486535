import json
from dataclasses import replace

import pytest

from gateway.domain.errors import Cause, Rejected


@pytest.fixture
def razorpay(instance_of):
    return instance_of("razorpay")


@pytest.fixture
def read(razorpay, simulated, resigned):
    """The one event of a kind under another name, with fields of an entity replaced."""

    def make(kind, name=None, about="payment", **changes):
        delivery = simulated(razorpay, kind)
        body = json.loads(delivery.body)
        body["event"] = name or body["event"]
        if changes:
            body["payload"][about]["entity"] |= changes
        (event,) = razorpay.adapter.read(resigned(razorpay, delivery, body), razorpay.config)
        return event

    return make


@pytest.mark.parametrize(
    ("kind", "name", "status", "change"),
    [
        ("captured", "payment.authorized", "authorized", None),
        ("captured", "payment.captured", "authorized", "captured"),
        ("captured", "order.paid", "authorized", "captured"),
        ("captured", "payment.failed", "error", None),
        ("captured", "payment.pending", "pending", None),
        ("refunded", "refund.created", None, None),
        ("refunded", "refund.processed", None, "refunded"),
        ("refunded", "refund.failed", None, "refund_failed"),
        ("refunded", "refund.speed_changed", None, None),
        ("disputed", "payment.dispute.created", None, "disputed"),
        ("disputed", "payment.dispute.under_review", None, None),
        ("disputed", "payment.dispute.action_required", None, None),
        ("disputed", "payment.dispute.won", None, "dispute_won"),
        ("disputed", "payment.dispute.lost", None, "dispute_lost"),
        ("disputed", "payment.dispute.closed", None, "dispute_won"),
        ("canceled", "payment_link.paid", None, None),
        ("canceled", "payment_link.cancelled", "canceled", None),
        ("canceled", "payment_link.expired", "canceled", None),
        ("ignored", "invoice.paid", None, None),
        ("ignored", "payment.downtime.resolved", None, None),
        ("ignored", "fund_account.validation.completed", None, None),
    ],
)
def test_event_means_what_the_table_says(kind, name, status, change, read):
    event = read(kind, name)
    told = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, told)
    assert event.recognized


def test_name_of_the_event_counts_and_not_the_snapshot(read):
    event = read("authorized", captured=True, status="captured")
    assert ("authorized", None) == (event.session_status, event.payment_change)


def test_payment_and_order_tell_of_the_same_capture(read):
    assert read("captured").payment_change == read("captured", "order.paid").payment_change


def test_payment_belongs_to_its_order(read):
    assert "ext_42" == read("captured").external_id
    for none in (None, ""):
        assert "pay_1" == read("captured", order_id=none, id="pay_1").external_id


@pytest.mark.parametrize(("kind", "about"), [("refunded", "refund"), ("disputed", "dispute")])
def test_change_is_known_by_its_own_id_and_found_by_its_payment(
    kind, about, razorpay, simulated, resigned
):
    delivery = simulated(razorpay, kind)
    body = json.loads(delivery.body)
    body["payload"][about]["entity"] |= {"id": "own_1", "payment_id": "pay_1", "amount": 70}
    del body["payload"]["payment"]
    (event,) = razorpay.adapter.read(resigned(razorpay, delivery, body), razorpay.config)
    assert ("pay_1", None, 70) == (event.external_id, event.reference, event.amount)
    assert ("own_1", False) == (event.payment_change.reference, event.payment_change.running_total)


@pytest.mark.parametrize(
    ("order", "notes", "expected"),
    [
        ({"notes": [], "receipt": "ps_1"}, [], "ps_1"),
        ({"notes": {"session_id": "ps_2"}, "receipt": "ps_1"}, [], "ps_2"),
        ({"notes": {"session_id": "ps_2"}, "receipt": "ps_1"}, {"session_id": "ps_3"}, "ps_3"),
        ({"notes": [], "receipt": None}, {}, None),
        ({"notes": None}, None, None),
    ],
)
def test_reference_stands_in_notes_or_on_the_receipt(
    order, notes, expected, razorpay, simulated, resigned
):
    delivery = simulated(razorpay, "captured")
    body = json.loads(delivery.body)
    body["payload"]["payment"]["entity"]["notes"] = notes
    body["payload"]["order"] = {"entity": {"id": "order_1", **order}}
    (event,) = razorpay.adapter.read(resigned(razorpay, delivery, body), razorpay.config)
    assert expected == event.reference


def test_link_has_its_own_reference(read):
    for none in (None, ""):
        link = {"order_id": none, "reference_id": "ps_9", "id": "plink_1"}
        event = read("canceled", about="payment_link", **link)
        assert ("ps_9", "plink_1") == (event.reference, event.external_id)


@pytest.mark.parametrize("values", [(), ("",), ("a", "b"), ("x" * 501,), ("\ud800",)])
def test_event_id_is_built_where_the_header_has_none(values, razorpay, simulated, at):
    delivery = simulated(razorpay, "captured")
    kept = tuple(pair for pair in delivery.headers if pair[0] != "X-Razorpay-Event-Id")
    headers = (*kept, *(("X-Razorpay-Event-Id", value) for value in values))
    (event,) = razorpay.adapter.read(replace(delivery, headers=headers), razorpay.config)
    entity = json.loads(delivery.body)["payload"]["payment"]["entity"]
    assert f"payment.captured:{entity['id']}:{int(at.timestamp())}" == event.event_id


def test_unsigned_event_id_does_not_make_a_delivery_a_duplicate(razorpay, simulated):
    delivery = simulated(razorpay, "captured")
    other = replace(simulated(razorpay, "authorized"), headers=delivery.headers)
    first, second = (razorpay.adapter.key(d, razorpay.config) for d in (delivery, other))
    assert first != second


@pytest.mark.parametrize("name", ["id", "amount", "currency"])
def test_payment_without_a_required_field_is_malformed(name, read):
    with pytest.raises(Rejected) as refused:
        read("captured", **{name: None})
    assert Cause.MALFORMED == refused.value.cause
