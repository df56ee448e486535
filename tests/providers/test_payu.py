import hashlib
import json
from dataclasses import replace

import pytest

from gateway.domain.errors import Cause, Rejected

KEY = "development0not0a0secret00000000"


@pytest.fixture
def payu(instance_of):
    return instance_of("payu")


@pytest.fixture
def read(payu, simulated, resigned):
    """The one event of a kind, with fields of its order or refund replaced."""

    def make(kind, **changes):
        delivery = simulated(payu, kind)
        body = json.loads(delivery.body)
        body.get("order", body.get("refund")).update(changes)
        (event,) = payu.adapter.read(resigned(payu, delivery, body), payu.config)
        return event

    return make


def told(event):
    return event.session_status, event.payment_change and event.payment_change.kind


def signed(delivery, algorithm, name, form="{s};{a}", header="OpenPayu-Signature"):
    digest = hashlib.new(algorithm, delivery.body + KEY.encode()).hexdigest()
    parts = {"s": f"signature={digest}", "a": f"algorithm={name}", "upper": digest.upper()}
    return replace(delivery, headers=((header, form.format(**parts)),))


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("MD5", "md5"),
        ("SHA-1", "sha1"),
        ("SHA", "sha256"),
        ("SHA-256", "sha256"),
        ("SHA256", "sha256"),
        ("SHA-384", "sha384"),
        ("SHA384", "sha384"),
        ("SHA-512", "sha512"),
        ("SHA512", "sha512"),
    ],
)
def test_named_algorithm_is_used(name, algorithm, payu, simulated, refusal, instance_of):
    delivery = signed(simulated(payu, "captured"), algorithm, name)
    assert refusal(payu, delivery) is None
    strict = instance_of("payu", allow_md5=False)
    weak = {"MD5": Cause.BAD_SIGNATURE, "SHA-1": Cause.BAD_SIGNATURE}
    assert weak.get(name) == refusal(strict, delivery)


@pytest.mark.parametrize("name", ["md5", "SHA1", "SHA-224", "sha-256", "MD4", "SHAKE-128", "x"])
def test_other_algorithm_is_refused(name, payu, simulated, refusal):
    delivery = signed(simulated(payu, "captured"), "md5", name)
    assert Cause.BAD_SIGNATURE == refusal(payu, delivery)


@pytest.mark.parametrize(
    ("form", "cause"),
    [
        ("sender=checkout;{s};{a};content=DOCUMENT", None),
        ("sender=checkout;{s};{a};content=DOCUMENT;", None),
        ("{a};{s}", None),
        ("{a}; {s}", None),
        ("{s};{a};novalue", Cause.BAD_SIGNATURE),
        ("{s};{a};x=y=z", Cause.BAD_SIGNATURE),
        ("{s};{a};;", Cause.BAD_SIGNATURE),
        ("signature={upper};{a}", Cause.BAD_SIGNATURE),
        ("signature=;{a}", Cause.MISSING_SIGNATURE),
        ("{s}", Cause.BAD_SIGNATURE),
        ("{s};algorithm=", Cause.BAD_SIGNATURE),
        ("garbage", Cause.BAD_SIGNATURE),
        ("garbage;{a}", Cause.BAD_SIGNATURE),
        ("{a}", Cause.MISSING_SIGNATURE),
        (";", Cause.BAD_SIGNATURE),
    ],
)
def test_header_is_read_as_the_sdk_reads_it(form, cause, payu, simulated, refusal):
    delivery = signed(simulated(payu, "captured"), "md5", "MD5", form)
    assert cause == refusal(payu, delivery)


@pytest.mark.parametrize(
    "name", ["OpenPayu-Signature", "X-OpenPayU-Signature", "openpayu-SIGNATURE"]
)
def test_either_header_will_do(name, payu, simulated, refusal):
    delivery = signed(simulated(payu, "captured"), "sha256", "SHA-256", header=name)
    assert refusal(payu, delivery) is None


def test_basic_credentials_replace_no_signature(payu, simulated, refusal):
    delivery = replace(simulated(payu, "captured"), headers=(("Authorization", "Basic eDp5"),))
    assert Cause.MISSING_SIGNATURE == refusal(payu, delivery)


def test_white_space_around_the_body_is_signed(payu, simulated, refusal):
    delivery = signed(simulated(payu, "captured"), "md5", "MD5")
    assert Cause.BAD_SIGNATURE == refusal(payu, replace(delivery, body=delivery.body + b"\n"))


@pytest.mark.parametrize(
    ("kind", "word", "status", "change"),
    [
        ("created", "NEW", "pending", None),
        ("created", "PENDING", "pending", None),
        ("created", "WAITING_FOR_CONFIRMATION", "authorized", None),
        ("captured", "COMPLETED", "authorized", "captured"),
        ("created", "CANCELED", "canceled", None),
        ("created", "REJECTED", "error", None),
        ("refunded", "FINALIZED", None, "refunded"),
        ("refunded", "CANCELED", None, "refund_failed"),
        ("refunded", "PENDING", None, None),
    ],
)
def test_status_means_what_the_table_says(kind, word, status, change, read):
    event = read(kind, status=word)
    assert (status, change) == told(event)
    assert event.recognized


def test_order_and_refund_are_told_by_their_own_ids(read):
    order, refund = read("captured"), read("refunded", refundId=912128)
    assert {("ext_42", "payses_01JDTEST", 4250, "EUR")} == {
        (event.external_id, event.reference, event.amount, event.currency)
        for event in (order, refund)
    }
    assert ("ext_42", "912128") == (
        order.payment_change.reference,
        refund.payment_change.reference,
    )


def test_only_a_completed_order_and_a_refund_tell_when(read, payu, simulated, at):
    delivery = simulated(payu, "captured")
    body = delivery.body.replace(b"2025-11-24T16:00:00.123Z", b"2025-11-24T16:59:59.5+01:00")
    (completed,) = payu.adapter.read(replace(delivery, body=body), payu.config)
    refund = read("refunded", statusDateTime="2025-11-24T16:59:59.5+01:00")
    assert {"2025-11-24T15:59:59.500000+00:00"} == {
        event.occurred_at.isoformat() for event in (completed, refund)
    }
    assert at == read("canceled").occurred_at == read("refunded", statusDateTime=None).occurred_at


@pytest.mark.parametrize("amount", ["42.50", "-1", "", None, "1e3", "\u0664\u0662", 42.5, True])
def test_amount_that_cannot_be_read_is_malformed(amount, read):
    with pytest.raises(Rejected) as refused:
        read("captured", totalAmount=amount)
    assert Cause.MALFORMED == refused.value.cause


def test_order_of_another_point_of_sale_is_refused(read, instance_of, simulated, payu):
    with pytest.raises(Rejected) as refused:
        read("captured", merchantPosId="1")
    assert Cause.UNKNOWN_PAYMENT == refused.value.cause
    unchecked = instance_of("payu", pos_id="")
    assert list(unchecked.adapter.read(simulated(payu, "captured"), unchecked.config))


@pytest.mark.parametrize(
    "body", [{}, {"order": []}, {"order": {}}, {"refund": {}}, {"refund": 1, "order": {}}]
)
def test_body_that_is_neither_order_nor_refund_is_malformed(body, payu, simulated, resigned):
    delivery = resigned(payu, simulated(payu, "captured"), body)
    with pytest.raises(Rejected) as refused:
        payu.adapter.read(delivery, payu.config)
    assert Cause.MALFORMED == refused.value.cause


def test_refund_without_its_order_is_malformed(payu, simulated, resigned):
    delivery = simulated(payu, "refunded")
    body = json.loads(delivery.body) | {"orderId": None}
    with pytest.raises(Rejected, match="orderId"):
        payu.adapter.read(resigned(payu, delivery, body), payu.config)
