import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected

HEADER = "X-ANET-Signature"


@pytest.fixture
def anet(instance_of):
    return instance_of("authorize_net")


@pytest.fixture
def read(anet, simulated, resigned):
    """The one event of a type, with fields of its transaction replaced."""

    def make(what, code=1, kind="authorized", **changes):
        delivery = simulated(anet, kind)
        body = json.loads(delivery.body)
        body["eventType"] = f"net.authorize.{what}"
        body["payload"] |= {"responseCode": code, **changes}
        (event,) = anet.adapter.read(resigned(anet, delivery, body), anet.config)
        return event

    return make


def with_signature(delivery, value, name=HEADER):
    kept = tuple(pair for pair in delivery.headers if pair[0] != HEADER)
    return replace(delivery, headers=(*kept, (name, value)))


@pytest.mark.parametrize(
    ("what", "code", "status", "change"),
    [
        ("authorization.created", 1, "authorized", None),
        ("authorization.created", 4, "pending", None),
        ("authorization.created", 2, "error", None),
        ("authorization.created", 3, "error", None),
        ("authcapture.created", 1, "authorized", "captured"),
        ("authcapture.created", 4, "pending", None),
        ("authcapture.created", 2, "error", None),
        ("authcapture.created", 3, "error", None),
        ("capture.created", 1, "authorized", "captured"),
        ("priorAuthCapture.created", 1, None, "captured"),
        ("priorAuthCapture.created", 2, None, "capture_failed"),
        ("priorAuthCapture.created", 3, None, "capture_failed"),
        ("void.created", 1, "canceled", "voided"),
        ("void.created", 2, None, None),
        ("refund.created", 1, None, "refunded"),
        ("refund.created", 2, None, "refund_failed"),
        ("refund.created", 3, None, "refund_failed"),
        ("refund.created", 4, None, None),
        ("fraud.held", 4, "pending", None),
        ("fraud.approved", 1, "authorized", None),
        ("fraud.declined", 1, "error", "voided"),
        ("fraud.declined", 4, "error", "voided"),
    ],
)
def test_type_and_code_tell_what_it_means(what, code, status, change, read):
    event = read(f"payment.{what}", code)
    told = event.payment_change
    assert (status, change) == (event.session_status, told.kind if told else None)


@pytest.mark.parametrize("what", ["authcapture", "void", "refund", "priorAuthCapture"])
def test_test_notification_does_nothing(what, read):
    event = read(f"payment.{what}.created", 0, authAmount=0.0)
    assert (False, True) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize(
    "what", ["customer.created", "customer.paymentProfile.updated", "customer.subscription.expired"]
)
def test_customers_are_no_concern(what, read):
    event = read(what)
    assert (False, True) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize(
    ("what", "code"), [("payment.moon.created", 1), ("payment.void.created", 9)]
)
def test_what_nobody_has_heard_of_does_nothing(what, code, read):
    event = read(what, code)
    assert (False, False) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize("change", [str, str.lower, str.upper])
@pytest.mark.parametrize("name", [HEADER, "X-Anet-Signature", "x-anet-signature"])
def test_case_of_the_header_does_not_matter(change, name, anet, simulated, refusal):
    delivery = simulated(anet, "captured")
    (value,) = delivery.header_values(HEADER)
    assert value.startswith("sha512=")
    assert value[7:] == value[7:].upper()
    assert refusal(anet, with_signature(delivery, change(value), name)) is None


@pytest.mark.parametrize("value", ["{hex}", "sha256={hex}", "sha512:{hex}", "sha512=sha512={hex}"])
def test_signature_needs_its_prefix(value, anet, simulated, refusal):
    delivery = simulated(anet, "captured")
    digits = delivery.header_values(HEADER)[0].removeprefix("sha512=")
    other = with_signature(delivery, value.format(hex=digits))
    assert Cause.BAD_SIGNATURE == refusal(anet, other)


def test_key_is_not_decoded(anet, simulated, refusal):
    delivery = simulated(anet, "captured")
    key = bytes.fromhex(anet.config.signature_keys[0].value)
    decoded = hmac.digest(key, delivery.body, hashlib.sha512).hex()
    assert Cause.BAD_SIGNATURE == refusal(anet, with_signature(delivery, f"sha512={decoded}"))


def test_refund_is_found_by_its_reference_only(read):
    event = read("payment.refund.created", id="60020981999")
    assert (None, "payses_01JDTEST") == (event.external_id, event.reference)
    assert "60020981999" == event.payment_change.reference


def test_capture_void_and_authorization_are_one_transaction(read):
    told = [
        read(f"payment.{what}.created") for what in ("authorization", "priorAuthCapture", "void")
    ]
    assert {"ext_42"} == {event.external_id for event in told}


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [(139.99, "USD", 13999), (20.5, "USD", 2050), (45, "USD", 4500), (1500, "JPY", 1500)],
)
def test_amount_is_a_number_in_the_accounts_currency(
    amount, currency, expected, instance_of, simulated, resigned
):
    instance = instance_of("authorize_net", currency=currency)
    delivery = simulated(instance_of("authorize_net"), "authorized")
    body = json.loads(delivery.body)
    body["payload"]["authAmount"] = amount
    (event,) = instance.adapter.read(resigned(instance, delivery, body), instance.config)
    assert (expected, currency) == (event.amount, event.currency)


@pytest.mark.parametrize(
    "changes",
    [
        {"authAmount": None},
        {"authAmount": -1},
        {"authAmount": "much"},
        {"authAmount": True},
        {"id": None},
        {"responseCode": None},
        {"responseCode": 1.5},
    ],
)
def test_transaction_that_cannot_be_read_is_malformed(changes, read):
    with pytest.raises(Rejected) as refused:
        read("payment.authcapture.created", **changes)
    assert Cause.MALFORMED == refused.value.cause


def test_reference_is_the_merchants_for_the_request_or_else_for_the_order(read):
    told = {"merchantReferenceId": "s1", "invoiceNumber": "s2"}
    assert "s1" == read("payment.authcapture.created", **told).reference
    for none in (None, ""):
        told["merchantReferenceId"] = none
        assert "s2" == read("payment.authcapture.created", **told).reference


def test_reference_may_be_missing(read):
    told = {"merchantReferenceId": None, "invoiceNumber": None}
    assert read("payment.authcapture.created", **told).reference is None


def test_fraction_of_a_second_is_cut(anet, simulated, resigned):
    delivery = simulated(anet, "captured")
    body = json.loads(delivery.body) | {"eventDate": "2026-11-20T20:50:11.4412345Z"}
    (event,) = anet.adapter.read(resigned(anet, delivery, body), anet.config)
    assert 441234 == event.occurred_at.microsecond


@pytest.mark.parametrize("currency", ["usd", "US", "", "USD "])
def test_currency_must_be_one(currency, instance_of):
    with pytest.raises(ValidationError, match="currency"):
        instance_of("authorize_net", currency=currency)
