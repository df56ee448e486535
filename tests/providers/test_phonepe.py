import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected


@pytest.fixture
def shop(instance_of):
    return instance_of("phonepe")


@pytest.fixture
def read(shop, simulated, resigned):
    """The one event of a kind with fields of its envelope and its payload replaced."""

    def make(kind="captured", envelope=(), **changes):
        delivery = simulated(shop, kind)
        body = json.loads(delivery.body) | dict(envelope)
        if isinstance(body["payload"], dict):
            body["payload"] |= changes
        (event,) = shop.adapter.read(resigned(shop, delivery, body), shop.config)
        return event

    return make


@pytest.fixture
def with_token(shop, simulated):
    def make(*values):
        headers = tuple(("Authorization", value) for value in values)
        return replace(simulated(shop, "captured"), headers=headers)

    return make


def meaning(event):
    return event.session_status, event.payment_change and event.payment_change.kind


@pytest.mark.parametrize(
    ("kind", "word", "state", "expected"),
    [
        ("captured", "checkout.order.completed", "COMPLETED", ("authorized", "captured")),
        ("captured", "pg.order.completed", "COMPLETED", ("authorized", "captured")),
        ("captured", "checkout.order.failed", "FAILED", ("error", None)),
        ("captured", "pg.order.failed", "FAILED", ("error", None)),
        ("refunded", "pg.refund.completed", "COMPLETED", (None, "refunded")),
        ("refunded", "pg.refund.failed", "FAILED", (None, "refund_failed")),
    ],
)
def test_event_means_what_the_table_says(kind, word, state, expected, read):
    event = read(kind, {"event": word}, state=state)
    assert (word, expected) == (event.type, meaning(event))


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("pg.refund.accepted", "CONFIRMED"),
        ("pg.refund.accepted", "PENDING"),
        ("pg.transaction.failed", "PENDING"),
        ("subscription.setup.order.completed", "COMPLETED"),
        ("paylink.order.completed", "COMPLETED"),
    ],
)
def test_event_of_no_concern_is_ignored_by_name(word, state, read):
    event = read("captured", {"event": word}, state=state)
    assert (False, True) == (event.concerns_payment, event.recognized)
    assert read("captured", {"event": word, "payload": None}).recognized


@pytest.mark.parametrize(
    "word", ["PG_TRANSACTION_ATTEMPT_FAILED", "CHECKOUT_TRANSACTION_ATTEMPT_FAILED"]
)
def test_deprecated_type_of_an_attempt_is_ignored(word, read):
    event = read("captured", {"event": None, "type": word}, state="PENDING")
    assert (False, True) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize("state", ["PENDING", "FAILED", "", None])
def test_state_that_contradicts_its_event_does_nothing(state, read):
    event = read("captured", state=state)
    assert (False, False) == (event.concerns_payment, event.recognized)


def test_states_of_attempts_do_not_count(read, at):
    attempts = [
        {"transactionId": "T1", "timestamp": 1795000000120, "state": "FAILED"},
        {"transactionId": "T2", "timestamp": 1795000000500, "state": "COMPLETED"},
        {"transactionId": "T0", "timestamp": None, "state": "FAILED"},
    ]
    event = read("captured", paymentDetails=attempts)
    assert ("authorized", "captured") == meaning(event)
    assert datetime(2026, 11, 18, 11, 6, 40, 500000, UTC) == event.occurred_at
    assert "checkout.order.completed:ext_42:COMPLETED:T2" == event.event_id
    assert at == read("captured", paymentDetails=None).occurred_at


def test_refund_belongs_to_the_order_by_our_name_of_it(read):
    event = read("refunded", timestamp=1795086400123, refundId="OMR1", orderId=None)
    assert (None, "payses_01JDTEST") == (event.external_id, event.reference)
    assert "OMR1" == event.payment_change.reference
    assert datetime(2026, 11, 19, 11, 6, 40, 123000, UTC) == event.occurred_at


def test_amount_is_in_paise(read):
    event = read("captured", amount=425050, currency=None)
    assert (425050, "INR") == (event.amount, event.currency)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 42.5},
        {"amount": "4250"},
        {"amount": None},
        {"orderId": None},
        {"paymentDetails": [{"timestamp": "noon"}]},
        {"paymentDetails": [{"timestamp": -(10**30)}]},
        {"envelope": {"event": None}},
    ],
)
def test_event_that_cannot_be_read_is_malformed(changes, read):
    with pytest.raises(Rejected) as refused:
        read("captured", **changes)
    assert Cause.MALFORMED is refused.value.cause


def test_token_is_the_hash_of_user_and_password_in_any_case(shop, with_token, refusal):
    token = hashlib.sha256(b"development_hook:DevelopmentPass1").hexdigest()
    assert refusal(shop, with_token(token)) is None
    assert refusal(shop, with_token(token.upper())) is None


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        ([], Cause.MISSING_SIGNATURE),
        ([""], Cause.MISSING_SIGNATURE),
        (["a", "a"], Cause.MISSING_SIGNATURE),
        (["development_hook:DevelopmentPass1"], Cause.BAD_CREDENTIALS),
        (["Basic ZGV2ZWxvcG1lbnRfaG9vazpEZXZlbG9wbWVudFBhc3Mx"], Cause.BAD_CREDENTIALS),
        (["\ud800"], Cause.BAD_CREDENTIALS),
    ],
)
def test_other_credentials_are_refused(values, cause, shop, with_token, refusal):
    assert cause == refusal(shop, with_token(*values))


def test_password_can_be_rotated(instance_of, shop, simulated):
    rotating = instance_of("phonepe", password=["NewPassword1", "DevelopmentPass1"])
    verdict = rotating.adapter.verify(simulated(shop, "captured"), rotating.config)
    assert "password[1]" == verdict.secret


def test_user_name_must_be_there(instance_of):
    with pytest.raises(ValidationError, match="username"):
        instance_of("phonepe", username="")


def test_token_is_not_to_be_stored(shop):
    assert ("Authorization",) == shop.adapter.secret_headers
