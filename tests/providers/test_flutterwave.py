import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.domain.errors import Cause, Rejected
from providers.contract import ApiAnswer

HASH = "development-not-a-secret"
ENVELOPE = {
    "event": "charge.completed",
    "data": {
        "id": 285959875,
        "tx_ref": "ps_1",
        "amount": 42.5,
        "charged_amount": 43,
        "currency": "NGN",
        "status": "successful",
        "created_at": "2025-11-24T16:00:00.000Z",
    },
    "event.type": "CARD_TRANSACTION",
}
FLAT = {
    "id": 7,
    "txRef": "ps_1",
    "amount": 42.5,
    "charged_amount": 43,
    "currency": "NGN",
    "status": "successful",
    "createdAt": "2025-11-24T16:00:00.000Z",
    "event.type": "CARD_TRANSACTION",
}
REFUND = {
    "id": 9,
    "AmountRefunded": 50.5,
    "status": "completed",
    "FlwRef": "flw",
    "meta": '{"source":"ledgerbalance"}',
    "createdAt": "2025-11-24T15:00:00.000Z",
    "updatedAt": "2025-11-24T16:00:00.000Z",
    "TransactionId": 285959875,
}


@pytest.fixture
def flutterwave(instance_of):
    return instance_of("flutterwave")


@pytest.fixture
def asking(instance_of):
    return instance_of("flutterwave", secret_key="FLWSECK_TEST-development")


@pytest.fixture
def v3(simulated, flutterwave):
    """A v3 delivery: the hash, and any body."""

    def make(body, headers=(("verif-hash", HASH),)):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return replace(simulated(flutterwave, "captured"), body=raw, headers=headers)

    return make


@pytest.fixture
def read(flutterwave, v3):
    def make(body, **changes):
        inner = {"data": body["data"] | changes} if "data" in body else changes
        (event,) = flutterwave.adapter.read(v3(body | inner), flutterwave.config)
        return event

    return make


@pytest.fixture
def v4(flutterwave, simulated, resigned):
    """The one event of a v4 kind under another type, with fields of its data replaced."""

    def make(kind, name=None, **changes):
        delivery = simulated(flutterwave, kind)
        body = json.loads(delivery.body)
        body["type"] = name or body["type"]
        body["data"] |= changes
        (event,) = flutterwave.adapter.read(
            resigned(flutterwave, delivery, body), flutterwave.config
        )
        return event

    return make


@pytest.fixture
def settled(asking, v3):
    """What comes of a v3 delivery when the API answers so, and what it was asked."""

    def make(body, answer, status=200):
        settlement = asking.adapter.settle(v3(body), asking.config)
        try:
            asked = next(settlement)
            settlement.send(ApiAnswer(status, json.dumps(answer).encode()))
        except StopIteration as end:
            (event,) = end.value
            return event, locals().get("asked")

    return make


def meaning(event):
    change = event.payment_change
    return event.session_status, change.kind if change else None


@pytest.mark.parametrize("body", [ENVELOPE, FLAT])
@pytest.mark.parametrize(
    ("word", "status", "change"),
    [
        ("successful", "authorized", "captured"),
        ("failed", "error", None),
        ("pending", "pending", None),
    ],
)
def test_v3_charge_means_what_its_status_says(body, word, status, change, read):
    assert (status, change) == meaning(read(body, status=word))


@pytest.mark.parametrize(
    ("kind", "name", "word", "status", "change"),
    [
        ("captured", "charge.completed", "succeeded", "authorized", "captured"),
        ("captured", "charge.completed", "failed", "error", None),
        ("captured", "charge.completed", "pending", "pending", None),
        ("captured", "charge.failed", "whatever", "error", None),
        ("refunded", "refund.completed", "x", None, "refunded"),
        ("refunded", "refund.failed", "x", None, "refund_failed"),
        ("disputed", "chargeback.created", "x", None, "disputed"),
        ("disputed", "chargeback.updated", "won", None, "dispute_won"),
        ("disputed", "chargeback.updated", "lost", None, "dispute_lost"),
        ("disputed", "chargeback.updated", "under_review", None, None),
        ("ignored", "transfer.disburse", None, None, None),
        ("ignored", "subscription.cancelled", None, None, None),
        ("ignored", "bvn.completed", None, None, None),
        ("ignored", "singlebillpayment.status", None, None, None),
        ("ignored", "virtual_account.funded", None, None, None),
    ],
)
def test_v4_event_means_what_the_table_says(kind, name, word, status, change, v4):
    event = v4(kind, name, status=word)
    assert (status, change) == meaning(event)
    assert event.recognized


@pytest.mark.parametrize(
    ("word", "change"),
    [
        ("completed", "refunded"),
        ("failed", "refund_failed"),
        ("processing", None),
        ("pending", None),
        ("pending-momo", None),
    ],
)
def test_v3_refund_means_what_its_status_says(word, change, read):
    event = read(REFUND, status=word)
    assert (None, change) == meaning(event)
    assert event.recognized


def test_v3_facts_are_known_by_what_they_are_about(read):
    charge, flat, refund = read(ENVELOPE), read(FLAT), read(REFUND)
    assert "charge.completed:285959875:successful" == charge.event_id
    assert "CARD_TRANSACTION:7:successful" == flat.event_id
    assert "refund:9:completed" == refund.event_id
    assert ("285959875", "9") == (refund.external_id, refund.payment_change.reference)
    assert ("ps_1", "ps_1", None) == (charge.reference, flat.reference, refund.reference)
    at = datetime(2025, 11, 24, 16, tzinfo=UTC)
    assert (at, at, at) == (charge.occurred_at, flat.occurred_at, refund.occurred_at)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [(100, "NGN", 10000), (1.4, "GHS", 140), ("12.50", "KES", 1250), (500, "XOF", 500)],
)
def test_money_is_in_major_units(amount, currency, expected, read, v4):
    assert expected == read(ENVELOPE, amount=amount, currency=currency).amount
    assert expected == v4("captured", amount=amount, currency=currency).amount


def test_refund_without_a_currency_has_that_of_the_configuration(instance_of, v3, read):
    assert (None, None) == (read(REFUND).amount, read(REFUND).currency)
    instance = instance_of("flutterwave", refund_currency="NGN")
    (event,) = instance.adapter.read(v3(REFUND), instance.config)
    assert (5050, "NGN") == (event.amount, event.currency)


@pytest.mark.parametrize(
    ("headers", "cause"),
    [
        ((("Verif-Hash", HASH),), None),
        ((("verif-hash", HASH[:-1]),), Cause.BAD_CREDENTIALS),
        ((("verif-hash", f"{HASH}x"),), Cause.BAD_CREDENTIALS),
        ((("verif-hash", ""),), Cause.MISSING_SIGNATURE),
        ((), Cause.MISSING_SIGNATURE),
        ((("verif-hash", HASH), ("flutterwave-signature", HASH)), Cause.BAD_SIGNATURE),
        ((("flutterwave-signature", HASH),), Cause.BAD_SIGNATURE),
        ((("verif-hash", HASH), ("flutterwave-signature", "")), Cause.MISSING_SIGNATURE),
    ],
)
def test_v3_brings_the_hash_itself(headers, cause, flutterwave, v3, refusal):
    assert cause == refusal(flutterwave, v3(ENVELOPE, headers))


def test_hash_itself_does_not_stand_in_for_v4s_signature(flutterwave, simulated, refusal):
    delivery = simulated(flutterwave, "captured")
    bare = replace(delivery, headers=(("verif-hash", HASH),))
    assert Cause.MISSING_SIGNATURE == refusal(flutterwave, bare)
    (value,) = delivery.header_values("flutterwave-signature")
    both = (("verif-hash", "wrong"), ("flutterwave-signature", value))
    assert refusal(flutterwave, replace(delivery, headers=both)) is None


def test_hashes_rotate(instance_of, v3):
    instance = instance_of("flutterwave", secret_hashes=["new", HASH])
    assert "secret_hashes[1]" == instance.adapter.verify(v3(ENVELOPE), instance.config).secret


def test_probe_is_answered(flutterwave, instance_of, v3):
    probe = v3({"event": "test_assess", "data": {}}, ())
    assert 200 == flutterwave.adapter.handshake(probe, flutterwave.config).status
    assert flutterwave.adapter.handshake(v3(ENVELOPE), flutterwave.config) is None
    bare = instance_of("flutterwave", secret_hashes=[])
    assert bare.adapter.handshake(probe, bare.config) is None


def test_v3_is_settled_only_without_a_key_to_ask_with(asking, flutterwave, simulated, v3):
    assert flutterwave.adapter.verify(v3(ENVELOPE), flutterwave.config).settled
    assert not asking.adapter.verify(v3(ENVELOPE), asking.config).settled
    assert asking.adapter.verify(simulated(asking, "captured"), asking.config).settled


def test_transaction_of_the_api_counts_and_not_the_body(settled):
    data = ENVELOPE["data"] | {"status": "failed", "amount": 7, "currency": "GHS", "tx_ref": "ps_2"}
    event, asked = settled(ENVELOPE, {"status": "success", "data": data})
    assert ("error", 700, "GHS", "ps_2") == (
        event.session_status,
        event.amount,
        event.currency,
        event.reference,
    )
    assert "https://api.flutterwave.com/v3/transactions/285959875/verify" == asked.url
    assert (("Authorization", "Bearer FLWSECK_TEST-development"),) == asked.headers


def test_notifications_type_outlives_the_question(settled):
    answer = {"status": "success", "data": ENVELOPE["data"] | {"id": 7}}
    event, _ = settled(FLAT, answer)
    assert ("CARD_TRANSACTION", "authorized") == (event.type, event.session_status)
    assert "CARD_TRANSACTION:7:successful" == event.event_id


def test_refund_of_the_newer_api_may_have_a_reference_only(v4):
    event = v4("refunded", charge_id=None, meta=None, reference="ps_1")
    assert (None, "ps_1") == (event.external_id, event.reference)
    assert "refunded" == event.payment_change.kind
    own = v4("refunded", charge_id="chg_1", meta={"session_id": "ps_1"}, reference="rf_1")
    assert ("chg_1", "ps_1") == (own.external_id, own.reference)


def test_part_of_no_payment_is_malformed(v4):
    with pytest.raises(Rejected) as refused:
        v4("refunded", charge_id=None, meta=None)
    assert Cause.MALFORMED == refused.value.cause


def test_refund_has_the_currency_of_its_transaction(settled):
    event, _ = settled(REFUND, {"status": "success", "data": ENVELOPE["data"]})
    assert ("refunded", 5050, "NGN") == (event.payment_change.kind, event.amount, event.currency)


def test_nothing_is_asked_about_what_is_of_no_concern(settled):
    event, asked = settled(ENVELOPE | {"event": "transfer.completed"}, {})
    assert (False, None) == (event.concerns_payment, asked)


@pytest.mark.parametrize(
    ("body", "answer", "status", "cause"),
    [
        (ENVELOPE, {"status": "error", "data": None}, 200, Cause.UNKNOWN_PAYMENT),
        (ENVELOPE, {}, 404, Cause.UNKNOWN_PAYMENT),
        (ENVELOPE, {}, 401, Cause.UNVERIFIABLE),
        (ENVELOPE, {"status": "success", "data": {"id": 1}}, 200, Cause.UNVERIFIABLE),
        (ENVELOPE, {"status": "success"}, 200, Cause.UNVERIFIABLE),
        (FLAT | {"id": "../1"}, {}, 200, Cause.MALFORMED),
    ],
)
def test_answer_that_does_not_confirm_refuses(body, answer, status, cause, settled):
    with pytest.raises(Rejected) as refused:
        settled(body, answer, status)
    assert cause == refused.value.cause


@pytest.mark.parametrize("body", [{}, {"event": "charge.completed"}, {"event": 1, "data": {}}])
def test_body_of_no_known_shape_is_malformed(body, flutterwave, v3):
    with pytest.raises(Rejected) as refused:
        list(flutterwave.adapter.read(v3(body), flutterwave.config))
    assert Cause.MALFORMED == refused.value.cause
