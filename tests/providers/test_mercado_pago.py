import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.errors import Cause, Rejected
from providers import simulator
from providers.contract import ApiAnswer

API = "https://api.mercadopago.com"
REFUND = {"id": 17, "amount": 10, "date_created": "2025-11-24T15:00:00Z", "status": "approved"}


@pytest.fixture
def shop(instance_of):
    return instance_of("mercado_pago")


@pytest.fixture
def fetched(shop, payment, at):
    """The object that the API answers with, with some fields replaced."""

    def make(**changes):
        (call,) = simulator.api_calls(shop, "captured", payment, event_id="e", at=at)
        return json.loads(call.body) | changes

    return make


@pytest.fixture
def settled(shop, simulated, fetched):
    """The one event of a topic whose object is answered with, and the request that asked for it."""

    def make(answer=None, topic="payment", status=200, delivery=None, **changes):
        delivery = delivery or simulated(shop, "captured")
        body = json.loads(delivery.body) | {"type": topic}
        delivery = replace(delivery, body=json.dumps(body).encode())
        assert not shop.adapter.verify(delivery, shop.config).settled
        conversation = shop.adapter.settle(delivery, shop.config)
        request = next(conversation)
        content = json.dumps(fetched(**changes) if answer is None else answer).encode()
        with pytest.raises(StopIteration) as end:
            conversation.send(ApiAnswer(status, content))
        (event,) = end.value.value
        return event, request

    return make


@pytest.fixture
def resign(shop):
    """A delivery under another query, signed for it."""

    def make(delivery, **changes):
        return shop.adapter.scheme.sign(replace(delivery, **changes), shop.config)

    return make


def found(status, detail):
    return {
        "id": "ext_42",
        "status": status,
        "status_detail": detail,
        "transaction_amount": 42.5,
        "currency_id": "EUR",
    }


def told(event):
    return event.session_status, event.payment_change and event.payment_change.kind


@pytest.mark.parametrize(
    ("status", "detail", "expected"),
    [
        ("pending", "pending_challenge", ("requires_more", None)),
        ("pending", "pending_waiting_payment", ("pending", None)),
        ("pending", None, ("pending", None)),
        ("in_process", "pending_contingency", ("pending", None)),
        ("authorized", "pending_capture", ("authorized", None)),
        ("approved", "accredited", ("authorized", "captured")),
        ("in_mediation", "pending", (None, "disputed")),
        ("rejected", "cc_rejected_high_risk", ("error", None)),
        ("cancelled", "expired", ("canceled", "voided")),
        ("refunded", "refunded", (None, "refunded")),
        ("charged_back", "settled", (None, "dispute_lost")),
        ("charged_back", "reimbursed", (None, "dispute_won")),
        ("charged_back", "in_process", (None, "disputed")),
        ("teleported", "", (None, None)),
    ],
)
def test_status_of_a_payment_means_what_the_table_says(status, detail, expected, settled):
    event, request = settled(found(status, detail))
    assert f"{API}/v1/payments/ext_42" == request.url
    assert expected == told(event)
    assert (status != "teleported") == event.recognized


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("created", ("pending", None)),
        ("processing", ("pending", None)),
        ("action_required", ("requires_more", None)),
        ("processed", ("authorized", "captured")),
        ("canceled", ("canceled", None)),
        ("refunded", (None, "refunded")),
        ("dreaming", (None, None)),
    ],
)
def test_status_of_an_order_means_what_the_table_says(status, expected, settled):
    order = {"id": "EXT_42", "status": status, "total_amount": "24.90", "currency": "BRL"}
    event, request = settled(order | {"external_reference": "payses_1"}, topic="order")
    assert f"{API}/v1/orders/ext_42" == request.url
    assert expected == told(event)
    if expected != (None, None):
        assert (2490, "BRL", "payses_1") == (event.amount, event.currency, event.reference)


def test_chargeback_is_a_dispute_of_its_payment(settled):
    answer = {"id": "ext_42", "payments": [77], "amount": 100.0, "currency": "ARS"}
    event, request = settled(answer, topic="topic_chargebacks_wh")
    assert f"{API}/v1/chargebacks/ext_42" == request.url
    assert ((None, "disputed"), "77", 10000) == (told(event), event.external_id, event.amount)
    of_payment, _ = settled(found("charged_back", "settled"))
    assert event.payment_change.running_total is of_payment.payment_change.running_total


def test_claim_is_a_dispute_without_an_amount(settled):
    answer = {"id": "ext_42", "resource": "payment", "resource_id": 77, "status": "opened"}
    event, request = settled(answer, topic="topic_claims_integration_wh")
    assert f"{API}/post-purchase/v1/claims/ext_42" == request.url
    assert ((None, "disputed"), "77", None) == (told(event), event.external_id, event.amount)


def test_chargeback_may_be_asked_for_by_its_payment(settled):
    answer = {"id": "217000", "payments": ["ext_42"], "amount": "100.00", "currency": "ARS"}
    event, _ = settled(answer, topic="topic_chargebacks_wh")
    assert ("ext_42", 10000) == (event.external_id, event.amount)


def test_fraud_alert_has_neither_an_id_nor_a_time(shop, simulated, at):
    body = b'{"description":"...","merchant_order":4945357007,"payment_id":23064274473}'
    query = "data.id=ext_42&type=stop_delivery_op_wh"
    alert = replace(simulated(shop, "captured"), query=query, body=body)
    assert shop.adapter.verify(alert, shop.config).settled
    (event,) = shop.adapter.read(alert, shop.config)
    assert (False, True, at) == (event.concerns_payment, event.recognized, event.occurred_at)


@pytest.mark.parametrize("topic", ["topic_merchant_order_wh", "subscription_preapproval"])
def test_topic_of_no_concern_asks_nothing(topic, shop, simulated):
    delivery = simulated(shop, "captured")
    body = json.dumps(json.loads(delivery.body) | {"type": topic}).encode()
    assert shop.adapter.verify(replace(delivery, body=body), shop.config).settled
    (event,) = shop.adapter.read(replace(delivery, body=body), shop.config)
    assert (False, True) == (event.concerns_payment, event.recognized)


def test_partial_refund_is_its_newest_part(settled):
    older = REFUND | {"id": 16, "amount": 5, "date_created": "2025-11-24T12:00:00Z"}
    undone = REFUND | {"id": 18, "status": "cancelled", "date_created": "2025-11-24T16:00:00Z"}
    event, _ = settled(transaction_amount_refunded=15, refunds=[REFUND, older, undone])
    assert (None, "refunded") == told(event)
    assert (1000, "17", False) == (
        event.amount,
        event.payment_change.reference,
        event.payment_change.running_total,
    )


@pytest.mark.parametrize("left_out", [("status",), ("date_created",), ("status", "date_created")])
def test_refund_that_tells_little_of_itself_is_found(left_out, settled):
    parts = [REFUND | {"id": 16, "amount": 5, "date_created": "2025-11-24T12:00:00Z"}, REFUND]
    bare = [{k: v for k, v in part.items() if k not in left_out} for part in parts]
    event, _ = settled(transaction_amount_refunded=15, refunds=bare)
    assert (1000, "17") == (event.amount, event.payment_change.reference)


@pytest.mark.parametrize("changes", [{"status": "refunded", "refunds": [REFUND]}, {"refunds": []}])
def test_whole_refund_is_a_running_total(changes, fetched, settled):
    event, _ = settled(fetched(transaction_amount_refunded=42.5, **changes))
    assert (4250, True) == (event.amount, event.payment_change.running_total)


def test_reference_may_be_in_the_metadata(settled):
    event, _ = settled(external_reference=None, metadata={"session_id": "payses_9"})
    assert "payses_9" == event.reference


@pytest.mark.parametrize(
    ("status", "cause"),
    [(404, Cause.UNKNOWN_PAYMENT), (401, Cause.UNVERIFIABLE), (403, Cause.UNVERIFIABLE)],
)
def test_answer_that_is_none_is_refused(status, cause, settled):
    with pytest.raises(Rejected) as refused:
        settled(status=status)
    assert cause is refused.value.cause


@pytest.mark.parametrize(
    "changes",
    [{"id": "other"}, {"transaction_amount": None}, {"currency_id": None}, {"id": {}}],
)
def test_answer_that_lacks_something_is_malformed(changes, settled):
    with pytest.raises(Rejected) as refused:
        settled(**changes)
    assert Cause.MALFORMED is refused.value.cause


@pytest.mark.parametrize(
    ("query", "body"),
    [("type=payment", "ext_42"), ("data.id=ext_42", "ext_43"), ("data.id=a/../b", "a/../b")],
)
def test_id_that_is_unsigned_or_odd_is_never_fetched(query, body, shop, simulated, resign):
    delivery = simulated(shop, "captured")
    content = json.loads(delivery.body) | {"data": {"id": body}}
    delivery = resign(delivery, query=query, body=json.dumps(content).encode())
    assert not shop.adapter.verify(delivery, shop.config).settled
    with pytest.raises(Rejected) as refused:
        next(shop.adapter.settle(delivery, shop.config))
    assert Cause.MALFORMED is refused.value.cause


def test_without_a_token_nothing_can_be_fetched(instance_of, simulated):
    shop = instance_of("mercado_pago", access_token=None)
    with pytest.raises(Rejected) as refused:
        next(shop.adapter.settle(simulated(shop, "captured"), shop.config))
    assert Cause.UNVERIFIABLE is refused.value.cause


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (lambda v: v.replace("ts=", " TS = ").replace(",", " , other=1, =,"), None),
        (lambda v: ",".join(reversed(v.split(","))), None),
        (lambda v: v.split(",")[0], Cause.MISSING_SIGNATURE),
        (lambda v: v.split(",")[1], Cause.MISSING_SIGNATURE),
        (lambda v: v.replace("ts=", "ts=x"), Cause.BAD_SIGNATURE),
        (lambda v: "sha256", Cause.BAD_SIGNATURE),
        (lambda v: " ", Cause.MISSING_SIGNATURE),
        (lambda v: v.replace("v1=", "v2="), Cause.MISSING_SIGNATURE),
        (lambda v: v.replace("v1=", "v1=\ud800"), Cause.BAD_SIGNATURE),
    ],
)
def test_header_is_read_in_any_order(value, cause, shop, simulated, refusal):
    delivery = simulated(shop, "captured")
    headers = tuple((n, value(v) if n == "x-signature" else v) for n, v in delivery.headers)
    assert cause == refusal(shop, replace(delivery, headers=headers))


def test_pair_without_value_is_left_out(shop, simulated, resign, refusal):
    bare = replace(simulated(shop, "captured"), headers=(), query="")
    assert refusal(shop, resign(bare)) is None
    assert refusal(shop, resign(bare, headers=(("x-request-id", " "),), query="data.id=")) is None
    other = replace(resign(bare), query="data.id=1")
    assert Cause.BAD_SIGNATURE == refusal(shop, other)


def test_request_id_is_signed(shop, simulated, refusal):
    delivery = simulated(shop, "captured")
    headers = tuple((n, "other" if n == "x-request-id" else v) for n, v in delivery.headers)
    assert Cause.BAD_SIGNATURE == refusal(shop, replace(delivery, headers=headers))


def test_time_is_judged_only_if_asked_for(instance_of, shop, simulated, resign, refusal):
    at = datetime(2025, 11, 24, 16, tzinfo=UTC)
    strict = instance_of("mercado_pago", tolerance_seconds=300)
    signed = resign(simulated(shop, "captured"), received_at=at)
    late = replace(signed, received_at=at + timedelta(seconds=301))
    assert refusal(shop, late) is None
    assert Cause.STALE_TIMESTAMP == refusal(strict, late)
    assert refusal(strict, replace(signed, received_at=at + timedelta(seconds=300))) is None


def test_same_body_for_another_payment_is_another_delivery(shop, simulated):
    delivery = simulated(shop, "captured")
    keys = {
        shop.adapter.key(replace(delivery, query=query), shop.config)
        for query in ("data.id=1&type=payment", "type=payment&data.id=1", "data.id=2")
    }
    assert 2 == len(keys)
