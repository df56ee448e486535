import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.domain.errors import Cause, Rejected
from gateway.domain.payments import Payment, change_of

LATER = "2025-11-25T09:10:11.000000Z"


@pytest.fixture
def shop(instance_of):
    return instance_of("lemon_squeezy")


@pytest.fixture
def patient(instance_of):
    return instance_of("lemon_squeezy", subscriptions=True)


@pytest.fixture
def read(shop, simulated, resigned):
    """The events of a name, with some attributes of its resource replaced (None: left out)."""

    def make(name, kind="captured", instance=shop, meta=(), **changes):
        delivery = simulated(instance, kind)
        document = json.loads(delivery.body)
        document["meta"] |= {"event_name": name, **dict(meta)}
        resource = document["data"]
        resource["id"] = changes.pop("id", resource["id"])
        attributes = resource["attributes"] | changes
        resource["attributes"] = {k: v for k, v in attributes.items() if v is not None}
        return list(instance.adapter.read(resigned(instance, delivery, document), instance.config))

    return make


def said(event):
    change = event.payment_change
    return event.session_status, change.kind if change else None


PAID, REFUND = ("authorized", "captured"), (None, "refunded")


@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        ("order_created", "paid", [PAID]),
        ("order_created", "pending", [("pending", None)]),
        ("order_created", "failed", [("error", None)]),
        ("order_created", "fraudulent", [("error", None)]),
        ("order_created", "refunded", [PAID, REFUND]),
        ("order_created", "partial_refund", [PAID, REFUND]),
        ("order_refunded", "refunded", [REFUND]),
        ("order_refunded", "partial_refund", [REFUND]),
    ],
)
def test_order_means_what_the_table_says(name, status, expected, read):
    told = read(name, status=status, refunded_amount=100)
    assert expected == [said(event) for event in told]
    assert {name} == {event.type for event in told}


@pytest.mark.parametrize(
    ("name", "reason", "expected"),
    [
        ("subscription_payment_success", "renewal", (None, None)),
        ("subscription_payment_recovered", "renewal", (None, None)),
        ("subscription_payment_failed", "renewal", (None, "capture_failed")),
        ("subscription_payment_refunded", "renewal", (None, "refunded")),
    ],
)
def test_renewal_concerns_no_session_unless_told_so(name, reason, expected, read):
    (event,) = read(name, "capture_failed", billing_reason=reason, refunded_amount=100)
    assert (*expected, True) == (*said(event), event.recognized)


@pytest.mark.parametrize(
    ("name", "reason", "expected"),
    [
        ("subscription_payment_success", "renewal", (None, "captured")),
        ("subscription_payment_recovered", "renewal", (None, "captured")),
        # Its order was told as well.
        ("subscription_payment_success", "initial", (None, None)),
    ],
)
def test_renewal_is_a_capture_where_sessions_are_for_subscriptions(
    name, reason, expected, read, patient
):
    (event,) = read(name, "capture_failed", patient, billing_reason=reason, subscription_id=77)
    assert expected == said(event)
    if event.concerns_payment:
        assert ("77", 4250) == (event.external_id, event.amount)


@pytest.mark.parametrize(
    ("name", "status", "recognized"),
    [
        ("order_created", "teleported", False),
        ("order_teleported", "paid", False),
        ("subscription_created", "active", True),
        ("subscription_cancelled", "cancelled", True),
        ("subscription_unpaused", "active", True),
        ("license_key_created", "inactive", True),
        ("affiliate_activated", "active", True),
    ],
)
def test_what_concerns_no_payment_is_recorded(name, status, recognized, read):
    (event,) = read(name, status=status, updated_at=None, total=None, currency=None)
    assert (False, recognized) == (event.concerns_payment, event.recognized)


def test_refund_is_told_as_the_sum_so_far(read):
    (event,) = read("order_refunded", status="partial_refund", refunded_amount=1500)
    change = event.payment_change
    assert (1500, "ext_42", True) == (event.amount, change.reference, change.running_total)
    assert ("ext_42", "payses_01JDTEST") == (event.external_id, event.reference)


def test_order_that_comes_refunded_is_two_events(read, at):
    paid, refund = read(
        "order_created", status="partial_refund", refunded_amount=1500, refunded_at=LATER
    )
    assert (4250, 1500) == (paid.amount, refund.amount)
    assert paid.event_id != refund.event_id
    assert (at, datetime(2025, 11, 25, 9, 10, 11, tzinfo=UTC)) == (
        paid.occurred_at,
        refund.occurred_at,
    )


def test_same_refund_told_of_order_and_invoice_counts_once(read, at):
    told = read("order_created", status="paid")
    told += read("order_refunded", status="partial_refund", refunded_amount=1000)
    told += read("order_refunded", status="refunded", refunded_amount=4250, updated_at=LATER)
    for amount in (1000, 4250):
        told += read("subscription_payment_refunded", "capture_failed", refunded_amount=amount)
    payment = Payment("pay_1", "s", "lemon_squeezy", "EUR", 4250)
    for event in told:
        payment = payment.with_change(change_of(event))
    assert (4250, 4250) == (payment.captured_amount, payment.refunded_amount)


def test_full_refund_of_older_payloads_is_told_by_its_status(read):
    (event,) = read("order_refunded", status="refunded", refunded_amount=None)
    assert 4250 == event.amount
    with pytest.raises(Rejected) as refused:
        read("order_refunded", status="partial_refund", refunded_amount=None)
    assert Cause.MALFORMED == refused.value.cause


def test_event_id_is_made_of_the_facts(read):
    def ids(name="order_refunded", **changes):
        return [event.event_id for event in read(name, status="refunded", **changes)]

    first = ids(refunded_amount=1000, meta={"webhook_id": "a"})
    assert first == ids(refunded_amount=1000, meta={"webhook_id": "b"})
    others = [ids(refunded_amount=2000), ids(refunded_amount=1000, updated_at=LATER)]
    others += [ids("order_created", refunded_amount=1000), ids(refunded_amount=1000, id="43")]
    assert 5 == len({*first, *(found[0] for found in others)})


def test_times_are_those_of_the_resource(read, at):
    (paid,) = read("order_created", status="paid")
    (refund,) = read("order_refunded", status="refunded", refunded_at=LATER)
    assert at == paid.occurred_at
    assert datetime(2025, 11, 25, 9, 10, 11, tzinfo=UTC) == refund.occurred_at


@pytest.mark.parametrize(
    ("resource", "meta", "expected"),
    [(True, True, False), (False, True, True), (None, True, False), (None, "yes", None)],
)
def test_mode_is_told_by_the_resource_first(resource, meta, expected, read):
    (event,) = read("order_created", status="paid", test_mode=resource, meta={"test_mode": meta})
    assert expected is event.livemode


@pytest.mark.parametrize(
    ("custom", "expected"), [(None, None), ([], None), ({"session_id": 7}, "7"), ({"x": 1}, None)]
)
def test_reference_is_our_key_of_the_custom_data(custom, expected, read):
    (event,) = read("order_created", status="paid", meta={"custom_data": custom})
    assert expected == event.reference


def test_order_may_be_numbered(read):
    (event,) = read("order_created", status="paid", id=2413377)
    assert "2413377" == event.external_id


@pytest.mark.parametrize("field", ["total", "currency", "updated_at"])
def test_order_without_a_required_field_is_malformed(field, read):
    with pytest.raises(Rejected) as refused:
        read("order_created", status="paid", **{field: None})
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize("total", ["4250", 42.5, -1, True])
def test_total_is_minor_units(total, read):
    with pytest.raises(Rejected) as refused:
        read("order_created", status="paid", total=total)
    assert Cause.MALFORMED == refused.value.cause


def test_name_in_the_header_does_not_count(shop, simulated, refusal):
    delivery = simulated(shop, "failed")
    odd = replace(delivery, headers=(*delivery.headers, ("X-Event-Name", "order_refunded")))
    assert refusal(shop, odd) is None
    (event,) = shop.adapter.read(odd, shop.config)
    assert "order_created" == event.type


def test_escaped_slashes_are_signed_as_they_are(shop, simulated, resigned, refusal):
    raw = json.dumps({"meta": {"url": "https://a/b"}}).replace("/", r"\/").encode()
    delivery = resigned(shop, simulated(shop, "captured"), raw)
    assert refusal(shop, delivery) is None
    unescaped = replace(delivery, body=raw.replace(rb"\/", b"/"))
    assert Cause.BAD_SIGNATURE == refusal(shop, unescaped)
