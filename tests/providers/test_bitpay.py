import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.domain.errors import Cause, Rejected
from providers import simulator
from providers.contract import ApiAnswer

URL = "https://test.bitpay.com/invoices/ext_42?token=development_not_a_secret"


@pytest.fixture
def shop(instance_of):
    return instance_of("bitpay")


@pytest.fixture
def trusting(instance_of):
    return instance_of("bitpay", allow_unsigned=True)


@pytest.fixture
def notice(shop, simulated, resigned):
    """A signed delivery under a name, with some fields of its invoice replaced."""

    def make(name="invoice_confirmed", **changes):
        delivery = simulated(shop, "captured")
        data = json.loads(delivery.body)["data"] | changes
        return resigned(shop, delivery, {"event": {"code": 1004, "name": name}, "data": data})

    return make


@pytest.fixture
def plain(simulated, shop):
    """An unsigned delivery: the fields of an invoice, or what is given in their place."""

    def make(body=None, **changes):
        delivery = simulated(shop, "captured")
        body = json.loads(delivery.body)["data"] | changes if body is None else body
        return replace(delivery, body=json.dumps(body).encode(), headers=())

    return make


@pytest.fixture
def settled(shop, payment, at):
    """What comes of a delivery whose invoice the API answers with, some fields replaced."""

    def make(delivery, instance=shop, code=200, **changes):
        assert not instance.adapter.verify(delivery, instance.config).settled
        (call,) = simulator.api_calls(shop, "captured", payment, event_id="e", at=at)
        conversation = instance.adapter.settle(delivery, instance.config)
        request = next(conversation)
        assert ("GET", URL) == (request.method, request.url)
        assert (("X-Accept-Version", "2.0.0"),) == request.headers
        answer = {"facade": "pos/invoice", "data": json.loads(call.body)["data"] | changes}
        with pytest.raises(StopIteration) as end:
            conversation.send(ApiAnswer(code, json.dumps(answer).encode()))
        (event,) = end.value.value
        return event

    return make


def said(event):
    change = event.payment_change
    return event.session_status, change.kind if change else None


@pytest.mark.parametrize(
    ("name", "status", "exception", "expected"),
    [
        ("invoice_created", "new", False, ("pending", None)),
        ("invoice_paidInFull", "paid", False, ("pending", None)),
        ("invoice_paidInFull", "paid", "paidOver", ("pending", None)),
        ("invoice_confirmed", "confirmed", False, ("authorized", "captured")),
        ("invoice_confirmed", "confirmed", "paidLate", ("authorized", "captured")),
        ("invoice_completed", "complete", "paidOver", ("authorized", "captured")),
        ("invoice_expired", "expired", False, ("canceled", None)),
        ("invoice_expired", "expired", "paidPartial", ("requires_more", None)),
        ("invoice_failedToConfirm", "invalid", False, ("error", None)),
        ("invoice_declined", "declined", False, ("error", None)),
        ("invoice_refundComplete", "complete", False, (None, "refunded")),
        ("invoice_refundComplete", "expired", "paidPartial", (None, "refunded")),
        ("invoice_manuallyNotified", "complete", False, ("authorized", "captured")),
        ("invoice_manuallyNotified", "new", False, ("pending", None)),
    ],
)
def test_invoice_means_what_its_fetched_status_says(
    name, status, exception, expected, notice, settled
):
    event = settled(notice(name), status=status, exceptionStatus=exception)
    assert (name, *expected) == (event.type, *said(event))


def test_fetched_status_wins_over_the_signed_one(notice, settled):
    event = settled(notice(status="complete", price=1), status="paid", price=42.5)
    assert ("pending", None, 4250) == (*said(event), event.amount)


def test_unheard_of_status_is_recorded_and_does_nothing(notice, settled):
    event = settled(notice(), status="teleported")
    assert (False, False) == (event.concerns_payment, event.recognized)


def test_word_of_the_api_means_nothing_in_a_delivery(shop, notice):
    delivery = notice("confirmed")
    assert shop.adapter.verify(delivery, shop.config).settled
    (event,) = shop.adapter.read(delivery, shop.config)
    assert (False, False) == (event.concerns_payment, event.recognized)


def test_unsigned_delivery_is_refused_unless_allowed(shop, trusting, plain, refusal):
    assert Cause.MISSING_SIGNATURE == refusal(shop, plain())
    assert refusal(trusting, plain()) is None


@pytest.mark.parametrize("value", ["", "AAAA", "G3AN1yIRVFPahcmKXK0qg9UksH9WlK3Llvvs7APZOzc="])
def test_signature_that_is_wrong_is_refused_though_none_is_needed(value, trusting, plain, refusal):
    signed = replace(plain(), headers=(("x-signature", value),))
    expected = Cause.BAD_SIGNATURE if value else Cause.MISSING_SIGNATURE
    assert expected == refusal(trusting, signed)


def test_unsigned_is_refused_without_a_token(instance_of, plain, refusal):
    bare = instance_of("bitpay", allow_unsigned=True, token=[])
    assert Cause.NOT_CONFIGURED == refusal(bare, plain())


def test_nothing_but_the_id_of_an_unsigned_body_counts(trusting, plain, settled):
    body = {"event": {"name": "invoice_refundComplete"}, "data": {"id": "ext_42"}}
    lie = {"status": "complete", "price": 1, "orderId": "mine", "currentTime": "never"}
    for delivery in (plain(**lie), plain(body)):
        event = settled(delivery, trusting, status="new")
        assert ("new", "pending", None) == (event.type, *said(event))
        assert (4250, "payses_01JDTEST") == (event.amount, event.reference)


def test_time_is_that_of_sending(at, notice, trusting, plain, settled):
    sent = datetime(2026, 11, 18, 11, 7, 22, 261000, UTC)
    assert sent == settled(notice(currentTime=1795000042261)).occurred_at
    assert sent == settled(plain(), trusting, currentTime=1795000042261).occurred_at
    assert at == settled(plain(), trusting, currentTime=None).occurred_at


def test_body_with_an_id_only_will_do(shop, notice, resigned, settled):
    body = {"event": {"code": 1016, "name": "invoice_refundComplete"}, "data": {"id": "ext_42"}}
    event = settled(resigned(shop, notice(), body))
    assert ("refunded", 4250) == (event.payment_change.kind, event.amount)
    assert shop.adapter.key(notice(), shop.config) is None


def test_refund_counts_what_the_invoice_tells_of_it(notice, settled):
    info = {"supportRequest": "R1", "currency": "EUR", "amounts": {"EUR": 10.5, "BTC": 0.0002}}
    event = settled(notice("invoice_refundComplete"), refundInfo=info)
    assert (1050, "R1") == (event.amount, event.payment_change.reference)


def test_each_refund_is_a_fact_of_its_own(notice, settled):
    info = {"supportRequest": "R1", "currency": "EUR", "amounts": {"EUR": 10.5}}
    told = [
        settled(notice("invoice_refundComplete"), refundInfo=info | {"supportRequest": own})
        for own in ("R1", "R2")
    ]
    assert 2 == len({event.event_id for event in told})
    assert 2 == len({event.payment_change.reference for event in told})


def test_several_refunds_are_told_one_by_one(shop, notice):
    conversation = shop.adapter.settle(notice("invoice_refundComplete"), shop.config)
    next(conversation)
    refunds = [{"supportRequest": f"R{n}", "amounts": {"EUR": n}} for n in (1, 2)]
    invoice = {"id": "ext_42", "status": "complete", "price": 42.5, "currency": "EUR"}
    answer = {"data": invoice | {"refundInfo": refunds}}
    with pytest.raises(StopIteration) as end:
        conversation.send(ApiAnswer(200, json.dumps(answer).encode()))
    told = [(event.amount, event.payment_change.reference) for event in end.value.value]
    assert [(100, "R1"), (200, "R2")] == told


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"orderId": "o", "posData": "p"}, "o"),
        ({"orderId": None, "posData": "p"}, "p"),
        ({"orderId": "", "posData": ""}, None),
    ],
)
def test_reference_is_the_order_or_what_the_merchant_noted(changes, expected, notice, settled):
    assert expected == settled(notice(), **changes).reference


def test_token_that_signed_is_the_one_to_ask_with(instance_of, notice):
    shop = instance_of("bitpay", token=["new", "development_not_a_secret"])
    assert URL == next(shop.adapter.settle(notice(), shop.config)).url
    unsigned = instance_of("bitpay", token=["new", "old"], allow_unsigned=True)
    request = next(unsigned.adapter.settle(replace(notice(), headers=()), unsigned.config))
    assert request.url.endswith("?token=new")


def test_confirmed_and_complete_are_one_capture(notice, settled):
    told = [settled(notice(), status=status) for status in ("confirmed", "complete")]
    assert 2 == len({event.event_id for event in told})
    assert 1 == len({event.payment_change for event in told})


@pytest.mark.parametrize(
    ("price", "unit", "expected"),
    [(76.7, "USD", 7670), ("10.00", "eur", 1000), (500, "JPY", 500), (0.00012345, "BTC", 12345)],
)
def test_price_is_in_major_units(price, unit, expected, notice, settled):
    event = settled(notice(), price=price, currency=unit)
    assert (expected, unit.upper()) == (event.amount, event.currency)


@pytest.mark.parametrize(
    ("environment", "host", "livemode"),
    [("live", "https://bitpay.com", True), ("test", "https://test.bitpay.com", False)],
)
def test_environment_is_host_and_mode(
    environment, host, livemode, instance_of, notice, payment, at
):
    shop = instance_of("bitpay", environment=environment, token=["a/b&c"])
    delivery = shop.adapter.scheme.sign(notice(url="https://evil.example/"), shop.config)
    conversation = shop.adapter.settle(delivery, shop.config)
    assert f"{host}/invoices/ext_42?token=a%2Fb%26c" == next(conversation).url
    (call,) = simulator.api_calls(shop, "captured", payment, event_id="e", at=at)
    with pytest.raises(StopIteration) as end:
        conversation.send(ApiAnswer(200, call.body))
    assert livemode is end.value.value[0].livemode


@pytest.mark.parametrize(
    ("name", "recognized"),
    [("refund_created", True), ("payout_funded", True), ("recipient_active", True), ("x_y", False)],
)
def test_what_is_no_invoice_asks_nothing(name, recognized, shop, notice):
    delivery = notice(name)
    assert shop.adapter.verify(delivery, shop.config).settled
    (event,) = shop.adapter.read(delivery, shop.config)
    assert (False, recognized) == (event.concerns_payment, event.recognized)


def test_invoice_is_never_read_from_a_delivery_alone(shop, notice):
    with pytest.raises(Rejected) as refused:
        shop.adapter.read(notice(), shop.config)
    assert Cause.UNVERIFIABLE == refused.value.cause


@pytest.mark.parametrize("own_id", [None, "", 7, "../refunds", "a?b=c", "x" * 65, ["a"]])
def test_id_that_is_none_is_not_asked_for(own_id, trusting, plain):
    with pytest.raises(Rejected) as refused:
        next(trusting.adapter.settle(plain(id=own_id), trusting.config))
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize(
    ("code", "changes", "cause"),
    [
        (404, {}, Cause.UNKNOWN_PAYMENT),
        (401, {}, Cause.UNVERIFIABLE),
        (403, {}, Cause.UNVERIFIABLE),
        (200, {"id": "another"}, Cause.UNVERIFIABLE),
        (200, {"price": None}, Cause.MALFORMED),
        (200, {"price": "1e5"}, Cause.MALFORMED),
        (200, {"currency": "USDC"}, Cause.MALFORMED),
        (200, {"status": None}, Cause.MALFORMED),
    ],
)
def test_answer_that_will_not_do_is_refused(code, changes, cause, notice, settled):
    with pytest.raises(Rejected) as refused:
        settled(notice(), code=code, **changes)
    assert cause == refused.value.cause
