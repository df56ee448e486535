import hashlib
import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

import pytest
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected

CHECKSUM = "advanceResponseChecksum"


@pytest.fixture
def nuvei(instance_of):
    return instance_of("nuvei")


@pytest.fixture
def sent(nuvei, simulated):
    """A delivery of a kind with fields of its form replaced (None: left out), signed for it."""

    def make(kind, instance=nuvei, **changes):
        delivery = simulated(instance, kind)
        form = dict(parse_qsl(delivery.body.decode(), keep_blank_values=True)) | changes
        body = urlencode({name: value for name, value in form.items() if value is not None})
        return instance.adapter.scheme.sign(replace(delivery, body=body.encode()), instance.config)

    return make


@pytest.fixture
def read(nuvei, sent):
    def make(kind, **changes):
        (event,) = nuvei.adapter.read(sent(kind, **changes), nuvei.config)
        return event

    return make


def altered(delivery, **changes):
    """The delivery with fields replaced, but not signed again."""
    form = dict(parse_qsl(delivery.body.decode(), keep_blank_values=True)) | changes
    return replace(delivery, body=urlencode(form).encode())


@pytest.mark.parametrize(
    ("kind", "outcome", "status", "change"),
    [
        ("Auth", "APPROVED", "authorized", None),
        ("Auth", "SUCCESS", "authorized", None),
        ("Auth", "approved", "authorized", None),
        ("Sale", "APPROVED", "authorized", "captured"),
        ("Sale", "SUCCESS", "authorized", "captured"),
        ("Auth", "DECLINED", "error", None),
        ("Auth", "ERROR", "error", None),
        ("Sale", "DECLINED", "error", None),
        ("Sale", "ERROR", "error", None),
        ("Auth", "PENDING", "pending", None),
        ("Sale", "PENDING", "pending", None),
        ("Settle", "PENDING", "pending", None),
        ("Settle", "APPROVED", None, "captured"),
        ("Settle", "DECLINED", None, "capture_failed"),
        ("Settle", "ERROR", None, "capture_failed"),
        ("Void", "APPROVED", "canceled", "voided"),
        ("Credit", "APPROVED", None, "refunded"),
        ("Refund", "APPROVED", None, "refunded"),
        ("Credit", "DECLINED", None, "refund_failed"),
        ("Credit", "ERROR", None, "refund_failed"),
    ],
)
def test_transaction_means_what_the_table_says(kind, outcome, status, change, read):
    event = read("captured", transactionType=kind, Status=outcome)
    said = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, said)
    assert ("payses_01JDTEST", 4250, "EUR") == (event.reference, event.amount, event.currency)


@pytest.mark.parametrize(
    "changes",
    [
        {"transactionType": "Void", "Status": "DECLINED"},
        {"transactionType": "Void", "Status": "ERROR"},
        {"transactionType": "Credit", "Status": "PENDING"},
        {"transactionType": "InitAuth3D"},
        {"transactionType": "Auth3D", "Status": "DECLINED"},
        {"type": "CARD_TOKENIZATION", "transactionType": "Auth"},
        {"type": "CARD_TOKENIZATION", "transactionType": None, "TransactionID": ""},
    ],
)
def test_transaction_of_no_concern_is_ignored_by_name(changes, read):
    event = read("authorized", **changes)
    assert (False, True) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize(
    ("page_status", "outcome", "status"),
    [
        ("PENDING", "APPROVED", "pending"),
        ("PENDING", "DECLINED", "error"),
        ("FAIL", "APPROVED", "error"),
        ("FAIL", "PENDING", "error"),
        ("OK", "DECLINED", "error"),
        ("OK", "PENDING", "pending"),
        ("fail", "APPROVED", "error"),
    ],
)
def test_unsigned_page_status_can_only_make_less_of_it(page_status, outcome, status, read):
    assert status == read("authorized", ppp_status=page_status, Status=outcome).session_status


def test_status_may_be_written_small(sent, nuvei, refusal):
    delivery = sent("authorized", Status=None, status="APPROVED")
    assert refusal(nuvei, delivery) is None
    (event,) = nuvei.adapter.read(delivery, nuvei.config)
    assert "authorized" == event.session_status
    assert Cause.BAD_SIGNATURE == refusal(nuvei, altered(delivery, status="DECLINED"))


def test_follow_up_names_the_first_transaction_and_itself(read):
    event = read("captured", TransactionID="222", relatedTransactionId="111")
    assert ("111", "222") == (event.external_id, event.payment_change.reference)
    assert read("captured", relatedTransactionId="").external_id is None


@pytest.mark.parametrize(
    ("outcome", "status"), [("PENDING", "pending"), ("DECLINED", "error"), ("ERROR", "error")]
)
def test_attempt_may_end_before_it_has_a_transaction(outcome, status, read):
    event = read("authorized", TransactionID="", Status=outcome)
    assert (status, None) == (event.session_status, event.external_id)
    assert "payses_01JDTEST" == event.reference


@pytest.mark.parametrize("kind", ["Auth", "Sale", "Settle", "Void", "Credit"])
def test_money_is_not_believed_without_a_transaction(kind, read):
    with pytest.raises(Rejected) as refused:
        read("captured", transactionType=kind, TransactionID="")
    assert Cause.MALFORMED == refused.value.cause


def test_sale_is_a_capture_of_its_own(read):
    event = read("authorized", transactionType="Sale", TransactionID="111")
    assert ("111", "111") == (event.external_id, event.payment_change.reference)


def test_reference_has_two_names(read):
    assert "a" == read("captured", clientUniqueId="a", merchant_unique_id="b").reference
    assert "b" == read("captured", clientUniqueId="", merchant_unique_id="b").reference


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [("42.50", "EUR", 4250), ("42.5", "EUR", 4250), ("1500", "JPY", 1500), ("1.500", "KWD", 1500)],
)
def test_amounts_are_decimal_texts_in_major_units(amount, currency, expected, read):
    assert expected == read("captured", totalAmount=amount, currency=currency).amount


def test_amount_counts_as_it_is_written(sent, nuvei, refusal):
    delivery = sent("captured", totalAmount="42.50")
    assert Cause.BAD_SIGNATURE == refusal(nuvei, altered(delivery, totalAmount="42.5"))


@pytest.mark.parametrize(
    "changes",
    [
        {"totalAmount": ""},
        {"totalAmount": "1,000.00"},
        {"totalAmount": "-1"},
        {"currency": "EURO"},
        {"TransactionID": ""},
        {"PPP_TransactionID": ""},
        {"responseTimeStamp": "2026-11-18 11:06:39"},
        {"clientUniqueId": "x" * 1000},
    ],
)
def test_dmn_that_cannot_be_read_is_malformed(changes, read):
    with pytest.raises(Rejected) as refused:
        read("captured", **changes)
    assert Cause.MALFORMED == refused.value.cause


def test_time_is_utc_or_else_the_receipt(read, at):
    told = read("captured", responseTimeStamp="2026-11-18.11:06:39")
    assert datetime(2026, 11, 18, 11, 6, 39, tzinfo=UTC) == told.occurred_at
    assert at == read("captured", responseTimeStamp=None).occurred_at


@pytest.mark.parametrize("name", ["totalAmount", "currency", "responseTimeStamp", "Status"])
def test_signed_field_cannot_be_altered(name, sent, nuvei, refusal):
    delivery = sent("captured")
    assert Cause.BAD_SIGNATURE == refusal(nuvei, altered(delivery, **{name: "7"}))


def test_form_with_other_unsigned_fields_is_no_new_delivery(sent, nuvei):
    """Whoever has seen one form could send it again for another session, or as a Sale."""
    delivery = sent("authorized")
    other = altered(delivery, clientUniqueId="another", transactionType="Sale", TransactionID="9")
    assert nuvei.adapter.key(delivery, nuvei.config) == nuvei.adapter.key(other, nuvei.config)
    newer = sent("authorized", responseTimeStamp="2026-11-18.11:06:39")
    assert nuvei.adapter.key(delivery, nuvei.config) != nuvei.adapter.key(newer, nuvei.config)


@pytest.mark.parametrize("padding", [" ", "\t", "\n "])
def test_padded_checksum_is_no_new_delivery(padding, sent, nuvei):
    delivery = sent("authorized")
    form = dict(parse_qsl(delivery.body.decode(), keep_blank_values=True))
    other = altered(delivery, clientUniqueId="another", **{CHECKSUM: form[CHECKSUM] + padding})
    assert nuvei.adapter.key(delivery, nuvei.config) == nuvei.adapter.key(other, nuvei.config)


@pytest.mark.parametrize("value", [None, "", " "])
def test_missing_checksum_is_a_missing_signature(value, sent, nuvei, refusal):
    delivery = sent("captured")
    form = dict(parse_qsl(delivery.body.decode(), keep_blank_values=True)) | {CHECKSUM: value}
    body = urlencode({n: v for n, v in form.items() if v is not None})
    spoilt = replace(delivery, body=body.encode())
    assert Cause.MISSING_SIGNATURE == refusal(nuvei, spoilt)
    assert Cause.MISSING_SIGNATURE == refusal(nuvei, replace(delivery, body=b""))


def test_doubled_field_is_malformed(sent, nuvei, refusal):
    delivery = sent("captured")
    doubled = replace(delivery, body=delivery.body + b"&Status=APPROVED")
    assert Cause.MALFORMED == refusal(nuvei, doubled)


def test_form_may_come_in_the_query(sent, nuvei, refusal):
    assert {"POST", "GET"} == set(nuvei.adapter.methods)
    posted = sent("captured")
    got = replace(posted, method="GET", query=posted.body.decode(), body=b"")
    assert refusal(nuvei, got) is None
    (event,), (same,) = (nuvei.adapter.read(one, nuvei.config) for one in (got, posted))
    assert same == event
    assert nuvei.adapter.key(got, nuvei.config) == nuvei.adapter.key(posted, nuvei.config)


def test_only_the_configured_algorithm_will_do(instance_of, sent, nuvei, refusal):
    old = instance_of("nuvei", hash_algorithm="md5")
    by_md5 = sent("captured", old)
    assert refusal(old, by_md5) is None
    assert Cause.BAD_SIGNATURE == refusal(nuvei, by_md5)
    assert Cause.BAD_SIGNATURE == refusal(old, sent("captured"))
    with pytest.raises(ValidationError, match="hash_algorithm"):
        instance_of("nuvei", hash_algorithm="sha1")


def test_checksum_is_of_the_decoded_bytes(nuvei, simulated, refusal):
    """Also of bytes that are no UTF-8, and whatever the payer's name looks like."""
    key = nuvei.config.merchant_secret_keys[0].bytes
    digest = hashlib.sha256(
        key + b"1.00" + b"EUR" + b"" + b"1" + b"APPROVED" + b"caf\xe9 1"
    ).hexdigest()
    body = "totalAmount=1.00&currency=EUR&PPP_TransactionID=1&Status=APPROVED&productId=caf%E9+1"
    raw = f"{body}&first_name=J%F6rg&{CHECKSUM}={digest}".encode()
    assert refusal(nuvei, replace(simulated(nuvei, "captured"), body=raw)) is None


@pytest.mark.parametrize("setting", ["merchant_id", "merchant_site_id"])
def test_another_merchants_dmn_is_not_applied(setting, instance_of, sent):
    for value, concerns in (("7", False), ("", True)):
        instance = instance_of("nuvei", **{setting: value})
        (event,) = instance.adapter.read(sent("captured", instance), instance.config)
        assert (concerns, True) == (event.concerns_payment, event.recognized)


def test_any_signed_form_raises_nothing_but_rejected(sent, nuvei, simulated):
    chance = random.Random("nuvei")
    names = [name for name, _ in parse_qsl(simulated(nuvei, "captured").body.decode())]
    hostile = ["", "x" * 1000, "\u00e9\x00", "-1", "1e999", "NaN", "٣", "9999-99-99.99:99:99"]
    for _ in range(300):
        changes = {chance.choice(names): chance.choice(hostile) for _ in range(2)}
        with suppress(Rejected):
            list(nuvei.adapter.read(sent("captured", **changes), nuvei.config))


def test_form_with_too_many_fields_is_malformed(sent, nuvei, refusal):
    delivery = sent("captured")
    swollen = replace(delivery, body=delivery.body + b"&a=1" * 600)
    assert Cause.MALFORMED == refusal(nuvei, swollen)
    assert swollen.body == nuvei.adapter.key(swollen, nuvei.config)


def test_form_in_the_query_can_be_signed(sent, nuvei, refusal):
    posted = sent("captured")
    got = replace(posted, method="GET", query=posted.body.decode() + "&totalAmountUSD=7", body=b"")
    signed = nuvei.adapter.scheme.sign(got, nuvei.config)
    assert b"" == signed.body
    assert refusal(nuvei, signed) is None
