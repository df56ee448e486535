import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.domain.errors import Cause, Rejected


@pytest.fixture
def shop(instance_of):
    return instance_of("tap")


@pytest.fixture
def told(shop, simulated, resigned):
    """A signed delivery of a kind with fields of its object replaced."""

    def make(kind="captured", **changes):
        delivery = simulated(shop, kind)
        return resigned(shop, delivery, json.loads(delivery.body) | changes)

    return make


@pytest.fixture
def read(shop, told):
    def make(kind="captured", **changes):
        (event,) = shop.adapter.read(told(kind, **changes), shop.config)
        return event

    return make


def meaning(event):
    return event.session_status, event.payment_change and event.payment_change.kind


@pytest.mark.parametrize(
    ("kinds", "statuses", "expected"),
    [
        ("charge authorize", "INITIATED IN_PROGRESS UNKNOWN", ("pending", None)),
        ("charge authorize", "CAPTURED", ("authorized", "captured")),
        ("charge authorize", "DECLINED FAILED RESTRICTED", ("error", None)),
        ("charge authorize", "CANCELLED ABANDONED TIMEDOUT", ("canceled", None)),
        ("charge authorize", "VOID", ("canceled", "voided")),
        ("authorize", "AUTHORIZED", ("authorized", None)),
        ("refund", "REFUNDED", (None, "refunded")),
        ("refund", "FAILED DECLINED RESTRICTED CANCELLED TIMEDOUT", (None, "refund_failed")),
        ("refund", "PENDING IN_PROGRESS", (None, None)),
        ("invoice subscription", "PAID", (None, None)),
    ],
)
def test_status_means_what_the_table_says(kinds, statuses, expected, read):
    for kind in kinds.split():
        for status in statuses.split():
            event = read(object=kind, status=status, charge_id="chg_1")
            assert expected == meaning(event), (kind, status)
            assert (kind, True) == (event.type, event.recognized)


@pytest.mark.parametrize(("kind", "status"), [("charge", "MOON"), ("moon", "CAPTURED")])
def test_what_nobody_has_heard_of_is_recorded(kind, status, read):
    event = read(object=kind, status=status)
    assert (False, False) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (42.5, "SAR", "42.50"),
        (42, "SAR", "42.00"),
        ("42.50", "SAR", "42.50"),
        (12.5, "KWD", "12.500"),
        (12.5, "BHD", "12.500"),
        (12.5, "OMR", "12.500"),
        (4250, "JPY", "4250"),
    ],
)
def test_amount_is_signed_with_the_decimals_of_its_currency(amount, currency, written, shop, told):
    changes = {"id": "chg_1", "amount": amount, "currency": currency, "reference": {"gateway": "g"}}
    delivery = told(**changes, transaction={"created": "1795000000120"})
    message = (
        f"x_idchg_1x_amount{written}x_currency{currency}x_gateway_referenceg"
        "x_payment_referencex_statusCAPTUREDx_created1795000000120"
    )
    secret = shop.config.secret_keys[0].bytes
    expected = hmac.digest(secret, message.encode(), hashlib.sha256).hex()
    assert [expected] == delivery.header_values("hashstring")


def test_json_may_write_the_amount_as_it_likes(shop, told, refusal):
    delivery = told(amount=42.5)
    for text in (b"42.50", b"42.500", b'"42.5"', b"4.25e1"):
        other = replace(delivery, body=delivery.body.replace(b"42.5", text, 1))
        assert refusal(shop, other) is None
    other = replace(delivery, body=delivery.body.replace(b"42.5", b"42.51", 1))
    assert Cause.BAD_SIGNATURE == refusal(shop, other)


def test_refund_signs_its_own_time(shop, told):
    delivery = told("refunded", id="re_1", created="5", reference=None, status="REFUNDED")
    message = "x_idre_1x_amount42.50x_currencyEURx_gateway_referencex_payment_reference"
    message += "x_statusREFUNDEDx_created5"
    secret = shop.config.secret_keys[0].bytes
    expected = hmac.digest(secret, message.encode(), hashlib.sha256).hex()
    assert [expected] == delivery.header_values("hashstring")


def test_invoice_signs_its_last_change_too(shop, told):
    changes = {"id": "inv_1", "object": "invoice", "created": 5, "updated": 6, "status": "PAID"}
    message = "x_idinv_1x_amount42.50x_currencyEURx_updated6x_statusPAIDx_created5"
    secret = shop.config.secret_keys[0].bytes
    expected = hmac.digest(secret, message.encode(), hashlib.sha256).hex()
    assert [expected] == told(**changes).header_values("hashstring")


@pytest.mark.parametrize("name", ["id", "amount", "currency", "status"])
def test_signed_field_cannot_be_changed(name, shop, told, refusal):
    delivery = told()
    value = {"amount": "1", "currency": "USD"}.get(name, "x")
    body = json.dumps(json.loads(delivery.body) | {name: value}).encode()
    assert Cause.BAD_SIGNATURE == refusal(shop, replace(delivery, body=body))


@pytest.mark.parametrize("body", [b"", b"[]", b'{"amount":"x"}', b'{"amount":1,"currency":{}}'])
def test_body_that_cannot_be_signed_is_malformed(body, shop, told, refusal):
    assert Cause.MALFORMED == refusal(shop, replace(told(), body=body))


@pytest.mark.parametrize(
    ("own_id", "kind"), [("chg_1", "authorize"), ("auth_1", "charge"), ("re_1", "charge")]
)
def test_object_must_be_what_its_signed_id_says(own_id, kind, read):
    with pytest.raises(Rejected) as refused:
        read(id=own_id, object=kind)
    assert Cause.MALFORMED is refused.value.cause


def test_capture_of_an_authorization_belongs_to_it(read):
    charge = read(id="chg_1", object="charge", source={"id": "auth_1"})
    whole = read(id="auth_1", object="authorize")
    assert ("auth_1", "auth_1") == (charge.external_id, whole.external_id)
    assert ("chg_1", False) == (
        charge.payment_change.reference,
        charge.payment_change.running_total,
    )
    assert whole.payment_change.running_total
    assert "chg_1" == read(id="chg_1", source=None).external_id


@pytest.mark.parametrize("source", ["tok_1", {"id": 5}, {}, []])
def test_source_of_another_form_is_no_authorization(source, read):
    assert "chg_1" == read(id="chg_1", object="charge", source=source).external_id


def test_refund_belongs_to_its_charge(read):
    event = read("refunded", id="re_1", charge_id="chg_1")
    assert ("chg_1", "re_1") == (event.external_id, event.payment_change.reference)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "payses_01JDTEST"),
        ({"metadata": None}, "ord_development"),
        ({"metadata": {}, "reference": {"transaction": "t"}}, "t"),
        ({"metadata": [], "reference": None}, None),
    ],
)
def test_reference_is_found_where_it_is(changes, expected, read):
    assert expected == read(**changes).reference


def test_event_is_the_object_in_a_status(read):
    assert "ext_42:CAPTURED" == read().event_id
    assert read().event_id != read(status="VOID").event_id


def test_time_is_when_the_object_was_made(read, at):
    event = read(transaction={"created": "1795000000120"})
    assert datetime(2026, 11, 18, 11, 6, 40, 120000, UTC) == event.occurred_at
    assert at == read(transaction=None).occurred_at


@pytest.mark.parametrize(("value", "expected"), [(True, True), (False, False), (None, None)])
def test_mode_is_told(value, expected, read):
    assert expected is read(live_mode=value).livemode


@pytest.mark.parametrize("kind", [[], {}, None, 5])
def test_odd_kind_of_object_is_malformed(kind, read):
    with pytest.raises(Rejected) as refused:
        read(object=kind)
    assert Cause.MALFORMED is refused.value.cause
