import hashlib
import hmac
import json
from dataclasses import replace

import pytest

from gateway.domain.errors import Cause, Rejected

FORM = {"token": "e828c62d-fd12", "iyziPaymentId": 77, "paymentId": None}
PAYMENTS = (
    "PAYMENT_API API_AUTH THREE_DS_AUTH THREE_DS_CALLBACK BKM_AUTH BALANCE CONTACTLESS_AUTH"
    " CHECKOUT_FORM_AUTH BANK_TRANSFER_AUTH CREDIT_PAYMENT_AUTH PWI_TKN_FUND PWI_TKN_AUTH"
    " PWI_TKN_THREEDS_AUTH"
).split()


@pytest.fixture
def shop(instance_of):
    return instance_of("iyzico")


@pytest.fixture
def told(shop, simulated, resigned):
    """A signed delivery with fields of its body replaced."""

    def make(kind="captured", **changes):
        delivery = simulated(shop, kind)
        return resigned(shop, delivery, json.loads(delivery.body) | changes)

    return make


@pytest.fixture
def read(shop, told):
    def make(kind="captured", **changes):
        (event,) = shop.adapter.read(told(kind, **changes), shop.config)
        return event

    return make


def meaning(event):
    return event.session_status, event.payment_change and event.payment_change.kind


@pytest.mark.parametrize("kind", PAYMENTS)
def test_success_is_a_capture_and_failure_an_error(kind, read):
    success = read(iyziEventType=kind, status="SUCCESS")
    assert ("authorized", "captured") == meaning(success)
    assert ("error", None) == meaning(read(iyziEventType=kind, status="FAILURE"))


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("ANYTHING", "INIT_THREEDS", ("requires_more", None)),
        ("API_AUTH", "CALLBACK_THREEDS", ("pending", None)),
        ("ANYTHING", "BKM_POS_SELECTED", ("pending", None)),
        ("ANYTHING", "INIT_APM", ("pending", None)),
        ("ANYTHING", "INIT_BANK_TRANSFER", ("pending", None)),
        ("ANYTHING", "INIT_CREDIT", ("pending", None)),
        ("ANYTHING", "PENDING_CREDIT", ("pending", None)),
        ("ANYTHING", "INIT_CONTACTLESS", ("pending", None)),
        ("CREDIT_PAYMENT_PENDING", "SUCCESS", ("pending", None)),
        ("CREDIT_PAYMENT_INIT", "WAITING", ("pending", None)),
        ("CREDIT_PAYMENT_INIT", "FAILURE", ("error", None)),
        ("CONTACTLESS_REFUND", "SUCCESS", (None, "refunded")),
        ("CONTACTLESS_REFUND", "FAILURE", (None, "refund_failed")),
        ("REFUND_RETRY_SUCCESS", "SUCCESS", (None, "refunded")),
        ("REFUND_RETRY_FAILURE", "FAILURE", (None, "refund_failed")),
    ],
)
def test_status_means_what_the_table_says(kind, status, expected, read):
    event = read(iyziEventType=kind, status=status)
    assert expected == meaning(event)
    assert event.recognized


@pytest.mark.parametrize(
    ("kind", "recognized"),
    [("subscription.order.failure", True), ("API_AUTH", False), ("MOON", False)],
)
def test_what_is_of_no_concern_is_recorded(kind, recognized, read):
    event = read(iyziEventType=kind, status="DREAMING")
    assert (False, recognized) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"paymentId": 77}, "API_AUTH77payses_1SUCCESS"),
        ({"paymentId": "077"}, "API_AUTH077payses_1SUCCESS"),
        (FORM, "API_AUTH77e828c62d-fd12payses_1SUCCESS"),
        ({**FORM, "token": ""}, "API_AUTHpayses_1SUCCESS"),
    ],
)
def test_secret_is_the_key_and_the_start_of_the_message(changes, message, shop, told):
    delivery = told("authorized", paymentConversationId="payses_1", **changes)
    secret = shop.config.secret_keys[0].value
    expected = hmac.digest(secret.encode(), f"{secret}{message}".encode(), hashlib.sha256).hex()
    assert [expected] == delivery.header_values("x-iyz-signature-v3")


def test_subscription_is_signed_by_its_own_formula(shop, told):
    delivery = told("ignored", merchantId=9, orderReferenceCode="o", customerReferenceCode="c")
    secret = shop.config.secret_keys[0].value
    message = f"9{secret}subscription.order.successext_42oc"
    expected = hmac.digest(secret.encode(), message.encode(), hashlib.sha256).hex()
    assert [expected] == delivery.header_values("X-IYZ-SIGNATURE-V3")


@pytest.mark.parametrize("name", ["X-IYZ-SIGNATURE", "X-IYZ-SIGNATURE-V2"])
def test_retired_signature_is_no_signature(name, shop, told, refusal):
    delivery = told()
    ((_, value),) = [pair for pair in delivery.headers if "SIGNATURE" in pair[0]]
    assert Cause.MISSING_SIGNATURE == refusal(shop, replace(delivery, headers=((name, value),)))


@pytest.mark.parametrize(
    "name", ["iyziEventType", "paymentId", "paymentConversationId", "status", "token"]
)
def test_signed_field_cannot_be_changed(name, shop, told, refusal):
    delivery = told()
    body = json.dumps(json.loads(delivery.body) | {name: "1"}).encode()
    assert Cause.BAD_SIGNATURE == refusal(shop, replace(delivery, body=body))


def test_body_that_is_no_object_is_malformed(shop, told, refusal):
    assert Cause.MALFORMED == refusal(shop, replace(told(), body=b"\xff"))


def test_payment_id_is_the_forms_or_the_direct_one(read):
    assert "77" == read(**FORM).external_id
    assert "e828c62d-fd12" == read(**FORM | {"iyziPaymentId": None}).external_id
    assert "78" == read(paymentId=78).external_id
    assert "79" == read(paymentId=None, iyziPaymentId=79).external_id
    with pytest.raises(Rejected) as refused:
        read(paymentId=None, iyziPaymentId=None)
    assert Cause.MALFORMED is refused.value.cause


def test_reference_may_be_a_number_or_missing(read):
    assert "123456789" == read(paymentConversationId=123456789).reference
    assert read(paymentConversationId=None).reference is None
    assert read(paymentConversationId="").reference is None


def test_event_without_a_reference_code_has_a_stable_id(read):
    assert "ext_42:THREE_DS_AUTH:SUCCESS" == read(iyziReferenceCode=None).event_id


@pytest.mark.parametrize("time", ["noon", True, -(10**30), [1], {"a": 1}])
def test_time_that_is_none_is_malformed(time, read):
    with pytest.raises(Rejected) as refused:
        read(iyziEventTime=time)
    assert Cause.MALFORMED is refused.value.cause


def test_receipt_stands_in_for_a_missing_time(read, at):
    assert at == read(iyziEventTime=None).occurred_at
