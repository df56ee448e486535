import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.domain.errors import Cause, Rejected

TOKEN = "xnd-development-not-a-secret"
INVOICE = {
    "id": "inv_1",
    "external_id": "ps_1",
    "status": "PAID",
    "amount": 20000,
    "paid_amount": 20000,
    "paid_at": "2025-11-24T15:00:00.000Z",
    "updated": "2025-11-24T16:00:00.000Z",
    "currency": "IDR",
}


@pytest.fixture
def xendit(instance_of):
    return instance_of("xendit")


@pytest.fixture
def told(xendit, simulated, resigned):
    """The one event of a body."""

    def make(body):
        delivery = resigned(xendit, simulated(xendit, "captured"), body)
        (event,) = xendit.adapter.read(delivery, xendit.config)
        return event

    return make


@pytest.fixture
def read(xendit, simulated, told):
    """The one event of a kind under another name, with fields of its data replaced."""

    def make(kind, name=None, **changes):
        body = json.loads(simulated(xendit, kind).body)
        body["event"] = name or body["event"]
        body["data"] |= changes
        return told(body)

    return make


def meaning(event):
    change = event.payment_change
    return event.session_status, change.kind if change else None


@pytest.mark.parametrize(
    ("kind", "name", "word", "status", "change"),
    [
        ("authorized", "payment.authorization", "AUTHORIZED", "authorized", None),
        ("authorized", "payment.awaiting_capture", "AWAITING_CAPTURE", "authorized", None),
        ("captured", "payment.capture", "SUCCEEDED", "authorized", "captured"),
        ("authorized", "payment.succeeded", "SUCCEEDED", "authorized", "captured"),
        ("capture_failed", "capture.succeeded", "SUCCEEDED", None, "captured"),
        ("capture_failed", "capture.failed", "FAILED", None, "capture_failed"),
        ("authorized", "payment.failure", "FAILED", "error", None),
        ("authorized", "payment.failed", "FAILED", "error", None),
        ("authorized", "payment.expiry", "EXPIRED", "canceled", "voided"),
        ("expired", "payment_request.expiry", "EXPIRED", "canceled", None),
        ("authorized", "payment.authorization", "PENDING", "pending", None),
        ("authorized", "payment.capture", "CANCELED", "canceled", "voided"),
        ("refunded", "refund.succeeded", "SUCCEEDED", None, "refunded"),
        ("refunded", "refund.failed", "FAILED", None, "refund_failed"),
        ("ignored", "payment_token.activation", None, None, None),
        ("ignored", "payment_method.expired", None, None, None),
        ("ignored", "payout.succeeded", None, None, None),
    ],
)
def test_event_means_what_the_table_says(kind, name, word, status, change, read):
    event = read(kind, name, status=word)
    assert (status, change) == meaning(event)
    assert event.recognized


def test_status_that_does_not_fit_its_event_is_not_believed(read):
    for name, word in (("payment.capture", "FAILED"), ("refund.succeeded", "PENDING")):
        event = read("captured", name, status=word)
        assert (False, False) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize(
    ("word", "status", "change", "amount"),
    [
        ("PAID", "authorized", "captured", 2_500_000),
        ("SETTLED", "authorized", "captured", 2_500_000),
        ("EXPIRED", "canceled", None, 2_000_000),
        ("PENDING", None, None, None),
    ],
)
def test_invoice_means_what_its_status_says(word, status, change, amount, told):
    event = told(INVOICE | {"status": word, "paid_amount": 25000})
    assert (status, change) == meaning(event)
    assert (f"invoice.{word.lower()}", amount) == (event.type, event.amount)


def test_settled_invoice_is_the_same_money(told):
    paid, settled = told(INVOICE), told(INVOICE | {"status": "SETTLED"})
    assert paid.payment_change == settled.payment_change
    assert paid.event_id != settled.event_id
    assert ("inv_1", "ps_1") == (paid.external_id, paid.reference)
    assert datetime(2025, 11, 24, 15, tzinfo=UTC) == paid.occurred_at
    unpaid = told(INVOICE | {"paid_at": None, "status": "EXPIRED"})
    assert datetime(2025, 11, 24, 16, tzinfo=UTC) == unpaid.occurred_at


@pytest.mark.parametrize(
    ("name", "word", "status", "change"),
    [
        ("ewallet.capture", "SUCCEEDED", "authorized", "captured"),
        ("ewallet.capture", "FAILED", "error", None),
        ("ewallet.void", "SUCCEEDED", "canceled", "voided"),
        ("ewallet.refund", "SUCCEEDED", None, "refunded"),
    ],
)
def test_old_wallet_event_means_what_the_table_says(name, word, status, change, told):
    data = {
        "id": "ewc_1",
        "status": word,
        "currency": "PHP",
        "reference_id": "ps_1",
        "charge_amount": 42.5,
        "capture_amount": 42.5,
        "updated": "2025-11-24T16:00:00.123456789Z",
    }
    event = told({"event": name, "data": data})
    assert (status, change) == meaning(event)
    if change != "refunded":
        assert ("ewc_1", "ps_1", 4250) == (event.external_id, event.reference, event.amount)
    assert datetime(2025, 11, 24, 16, 0, 0, 123456, UTC) == event.occurred_at


def test_old_wallet_refund_belongs_to_its_charge(told):
    data = {"id": "ewr_1", "charge_id": "ewc_1", "status": "SUCCEEDED", "currency": "PHP"}
    event = told({"event": "ewallet.refund", "data": data | {"refund_amount": 10}})
    assert ("ewc_1", 1000) == (event.external_id, event.amount)
    assert "ewr_1" == event.payment_change.reference


@pytest.mark.parametrize(
    ("headers", "cause"),
    [
        ((("X-CALLBACK-TOKEN", TOKEN),), None),
        ((("x-callback-token", TOKEN[:-1]),), Cause.BAD_CREDENTIALS),
        ((("x-callback-token", f"{TOKEN}0"),), Cause.BAD_CREDENTIALS),
        ((("x-callback-token", TOKEN.upper()),), Cause.BAD_CREDENTIALS),
        ((("x-callback-token", ""),), Cause.MISSING_SIGNATURE),
        ((), Cause.MISSING_SIGNATURE),
    ],
)
def test_token_is_compared_whole(headers, cause, xendit, simulated, refusal):
    assert cause == refusal(xendit, replace(simulated(xendit, "captured"), headers=headers))


def test_api_key_may_be_configured_and_is_not_needed(instance_of, xendit, simulated):
    keyed = instance_of("xendit", secret_key="xnd_development_FAKE0000")
    delivery = simulated(keyed, "captured")
    assert xendit.adapter.verify(delivery, xendit.config) == keyed.adapter.verify(
        delivery, keyed.config
    )
    assert "FAKE0000" not in repr(keyed.config)


def test_event_inside_another_is_unwrapped(xendit, simulated, told):
    inner = json.loads(simulated(xendit, "refunded").body)
    nested = {"event": "refund.succeeded", "data": inner, "created": "2025-11-24T17:00:00Z"}
    assert told(inner) == told(nested) == told({"event": "x", "data": nested})


def test_time_of_the_attempt_changes_nothing(xendit, simulated, told, at):
    body = json.loads(simulated(xendit, "captured").body)
    again = body | {"created": "2025-11-25T16:00:00.000Z"}
    assert told(body) == told(again)
    assert at == told(again).occurred_at


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"captures": None, "request_amount": 100, "currency": "IDR"}, 10_000),
        ({"captures": None, "request_amount": "1250.75", "currency": "PHP"}, 125_075),
        ({"captures": [], "request_amount": 900, "currency": "VND"}, 900),
        ({"captures": [{"capture_id": "a", "capture_amount": 7}]}, 700),
        (
            {
                "captures": [
                    {"capture_id": "a", "capture_amount": 7},
                    {"capture_id": "b", "capture_amount": "3.5"},
                ]
            },
            1050,
        ),
        # Without ids they are no less several.
        ({"captures": [{"capture_amount": 7}, {"capture_amount": 7}]}, 1400),
    ],
)
def test_captured_money_is_the_sum_of_captures(changes, expected, read):
    event = read("captured", **changes)
    assert expected == event.amount
    assert ("ext_42", True) == (
        event.payment_change.reference,
        event.payment_change.running_total,
    )


def test_another_capture_is_another_event(read):
    first = read("captured", captures=[{"capture_id": "a", "capture_amount": 1}])
    both = [{"capture_id": "a", "capture_amount": 1}, {"capture_id": "b", "capture_amount": 1}]
    assert "payment.capture" in first.event_id
    assert first.event_id != read("captured", captures=both).event_id


def test_older_payment_has_its_id_at_the_top(read):
    event = read("authorized", "payment.succeeded", status="SUCCEEDED", id="py-1", amount=1)
    assert ("ext_42", "payment.succeeded:py-1:SUCCEEDED") == (event.external_id, event.event_id)
    lone = read("authorized", payment_request_id=None, payment_id="py-1")
    assert "py-1" == lone.external_id


def test_refunds_own_reference_is_not_ours(read):
    event = read("refunded", metadata=None, reference_id="ps_1", payment_id="py-1")
    assert ("py-1", None) == (event.external_id, event.reference)
    assert "inv_1" == read("refunded", payment_id=None, invoice_id="inv_1").external_id


@pytest.mark.parametrize(
    "body", [{}, {"event": "payment.capture"}, {"status": "PAID"}, {"data": {}}]
)
def test_body_of_no_known_shape_is_malformed(body, told):
    with pytest.raises(Rejected) as refused:
        told(body)
    assert Cause.MALFORMED == refused.value.cause


def test_captures_that_are_none_are_malformed(read):
    for captures in ([None], ["a"], [{"capture_id": "a"}]):
        with pytest.raises(Rejected) as refused:
            read("captured", captures=captures)
        assert Cause.MALFORMED == refused.value.cause


def test_failure_needs_no_money(read):
    event = read("failed", request_amount=None)
    assert ("error", None) == (event.session_status, event.amount)


@pytest.mark.parametrize("name", ["request_amount", "currency"])
def test_authorization_without_money_is_malformed(name, read):
    with pytest.raises(Rejected) as refused:
        read("authorized", **{name: None})
    assert Cause.MALFORMED == refused.value.cause
