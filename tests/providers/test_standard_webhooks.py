import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = "whpk_" + base64.b64encode(PRIVATE.public_key().public_bytes_raw()).decode()
MAPPING = {
    "amount_unit": "major",
    "change_id": "data.refund",
    "livemode": "live",
    "types": {"paid": {"session_status": "authorized"}, "back": {"payment_event": "refunded"}},
}
BODY = {"type": "paid", "data": {"id": "p1", "amount": "42.50", "currency": "eur"}}


@pytest.fixture
def sender(instance_of):
    return instance_of("standard_webhooks")


@pytest.fixture
def read(instance_of, simulated, resigned):
    """The events of a body by a mapping."""

    def make(body, **mapping):
        instance = instance_of("standard_webhooks", mapping={**MAPPING, **mapping})
        delivery = simulated(instance_of("standard_webhooks"), "captured")
        return list(instance.adapter.read(resigned(instance, delivery, body), instance.config))

    return make


def renamed(delivery, *names, family="svix"):
    """The delivery with the headers of these names under another family."""
    return replace(
        delivery,
        headers=tuple(
            (f"{family}-{name.removeprefix('webhook-')}" if name in names else name, value)
            for name, value in delivery.headers
        ),
    )


def with_header(delivery, name, value):
    kept = tuple(pair for pair in delivery.headers if pair[0] != name)
    return replace(delivery, headers=(*kept, (name, value)))


def content_of(delivery):
    message_id, stamp = (delivery.header_values(f"webhook-{x}")[0] for x in ("id", "timestamp"))
    return f"{message_id}.{stamp}.".encode() + delivery.body


def signed_v1a(delivery):
    value = base64.b64encode(PRIVATE.sign(content_of(delivery))).decode()
    return with_header(delivery, "webhook-signature", f"v1a,{value}")


ALL = ("webhook-id", "webhook-timestamp", "webhook-signature")


def test_svix_names_are_accepted(sender, simulated, refusal):
    delivery = renamed(simulated(sender, "captured"), *ALL)
    assert refusal(sender, delivery) is None
    (event,) = sender.adapter.read(delivery, sender.config)
    assert "evt_captured" == event.event_id


@pytest.mark.parametrize("moved", [ALL[:1], ALL[1:2], ALL[2:], ALL[:2], ALL[1:]])
def test_families_are_never_mixed(moved, sender, simulated, refusal):
    delivery = renamed(simulated(sender, "captured"), *moved)
    assert Cause.MISSING_SIGNATURE == refusal(sender, delivery)


def test_stray_svix_header_does_not_hide_a_whole_family(sender, simulated, refusal):
    delivery = with_header(simulated(sender, "captured"), "svix-id", "msg_other")
    assert refusal(sender, delivery) is None
    assert b"evt_captured" == sender.adapter.key(delivery, sender.config)


def test_two_whole_families_are_judged_by_svixs(sender, simulated, refusal):
    delivery = simulated(sender, "captured")
    both = replace(delivery, headers=delivery.headers + renamed(delivery, *ALL).headers)
    assert refusal(sender, both) is None
    assert Cause.BAD_SIGNATURE == refusal(sender, with_header(both, "svix-id", "msg_other"))


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("v2,xxx {good}", None),
        ("v1 v1, {good} v1,é", None),
        ("nonsense {good}", None),
        ("v1,AAAA {good} v2,BBBB", None),
        ("v2,{bare}", Cause.BAD_SIGNATURE),
        ("{bare}", Cause.BAD_SIGNATURE),
        ("v1a,{bare}", Cause.BAD_SIGNATURE),
        ("V1,{bare}", Cause.BAD_SIGNATURE),
        ("v1,{bare},", Cause.BAD_SIGNATURE),
        ("v1", Cause.BAD_SIGNATURE),
    ],
)
def test_signatures_of_unknown_versions_are_passed_over(value, cause, sender, simulated, refusal):
    delivery = simulated(sender, "captured")
    (good,) = delivery.header_values("webhook-signature")
    made = value.format(good=good, bare=good.removeprefix("v1,"))
    assert cause == refusal(sender, with_header(delivery, "webhook-signature", made))


@pytest.mark.parametrize(
    "stamp", ["{t}.9", "{t}abc", "+{t}", "-{t}", "0x10", "{t}e0", "٣", "1" * 20]
)
def test_timestamp_is_digits_only(stamp, sender, simulated, refusal, at):
    made = stamp.format(t=int(at.timestamp()))
    delivery = with_header(simulated(sender, "captured"), "webhook-timestamp", made)
    assert Cause.MALFORMED == refusal(sender, delivery)


@pytest.mark.parametrize("message_id", ["msg_1.2", "msg 1", "é", "x" * 300])
def test_id_is_plain_text_without_dots(message_id, sender, simulated, refusal):
    delivery = with_header(simulated(sender, "captured"), "webhook-id", message_id)
    assert Cause.MALFORMED == refusal(sender, delivery)


def test_asymmetric_signature_is_accepted_and_its_key_named(instance_of, sender, simulated):
    asymmetric = instance_of("standard_webhooks", secrets=[], public_keys=[PUBLIC])
    delivery = signed_v1a(simulated(sender, "captured"))
    verdict = asymmetric.adapter.verify(delivery, asymmetric.config)
    assert "public_keys[0]" == verdict.secret


def test_window_holds_for_asymmetric_signatures(instance_of, sender, simulated, refusal, at):
    asymmetric = instance_of("standard_webhooks", secrets=[], public_keys=[PUBLIC])
    delivery = signed_v1a(simulated(sender, "captured"))
    late = replace(delivery, received_at=at.replace(hour=23))
    assert Cause.STALE_TIMESTAMP == refusal(asymmetric, late)


def test_kind_of_key_is_bound_to_the_version(instance_of, sender, simulated, refusal):
    """The public key is public: as an HMAC key it would let anybody sign."""
    asymmetric = instance_of("standard_webhooks", secrets=[], public_keys=[PUBLIC])
    posing = instance_of("standard_webhooks", secrets=[PUBLIC.removeprefix("whpk_")])
    forged = simulated(posing, "captured")
    assert Cause.BAD_SIGNATURE == refusal(asymmetric, forged)
    assert Cause.BAD_SIGNATURE == refusal(sender, signed_v1a(simulated(sender, "captured")))


def test_signing_needs_a_symmetric_secret(instance_of, simulated):
    asymmetric = instance_of("standard_webhooks", secrets=[], public_keys=[PUBLIC])
    with pytest.raises(Rejected):
        simulated(asymmetric, "captured")


@pytest.mark.parametrize("secret", ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwg"])
def test_prefix_and_padding_of_a_secret_may_be_missing(secret, instance_of, simulated, refusal):
    instance = instance_of("standard_webhooks", secrets=[secret])
    assert refusal(instance, simulated(instance, "captured")) is None


@pytest.mark.parametrize(
    "settings",
    [
        {"secrets": ["whsec_"]},
        {"secrets": ["whsec_not base64!"]},
        {"secrets": [PUBLIC]},
        {"secrets": [""]},
        {"public_keys": ["whpk_AAAA"]},
        {"public_keys": [PUBLIC.removeprefix("whpk_")]},
        {"public_keys": ["whpk_é"]},
        {"tolerance_seconds": 0},
        {"mapping": {"amount_unit": "cents"}},
        {"mapping": {"types": {"a": {"session_status": "paid"}}}},
        {"mapping": {"types": {"a": {"payment_event": "chargeback"}}}},
        {"mapping": {"types": {"a": {"status": "authorized"}}}},
        {"mapping": {"types": ["a"]}},
        {"mapping": {"nonsense": "data.id"}},
        {"mapping": 7},
    ],
)
def test_bad_setting_is_told_when_it_is_loaded(settings, instance_of):
    (name,) = settings
    with pytest.raises(ValidationError) as refused:
        instance_of("standard_webhooks", **settings)
    assert [name] == list(refused.value.messages)


def test_message_names_the_status_at_fault(instance_of):
    with pytest.raises(ValidationError, match=r"types.*a.*session_status.*authorized"):
        instance_of("standard_webhooks", mapping={"types": {"a": {"session_status": "paid"}}})


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [("42.50", "EUR", 4250), (42, "JPY", 42), ("1.234", "kwd", 1234), (0.1, "eur", 10)],
)
def test_major_units_become_minor_units(amount, currency, expected, read):
    body = {**BODY, "data": {"id": "p1", "amount": amount, "currency": currency}}
    (event,) = read(body)
    assert (expected, currency.upper()) == (event.amount, event.currency)


@pytest.mark.parametrize(
    "data",
    [
        {"amount": "1e3", "currency": "EUR"},
        {"amount": "42.50"},
        {"amount": True, "currency": "EUR"},
        {"amount": "-1", "currency": "EUR"},
        {"amount": "1", "currency": "EURO"},
        {"amount": ["1"], "currency": "EUR"},
    ],
)
def test_money_that_cannot_be_read_is_malformed(data, read):
    with pytest.raises(Rejected) as refused:
        read({"type": "paid", "data": data})
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize("amount", ["4250", 42.5, -1])
def test_minor_units_are_integers(amount, read):
    with pytest.raises(Rejected):
        read({"type": "paid", "data": {"amount": amount}}, amount_unit="minor")


@pytest.mark.parametrize("body", [b"not json", b"[1]", b"\xff", b'"x"', {"data": 1}, {"type": 7.5}])
def test_body_without_a_type_is_verified_and_tells_nothing(body, read):
    assert [] == read(body)


def test_thin_payload_has_no_amount(read):
    (event,) = read({"type": "paid", "data": {"id": 17}})
    assert ("17", None, None) == (event.external_id, event.amount, event.currency)


def test_missing_time_is_the_attempts(read, at):
    (event,) = read(BODY)
    assert at.replace(microsecond=0) == event.occurred_at
    (event,) = read({**BODY, "timestamp": "2025-11-24T15:00:00.123456+01:00"})
    assert datetime(2025, 11, 24, 14, 0, 0, 123456, UTC) == event.occurred_at


def test_refund_counts_by_its_own_id_or_by_its_message(read):
    (mapped,) = read({"type": "back", "data": {"id": "p1", "refund": "r1"}})
    (unmapped,) = read({"type": "back", "data": {"id": "p1"}})
    assert "r1" == mapped.payment_change.reference
    assert "evt_captured" == unmapped.payment_change.reference


def test_mode_is_told_where_the_mapping_says(read):
    (event,) = read({**BODY, "live": True})
    assert event.livemode
    (event,) = read({**BODY, "live": "yes"})
    assert event.livemode is None


def test_dotted_path_goes_through_objects_only(read):
    (event,) = read({"type": "paid", "data": [{"id": "p1"}]})
    assert event.external_id is None


def test_key_is_the_message_or_else_the_body(sender, simulated):
    delivery = simulated(sender, "captured")
    assert b"evt_captured" == sender.adapter.key(delivery, sender.config)
    bare = replace(delivery, headers=())
    assert delivery.body == sender.adapter.key(bare, sender.config)


def test_unknown_type_needs_no_readable_money(read):
    (event,) = read(json.dumps({"type": "other", "data": {"amount": "x"}}).encode())
    assert not event.recognized
