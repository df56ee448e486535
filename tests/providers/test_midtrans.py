import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.domain.errors import Cause, Rejected
from providers.contract import ApiAnswer

REFUND = {"refund_chargeback_uuid": "r-1", "refund_amount": "10.00", "refund_key": "k-1"}


@pytest.fixture
def shop(instance_of):
    return instance_of("midtrans")


@pytest.fixture
def told(shop, simulated, resigned):
    """A signed delivery of a kind with fields of its body replaced, None taking them away."""

    def make(kind="captured", **changes):
        delivery = simulated(shop, kind)
        body = json.loads(delivery.body) | changes
        kept = {name: value for name, value in body.items() if value is not None}
        return resigned(shop, delivery, kept)

    return make


@pytest.fixture
def read(shop, told):
    def make(kind="captured", **changes):
        (event,) = shop.adapter.read(told(kind, **changes), shop.config)
        return event

    return make


@pytest.fixture
def settled(settled_all):
    """The event that the API's answer makes, and the request that asked for it."""

    def make(environment="sandbox", status=200, asked=None, **answered):
        (event,), request = settled_all(environment, status, asked, **answered)
        return event, request

    return make


@pytest.fixture
def settled_all(instance_of, told):
    """The same of an answer that may make several events."""

    def make(environment="sandbox", status=200, asked=None, **answered):
        shop = instance_of("midtrans", environment=environment)
        delivery = asked or told("captured")
        assert not shop.adapter.verify(delivery, shop.config).settled
        conversation = shop.adapter.settle(delivery, shop.config)
        request = next(conversation)
        answer = json.dumps(json.loads(told("captured").body) | answered).encode()
        with pytest.raises(StopIteration) as end:
            conversation.send(ApiAnswer(status, answer))
        return end.value.value, request

    return make


def meaning(event):
    return event.session_status, event.payment_change and event.payment_change.kind


@pytest.mark.parametrize(
    ("status", "fraud", "code", "expected"),
    [
        ("authorize", "accept", "200", ("authorized", None)),
        ("authorize", "challenge", "201", ("pending", None)),
        ("authorize", "deny", "202", ("error", None)),
        ("capture", "accept", "200", ("authorized", "captured")),
        ("capture", None, "200", ("authorized", "captured")),
        ("capture", "challenge", "201", ("pending", None)),
        ("capture", "deny", "202", ("error", None)),
        ("settlement", "accept", "200", ("authorized", "captured")),
        ("settlement", None, "200", ("authorized", "captured")),
        ("pending", "accept", "201", ("pending", None)),
        ("deny", "accept", "202", ("error", None)),
        ("failure", None, "202", ("error", None)),
        ("cancel", "accept", "200", ("canceled", "voided")),
        ("expire", "accept", "407", ("canceled", None)),
        ("refund", "accept", "200", (None, "refunded")),
        ("chargeback", "accept", "200", (None, "disputed")),
        ("partial_chargeback", "accept", "200", (None, "disputed")),
        ("teleport", "accept", "200", (None, None)),
    ],
)
def test_status_means_what_the_table_says(status, fraud, code, expected, read):
    event = read(transaction_status=status, fraud_status=fraud, status_code=code)
    assert expected == meaning(event)
    assert (status, status != "teleport") == (event.type, event.recognized)


def test_success_needs_a_code_that_says_so(read):
    with pytest.raises(Rejected) as refused:
        read(transaction_status="settlement", status_code="201")
    assert Cause.MALFORMED is refused.value.cause


def test_signature_is_a_plain_hash_of_the_texts_as_they_are(shop, told, refusal):
    body = json.loads(told(gross_amount="10000.00").body)
    texts = body["order_id"] + "200" + "10000.00" + shop.config.server_keys[0].value
    assert hashlib.sha512(texts.encode()).hexdigest() == body["signature_key"]
    number = json.dumps(body | {"gross_amount": 10000.0}).encode()
    assert Cause.BAD_SIGNATURE == refusal(shop, replace(told(), body=number))


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"", Cause.MALFORMED),
        (b"[]", Cause.MALFORMED),
        (b"{}", Cause.MISSING_SIGNATURE),
        (b'{"signature_key":""}', Cause.MISSING_SIGNATURE),
        (b'{"signature_key":5}', Cause.MISSING_SIGNATURE),
        (b'{"signature_key":"00","order_id":"\\ud800"}', Cause.BAD_SIGNATURE),
    ],
)
def test_body_without_a_signature_is_refused(body, cause, shop, told, refusal):
    assert cause == refusal(shop, replace(told(), body=body))


@pytest.mark.parametrize("name", ["order_id", "status_code", "gross_amount"])
def test_signed_field_cannot_be_changed(name, shop, told, refusal):
    delivery = told()
    body = json.dumps(json.loads(delivery.body) | {name: "1"}).encode()
    assert Cause.BAD_SIGNATURE == refusal(shop, replace(delivery, body=body))


def test_wall_clock_is_jakartas(read):
    event = read(transaction_time="2026-11-20 18:27:19")
    assert datetime(2026, 11, 20, 11, 27, 19, tzinfo=UTC) == event.occurred_at
    event = read(transaction_time="2026-11-20 18:27:19", settlement_time="2026-11-21 00:00:01")
    assert datetime(2026, 11, 20, 17, 0, 1, tzinfo=UTC) == event.occurred_at


def test_amount_is_in_rupiah_unless_it_says_otherwise(read):
    event = read(gross_amount="10000.00", currency=None)
    assert (1_000_000, "IDR") == (event.amount, event.currency)


def test_currency_may_be_null(shop, told, resigned):
    delivery = told()
    null = resigned(shop, delivery, json.loads(delivery.body) | {"currency": None})
    (event,) = shop.adapter.read(null, shop.config)
    assert "IDR" == event.currency


def test_single_refund_counts_once_by_its_own_id(read):
    older = REFUND | {"refund_chargeback_uuid": "r-0", "refund_amount": "5.00"}
    event = read("refunded", refund_amount="15.00", refunds=[older, REFUND])
    change = event.payment_change
    assert (1000, "r-1", False) == (event.amount, change.reference, change.running_total)
    assert event.event_id.endswith(":partial_refund:200:r-1")


def test_refund_without_a_list_is_the_sum_so_far(read):
    event = read("refunded", refund_amount="15.00", refunds=None)
    assert (1500, True) == (event.amount, event.payment_change.running_total)
    whole = read(transaction_status="refund")
    assert (4250, True) == (whole.amount, whole.payment_change.running_total)
    with pytest.raises(Rejected, match="malformed"):
        read("refunded", refund_amount=None, refunds=None)


@pytest.mark.parametrize("name", ["refund_key", "refund_chargeback_uuid", "refund_amount"])
def test_single_refund_has_one_of_two_ids_and_an_amount(name, read):
    single = {part: value for part, value in REFUND.items() if part != name}
    change = read("refunded", refund_amount="15.00", refunds=[single]).payment_change
    expected = {"refund_chargeback_uuid": "k-1", "refund_key": "r-1", "refund_amount": "ext_42"}
    assert (expected[name], name == "refund_amount") == (change.reference, change.running_total)


def test_api_tells_each_refund_though_another_was_made_meanwhile(settled_all, told, read):
    later = REFUND | {"refund_chargeback_uuid": "r-2", "refund_amount": "5.00"}
    notified = told("refunded", refund_amount="10.00", refunds=[REFUND])
    answer = {"transaction_status": "partial_refund", "refund_amount": "15.00"}
    first, second = settled_all(asked=notified, **answer, refunds=[REFUND, later])[0]
    assert read("refunded", refund_amount="10.00", refunds=[REFUND]) == first
    assert (500, "r-2") == (second.amount, second.payment_change.reference)


def test_api_tells_the_sum_of_refunds_that_cannot_be_told_apart(settled):
    answer = {"transaction_status": "partial_refund", "refund_amount": "15.00"}
    event, _ = settled(**answer, refunds=[REFUND, {"refund_amount": "5.00"}])
    assert (1500, True) == (event.amount, event.payment_change.running_total)


def test_chargeback_is_of_the_newest_and_of_the_whole(settled):
    event, _ = settled(transaction_status="chargeback", refunds=[{}, REFUND])
    assert (4250, "ext_42") == (event.amount, event.payment_change.reference)
    assert event.event_id.endswith(":chargeback:200:r-1")


@pytest.mark.parametrize("odd", [1, False, "review"])
def test_other_fraud_status_is_no_acceptance(odd, read):
    event = read(fraud_status=odd)
    assert (False, False) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize("odd", [[], {}])
def test_fraud_status_that_is_no_word_is_malformed(odd, read):
    with pytest.raises(Rejected) as refused:
        read(fraud_status=odd)
    assert Cause.MALFORMED is refused.value.cause


@pytest.mark.parametrize("name", ["order_id", "status_code", "transaction_id"])
def test_notification_without_its_names_is_malformed(name, read):
    with pytest.raises(Rejected) as refused:
        read("failed", **{name: None})
    assert Cause.MALFORMED is refused.value.cause


def test_settlement_of_a_card_is_the_same_capture(read):
    captured, settlement = read(), read(transaction_status="settlement")
    assert captured.event_id != settlement.event_id
    assert captured.payment_change == settlement.payment_change


@pytest.mark.parametrize(
    ("environment", "host"),
    [("production", "api.midtrans.com"), ("sandbox", "api.sandbox.midtrans.com")],
)
def test_confirmed_notification_means_what_the_api_says(environment, host, settled):
    event, request = settled(environment, transaction_status="pending", status_code="201")
    assert f"https://{host}/v2/ext_42/status" == request.url
    token = "Basic U0ItTWlkLXNlcnZlci1kZXZlbG9wbWVudC1ub3QtYS1zZWNyZXQ6"
    assert ("Authorization", token) in request.headers
    assert ("pending", None) == meaning(event)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"status_code": "404"}, Cause.UNKNOWN_PAYMENT),
        ({"status": 404}, Cause.UNKNOWN_PAYMENT),
        ({"status_code": "401"}, Cause.UNVERIFIABLE),
        ({"status": 401}, Cause.UNVERIFIABLE),
        ({"order_id": "another"}, Cause.MALFORMED),
    ],
)
def test_answer_about_nothing_is_refused(changes, cause, settled):
    with pytest.raises(Rejected) as refused:
        settled(**changes)
    assert cause is refused.value.cause


@pytest.mark.parametrize("odd", ["../orders", "", "a/b", "x" * 65])
def test_odd_transaction_id_is_never_asked_for(odd, settled, told):
    with pytest.raises(Rejected) as refused:
        settled(asked=told(transaction_id=odd))
    assert Cause.MALFORMED is refused.value.cause


def test_account_linking_asks_nothing_and_does_nothing(instance_of, told):
    shop = instance_of("midtrans", environment="production")
    delivery = told("ignored")
    assert shop.adapter.verify(delivery, shop.config).settled
    (event,) = shop.adapter.read(delivery, shop.config)
    assert (False, True) == (event.concerns_payment, event.recognized)
