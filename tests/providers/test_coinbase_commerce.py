import json
from dataclasses import replace

import pytest

from gateway.domain.errors import Cause, Rejected


@pytest.fixture
def shop(instance_of):
    return instance_of("coinbase_commerce")


@pytest.fixture
def body(shop, simulated):
    """The body of a charge's event, with some fields of its charge replaced (None: left out)."""

    def make(word="charge:confirmed", status="COMPLETED", **changes):
        document = json.loads(simulated(shop, "captured").body)
        document["event"]["type"] = word
        charge = document["event"]["data"]
        charge["timeline"][1]["status"] = status
        charge |= changes
        document["event"]["data"] = {k: v for k, v in charge.items() if v is not None}
        return document

    return make


@pytest.fixture
def read(shop, simulated, resigned, body):
    """The one event of a body, by default of one as `body` makes it."""

    def make(*words, document=None, **changes):
        document = document or body(*words, **changes)
        delivery = resigned(shop, simulated(shop, "captured"), document)
        (event,) = shop.adapter.read(delivery, shop.config)
        return event

    return make


def local(amount, currency="EUR"):
    crypto = {"amount": "0.000123456789012345", "currency": "ETH"}
    return {"value": {"local": {"amount": amount, "currency": currency}, "crypto": crypto}}


def said(event):
    change = event.payment_change
    return event.session_status, change.kind if change else None


@pytest.mark.parametrize(
    ("word", "status", "expected"),
    [
        ("charge:created", "NEW", ("pending", None)),
        ("charge:pending", "PENDING", ("authorized", None)),
        ("charge:confirmed", "COMPLETED", ("authorized", "captured")),
        ("charge:confirmed", "CONFIRMED", ("authorized", "captured")),
        ("charge:failed", "EXPIRED", ("canceled", None)),
        ("charge:failed", "CANCELED", ("canceled", None)),
        ("charge:failed", "FAILED", ("error", None)),
        ("charge:failed", "UNRESOLVED", ("error", None)),
        ("charge:delayed", "UNRESOLVED", ("pending", None)),
        ("charge:resolved", "RESOLVED", ("authorized", "captured")),
    ],
)
def test_event_means_what_the_table_says(word, status, expected, read):
    event = read(word, status)
    assert (word, *expected) == (event.type, *said(event))


@pytest.mark.parametrize("timeline", [None, [], "NEW", ["NEW"], [None]])
def test_failure_without_a_timeline_is_an_error(timeline, read):
    assert ("error", None) == said(read("charge:failed", timeline=timeline))


def test_last_status_of_the_timeline_counts(read):
    timeline = [{"status": "NEW"}, {"status": "EXPIRED"}, {"status": "UNRESOLVED"}]
    assert "error" == read("charge:failed", timeline=timeline).session_status


@pytest.mark.parametrize(
    ("word", "recognized"), [("invoice:paid", True), ("charge:x", False), ("checkout", False)]
)
def test_type_of_no_concern_is_recorded_and_does_nothing(word, recognized, read):
    event = read(word, id=None, code=None)
    assert (False, recognized) == (event.concerns_payment, event.recognized)


def test_event_is_known_by_its_own_id_not_the_deliverys(shop, simulated, resigned, body, read):
    first, again = body(), body() | {"id": 7, "attempt_number": 2}
    assert read(document=first).event_id == read(document=again).event_id == "evt_captured"
    delivery = simulated(shop, "captured")
    told = [resigned(shop, delivery, document) for document in (first, again)]
    assert {b"evt_captured"} == {shop.adapter.key(one, shop.config) for one in told}


@pytest.mark.parametrize("raw", [b"", b"[", b"[]", b'{"event":7}', b'{"event":{"id":["a"]}}'])
def test_key_of_a_body_without_an_id_is_the_body(raw, shop, simulated, resigned):
    delivery = resigned(shop, simulated(shop, "captured"), raw)
    assert raw == shop.adapter.key(delivery, shop.config)


def test_old_charge_is_known_by_its_code(read):
    assert ("ext_42", "DEVELOP0") == (read().external_id, read(id=None).external_id)
    with pytest.raises(Rejected) as refused:
        read(id=None, code=None)
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [({"session_id": "s"}, "s"), ({}, None), (None, None), ("s", None), ({"name": "x"}, None)],
)
def test_reference_is_our_key_of_the_metadata(metadata, expected, read):
    assert expected == read(metadata=metadata).reference


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [("1.00", "USD", 100), ("500", "JPY", 500), ("1.5", "KWD", 1500), (24.5, "eur", 2450)],
)
def test_price_is_the_local_one(amount, currency, expected, read):
    pricing = {"local": {"amount": amount, "currency": currency}, "bitcoin": {"amount": "9"}}
    event = read(pricing=pricing)
    assert (expected, currency.upper()) == (event.amount, event.currency)


def test_charge_without_a_price_is_worth_what_was_paid(read):
    event = read(pricing=None, payments=[local("10.00"), local("2.50")])
    assert (1250, "EUR") == (event.amount, event.currency)


@pytest.mark.parametrize("payments", [None, [], "x", [{}], [None], [local("1"), local("1", "USD")]])
def test_money_of_no_known_amount_authorizes_nothing(payments, read):
    assert read("charge:created", pricing=None, payments=payments).amount is None
    with pytest.raises(Rejected) as refused:
        read("charge:confirmed", pricing=None, payments=payments)
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize(
    ("word", "paid", "expected"),
    [
        ("charge:pending", "40.00", 4000),
        ("charge:resolved", "40.00", 4000),
        ("charge:resolved", "50.00", 4250),
        # Coinbase confirms what is short within its own threshold.
        ("charge:confirmed", "42.49", 4250),
        ("charge:failed", "40.00", 4250),
    ],
)
def test_underpayment_is_told_where_nobody_has_judged_it(word, paid, expected, read):
    assert expected == read(word, payments=[local(paid)]).amount


@pytest.mark.parametrize("name", ["id", "type", "created_at"])
def test_event_without_a_required_field_is_malformed(name, body, read):
    document = body()
    del document["event"][name]
    with pytest.raises(Rejected) as refused:
        read(document=document)
    assert Cause.MALFORMED == refused.value.cause


def test_body_without_an_event_is_signed_all_the_same(shop, simulated, resigned, refusal):
    delivery = resigned(shop, simulated(shop, "captured"), {"id": 1})
    assert refusal(shop, delivery) is None
    with pytest.raises(Rejected) as refused:
        shop.adapter.read(delivery, shop.config)
    assert Cause.MALFORMED == refused.value.cause


def test_api_key_may_be_configured_and_is_not_needed(instance_of, shop, simulated, refusal):
    keyed = instance_of("coinbase_commerce", api_key="development-not-a-key")
    assert refusal(keyed, simulated(shop, "captured")) is None
    assert "not-a-key" not in repr(keyed.config)


def test_signature_of_the_successors_webhooks_is_none(shop, simulated, refusal):
    delivery = simulated(shop, "captured")
    (value,) = delivery.header_values("X-CC-Webhook-Signature")
    assert Cause.MISSING_SIGNATURE == refusal(
        shop, replace(delivery, headers=(("X-Hook0-Signature", value),))
    )
    assert refusal(shop, replace(delivery, headers=(("X-CC-WEBHOOK-SIGNATURE", value),))) is None
