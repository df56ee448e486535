import json
from dataclasses import replace

import pytest
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected
from providers import simulator
from providers.contract import ApiAnswer

INVOICES = "https://btcpay.example.com/api/v1/stores/DevelopmentStore/invoices"


@pytest.fixture
def shop(instance_of):
    return instance_of("btcpay_server")


@pytest.fixture
def notice(shop, simulated, resigned):
    """A delivery of a type, with some of its fields replaced."""

    def make(word="InvoiceSettled", **changes):
        delivery = simulated(shop, "captured")
        return resigned(shop, delivery, json.loads(delivery.body) | {"type": word} | changes)

    return make


@pytest.fixture
def settled(shop, payment, at):
    """What comes of a delivery whose invoice the API answers with, some fields replaced."""

    def make(delivery, answer=None, code=200, **changes):
        assert not shop.adapter.verify(delivery, shop.config).settled
        (call,) = simulator.api_calls(shop, "captured", payment, event_id="e", at=at)
        conversation = shop.adapter.settle(delivery, shop.config)
        request = next(conversation)
        assert ("GET", f"{INVOICES}/ext_42") == (request.method, request.url)
        assert (("Authorization", "token development-not-an-api-key"),) == request.headers
        content = json.dumps(json.loads(call.body) | changes).encode()
        with pytest.raises(StopIteration) as end:
            conversation.send(ApiAnswer(code, content if answer is None else answer))
        (event,) = end.value.value
        return event

    return make


def said(event):
    change = event.payment_change
    return event.session_status, change.kind if change else None


@pytest.mark.parametrize(
    ("word", "status", "more", "expected"),
    [
        ("InvoiceCreated", "New", "None", ("pending", None)),
        ("InvoiceProcessing", "Processing", "None", ("pending", None)),
        ("InvoiceSettled", "Settled", "None", ("authorized", "captured")),
        ("InvoiceSettled", "Settled", "PaidOver", ("authorized", "captured")),
        ("InvoiceSettled", "Settled", "Marked", ("authorized", "captured")),
        ("InvoiceExpired", "Expired", "None", ("canceled", None)),
        ("InvoiceExpired", "Expired", "PaidPartial", ("requires_more", None)),
        ("InvoiceExpiredPaidPartial", "Expired", "PaidPartial", ("requires_more", None)),
        ("InvoicePaidAfterExpiration", "Expired", "PaidLate", ("pending", None)),
        ("InvoicePaidAfterExpiration", "Expired", "None", ("pending", None)),
        ("InvoicePaidAfterExpiration", "Processing", "PaidLate", ("pending", None)),
        ("InvoicePaidAfterExpiration", "Settled", "PaidLate", ("authorized", "captured")),
        ("InvoiceInvalid", "Invalid", "Marked", ("error", None)),
    ],
)
def test_invoice_means_what_its_fetched_status_says(word, status, more, expected, notice, settled):
    event = settled(notice(word), status=status, additionalStatus=more)
    assert (word, *expected) == (event.type, *said(event))


def test_partial_payment_is_told_by_the_delivery_too(notice, settled):
    expired = {"status": "Expired", "additionalStatus": "None"}
    told = notice("InvoiceExpired", partiallyPaid=True)
    assert ("requires_more", None) == said(settled(told, **expired))


def test_delivery_that_was_overtaken_takes_nothing_back(notice, settled):
    assert ("authorized", "captured") == said(settled(notice("InvoiceProcessing")))


def test_invoice_that_is_not_settled_authorizes_nothing(notice, settled):
    assert ("pending", None) == said(settled(notice(), status="Processing"))


def test_unheard_of_status_is_recorded_and_does_nothing(notice, settled):
    event = settled(notice(), status="Teleported")
    assert (False, False) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize(
    ("word", "recognized"),
    [
        ("InvoiceReceivedPayment", True),
        ("InvoicePaymentSettled", True),
        ("PaymentRequestCreated", True),
        ("PayoutApproved", True),
        ("PendingTransactionCreated", True),
        ("SubscriberCredited", False),
        ("SubscriptionRenewed", True),
    ],
)
def test_type_of_no_concern_asks_nothing(word, recognized, shop, notice):
    delivery = notice(word)
    assert shop.adapter.verify(delivery, shop.config).settled
    (event,) = shop.adapter.read(delivery, shop.config)
    assert (False, recognized) == (event.concerns_payment, event.recognized)


def test_invoice_is_never_read_from_a_delivery_alone(shop, notice):
    with pytest.raises(Rejected) as refused:
        shop.adapter.read(notice(), shop.config)
    assert Cause.UNVERIFIABLE == refused.value.cause


def test_redelivery_is_the_first_delivery(shop, notice, settled):
    first = notice(deliveryId="one", originalDeliveryId="one")
    again = notice(deliveryId="two", originalDeliveryId="one", isRedelivery=True)
    assert "one" == settled(first).event_id == settled(again).event_id
    keys = {shop.adapter.key(delivery, shop.config) for delivery in (first, again)}
    assert {b"one"} == keys


def test_delivery_without_an_original_has_its_own_id(shop, notice, settled):
    alone = notice(deliveryId="one", originalDeliveryId=None)
    assert ("one", b"one") == (settled(alone).event_id, shop.adapter.key(alone, shop.config))


@pytest.mark.parametrize(
    ("told", "fetched", "expected"),
    [
        ({"orderId": "o"}, {"orderId": "o"}, "o"),
        (None, {"orderId": "o"}, "o"),
        ({"orderId": "o"}, None, "o"),
        (None, {"orderId": 10042, "session_id": "s"}, "s"),
        (None, {"orderId": 10042}, "10042"),
        (None, {"orderId": ["x"]}, None),
        (None, None, None),
    ],
)
def test_reference_stands_in_the_metadata_of_either(told, fetched, expected, notice, settled):
    event = settled(notice(metadata=told), metadata=fetched)
    assert ("ext_42", expected) == (event.external_id, event.reference)


@pytest.mark.parametrize(
    ("amount", "unit", "expected"),
    [
        ("42.50", "EUR", (4250, "EUR")),
        ("5000", "jpy", (5000, "JPY")),
        ("0.00100001", "BTC", (100_001, "BTC")),
        ("5000", "SATS", (5000, "BTC")),
    ],
)
def test_amount_is_the_invoices(amount, unit, expected, notice, settled):
    event = settled(notice(payment={"value": "9"}), amount=amount, currency=unit)
    assert expected == (event.amount, event.currency)


@pytest.mark.parametrize(
    ("code", "changes", "cause"),
    [
        (404, {}, Cause.UNKNOWN_PAYMENT),
        (401, {}, Cause.UNVERIFIABLE),
        (403, {}, Cause.UNVERIFIABLE),
        (200, {"id": "another"}, Cause.UNVERIFIABLE),
        (200, {"storeId": "another"}, Cause.UNVERIFIABLE),
        (200, {"amount": "NaN"}, Cause.MALFORMED),
        (200, {"amount": "-1"}, Cause.MALFORMED),
        (200, {"currency": "EURO"}, Cause.MALFORMED),
        (200, {"status": None}, Cause.MALFORMED),
        (200, {"answer": b"["}, Cause.MALFORMED),
    ],
)
def test_answer_that_will_not_do_is_refused(code, changes, cause, notice, settled):
    with pytest.raises(Rejected) as refused:
        settled(notice(), code=code, **changes)
    assert cause == refused.value.cause


@pytest.mark.parametrize("own_id", [None, "", "../users", "a b", "x" * 65, "a?b=c", {"id": "a"}])
def test_id_that_is_none_is_not_asked_for(own_id, shop, notice):
    with pytest.raises(Rejected) as refused:
        next(shop.adapter.settle(notice(invoiceId=own_id), shop.config))
    assert Cause.MALFORMED == refused.value.cause


def test_other_stores_and_webhooks_are_refused(shop, instance_of, notice):
    one_hook = instance_of("btcpay_server", webhook_id="another")
    for instance, delivery in ((shop, notice(storeId="another")), (one_hook, notice())):
        with pytest.raises(Rejected) as refused:
            next(instance.adapter.settle(delivery, instance.config))
        assert Cause.UNKNOWN_PAYMENT == refused.value.cause


@pytest.mark.parametrize("spoil", [lambda value: value[7:], str.upper, lambda value: f"x{value}"])
def test_signature_has_its_prefix_and_small_letters(spoil, shop, notice, refusal):
    delivery = notice()
    (value,) = delivery.header_values("BTCPay-Sig")
    spoilt = replace(delivery, headers=(("BTCPay-Sig", spoil(value)),))
    assert Cause.BAD_SIGNATURE == refusal(shop, spoilt)


def test_host_is_the_configured_one(instance_of, notice):
    shop = instance_of("btcpay_server", base_url="http://127.0.0.1:8000/btcpay/")
    request = next(shop.adapter.settle(notice(url="https://evil.example"), shop.config))
    expected = "http://127.0.0.1:8000/btcpay/api/v1/stores/DevelopmentStore/invoices/ext_42"
    assert expected == request.url


@pytest.mark.parametrize(
    ("name", "value"), [("base_url", "ftp://x"), ("base_url", "https://a b"), ("store_id", "a/b")]
)
def test_configuration_that_makes_no_url_is_refused(name, value, instance_of):
    with pytest.raises(ValidationError, match=name):
        instance_of("btcpay_server", **{name: value})
