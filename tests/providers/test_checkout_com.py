import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.domain.errors import Cause, Rejected

TOKEN = "psk_sbox_development"


@pytest.fixture
def checkout(instance_of):
    return instance_of("checkout_com")


@pytest.fixture
def body(checkout, simulated):
    return lambda kind: json.loads(simulated(checkout, kind).body)


@pytest.fixture
def read(checkout, simulated, resigned):
    """The one event of a body."""

    def make(document):
        delivery = resigned(checkout, simulated(checkout, "authorized"), document)
        (event,) = checkout.adapter.read(delivery, checkout.config)
        return event

    return make


@pytest.fixture
def told(body, read):
    """The one event of a kind under another type, with fields of its data replaced."""

    def make(kind, word=None, **changes):
        document = body(kind)
        document["type"] = word or document["type"]
        document["data"].update(changes)
        return read(document)

    return make


def with_header(delivery, name, *values):
    kept = tuple(pair for pair in delivery.headers if pair[0] != name)
    return replace(delivery, headers=kept + tuple((name, value) for value in values))


@pytest.mark.parametrize(
    ("word", "status", "change"),
    [
        ("payment_pending", "pending", None),
        ("payment_approved", "authorized", None),
        ("payment_captured", "authorized", "captured"),
        ("payment_capture_declined", None, "capture_failed"),
        ("payment_declined", "error", None),
        ("payment_authentication_failed", "error", None),
        ("authentication_failed", "error", None),
        ("authentication_expired", "error", None),
        ("authentication_started", "requires_more", None),
        ("payment_canceled", "canceled", None),
        ("payment_expired", "canceled", None),
        ("payment_voided", "canceled", "voided"),
        ("payment_refunded", None, "refunded"),
        ("payment_returned", None, "refunded"),
        ("payment_refund_declined", None, "refund_failed"),
        ("dispute_received", None, "disputed"),
        ("dispute_evidence_required", None, "disputed"),
        ("dispute_won", None, "dispute_won"),
        ("dispute_canceled", None, "dispute_won"),
        ("dispute_arbitration_won", None, "dispute_won"),
        ("dispute_lost", None, "dispute_lost"),
        ("dispute_accepted", None, "dispute_lost"),
        ("dispute_expired", None, "dispute_lost"),
        ("dispute_arbitration_lost", None, "dispute_lost"),
    ],
)
def test_type_means_what_the_table_says(word, status, change, told):
    kinds = {"payment": "captured", "dispute": "disputed", "authentication": "requires_action"}
    event = told(kinds[word.partition("_")[0]], word)
    said = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, said)
    assert ("ext_42", "payses_01JDTEST") == (event.external_id, event.reference)
    assert (4250, "EUR") == (event.amount, event.currency)


@pytest.mark.parametrize(
    "word",
    "payment_authorization_incremented payment_authorization_increment_declined payment_paid"
    " payment_capture_pending payment_void_declined payment_refund_pending payment_action_invoked"
    " authentication_approved authentication_attempted dispute_evidence_submitted"
    " dispute_evidence_acknowledged_by_scheme dispute_arbitration_sent_to_scheme dispute_resolved"
    " card_verified card_verification_declined payment_instrument_created"
    " payment_account_updated".split(),
)
def test_type_of_no_concern_is_ignored_by_name(word, told):
    event = told("captured", word, amount=None, id=None)
    assert (False, True) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize("changes", [{"payment_type": "Payout"}, {"amount": 0}])
def test_approval_of_a_payout_or_of_nothing_holds_no_money(changes, told):
    event = told("authorized", **changes)
    assert (False, True) == (event.concerns_payment, event.recognized)


def test_action_makes_a_capture_one_of_its_own(told):
    first, second = told("captured", action_id="act_1"), told("captured", action_id="act_2")
    assert ["act_1", "act_2"] == [e.payment_change.reference for e in (first, second)]
    assert "evt_captured" == told("captured", action_id=None).payment_change.reference
    assert "dsp_1" == told("disputed", id="dsp_1").payment_change.reference


def test_metadata_go_before_a_references_of_an_action(told):
    assert "payses_01JDTEST" == told("refunded", reference="refund-1").reference
    assert "refund-1" == told("refunded", reference="refund-1", metadata={}).reference
    assert "p1" == told("disputed", payment_reference="p1", reference="d1").reference


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [(1500, "JPY", 1500), (1500, "KWD", 1500), (150000, "CLP", 1500), (15, "CLF", 150000)],
)
def test_amounts_become_isos_minor_units(amount, currency, expected, told):
    assert expected == told("captured", amount=amount, currency=currency).amount


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("captured", {"amount": None}),
        ("authorized", {"currency": None}),
        ("refunded", {"amount": 12.5}),
        ("captured", {"amount": 1550, "currency": "CLP"}),
        ("failed", {"id": None}),
    ],
)
def test_data_that_cannot_be_read_are_malformed(kind, changes, told):
    with pytest.raises(Rejected) as refused:
        told(kind, **changes)
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize("data", [None, [], "x"])
def test_payment_without_data_is_malformed(data, body, read):
    with pytest.raises(Rejected) as refused:
        read({**body("failed"), "data": data})
    assert Cause.MALFORMED == refused.value.cause


def test_authentication_may_come_without_the_wrapper(body, read):
    document = body("requires_action")
    event = read({**document, **document.pop("data"), "type": "authentication_failed"})
    assert ("error", "ext_42") == (event.session_status, event.external_id)


def test_broken_authentication_is_let_be_and_any_other_is_malformed(read):
    event = read('{"type":"authentication_failed","x":"\ufffd}'.encode())
    assert not event.concerns_payment
    with pytest.raises(Rejected):
        read(b'{"type":"payment_captured"')


def test_time_is_the_events_and_may_be_named_otherwise(body, read):
    document = body("captured") | {"created_on": "2025-11-24T16:00:04.8821546Z"}
    assert datetime(2025, 11, 24, 16, 0, 4, 882154, UTC) == read(document).occurred_at
    del document["created_on"]
    document["timestamp"] = "2025-11-24T17:00:04+01:00"
    assert datetime(2025, 11, 24, 16, 0, 4, tzinfo=UTC) == read(document).occurred_at


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://api.checkout.com/workflows/events/evt_1", True),
        ("https://k4x.api.checkout.com/workflows", True),
        ("https://k4x.api.sandbox.checkout.com/workflows", False),
        ("https://api.checkout.com.example.org/", None),
        (7, None),
    ],
)
def test_mode_is_told_by_the_host_of_the_link(link, expected, body, read):
    assert expected is read({**body("captured"), "_links": {"self": {"href": link}}}).livemode


def test_signature_may_be_in_upper_case(checkout, simulated, refusal):
    delivery = simulated(checkout, "captured")
    (value,) = delivery.header_values("Cko-Signature")
    assert refusal(checkout, with_header(delivery, "Cko-Signature", value.upper())) is None


def test_signature_is_over_the_bytes_as_they_came(checkout, simulated, refusal):
    raw = '{ "name":"caf\u00e9 \u00a9 \u2122" }'.encode()
    key = checkout.config.signature_keys[0].bytes
    delivery = replace(simulated(checkout, "captured"), body=raw)
    signed = with_header(delivery, "Cko-Signature", hmac.digest(key, raw, hashlib.sha256).hex())
    assert refusal(checkout, signed) is None
    assert Cause.BAD_SIGNATURE == refusal(checkout, replace(signed, body=raw.replace(b" ", b"")))


@pytest.mark.parametrize(
    "values", [(), (TOKEN, TOKEN), ("",), (f"Bearer {TOKEN}",), (TOKEN.upper(),), ("é",)]
)
def test_authorization_must_come_as_it_was_configured(values, instance_of, simulated, refusal):
    instance = instance_of("checkout_com", authorization_key=TOKEN)
    delivery = simulated(instance, "captured")
    assert refusal(instance, delivery) is None
    wrong = with_header(delivery, "Authorization", *values)
    assert Cause.BAD_CREDENTIALS == refusal(instance, wrong)


def test_authorization_alone_is_no_signature(instance_of, simulated, refusal):
    instance = instance_of("checkout_com", authorization_key=TOKEN)
    unsigned = with_header(simulated(instance, "captured"), "Cko-Signature")
    assert Cause.MISSING_SIGNATURE == refusal(instance, unsigned)


def test_authorization_alone_will_do_where_the_operator_says_so(instance_of, simulated, refusal):
    settings = {"authorization_key": TOKEN, "accept_unsigned": True}
    instance = instance_of("checkout_com", **settings)
    delivery = simulated(instance, "captured")
    unsigned = with_header(delivery, "Cko-Signature")
    assert "authorization_key" == instance.adapter.verify(unsigned, instance.config).secret
    wrong = with_header(unsigned, "Authorization", "other")
    assert Cause.BAD_CREDENTIALS == refusal(instance, wrong)
    assert Cause.BAD_SIGNATURE == refusal(instance, replace(delivery, body=b"{}"))


def test_accepting_unsigned_ones_needs_a_key_all_the_same(instance_of, simulated, refusal):
    instance = instance_of("checkout_com", accept_unsigned=True)
    unsigned = with_header(simulated(instance, "captured"), "Cko-Signature")
    assert Cause.MISSING_SIGNATURE == refusal(instance, unsigned)
