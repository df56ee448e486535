import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected

URL = "https://pay.example.com/webhooks/square"


@pytest.fixture
def square(instance_of):
    return instance_of("square", notification_url=URL)


@pytest.fixture
def read(square, simulated, resigned):
    """The one event of a kind under another type, with fields of its object replaced."""

    def make(kind, word=None, **changes):
        delivery = simulated(square, kind)
        body = json.loads(delivery.body)
        body["type"] = word or body["type"]
        (found,) = body["data"]["object"].values()
        found.update(changes)
        (event,) = square.adapter.read(resigned(square, delivery, body), square.config)
        return event

    return make


@pytest.mark.parametrize(
    "url",
    [
        f"{URL}/",
        URL.replace("https", "http"),
        URL.replace(".com/", ".com:443/"),
        f"{URL}?a=1",
        URL.replace("square", "Square"),
    ],
)
def test_registered_url_counts_to_the_last_letter(url, square, instance_of, simulated, refusal):
    delivery = simulated(square, "captured")
    other = instance_of("square", notification_url=url)
    assert Cause.BAD_SIGNATURE == refusal(other, delivery)


def test_url_of_the_request_does_not_count(square, simulated, refusal):
    moved = replace(simulated(square, "captured"), path="/elsewhere", query="a=1")
    assert refusal(square, moved) is None


def test_retired_signature_is_no_signature(square, simulated, refusal):
    delivery = simulated(square, "captured")
    key = square.config.signature_keys[0].bytes
    old = hmac.digest(key, URL.encode() + delivery.body, hashlib.sha1)
    headers = (("X-Square-Signature", base64.b64encode(old).decode()),)
    assert Cause.MISSING_SIGNATURE == refusal(square, replace(delivery, headers=headers))


def test_empty_body_is_refused_though_it_is_signed(square, simulated, resigned, refusal):
    assert Cause.MALFORMED == refusal(square, resigned(square, simulated(square, "captured"), b""))


def test_body_is_signed_as_it_is(square, simulated, resigned, refusal):
    raw = '{"event_id":"1","type":"x","created_at":"2025-01-01T00:00:00Z","a":"<é&>"}'.encode()
    assert refusal(square, resigned(square, simulated(square, "captured"), raw)) is None


@pytest.mark.parametrize(
    ("kind", "word", "changes", "status", "change"),
    [
        ("captured", "payment.created", {}, "authorized", "captured"),
        ("authorized", "payment.updated", {}, "authorized", None),
        ("refunded", "refund.created", {"status": "PENDING"}, None, None),
        ("refunded", "refund.created", {"status": "REJECTED"}, None, "refund_failed"),
        ("disputed", "dispute.created", {"state": "PROCESSING"}, None, "disputed"),
        ("disputed", "dispute.created", {"state": "INQUIRY_EVIDENCE_REQUIRED"}, None, None),
        ("disputed", "dispute.state.changed", {"state": "WON"}, None, "dispute_won"),
        ("disputed", "dispute.state.updated", {"state": "ACCEPTED"}, None, "dispute_lost"),
        ("disputed", "dispute.state.updated", {"state": "PROCESSING"}, None, None),
        ("disputed", "dispute.state.updated", {"state": "INQUIRY_CLOSED"}, None, None),
        ("disputed", "dispute.state.updated", {"state": "EVIDENCE_REQUIRED"}, None, "disputed"),
        ("disputed", "dispute.evidence.added", {}, None, None),
        ("captured", "terminal.checkout.updated", {}, None, None),
    ],
)
def test_event_means_what_the_table_says(kind, word, changes, status, change, read):
    event = read(kind, word, **changes)
    told = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, told)
    assert event.recognized


def test_unheard_of_status_is_recorded_and_does_nothing(read):
    event = read("captured", status="TELEPORTED")
    assert (False, False) == (event.concerns_payment, event.recognized)


def test_failure_undoes_the_capture_that_was_told(read):
    captured, failed = read("captured").payment_change, read("failed").payment_change
    assert (captured.reference, captured.running_total) == (failed.reference, failed.running_total)


def test_sum_with_the_tip_counts(read):
    tipped = {"amount": 5000, "currency": "EUR"}
    assert 5000 == read("captured", total_money=tipped).amount
    assert 4250 == read("captured", total_money=None).amount


def test_payment_without_money_is_malformed(read):
    with pytest.raises(Rejected) as refused:
        read("captured", total_money=None, amount_money=None)
    assert Cause.MALFORMED == refused.value.cause


def test_refund_belongs_to_its_payment(read):
    linked, unlinked = read("refunded"), read("refunded", payment_id=None)
    assert ("ext_42", None) == (linked.external_id, linked.reference)
    assert (None, "refunded") == (unlinked.external_id, unlinked.payment_change.kind)


def test_dispute_may_have_its_older_id(read):
    assert "D1" == read("disputed", id=None, dispute_id="D1").payment_change.reference


def test_later_of_both_times_counts(read, at):
    later = "2025-11-24T17:00:00.123456789Z"
    assert at == read("captured", updated_at="2020-01-01T00:00:00Z").occurred_at
    expected = datetime(2025, 11, 24, 17, 0, 0, 123456, UTC)
    assert expected == read("captured", updated_at=later).occurred_at


@pytest.mark.parametrize(
    ("value", "expected"),
    [("Sandbox", False), ("PRODUCTION", True), ("production", True), ("moon", None), ("", None)],
)
def test_mode_is_told_by_a_header(value, expected, square, simulated):
    delivery = simulated(square, "captured")
    kept = tuple(pair for pair in delivery.headers if pair[0] != "square-environment")
    for name in ("square-environment", "Square-Environment"):
        told = replace(delivery, headers=(*kept, (name, value)))
        (event,) = square.adapter.read(told, square.config)
        assert expected is event.livemode


@pytest.mark.parametrize("url", ["", "pay.example.com", "https://a b", "ftp://x/"])
def test_notification_url_must_be_one(url, instance_of):
    with pytest.raises(ValidationError, match="notification_url"):
        instance_of("square", notification_url=url)
