import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected

KEYS = {"1": "aa" * 16, "2": "bb" * 16}


@pytest.fixture
def worldpay(instance_of):
    return instance_of("worldpay")


@pytest.fixture
def read(worldpay, simulated, resigned):
    """The one event of a kind under another type, with fields of its details replaced."""

    def make(kind, word=None, **changes):
        delivery = simulated(worldpay, kind)
        body = json.loads(delivery.body)
        body["eventTimestamp"] = changes.pop("eventTimestamp", body["eventTimestamp"])
        body["eventDetails"].update(changes)
        body["eventDetails"]["type"] = word or body["eventDetails"]["type"]
        (event,) = worldpay.adapter.read(resigned(worldpay, delivery, body), worldpay.config)
        return event

    return make


def with_signature(delivery, value):
    kept = tuple(pair for pair in delivery.headers if pair[0] != "Event-Signature")
    return replace(delivery, headers=(*kept, ("Event-Signature", value)))


def signature_of(delivery):
    (value,) = delivery.header_values("Event-Signature")
    return value


@pytest.mark.parametrize(
    ("word", "status", "change"),
    [
        ("sentForAuthorization", "pending", None),
        ("authorized", "authorized", None),
        ("sentForSettlement", "authorized", "captured"),
        ("settled", None, "captured"),
        ("settlementFailed", None, "capture_failed"),
        ("settlementRejected", None, "capture_failed"),
        ("cancelled", "canceled", "voided"),
        ("cancelledByCustomer", "canceled", "voided"),
        ("expired", "canceled", "voided"),
        ("requestExpired", "canceled", "voided"),
        ("error", "error", None),
        ("refused", "error", None),
        ("sentForRefund", None, "refunded"),
        ("refunded", None, "refunded"),
        ("refundFailed", None, "refund_failed"),
        ("chargedBack", None, "disputed"),
    ],
)
def test_type_means_what_the_table_says(word, status, change, read):
    event = read("captured", word)
    said = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, said)
    assert ("payses_01JDTEST", 4250, "EUR") == (event.reference, event.amount, event.currency)


@pytest.mark.parametrize(
    "word", ["settlementInstructed", "tokenCreated", "topUpAccepted", "topUpRejected"]
)
def test_type_of_no_concern_is_ignored_by_name(word, read):
    event = read("captured", word)
    assert (False, True) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize("word", ["authorized", "refunded", "error", "moonPhaseChanged"])
def test_payouts_are_ignored_whatever_their_type(word, read):
    event = read("captured", word, classification="payout")
    assert (False, True) == (event.concerns_payment, event.recognized)


def test_information_is_requested_by_a_dispute_only(read):
    asked = read("captured", "informationRequested", classification="chargeback")
    assert "disputed" == asked.payment_change.kind
    other = read("captured", "informationRequested", classification="payment")
    assert (False, True) == (other.concerns_payment, other.recognized)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("sentForSettlement", "settled"),
        ("sentForSettlement", "settlementFailed"),
        ("sentForRefund", "refunded"),
        ("sentForRefund", "refundFailed"),
    ],
)
@pytest.mark.parametrize("reference", ["part-1", None])
def test_second_telling_is_about_the_same_money(first, then, reference, read):
    told = [read("captured", word, reference=reference) for word in (first, then)]
    assert 1 == len({event.payment_change.reference for event in told})


def test_partial_settlements_are_apart(read):
    told = [read("captured", reference=part) for part in ("part-1", "part-2")]
    assert 2 == len({event.payment_change.reference for event in told})


def test_reference_may_hold_spaces_and_slashes(read):
    assert "shop 1/order 2" == read("captured", transactionReference="shop 1/order 2").reference


def test_whole_units_stay_whole(read):
    assert 1500 == read("captured", amount={"value": 1500, "currencyCode": "JPY"}).amount


@pytest.mark.parametrize("word", ["refused", "error", "cancelled", "chargedBack"])
def test_amount_may_be_missing_where_no_money_moves(word, read):
    assert read("captured", word, amount=None).amount is None


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": None},
        {"amount": {"value": "10.00", "currencyCode": "GBP"}},
        {"amount": {"value": -1, "currencyCode": "GBP"}},
        {"amount": {"value": 1}},
        {"transactionReference": None},
        {"transactionReference": ""},
        {"eventTimestamp": "soon"},
    ],
)
def test_settlement_that_cannot_be_read_is_malformed(changes, read):
    with pytest.raises(Rejected) as refused:
        read("captured", **changes)
    assert Cause.MALFORMED == refused.value.cause


def test_time_without_a_zone_is_utc(read):
    event = read("captured", eventTimestamp="2018-06-13T14:18:13.407")
    assert datetime(2018, 6, 13, 14, 18, 13, 407000, UTC) == event.occurred_at


def test_pretty_printed_body_is_signed_as_it_is(worldpay, simulated, resigned, refusal):
    delivery = simulated(worldpay, "captured")
    pretty = json.dumps(json.loads(delivery.body), indent=2).encode()
    assert refusal(worldpay, resigned(worldpay, delivery, pretty)) is None
    assert Cause.BAD_SIGNATURE == refusal(worldpay, replace(delivery, body=pretty))


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("2/SHA256/00,{good}", None),
        ("{good},2/SHA256/00", None),
        ("9/SHA256/00 , 1/MD5/00,  {good} ", None),
        ("nonsense,{good}", None),
        (" 1 / SHA256 / {hex} ", None),
        ("1/SHA256/{upper}", None),
        ("1/SHA256/00,{good}", None),
        ("1/SHA256/00", Cause.BAD_SIGNATURE),
        ("2/SHA256/{hex}", Cause.BAD_SIGNATURE),
        ("9/SHA256/{hex}", Cause.UNKNOWN_KEY),
        ("1/SHA512/{hex}", Cause.UNKNOWN_KEY),
        ("{hex}", Cause.BAD_SIGNATURE),
        ("1/SHA256", Cause.BAD_SIGNATURE),
        ("", Cause.MISSING_SIGNATURE),
    ],
)
def test_signature_is_chosen_by_the_name_of_its_key(value, cause, instance_of, simulated, refusal):
    rotating = instance_of("worldpay", webhook_secrets_by_key_id=KEYS)
    delivery = simulated(rotating, "captured")
    good = signature_of(delivery)
    digest = good.rpartition("/")[2]
    made = value.format(good=good, hex=digest, upper=digest.upper())
    assert cause == refusal(rotating, with_signature(delivery, made))


def test_matching_key_is_named(instance_of, simulated):
    rotating = instance_of("worldpay", webhook_secrets_by_key_id=KEYS)
    second = instance_of("worldpay", webhook_secrets_by_key_id={"2": KEYS["2"]})
    delivery = simulated(second, "captured")
    assert "key 2" == rotating.adapter.verify(delivery, rotating.config).secret


def test_encoding_of_the_secret_matters(instance_of, simulated, refusal):
    as_text = instance_of("worldpay", secret_encoding="raw", webhook_secrets_by_key_id=KEYS)
    as_hex = instance_of("worldpay", webhook_secrets_by_key_id=KEYS)
    assert refusal(as_text, simulated(as_text, "captured")) is None
    assert Cause.BAD_SIGNATURE == refusal(as_hex, simulated(as_text, "captured"))


def test_secret_that_is_not_hex_refuses_everything_and_is_not_told(
    instance_of, simulated, worldpay, refusal
):
    wrong = instance_of("worldpay", webhook_secrets_by_key_id={"1": "no hex at all"})
    delivery = simulated(worldpay, "captured")
    with pytest.raises(Rejected, match="key 1") as refused:
        wrong.adapter.verify(delivery, wrong.config)
    assert Cause.NOT_CONFIGURED == refused.value.cause
    assert "no hex" not in str(refused.value)


def test_without_a_key_everything_is_refused(worldpay, instance_of, simulated, refusal):
    bare = instance_of("worldpay", webhook_secrets_by_key_id={})
    assert Cause.NOT_CONFIGURED == refusal(bare, simulated(worldpay, "captured"))


def test_unsigned_order_notification_in_xml_is_refused(worldpay, simulated, refusal):
    unsigned = replace(simulated(worldpay, "captured"), body=b"<paymentService/>", headers=())
    assert Cause.MISSING_SIGNATURE == refusal(worldpay, unsigned)


def test_encoding_must_be_a_known_one(instance_of):
    with pytest.raises(ValidationError, match="secret_encoding"):
        instance_of("worldpay", secret_encoding="base64")
