import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected

KINDS = {
    "payment_intent": "authorized",
    "payment_attempt": "failed",
    "refund": "refunded",
    "payment_dispute": "disputed",
    "dispute": "disputed",
}


@pytest.fixture
def airwallex(instance_of):
    return instance_of("airwallex")


@pytest.fixture
def body(airwallex, simulated):
    """The body of a kind under another name, with fields of its object replaced."""

    def make(kind, name=None, **changes):
        document = json.loads(simulated(airwallex, kind).body)
        document["name"] = name or document["name"]
        document["data"]["object"].update(changes)
        return document

    return make


@pytest.fixture
def read(airwallex, simulated, resigned, body):
    """The one event of a body, or of what `body` makes of a kind."""

    def make(kind, name=None, **changes):
        document = kind if isinstance(kind, dict) else body(kind, name, **changes)
        delivery = resigned(airwallex, simulated(airwallex, "captured"), document)
        (event,) = airwallex.adapter.read(delivery, airwallex.config)
        return event

    return make


def change_of(event):
    return event.payment_change.kind if event.payment_change else None


@pytest.mark.parametrize(
    ("name", "status", "change"),
    [
        ("payment_intent.created", "pending", None),
        ("payment_intent.pending", "pending", None),
        ("payment_intent.pending_review", "pending", None),
        ("payment_intent.requires_payment_method", "pending", None),
        ("payment_intent.requires_customer_action", "requires_more", None),
        ("payment_intent.requires_capture", "authorized", None),
        ("payment_intent.succeeded", "authorized", "captured"),
        ("payment_intent.cancelled", "canceled", None),
        ("payment_attempt.authorization_failed", "error", None),
        ("payment_attempt.authentication_failed", "error", None),
        ("payment_attempt.failed_to_process", "error", None),
        ("payment_attempt.risk_declined", "error", None),
        ("payment_attempt.expired", "error", None),
        ("payment_attempt.capture_failed", None, "capture_failed"),
        ("refund.settled", None, "refunded"),
        ("refund.succeeded", None, "refunded"),
        ("refund.failed", None, "refund_failed"),
        *(
            (f"{family}.{word}", None, change)
            for family in ("payment_dispute", "dispute")
            for word, change in {
                "requires_response": "disputed",
                "dispute_received_by_merchant": "disputed",
                "pre_chargeback_accepted": "disputed",
                "won": "dispute_won",
                "dispute_reversed": "dispute_won",
                "lost": "dispute_lost",
                "accepted": "dispute_lost",
                "expired": "dispute_lost",
            }.items()
        ),
    ],
)
def test_name_means_what_the_table_says(name, status, change, read):
    event = read(KINDS[name.partition(".")[0]], name, captured_amount=42.5)
    assert (status, change) == (event.session_status, change_of(event))
    assert ("ext_42", "payses_01JDTEST") == (event.external_id, event.reference)
    assert (4250, "EUR") == (event.amount, event.currency)


@pytest.mark.parametrize(
    "name",
    [
        *(
            f"payment_attempt.{word}"
            for word in "received authentication_redirected capture_requested authorized settled"
            " paid cancelled".split()
        ),
        *"refund.received refund.accepted refund.processing charge.succeeded".split(),
        *"deposit.settled transfer.paid conversion.settled issuing.card.created".split(),
    ],
)
def test_name_of_no_concern_is_ignored(name, read):
    event = read("refunded", name)
    assert (False, True) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize(
    ("attempt", "status"),
    [
        ("FAILED", "error"),
        ("RISK_DECLINED", "error"),
        ("EXPIRED", "error"),
        ("RECEIVED", "pending"),
    ],
)
def test_intent_that_fell_back_tells_of_the_failed_attempt(attempt, status, read):
    event = read(
        "created",
        "payment_intent.requires_payment_method",
        latest_payment_attempt={"status": attempt},
    )
    assert status == event.session_status


def test_failed_attempt_does_not_undo_a_later_success(read):
    event = read("captured", latest_payment_attempt={"status": "FAILED"})
    assert "authorized" == event.session_status


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [(16.66, "EUR", 1666), (62723, "KRW", 62723), (1.5, "KWD", 1500), ("0.1", "eur", 10)],
)
def test_amounts_are_in_major_units(amount, currency, expected, read):
    event = read("refunded", amount=amount, currency=currency)
    assert (expected, currency.upper()) == (event.amount, event.currency)


def test_captured_sum_counts(read):
    assert 3000 == read("captured", captured_amount=30).amount
    assert 4250 == read("captured", captured_amount=None).amount


def test_capture_is_a_running_total_of_the_intent(read):
    captured, failed = read("captured").payment_change, read("capture_failed").payment_change
    assert ("ext_42", True) == (captured.reference, captured.running_total)
    assert (captured.reference, captured.running_total) == (failed.reference, failed.running_total)


def test_refund_and_dispute_have_ids_of_their_own(read):
    assert "rfd_1" == read("refunded", id="rfd_1").payment_change.reference
    assert "dis_1" == read("disputed", id="dis_1").payment_change.reference


def test_reference_is_the_metadatas_or_the_orders(read):
    assert "a" == read("captured", metadata={"session_id": "a"}, merchant_order_id="b").reference
    assert "b" == read("captured", metadata=None, merchant_order_id="b").reference
    assert read("captured", metadata={}, merchant_order_id=None).reference is None


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("authorized", {"amount": None}),
        ("captured", {"captured_amount": -1}),
        ("captured", {"captured_amount": True}),
        ("refunded", {"currency": None}),
        ("refunded", {"amount": [1]}),
        ("created", {"id": None}),
        ("created", {"updated_at": "yesterday"}),
    ],
)
def test_object_that_cannot_be_read_is_malformed(kind, changes, read):
    with pytest.raises(Rejected) as refused:
        read(kind, **changes)
    assert Cause.MALFORMED == refused.value.cause


def test_dispute_may_come_without_money(read):
    event = read("disputed", amount=None, currency=None)
    assert (None, None, "disputed") == (event.amount, event.currency, change_of(event))


def test_object_may_come_without_its_wrapper(body, read):
    document = body("captured")
    assert "authorized" == read({**document, "data": document["data"]["object"]}).session_status


def test_account_may_be_spelled_either_way(body, read):
    document = body("captured")
    document["account_id"] = document.pop("accountId")
    assert "captured" == change_of(read(document))


def test_time_is_the_objects_or_else_the_headers(read, at):
    event = read("captured", updated_at="2025-11-24T17:00:00+0100")
    assert datetime(2025, 11, 24, 16, tzinfo=UTC) == event.occurred_at
    assert at == read("captured", updated_at=None).occurred_at


@pytest.mark.parametrize(
    ("stamp", "signed"),
    [
        ("1763999999.00", Cause.MALFORMED),
        ("-763999999000", Cause.MALFORMED),
        ("now", Cause.MALFORMED),
        # In seconds, and in microseconds: times that are far away.
        ("1764000000", Cause.STALE_TIMESTAMP),
        ("0", Cause.STALE_TIMESTAMP),
        ("17640000000000", Cause.STALE_TIMESTAMP),
    ],
)
def test_timestamp_is_in_milliseconds(stamp, signed, airwallex, simulated, refusal):
    delivery = simulated(airwallex, "captured")
    key = airwallex.config.webhook_secrets[0].bytes
    value = hmac.digest(key, stamp.encode() + delivery.body, "sha256").hex()
    for signature, cause in ((value, signed), ("00", Cause.BAD_SIGNATURE)):
        headers = (("x-timestamp", stamp), ("x-signature", signature))
        assert cause == refusal(airwallex, replace(delivery, headers=headers))


def test_time_and_body_cannot_be_parted_elsewhere(airwallex, simulated, refusal):
    """Both texts have the same HMAC, but a time of fewer digits is long past."""
    whole = simulated(airwallex, "captured")
    (stamp,), (value,) = whole.header_values("x-timestamp"), whole.header_values("x-signature")
    headers = (("x-timestamp", stamp[:-1]), ("x-signature", value))
    shifted = replace(whole, headers=headers, body=stamp[-1:].encode() + whole.body)
    assert Cause.STALE_TIMESTAMP == refusal(airwallex, shifted)


def test_window_is_the_operators_choice(instance_of, simulated, refusal, at):
    patient = instance_of("airwallex", tolerance_seconds=259_200)
    delivery = simulated(patient, "captured")
    assert refusal(patient, replace(delivery, received_at=at + timedelta(days=3))) is None
    later = replace(delivery, received_at=at + timedelta(days=3, seconds=1))
    assert Cause.STALE_TIMESTAMP == refusal(patient, later)
    with pytest.raises(ValidationError, match="tolerance_seconds"):
        instance_of("airwallex", tolerance_seconds=0)


def test_signature_is_in_lower_case(airwallex, simulated, refusal):
    delivery = simulated(airwallex, "captured")
    upper = tuple((n, v.upper() if n == "x-signature" else v) for n, v in delivery.headers)
    assert Cause.BAD_SIGNATURE == refusal(airwallex, replace(delivery, headers=upper))
