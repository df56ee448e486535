import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected

URL = "https://pay.example.com/webhooks/rapyd"


@pytest.fixture
def shop(instance_of):
    return instance_of("rapyd", webhook_url=URL)


@pytest.fixture
def read(shop, simulated, resigned):
    """The one event of a kind under another type, with fields of its data replaced."""

    def make(kind, word=None, **changes):
        delivery = simulated(shop, kind)
        body = json.loads(delivery.body)
        body["type"] = word or body["type"]
        body["data"].update(changes)
        (event,) = shop.adapter.read(resigned(shop, delivery, body), shop.config)
        return event

    return make


def meaning(event):
    return event.session_status, event.payment_change and event.payment_change.kind


@pytest.mark.parametrize("word", ["PAYMENT_SUCCEEDED", "PAYMENT_UPDATED"])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "CLO"}, ("authorized", "captured")),
        (
            {"status": "ACT", "captured": False, "next_action": "pending_capture"},
            ("authorized", None),
        ),
        ({"status": "ACT", "captured": True, "next_action": "pending_capture"}, ("pending", None)),
        ({"status": "ACT", "next_action": "3d_verification"}, ("requires_more", None)),
        ({"status": "ACT", "next_action": "pending_confirmation"}, ("pending", None)),
        ({"status": "ACT", "next_action": None}, ("pending", None)),
        ({"status": "ERR"}, ("error", None)),
        ({"status": "TELEPORTED"}, (None, None)),
    ],
)
def test_state_tells_where_the_type_does_not(word, changes, expected, read):
    assert expected == meaning(read("captured", word, **changes))


@pytest.mark.parametrize(
    ("kind", "word", "changes", "expected"),
    [
        ("captured", "PAYMENT_COMPLETED", {}, ("authorized", "captured")),
        ("captured", "PAYMENT_COMPLETED", {"paid": False}, ("pending", None)),
        ("captured", "PAYMENT_CAPTURED", {}, ("authorized", "captured")),
        ("failed", "PAYMENT_FAILED", {}, ("error", None)),
        ("canceled", "PAYMENT_CANCELED", {"captured": False}, ("canceled", "voided")),
        ("canceled", "PAYMENT_CANCELED", {"captured": True}, ("canceled", None)),
        ("expired", "PAYMENT_EXPIRED", {}, ("canceled", None)),
        ("expired", "PAYMENT_REVERSED", {}, ("canceled", "voided")),
        ("refunded", "REFUND_COMPLETED", {}, (None, "refunded")),
        ("refunded", "PAYMENT_REFUND_FAILED", {}, (None, "refund_failed")),
        ("refunded", "PAYMENT_REFUND_REJECTED", {}, (None, "refund_failed")),
        ("disputed", "PAYMENT_DISPUTE_CREATED", {}, (None, "disputed")),
        ("disputed", "PAYMENT_DISPUTE_UPDATED", {"status": "WIN"}, (None, "dispute_won")),
        ("disputed", "PAYMENT_DISPUTE_UPDATED", {"status": "LOS"}, (None, "dispute_lost")),
        ("disputed", "PAYMENT_DISPUTE_UPDATED", {"status": "RVW"}, (None, None)),
        ("ignored", "PAYOUT_COMPLETED", {}, (None, None)),
        ("ignored", "PAYMENT_SUBSCRIPTION_CREATED", {}, (None, None)),
    ],
)
def test_event_means_what_the_table_says(kind, word, changes, expected, read):
    event = read(kind, word, **changes)
    assert expected == meaning(event)
    assert event.recognized


def test_signature_is_base64_of_hex_over_url_salt_time_keys_and_body(shop, simulated):
    delivery = simulated(shop, "captured")
    salt, stamp, given = (delivery.header_values(n)[0] for n in ("salt", "timestamp", "signature"))
    access, secret = shop.config.access_key[0], shop.config.secret_key[0].value
    message = f"{URL}{salt}{stamp}{access}{secret}".encode() + delivery.body
    digest = hmac.digest(secret.encode(), message, hashlib.sha256)
    assert base64.urlsafe_b64encode(digest.hex().encode()).decode() == given
    raw = base64.b64encode(digest).decode()
    assert Cause.BAD_SIGNATURE == _refusal(shop, _with(delivery, "signature", raw))


@pytest.mark.parametrize("name", ["salt", "timestamp"])
def test_salt_and_time_are_signed(name, shop, simulated):
    delivery = simulated(shop, "captured")
    assert Cause.BAD_SIGNATURE == _refusal(shop, _with(delivery, name, "1"))
    assert Cause.MISSING_SIGNATURE == _refusal(shop, _with(delivery, name, ""))


def test_several_key_pairs_may_live(shop, simulated, instance_of):
    delivery = simulated(shop, "captured")
    both = {"access_key": ["rak_new", shop.config.access_key[0]], "webhook_url": URL}
    secrets = ["rsk_new", shop.config.secret_key[0].value]
    rotating = instance_of("rapyd", secret_key=secrets, **both)
    verdict = rotating.adapter.verify(delivery, rotating.config)
    assert "secret_key[1]" == verdict.secret
    assert Cause.NOT_CONFIGURED == _refusal(
        instance_of("rapyd", **both | {"access_key": []}), delivery
    )


@pytest.mark.parametrize("url", [f"{URL}/", URL.replace("https", "http"), "https://x.example/"])
def test_registered_url_counts_to_the_last_letter(url, shop, simulated, instance_of):
    delivery = simulated(shop, "captured")
    other = instance_of("rapyd", webhook_url=url)
    assert Cause.BAD_SIGNATURE == _refusal(other, delivery)


@pytest.mark.parametrize("url", ["", "/webhooks/rapyd", "https://a b"])
def test_webhook_url_must_be_one(url, instance_of):
    with pytest.raises(ValidationError, match="webhook_url"):
        instance_of("rapyd", webhook_url=url)


def test_amount_that_is_not_captured_yet_is_the_original_one(read):
    assert 4250 == read("authorized", amount=0, original_amount=42.5).amount
    assert 1000 == read("captured", amount=10, original_amount=42.5).amount
    with pytest.raises(Rejected) as refused:
        read("captured", amount=None, original_amount=None)
    assert Cause.MALFORMED is refused.value.cause


def test_reference_of_a_refund_is_not_the_refunds_own(read):
    assert "payses_01JDTEST" == read("refunded").reference
    assert read("refunded", metadata=None).reference is None
    assert "mine" == read("captured", merchant_reference_id="mine").reference
    assert "payses_01JDTEST" == read("captured", merchant_reference_id="").reference


def test_refund_and_dispute_belong_to_their_payment(read):
    refund, dispute = read("refunded", payment={"id": "payment_1"}), read("disputed")
    assert ("payment_1", "ext_42") == (refund.external_id, dispute.external_id)
    assert refund.payment_change.reference.startswith("refund_")
    assert dispute.payment_change.reference.startswith("dispute_")


def test_dispute_may_be_named_by_its_token(read):
    event = read("disputed", id=None, token="dispute_7")
    assert "dispute_7" == event.payment_change.reference
    with pytest.raises(Rejected) as refused:
        read("captured", id=None, token="dispute_7")
    assert Cause.MALFORMED is refused.value.cause


@pytest.mark.parametrize("kind", ["disputed", "failed", "expired"])
def test_money_may_be_untold_where_none_moves(kind, read):
    untold = {"amount": None, "original_amount": None, "currency": None, "currency_code": None}
    event = read(kind, **untold)
    assert (True, None, None) == (event.concerns_payment, event.amount, event.currency)
    with pytest.raises(Rejected) as refused:
        read("captured", **untold)
    assert Cause.MALFORMED is refused.value.cause


def test_time_is_the_envelopes(shop, simulated, resigned, at):
    delivery = simulated(shop, "captured")
    body = json.loads(delivery.body)
    expected = {
        (1795000000, 1795000000120): datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC),
        (None, 1795000000120): datetime(2026, 11, 18, 11, 6, 40, 120000, UTC),
        (None, None): at,
    }
    for (created, extended), time in expected.items():
        body |= {"created_at": created, "extended_timestamp": extended}
        (event,) = shop.adapter.read(resigned(shop, delivery, body), shop.config)
        assert time == event.occurred_at


def _with(delivery, name, value):
    kept = tuple(pair for pair in delivery.headers if pair[0] != name)
    return replace(delivery, headers=(*kept, (name, value)))


def _refusal(instance, delivery):
    with pytest.raises(Rejected) as refused:
        instance.adapter.verify(delivery, instance.config)
    return refused.value.cause
