import base64
import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode

import pytest
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected

VERSIONS = ("HMAC_SHA256_V1", "HMAC_SHA512_V1", "HMAC_SHA512_V2")


@pytest.fixture
def shop(instance_of):
    return instance_of("redsys")


@pytest.fixture
def told(shop, simulated):
    """A signed delivery with parameters replaced (None takes one away), under a version."""

    def make(version=VERSIONS[0], **changes):
        form = parse_qs(simulated(shop, "captured").body.decode())
        found = json.loads(base64.urlsafe_b64decode(form["Ds_MerchantParameters"][0]))
        found = {k: v for k, v in (found | changes).items() if v is not None}
        config = replace(shop.config, signature_versions=(version,))
        plain = replace(simulated(shop, "captured"), body=json.dumps(found).encode())
        return shop.adapter.scheme.sign(plain, config)

    return make


@pytest.fixture
def read(shop, told):
    def make(**changes):
        (event,) = shop.adapter.read(told(**changes), shop.config)
        return event

    return make


def altered(delivery, **changes):
    """The delivery with fields of its form replaced, and not signed again."""
    form = {name: value for name, (value,) in parse_qs(delivery.body.decode()).items()} | changes
    kept = {name: value for name, value in form.items() if value is not None}
    return replace(delivery, body=urlencode(kept).encode())


def meaning(event):
    return event.session_status, event.payment_change and event.payment_change.kind


@pytest.mark.parametrize(
    ("kinds", "response", "expected"),
    [
        ("0 15 38 A 5 6", "0000", ("authorized", "captured")),
        ("0 15 38 A 5 6", "0099", ("authorized", "captured")),
        ("0 15 38 A 5 6 1 7 11 O", "0100", ("error", None)),
        ("0 1 7", "0900", ("error", None)),
        ("0 1 7", "SIS0051", ("error", None)),
        ("0 1 7", "9915", ("canceled", None)),
        ("0 1 7", "9998", ("pending", None)),
        ("0 1 7", "9999", ("pending", None)),
        ("1 7 11 O", "0000", ("authorized", None)),
        ("2 8 48 P", "0900", (None, "captured")),
        ("2 8 48 P", "0000", (None, "captured")),
        ("2 8 48 P", "0190", (None, "capture_failed")),
        ("3 34", "0900", (None, "refunded")),
        ("3 34", "0190", (None, "refund_failed")),
        ("9 47 45 Q", "0400", ("canceled", "voided")),
        ("9 47 45 Q", "0900", ("canceled", "voided")),
        ("9 47 45 Q", "0190", (None, None)),
        ("46", "0400", (None, "refund_failed")),
        ("46", "0190", (None, None)),
    ],
)
def test_operation_means_what_the_table_says(kinds, response, expected, read):
    for kind in kinds.split():
        event = read(Ds_TransactionType=kind, Ds_Response=response)
        assert expected == meaning(event), kind
        assert event.recognized


def test_unheard_of_operation_is_recorded_and_does_nothing(read):
    event = read(Ds_TransactionType="77")
    assert (False, False) == (event.concerns_payment, event.recognized)


def test_response_may_be_a_number(read):
    assert ("authorized", "captured") == meaning(read(Ds_Response=0, Ds_TransactionType=0))
    assert ("error", None) == meaning(read(Ds_Response=190))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("order", ["0069", "26111801", "2611180001AB"])
def test_every_version_verifies(version, order, shop, told, refusal):
    delivery = told(version, Ds_Order=order)
    assert refusal(shop, delivery) is None
    for other in {*VERSIONS, "HMAC_SHA1_V1", ""} - {version, "HMAC_SHA512_V1", "HMAC_SHA512_V2"}:
        forged = altered(delivery, Ds_SignatureVersion=other)
        assert Cause.BAD_SIGNATURE == refusal(shop, forged)


def test_versions_can_be_restricted(instance_of, told, refusal):
    strict = instance_of("redsys", signature_versions=["HMAC_SHA512_V2"])
    assert refusal(strict, told("HMAC_SHA512_V2")) is None
    assert Cause.BAD_SIGNATURE == refusal(strict, told("HMAC_SHA256_V1"))


@pytest.mark.parametrize("version", VERSIONS)
def test_signature_may_be_in_either_alphabet_with_or_without_padding(version, shop, told, refusal):
    delivery = told(version)
    (given,) = parse_qs(delivery.body.decode())["Ds_Signature"]
    bare = given.rstrip("=")
    padded = bare + "=" * (-len(bare) % 4)
    for value in (bare, padded, padded.replace("-", "+").replace("_", "/")):
        assert refusal(shop, altered(delivery, Ds_Signature=value)) is None
    assert Cause.BAD_SIGNATURE == refusal(shop, altered(delivery, Ds_Signature=bare[:-4]))


def test_parameters_are_signed_as_they_are_written(shop, told, refusal):
    delivery = told()
    (given,) = parse_qs(delivery.body.decode())["Ds_MerchantParameters"]
    stripped = altered(delivery, Ds_MerchantParameters=given.rstrip("=") + "====")
    assert Cause.BAD_SIGNATURE == refusal(shop, stripped)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"Ds_Signature": None}, Cause.MISSING_SIGNATURE),
        ({"Ds_Signature": "*"}, Cause.BAD_SIGNATURE),
        ({"Ds_MerchantParameters": None}, Cause.MALFORMED),
        ({"Ds_MerchantParameters": "e30"}, Cause.MALFORMED),
        ({"Ds_MerchantParameters": "é"}, Cause.MALFORMED),
    ],
)
def test_form_that_lacks_something_is_refused(changes, cause, shop, told, refusal):
    assert cause == refusal(shop, altered(told(), **changes))


def test_upper_case_names_will_do(shop, told, refusal):
    assert refusal(shop, told(Ds_Order=None, DS_ORDER="2611180001AB")) is None


@pytest.mark.parametrize(
    "changes", [{"Ds_MerchantCode": "1"}, {"Ds_Terminal": "002"}, {"Ds_Terminal": None}]
)
def test_operation_of_another_merchant_or_terminal_is_refused(changes, shop, told, refusal):
    assert Cause.UNKNOWN_PAYMENT == refusal(shop, told(**changes))


def test_browser_brings_the_same_operation(shop, told, refusal):
    delivery = told()
    brought = replace(delivery, method="GET", body=b"", query=delivery.body.decode())
    assert brought.method in shop.adapter.methods
    assert refusal(shop, brought) is None
    expected = list(shop.adapter.read(delivery, shop.config))
    assert expected == list(shop.adapter.read(brought, shop.config))
    key = shop.adapter.key
    assert key(delivery, shop.config) == key(brought, shop.config)


@pytest.mark.parametrize(
    ("date", "hour", "expected"),
    [
        ("18%2F11%2F2026", "12%3A06", datetime(2026, 11, 18, 11, 6, tzinfo=UTC)),
        ("18/07/2026", "12:06", datetime(2026, 7, 18, 10, 6, tzinfo=UTC)),
    ],
)
def test_wall_clock_is_madrids(date, hour, expected, read):
    assert expected == read(Ds_Date=date, Ds_Hour=hour).occurred_at


@pytest.mark.parametrize("name", ["Ds_Date", "Ds_Hour"])
def test_receipt_stands_in_for_half_a_time(name, read, at):
    assert at == read(**{name: None}).occurred_at


def test_money_is_minor_units_of_a_numbered_currency(read):
    event = read(Ds_Amount="4250", Ds_Currency="392")
    assert (4250, "JPY") == (event.amount, event.currency)
    assert "AUD" == read(Ds_Currency=36).currency


@pytest.mark.parametrize(
    "changes",
    [
        {"Ds_Amount": "42.50"},
        {"Ds_Amount": None},
        {"Ds_Currency": "999"},
        {"Ds_Date": "31/02/2026"},
        {"Ds_Response": None},
        {"Ds_Hour": "25:00"},
    ],
)
def test_operation_that_cannot_be_read_is_malformed(changes, read):
    with pytest.raises(Rejected) as refused:
        read(**changes)
    assert Cause.MALFORMED is refused.value.cause


@pytest.mark.parametrize("value", [None, True, -1, 10**30, 1.5, "", "\ud800", "é\x00", [], {}])
def test_odd_value_of_any_parameter_is_read_or_malformed(value, shop, told):
    names = "Amount Currency Order Response MerchantData TransactionType Date Hour Terminal"
    for name in names.split():
        with suppress(Rejected):
            delivery = told(**{f"Ds_{name}": value if value is not None else {}})
            shop.adapter.verify(delivery, shop.config)
            assert 1 == len(shop.adapter.read(delivery, shop.config))


def test_partial_refunds_are_several(read):
    first = {"Ds_TransactionType": "3", "Ds_Response": "0900", "Ds_AuthorisationCode": "1"}
    told = [read(**first), read(**first, Ds_Amount="1"), read(**first | {"Ds_Order": "9999"})]
    assert 3 == len({event.event_id for event in told})
    assert 3 == len({event.payment_change.reference for event in told})


@pytest.mark.parametrize("code", ["", "      ", "++++++", None])
def test_equal_refunds_without_a_code_are_known_by_their_time(code, read):
    refund = {"Ds_TransactionType": "3", "Ds_Response": "0900", "Ds_AuthorisationCode": code}
    told = [read(**refund, Ds_Hour=hour) for hour in ("12:06", "12:06", "12:07")]
    first, again, second = (event.payment_change.reference for event in told)
    assert (first, True) == (again, first != second)


def test_refused_attempt_does_not_undo_what_was_done(read):
    refund = {"Ds_TransactionType": "3", "Ds_AuthorisationCode": "1"}
    done = read(**refund, Ds_Response="0900", Ds_Hour="12:06").payment_change
    refused = read(**refund, Ds_Response="0190", Ds_Hour="12:09").payment_change
    canceled = read(**refund | {"Ds_TransactionType": "46"}, Ds_Response="0400").payment_change
    assert done.reference != refused.reference
    assert done.reference == canceled.reference


def test_merchant_data_is_the_reference(read):
    assert "payses 1" == read(Ds_MerchantData="payses%201").reference
    assert read(Ds_MerchantData="").reference is None


@pytest.mark.parametrize("key", ["short", "AAAA", "é"])
def test_key_must_be_one(key, instance_of):
    with pytest.raises(ValidationError, match="secret_keys"):
        instance_of("redsys", secret_keys=[key])
