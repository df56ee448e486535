import hmac
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import ChangeKind, SessionStatus
from providers.contract import ApiAnswer

SECRET = "whsec_development_not_a_secret"
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
def read(stripe, simulated, resigned):
    """The one event of a snapshot of a type, with some fields of its object replaced."""

    def make(kind, word, **changes):
        delivery = simulated(stripe, kind)
        body = json.loads(delivery.body)
        body["type"] = word
        body["data"]["object"].update(changes)
        (event,) = stripe.adapter.read(resigned(stripe, delivery, body), stripe.config)
        return event

    return make


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


def signature_of(delivery, stamp):
    signed = f"{stamp}.".encode() + delivery.body
    return hmac.digest(SECRET.encode(), signed, "sha256").hex()


def with_header(delivery, value):
    return replace(delivery, headers=(("Stripe-Signature", value),))


@pytest.mark.parametrize(
    "value",
    [
        "t={t},v1=00,v1={v1}",
        "t={t}, v1={v1}",
        "v1={v1},t={t}",
        "t={t},v0=00,v1={v1},v2=x,novalue,=",
        "t={t},v1=a=b,v1={v1}",
    ],
)
def test_header_with_a_good_signature_is_accepted(value, stripe, simulated, refusal, at):
    delivery = simulated(stripe, "captured")
    stamp = int(at.timestamp())
    made = value.format(t=stamp, v1=signature_of(delivery, stamp))
    assert refusal(stripe, with_header(delivery, made)) is None


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("t={t},v0={v1}", Cause.MISSING_SIGNATURE),
        ("v1={v1}", Cause.MISSING_SIGNATURE),
        ("t={t}", Cause.MISSING_SIGNATURE),
        ("t={t},t={t},v1={v1}", Cause.MISSING_SIGNATURE),
        ("{v1}", Cause.MISSING_SIGNATURE),
        ("t={t}.0,v1={v1}", Cause.MALFORMED),
        ("t= {t},v1={v1}", Cause.MALFORMED),
        ("t=٣,v1={v1}", Cause.MALFORMED),
        ("t={t},v1={v1}0", Cause.BAD_SIGNATURE),
        ("t=0{t},v1={v1}", Cause.BAD_SIGNATURE),
        ("t={t},v1=é", Cause.BAD_SIGNATURE),
    ],
)
def test_header_without_a_good_signature_is_refused(value, cause, stripe, simulated, refusal, at):
    delivery = simulated(stripe, "captured")
    stamp = int(at.timestamp())
    made = value.format(t=stamp, v1=signature_of(delivery, stamp))
    assert cause == refusal(stripe, with_header(delivery, made))


def test_stamp_from_the_future_is_refused(stripe, simulated, refusal, at):
    early = replace(simulated(stripe, "captured"), received_at=at - timedelta(hours=1))
    assert Cause.STALE_TIMESTAMP == refusal(stripe, early)


@pytest.mark.parametrize(
    ("word", "kind", "changes", "status", "change"),
    [
        ("payment_intent.partially_funded", "created", {}, "pending", None),
        ("payment_intent.canceled", "canceled", {}, "canceled", "voided"),
        ("payment_intent.canceled", "canceled", {"latest_charge": None}, "canceled", None),
        ("checkout.session.completed", "checkout_completed", {}, "authorized", "captured"),
        (
            "checkout.session.completed",
            "checkout_completed",
            {"payment_status": "unpaid"},
            "pending",
            None,
        ),
        (
            "checkout.session.completed",
            "checkout_completed",
            {"payment_status": "no_payment_required"},
            None,
            None,
        ),
        (
            "checkout.session.completed",
            "checkout_completed",
            {"mode": "setup", "currency": None, "amount_total": None},
            None,
            None,
        ),
        (
            "checkout.session.async_payment_succeeded",
            "checkout_completed",
            {},
            "authorized",
            "captured",
        ),
        (
            "checkout.session.async_payment_failed",
            "checkout_completed",
            {"payment_status": "unpaid"},
            "error",
            None,
        ),
        ("charge.succeeded", "charge_captured", {}, "authorized", "captured"),
        ("charge.succeeded", "charge_authorized", {}, "authorized", None),
        ("charge.pending", "charge_captured", {"status": "pending"}, "pending", None),
        ("charge.failed", "charge_authorized", {"status": "failed"}, "error", None),
        ("charge.refunded", "expired", {}, "canceled", "voided"),
        ("charge.updated", "charge_captured", {}, None, None),
        ("refund.created", "refund_succeeded", {"status": "pending"}, None, None),
        ("refund.created", "refund_succeeded", {}, None, "refunded"),
        (
            "charge.refund.updated",
            "refund_succeeded",
            {"status": "canceled"},
            None,
            "refund_failed",
        ),
        (
            "charge.dispute.created",
            "disputed",
            {"status": "warning_needs_response"},
            None,
            "disputed",
        ),
        ("charge.dispute.closed", "disputed", {"status": "warning_closed"}, None, "dispute_won"),
        ("charge.dispute.closed", "disputed", {"status": "prevented"}, None, "dispute_won"),
        ("charge.dispute.funds_withdrawn", "disputed", {}, None, None),
    ],
)
def test_snapshot_means_what_the_table_says(word, kind, changes, status, change, read):
    event = read(kind, word, **changes)
    told = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, told)
    assert event.recognized


def test_capturable_amount_and_received_amount_are_what_counts(read):
    word = "payment_intent.amount_capturable_updated"
    assert 4000 == read("authorized", word, amount_capturable=4000).amount
    assert 3000 == read("captured", "payment_intent.succeeded", amount_received=3000).amount
    assert 2000 == read("refunded", "charge.refunded", amount_refunded=2000).amount


def test_intent_charge_and_checkout_session_tell_of_the_same_capture(read):
    told = {
        read("captured", "payment_intent.succeeded").payment_change,
        read("charge_captured", "charge.captured").payment_change,
        read("checkout_completed", "checkout.session.completed").payment_change,
    }
    (change,) = told
    assert ("ext_42", True) == (change.reference, change.running_total)


def test_refund_counts_by_its_own_id_and_a_total_by_its_charge(read):
    single = read("refund_succeeded", "refund.updated").payment_change
    total = read("refunded", "charge.refunded").payment_change
    assert (True, False) == (single.reference.startswith("re_"), single.running_total)
    assert (True, True) == (total.reference.startswith("ch_"), total.running_total)


@pytest.mark.parametrize(
    ("value", "external_id"),
    [({"id": "pi_9", "object": "payment_intent"}, "pi_9"), ("pi_9", "pi_9"), (None, "ch_9")],
)
def test_payment_intent_may_be_expanded_or_missing(value, external_id, read):
    event = read("charge_captured", "charge.captured", id="ch_9", payment_intent=value)
    assert external_id == event.external_id


def test_refund_without_an_intent_belongs_to_its_charge(read):
    event = read("refund_succeeded", "refund.updated", payment_intent=None, charge="ch_9")
    assert "ch_9" == event.external_id


def test_checkout_session_is_named_by_its_client_reference(read):
    word = "checkout.session.completed"
    named = read("checkout_completed", word, client_reference_id="a", metadata={"session_id": "b"})
    other = read("checkout_completed", word, client_reference_id=None, metadata={"session_id": "b"})
    assert ("a", "b") == (named.reference, other.reference)


@pytest.mark.parametrize(
    ("currency", "sent", "expected"),
    [("isk", 150000, 1500), ("ugx", 500, 5), ("mga", 7, 700), ("jpy", 7, 7), ("kwd", 7000, 7000)],
)
def test_amount_is_in_minor_units_of_iso_4217(currency, sent, expected, read):
    event = read("captured", "payment_intent.succeeded", currency=currency, amount_received=sent)
    assert (expected, currency.upper()) == (event.amount, event.currency)


@pytest.mark.parametrize(
    "changes",
    [{"amount_received": None}, {"currency": None}, {"currency": "isk", "amount_received": 150},
     {"amount_received": 42.5}, {"amount_received": "4250"}, {"amount_received": -1}],
)  # fmt: skip
def test_money_that_cannot_be_read_is_malformed(changes, read):
    with pytest.raises(Rejected) as refused:
        read("captured", "payment_intent.succeeded", **changes)
    assert Cause.MALFORMED == refused.value.cause


def test_mode_is_told(read, stripe, simulated, resigned):
    delivery = simulated(stripe, "captured")
    body = {**json.loads(delivery.body), "livemode": True}
    (event,) = stripe.adapter.read(resigned(stripe, delivery, body), stripe.config)
    assert (True, False) == (event.livemode, read("captured", "charge.updated").livemode)


def test_event_of_a_cloud_bus_is_refused(stripe, simulated, refusal):
    delivery = simulated(stripe, "captured")
    wrapped = json.dumps({"detail": json.loads(delivery.body)}).encode()
    assert Cause.MISSING_SIGNATURE == refusal(stripe, replace(delivery, body=wrapped, headers=()))


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
    keyless = instance_of("stripe")
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
