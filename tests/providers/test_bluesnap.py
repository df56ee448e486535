import hashlib
import hmac
import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode

import pytest

from gateway.domain.errors import Cause, Rejected

CLOCK, SIGNATURE = "Bls-Ipn-Timestamp", "Bls-Signature"


@pytest.fixture
def bluesnap(instance_of):
    return instance_of("bluesnap")


@pytest.fixture
def sent(bluesnap, simulated):
    """A delivery of a kind with fields of its form replaced (None: left out), signed for it."""

    def make(kind, **changes):
        delivery = simulated(bluesnap, kind)
        form = dict(parse_qsl(delivery.body.decode(), keep_blank_values=True)) | changes
        body = urlencode({name: value for name, value in form.items() if value is not None})
        return bluesnap.adapter.scheme.sign(replace(delivery, body=body.encode()), bluesnap.config)

    return make


@pytest.fixture
def read(bluesnap, sent):
    def make(kind, **changes):
        (event,) = bluesnap.adapter.read(sent(kind, **changes), bluesnap.config)
        return event

    return make


@pytest.fixture
def clocked(bluesnap, simulated):
    """A delivery signed over another text of its time."""

    def make(text, body=None):
        delivery = simulated(bluesnap, "captured")
        body = delivery.body if body is None else body
        key = bluesnap.config.security_header_keys[0].bytes
        value = hmac.digest(key, text.encode() + body, hashlib.sha256).hex()
        return replace(delivery, body=body, headers=((CLOCK, text), (SIGNATURE, value)))

    return make


@pytest.mark.parametrize(
    ("kind", "status", "change"),
    [
        ("CHARGE", "authorized", "captured"),
        ("AUTH_ONLY", "authorized", None),
        ("DECLINE", "error", None),
        ("CC_CHARGE_FAILED", "error", None),
        ("REFUND", None, "refunded"),
        ("CHARGEBACK", None, "disputed"),
    ],
)
def test_type_means_what_the_table_says(kind, status, change, read):
    event = read("captured", transactionType=kind)
    said = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, said)
    assert ("ext_42", "payses_01JDTEST") == (event.external_id, event.reference)
    assert (4250, "EUR") == (event.amount, event.currency)


@pytest.mark.parametrize("kind", ["CHARGEBACK", "CHARGEBACK_STATUS_CHANGED"])
@pytest.mark.parametrize(
    ("status", "change"),
    [
        ("New", "disputed"),
        ("Working", "disputed"),
        ("Completed_Won", "dispute_won"),
        ("Completed_Lost", "dispute_lost"),
        ("Closed", "dispute_lost"),
    ],
)
def test_chargeback_means_what_its_status_says_in_either_case(kind, status, change, read):
    for spelt in (status, status.upper(), status.lower()):
        event = read("disputed", transactionType=kind, cbStatus=spelt)
        assert change == event.payment_change.kind


@pytest.mark.parametrize(
    "changes",
    [
        {"transactionType": "CHARGEBACK_STATUS_CHANGED", "cbStatus": "Completed_Pending"},
        {"transactionType": "CANCELLATION"},
        {"transactionType": "CONTRACT_CHANGE"},
        {"transactionType": "RECURRING"},
        {"transactionType": "SUBSCRIPTION_REMINDER"},
        {"transactionType": "CANCEL_ON_RENEWAL", "referenceNumber": None},
    ],
)
def test_type_of_no_concern_is_ignored_by_name(changes, read):
    event = read("captured", **changes)
    assert (False, True) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize(
    "changes",
    [{"transactionType": "CHARGE_REVIEWED"}, {"transactionType": "CHARGEBACK", "cbStatus": "Odd"}],
)
def test_unheard_of_word_is_no_failure(changes, read):
    event = read("captured", **changes)
    assert (False, False) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("-15.00", "EUR", 1500),
        ("1,234.50", "USD", 123450),
        ("-1,234,567.89", "USD", 123456789),
        ("1500", "JPY", 1500),
        ("1.500", "KWD", 1500),
    ],
)
def test_amounts_may_have_commas_and_be_negative(amount, currency, expected, read):
    event = read("refunded", invoiceChargeAmount=amount, invoiceChargeCurrency=currency)
    assert (expected, currency) == (event.amount, event.currency)


def test_currency_has_two_names(read):
    assert "USD" == read("captured", invoiceChargeCurrency="USD").currency
    assert "EUR" == read("captured", invoiceChargeCurrency="").currency


@pytest.mark.parametrize(
    "changes",
    [
        {"invoiceChargeAmount": "42,50"},
        {"invoiceChargeAmount": "1,2,3.00"},
        {"invoiceChargeAmount": "--5"},
        {"invoiceChargeAmount": "1e3"},
        {"invoiceChargeAmount": ""},
        {"invoiceChargeCurrency": "EURO"},
        {"referenceNumber": ""},
        {"transactionType": ""},
    ],
)
def test_charge_that_cannot_be_read_is_malformed(changes, read):
    with pytest.raises(Rejected) as refused:
        read("captured", **changes)
    assert Cause.MALFORMED == refused.value.cause


def test_decline_may_come_without_money(read):
    assert read("failed", invoiceChargeAmount=None).amount is None


def test_refunds_of_one_charge_are_told_apart(read):
    by_id = [read("refunded", reversalRefNum=number) for number in ("1", "2")]
    by_date = [
        read("refunded", reversalRefNum=None, transactionDate=f"11/24/2025 08:0{minute} AM")
        for minute in (1, 2)
    ]
    for pair in (by_id, by_date):
        assert 2 == len({event.event_id for event in pair})
        assert 2 == len({event.payment_change.reference for event in pair})
    assert "1" == by_id[0].payment_change.reference


def test_all_words_on_a_chargeback_are_about_one_dispute(read):
    told = [read(kind) for kind in ("disputed", "dispute_won", "dispute_lost")]
    assert 1 == len({event.payment_change.reference for event in told})
    assert 3 == len({event.event_id for event in told})


@pytest.mark.parametrize(("mode", "live"), [("Y", False), ("N", True), ("n", True), ("", None)])
def test_mode_is_told(mode, live, read):
    assert live is read("captured", testMode=mode).livemode


def test_time_is_the_signed_one(bluesnap, clocked):
    (event,) = bluesnap.adapter.read(clocked("2026-11-18 11:06:40.120"), bluesnap.config)
    assert datetime(2026, 11, 18, 11, 6, 40, 120000, UTC) == event.occurred_at


def test_milliseconds_may_be_missing(bluesnap, clocked, refusal):
    assert refusal(bluesnap, clocked("2025-11-24 16:00:00")) is None


@pytest.mark.parametrize(
    "text", ["2025-11-24T16:00:00", "1763999999", "2025-13-24 16:00:00", "2025-11-24 16:00:00Z"]
)
def test_other_forms_of_time_are_malformed(text, bluesnap, clocked, refusal):
    delivery = clocked(text)
    assert Cause.MALFORMED == refusal(bluesnap, delivery)
    assert Cause.BAD_SIGNATURE == refusal(bluesnap, replace(delivery, body=b"a=1"))


def test_time_that_is_no_text_is_forged(bluesnap, clocked, refusal):
    delivery = clocked("2025-11-24 16:00:00")
    headers = tuple((n, "\udc80" if n == CLOCK else v) for n, v in delivery.headers)
    assert Cause.BAD_SIGNATURE == refusal(bluesnap, replace(delivery, headers=headers))


def test_time_and_body_cannot_be_parted_elsewhere(bluesnap, clocked, refusal):
    """Both texts have the same HMAC, but the first field would have another name."""
    whole = clocked("2025-11-24 16:00:00.123")
    (value,) = whole.header_values(SIGNATURE)
    headers = ((CLOCK, "2025-11-24 16:00:00"), (SIGNATURE, value))
    shifted = replace(whole, headers=headers, body=b".123" + whole.body)
    assert refusal(bluesnap, whole) is None
    assert Cause.MALFORMED == refusal(bluesnap, shifted)


def test_window_is_a_quarter_of_an_hour(bluesnap, simulated, refusal, at):
    delivery = simulated(bluesnap, "captured")
    for seconds, cause in ((900, None), (901, Cause.STALE_TIMESTAMP)):
        for sign in (1, -1):
            judged = replace(delivery, received_at=at + sign * timedelta(seconds=seconds))
            assert cause == refusal(bluesnap, judged)


def test_signature_may_be_in_upper_case(bluesnap, simulated, refusal):
    delivery = simulated(bluesnap, "captured")
    upper = tuple((n, v.upper() if n == SIGNATURE else v) for n, v in delivery.headers)
    assert refusal(bluesnap, replace(delivery, headers=upper)) is None


def test_form_that_was_encoded_again_is_refused(bluesnap, sent, refusal):
    delivery = sent("captured", contractName="Caf\u00e9 & Shop")
    again = replace(delivery, body=delivery.body.replace(b"Caf%C3%A9+", b"Caf%c3%a9%20"))
    assert again.body != delivery.body
    assert refusal(bluesnap, delivery) is None
    assert Cause.BAD_SIGNATURE == refusal(bluesnap, again)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_empty_probe_is_answered(method, bluesnap, simulated):
    delivery = simulated(bluesnap, "captured")
    probe = replace(delivery, method=method, body=b"", headers=())
    assert 200 == bluesnap.adapter.handshake(probe, bluesnap.config).status
    assert bluesnap.adapter.handshake(replace(probe, query="a=1"), bluesnap.config) is None
    assert bluesnap.adapter.handshake(delivery, bluesnap.config) is None


def test_query_says_nothing_since_it_is_not_signed(bluesnap, sent):
    delivery = sent("captured")
    got = replace(delivery, method="GET", query="transactionType=CHARGE&referenceNumber=1")
    (told,), (same,) = (bluesnap.adapter.read(one, bluesnap.config) for one in (got, delivery))
    assert same == told


def test_payers_name_in_another_encoding_spoils_nothing(bluesnap, clocked):
    body = b"transactionType=DECLINE&referenceNumber=1&invoiceFirstName=J%F6rg&invoiceCompany=\xf6"
    (event,) = bluesnap.adapter.read(clocked("2025-11-24 16:00:00", body), bluesnap.config)
    assert "error" == event.session_status


def test_any_signed_form_raises_nothing_but_rejected(bluesnap, sent, simulated):
    chance = random.Random("bluesnap")
    names = [name for name, _ in parse_qsl(simulated(bluesnap, "refunded").body.decode())]
    hostile = ["", "x" * 1000, "\u00e9\x00", "-1", "1e999", "NaN", "٣", ",", "9" * 400]
    for _ in range(300):
        changes = {chance.choice(names): chance.choice(hostile) for _ in range(2)}
        with suppress(Rejected):
            list(bluesnap.adapter.read(sent("refunded", **changes), bluesnap.config))
