import json
from dataclasses import replace
from datetime import timedelta

import pytest
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected
from providers.contract import ApiAnswer


@pytest.fixture
def omise(instance_of):
    return instance_of("omise")


@pytest.fixture
def asking(instance_of):
    """An account without webhook secrets: nothing is signed."""
    return instance_of("omise", webhook_secrets=[], secret_key="skey_test_development")


@pytest.fixture
def read(omise, simulated, resigned):
    """The one event of a kind under another key, with fields of its object replaced."""

    def make(kind, name=None, **changes):
        delivery = simulated(omise, kind)
        body = json.loads(delivery.body)
        body["key"] = name or body["key"]
        body["data"] |= changes
        (event,) = omise.adapter.read(resigned(omise, delivery, body), omise.config)
        return event

    return make


@pytest.fixture
def settled(asking, omise, simulated):
    """What comes of an unsigned delivery when the API answers so, and what it was asked."""

    def make(answer, status=200, body=None):
        delivery = simulated(omise, "captured", event_id="evnt_captured")
        delivery = replace(delivery, headers=(), body=body or delivery.body)
        settlement = asking.adapter.settle(delivery, asking.config)
        asked = next(settlement)
        try:
            settlement.send(ApiAnswer(status, answer))
        except StopIteration as end:
            (event,) = end.value
            return event, asked

    return make


HELD = {"status": "pending", "authorized": True, "capture": False}
WAITING = {"status": "pending", "authorized": False, "authorize_uri": "https://pay.example.com/a"}
PENDING = {"status": "pending", "authorized": False, "authorize_uri": None}


@pytest.mark.parametrize(
    ("kind", "name", "changes", "status", "change"),
    [
        ("captured", "charge.create", WAITING, "requires_more", None),
        ("captured", "charge.create", HELD, "authorized", None),
        ("captured", "charge.create", HELD | {"authorize_uri": "https://a"}, "authorized", None),
        ("captured", "charge.create", HELD | {"capture": True}, "pending", None),
        ("captured", "charge.create", PENDING, "pending", None),
        ("captured", "charge.create", {}, "authorized", "captured"),
        ("captured", "charge.create", {"status": "failed"}, "error", None),
        ("captured", "charge.complete", WAITING, "pending", None),
        ("captured", "charge.complete", HELD, "authorized", None),
        ("captured", "charge.complete", PENDING, "pending", None),
        ("captured", "charge.complete", {}, "authorized", "captured"),
        ("captured", "charge.complete", {"status": "failed"}, "error", None),
        ("captured", "charge.complete", {"status": "expired"}, "canceled", None),
        ("captured", "charge.capture", {}, "authorized", "captured"),
        ("captured", "charge.capture", {"status": "failed"}, None, "capture_failed"),
        ("captured", "charge.expire", {"status": "expired"}, "canceled", "voided"),
        ("captured", "charge.reverse", {"status": "reversed"}, "canceled", "voided"),
        ("captured", "charge.update", {}, None, None),
        ("refunded", "refund.create", {"status": "closed"}, None, "refunded"),
        ("refunded", "refund.create", {"status": None}, None, "refunded"),
        ("refunded", "refund.create", {"status": "pending"}, None, None),
        ("disputed", "dispute.create", {}, None, "disputed"),
        ("disputed", "dispute.update", {}, None, None),
        ("disputed", "dispute.accept", {"status": "lost"}, None, "dispute_lost"),
        ("disputed", "dispute.close", {"status": "won"}, None, "dispute_won"),
        ("disputed", "dispute.close", {"status": "lost"}, None, "dispute_lost"),
        ("ignored", "card.update", {}, None, None),
        ("ignored", "linked_account.create", {}, None, None),
    ],
)
def test_event_means_what_the_table_says(kind, name, changes, status, change, read):
    event = read(kind, name, **changes)
    told = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, told)
    assert event.recognized


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("{sig}", None),
        ("{zero},{sig}", None),
        (" {sig} , {zero} ", None),
        ("{zero},{zero}", Cause.BAD_SIGNATURE),
        ("{zero};{sig}", Cause.BAD_SIGNATURE),
        ("v1={sig}", Cause.BAD_SIGNATURE),
    ],
)
def test_two_signatures_come_while_a_secret_is_rolled(value, cause, omise, simulated, refusal):
    delivery = simulated(omise, "captured")
    (good,) = delivery.header_values("Omise-Signature")
    (stamp,) = delivery.header_values("Omise-Signature-Timestamp")
    made = value.format(sig=good, zero="0" * 64)
    headers = (("omise-signature", made), ("omise-signature-timestamp", stamp))
    assert cause == refusal(omise, replace(delivery, headers=headers))


def test_secret_is_decoded_before_it_signs(instance_of, simulated, omise, refusal):
    """An unpadded copy of the same base64 is the same key."""
    (secret,) = omise.config.webhook_secrets
    unpadded = instance_of("omise", webhook_secrets=[secret.value.rstrip("=")])
    assert refusal(unpadded, simulated(omise, "captured")) is None


@pytest.mark.parametrize("secret", ["not base64!", "é", "===="])
def test_secret_must_be_base64(secret, instance_of):
    with pytest.raises(ValidationError, match="base64"):
        instance_of("omise", webhook_secrets=[secret])


def test_without_a_tolerance_a_late_repeat_is_taken(instance_of, omise, simulated, refusal, at):
    late = replace(simulated(omise, "captured"), received_at=at + timedelta(days=2))
    assert Cause.STALE_TIMESTAMP == refusal(omise, late)
    assert refusal(instance_of("omise", tolerance_seconds=None), late) is None


def test_money_is_what_was_held_or_taken(read):
    sums = {"amount": 1000, "authorized_amount": 900, "captured_amount": 600}
    assert 600 == read("captured", **sums).amount
    assert 900 == read("authorized", **sums).amount
    assert 1000 == read("failed", **sums).amount
    old = read("captured", captured_amount=None, authorized_amount=None, currency="thb")
    assert (4250, "THB") == (old.amount, old.currency)


def test_creation_and_capture_tell_of_the_same_money(read):
    assert read("captured").payment_change == read("captured", "charge.create").payment_change


def test_refund_and_dispute_belong_to_their_charge(read):
    for kind in ("refunded", "disputed"):
        event = read(kind, id="own_1", charge="chrg_1")
        assert ("chrg_1", "own_1") == (event.external_id, event.payment_change.reference)
        assert "chrg_2" == read(kind, charge={"object": "charge", "id": "chrg_2"}).external_id


def test_older_name_of_the_time_is_known(omise, simulated, resigned, at):
    delivery = simulated(omise, "captured")
    body = json.loads(delivery.body)
    body["created"] = body.pop("created_at")
    (event,) = omise.adapter.read(resigned(omise, delivery, body), omise.config)
    assert at == event.occurred_at
    assert event.livemode is False


def test_unsigned_account_is_settled_by_the_api(asking, omise, settled, simulated):
    delivery = simulated(omise, "captured", event_id="evnt_captured")
    assert not asking.adapter.verify(replace(delivery, headers=()), asking.config).settled
    answer = json.loads(delivery.body)
    answer["data"]["captured_amount"] = 7
    event, asked = settled(json.dumps(answer).encode())
    assert ("captured", 7) == (event.payment_change.kind, event.amount)
    assert "https://api.omise.co/events/evnt_captured" == asked.url
    assert (("Authorization", "Basic c2tleV90ZXN0X2RldmVsb3BtZW50Og=="),) == asked.headers


@pytest.mark.parametrize(
    ("answer", "status", "cause"),
    [
        (b"{}", 404, Cause.UNKNOWN_PAYMENT),
        (b"{}", 401, Cause.UNVERIFIABLE),
        (b'{"id": "evnt_other"}', 200, Cause.UNVERIFIABLE),
        (b"[]", 200, Cause.MALFORMED),
    ],
)
def test_answer_that_does_not_confirm_refuses(answer, status, cause, settled):
    with pytest.raises(Rejected) as refused:
        settled(answer, status)
    assert cause == refused.value.cause


@pytest.mark.parametrize("body", [b'{"id": "../charges"}', b'{"id": "evnt_1/x"}', b"{}", b"x"])
def test_only_an_events_id_is_asked_for(body, settled):
    with pytest.raises(Rejected) as refused:
        settled(b"{}", body=body)
    assert Cause.MALFORMED == refused.value.cause


def test_signature_is_never_optional_where_there_is_a_secret(instance_of, simulated, refusal):
    both = instance_of("omise", secret_key="skey_test_development")
    bare = replace(simulated(both, "captured"), headers=())
    assert Cause.MISSING_SIGNATURE == refusal(both, bare)
