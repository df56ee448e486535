import json

import pytest

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import ChangeKind, SessionStatus
from providers.contract import ApiAnswer

THIN = {
    "id": "evt_test_thin",
    "object": "v2.core.event",
    "type": "v1.payment_intent.succeeded",
    "livemode": False,
    "created": "2025-11-24T16:00:00.123Z",
    "related_object": {
        "id": "pi_42",
        "type": "payment_intent",
        "url": "/v1/payment_intents/pi_42",
    },
}
INTENT = {
    "id": "pi_42",
    "object": "payment_intent",
    "amount": 4250,
    "amount_capturable": 0,
    "amount_received": 0,
    "currency": "eur",
    "latest_charge": "ch_42",
    "metadata": {"session_id": "payses_42"},
}
CHARGE = {
    "id": "ch_42",
    "object": "charge",
    "status": "succeeded",
    "amount": 4250,
    "amount_captured": 4250,
    "amount_refunded": 0,
    "captured": True,
    "refunded": False,
    "currency": "eur",
    "payment_intent": "pi_42",
}


@pytest.fixture
def stripe(instance_of):
    return instance_of("stripe", api_key="sk_test_fake")


@pytest.fixture
def thin(stripe, simulated, resigned):
    def make(**changes):
        return resigned(stripe, simulated(stripe, "captured"), {**THIN, **changes})

    return make


@pytest.fixture
def settled(stripe, thin):
    """The event that a thin event of a type becomes, by what its object is now."""

    def make(word, found, status=200):
        path = {"id": found["id"], "type": found["object"], "url": f"/v1/x/{found['id']}"}
        settlement = stripe.adapter.settle(thin(type=word, related_object=path), stripe.config)
        next(settlement)
        try:
            settlement.send(ApiAnswer(status, json.dumps(found).encode()))
        except StopIteration as end:
            (event,) = end.value
            return event
        pytest.fail("it asked again")

    return make


def test_thin_event_waits_for_the_api(stripe, thin):
    assert not stripe.adapter.verify(thin(), stripe.config).settled
    with pytest.raises(Rejected) as refused:
        stripe.adapter.read(thin(), stripe.config)
    assert Cause.UNVERIFIABLE == refused.value.cause


@pytest.mark.parametrize(
    ("word", "recognized"),
    [
        ("v2.core.event_destination.ping", True),
        ("v1.customer.created", True),
        ("v1.charge.dispute.updated", True),
        ("v1.moon.waxed", False),
    ],
)
def test_thin_event_of_no_concern_needs_no_api(word, recognized, stripe, thin):
    delivery = thin(type=word, related_object=None)
    assert stripe.adapter.verify(delivery, stripe.config).settled
    (event,) = stripe.adapter.read(delivery, stripe.config)
    assert not event.concerns_payment
    assert recognized == event.recognized


def test_thin_event_asks_stripe_and_nobody_else(stripe, thin):
    request = next(stripe.adapter.settle(thin(context="acct_1/acct_2"), stripe.config))
    assert ("GET", "https://api.stripe.com/v1/payment_intents/pi_42") == (
        request.method,
        request.url,
    )
    sent = dict(request.headers)
    assert ("Bearer sk_test_fake", "acct_1/acct_2") == (
        sent["Authorization"],
        sent["Stripe-Context"],
    )
    assert "sk_test_fake" not in repr(request)


def test_thin_event_without_context_sends_none(stripe, thin):
    request = next(stripe.adapter.settle(thin(context=None), stripe.config))
    assert "Stripe-Context" not in dict(request.headers)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1/payment_intents/pi_42",
        "//evil.example/v1/x",
        "@evil.example/v1/x",
        "/v3/payment_intents/pi_42",
        "/v1/../admin",
        "/v1/payment_intents/pi_42?expand=x",
        "/v1/payment_intents/pi_42#x",
        "/v1/payment_intents/pi%2042",
        "/v1/payment_intents/pi_42\n",
        "/v1//pi_42",
        "/v1/",
        "",
        None,
        7,
    ],
)
def test_odd_url_is_never_asked(url, stripe, thin):
    settlement = stripe.adapter.settle(
        thin(related_object={"id": "pi_42", "type": "payment_intent", "url": url}), stripe.config
    )
    with pytest.raises(Rejected) as refused:
        next(settlement)
    assert Cause.MALFORMED == refused.value.cause


def test_odd_context_is_never_sent(stripe, thin):
    with pytest.raises(Rejected):
        next(stripe.adapter.settle(thin(context="acct_1\r\nX-Evil: 1"), stripe.config))


def test_thin_event_without_an_api_key_says_which_setting_is_missing(instance_of, thin):
    keyless = instance_of("stripe", api_key=None)
    with pytest.raises(Rejected, match="api_key") as refused:
        next(keyless.adapter.settle(thin(), keyless.config))
    assert Cause.UNVERIFIABLE == refused.value.cause


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (404, Cause.UNKNOWN_PAYMENT),
        (401, Cause.UNVERIFIABLE),
        (403, Cause.UNVERIFIABLE),
        (302, Cause.UNVERIFIABLE),
    ],
)
def test_answer_other_than_ok_settles_nothing(status, cause, settled):
    with pytest.raises(Rejected) as refused:
        settled("v1.payment_intent.succeeded", INTENT, status)
    assert cause == refused.value.cause


def test_answer_about_another_object_settles_nothing(stripe, thin):
    settlement = stripe.adapter.settle(thin(), stripe.config)
    next(settlement)
    with pytest.raises(Rejected) as refused:
        settlement.send(ApiAnswer(200, json.dumps({**INTENT, "id": "pi_43"}).encode()))
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize(
    ("word", "found", "status", "change", "amount"),
    [
        ("payment_intent.created", {"status": "requires_payment_method"}, "pending", None, 4250),
        (
            "payment_intent.payment_failed",
            {"status": "requires_payment_method", "last_payment_error": {"code": "x"}},
            "error",
            None,
            4250,
        ),
        ("payment_intent.created", {"status": "requires_action"}, "requires_more", None, 4250),
        ("payment_intent.created", {"status": "processing"}, "pending", None, 4250),
        (
            "payment_intent.created",
            {"status": "requires_capture", "amount_capturable": 4250},
            "authorized",
            None,
            4250,
        ),
        (
            "payment_intent.payment_failed",
            {"status": "succeeded", "amount_received": 4000},
            "authorized",
            "captured",
            4000,
        ),
        ("payment_intent.succeeded", {"status": "canceled"}, "canceled", "voided", 4250),
        ("payment_intent.succeeded", {"status": "new_in_2027"}, None, None, None),
    ],
)
def test_thin_intent_counts_as_it_is_now(word, found, status, change, amount, settled):
    event = settled(f"v1.{word}", {**INTENT, **found})
    told = event.payment_change.kind if event.payment_change else None
    assert (f"v1.{word}", status, change) == (event.type, event.session_status, told)
    assert amount == event.amount


@pytest.mark.parametrize(
    ("word", "found", "status", "change"),
    [
        ("charge.succeeded", {"captured": False}, "authorized", None),
        ("charge.succeeded", {}, "authorized", "captured"),
        ("charge.succeeded", {"captured": False, "refunded": True}, "canceled", "voided"),
        ("charge.pending", {"status": "failed"}, "error", None),
        ("charge.refunded", {"amount_refunded": 1000}, None, "refunded"),
        ("charge.refunded", {"captured": False, "refunded": True}, "canceled", "voided"),
    ],
)
def test_thin_charge_counts_as_it_is_now(word, found, status, change, settled):
    event = settled(f"v1.{word}", {**CHARGE, **found})
    told = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, told)


@pytest.mark.parametrize(
    ("word", "kind", "found", "status", "change"),
    [
        ("refund.created", "refund", {"status": "failed"}, None, ChangeKind.REFUND_FAILED),
        ("refund.failed", "refund", {"status": "succeeded"}, None, ChangeKind.REFUNDED),
        ("charge.dispute.created", "dispute", {"status": "won"}, None, ChangeKind.DISPUTE_WON),
        (
            "charge.dispute.created",
            "dispute",
            {"status": "under_review"},
            None,
            ChangeKind.DISPUTED,
        ),
        ("charge.dispute.closed", "dispute", {"status": "lost"}, None, ChangeKind.DISPUTE_LOST),
        (
            "checkout.session.completed",
            "checkout.session",
            {"status": "complete", "payment_status": "paid"},
            SessionStatus.AUTHORIZED,
            ChangeKind.CAPTURED,
        ),
        (
            "checkout.session.async_payment_failed",
            "checkout.session",
            {"status": "complete", "payment_status": "unpaid"},
            SessionStatus.ERROR,
            None,
        ),
        (
            "checkout.session.completed",
            "checkout.session",
            {"status": "expired", "payment_status": "unpaid"},
            SessionStatus.CANCELED,
            None,
        ),
    ],
)
def test_thin_event_of_another_object_counts_as_it_is_now(
    word, kind, found, status, change, settled
):
    whole = {"id": "xx_1", "object": kind, "amount": 5, "amount_total": 5, "currency": "eur"}
    event = settled(f"v1.{word}", {**whole, "payment_intent": "pi_42", **found})
    told = event.payment_change.kind if event.payment_change else None
    assert (status, change, "pi_42") == (event.session_status, told, event.external_id)
