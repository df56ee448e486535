import base64
import hmac
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected

KEYS = {"old": "b2xkX2tleQ==", "new": "bmV3X2tleQ=="}


@pytest.fixture
def cybersource(instance_of):
    return instance_of("cybersource")


@pytest.fixture
def body(cybersource, simulated):
    """The body of a kind under another type, with fields of its data replaced."""

    def make(kind, word=None, **changes):
        document = json.loads(simulated(cybersource, kind).body)
        document["eventType"] = word or document["eventType"]
        document["payload"][0]["data"].update(changes)
        return document

    return make


@pytest.fixture
def read(cybersource, simulated, resigned, body):
    """The one event of a body, or of what `body` makes of a kind."""

    def make(kind, word=None, **changes):
        document = body(kind, word, **changes) if isinstance(kind, str) else kind
        delivery = resigned(cybersource, simulated(cybersource, "captured"), document)
        (event,) = cybersource.adapter.read(delivery, cybersource.config)
        return event

    return make


def with_signature(delivery, value):
    kept = tuple(pair for pair in delivery.headers if pair[0] != "v-c-signature")
    return replace(delivery, headers=(*kept, ("v-c-signature", value)))


def signature_of(delivery):
    (value,) = delivery.header_values("v-c-signature")
    return value


@pytest.mark.parametrize(
    ("word", "status", "change"),
    [
        ("payments.payments.accept", "authorized", None),
        ("payments.payments.partial.approval", "requires_more", None),
        ("payments.payments.review", "pending", None),
        ("payments.payments.reject", "error", None),
        ("payments.captures.accept", None, "captured"),
        ("payments.captures.reject", None, "capture_failed"),
        ("payments.reversals.accept", "canceled", "voided"),
        ("payments.voids.accept", "canceled", "voided"),
        ("payments.refunds.accept", None, "refunded"),
        ("payments.refunds.partial.approval", None, "refunded"),
        ("payments.refunds.reject", None, "refund_failed"),
        ("payments.credits.accept", None, "refunded"),
        ("payments.credits.partial.approval", None, "refunded"),
        ("payments.credits.reject", None, "refund_failed"),
        ("risk.casemanagement.decision.reject", "error", None),
    ],
)
def test_type_means_what_the_table_says(word, status, change, read):
    event = read("captured", word)
    said = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, said)
    assert ("payses_01JDTEST", 4250, "EUR") == (event.reference, event.amount, event.currency)


@pytest.mark.parametrize(
    "word",
    "payments.captures.review payments.credits.review payments.reversals.reject"
    " payments.voids.reject risk.casemanagement.decision.accept tokens.created"
    " invoicing.customer.invoice.paid recurring.payment uc.order.created".split(),
)
def test_type_of_no_concern_is_ignored_by_name(word, read):
    event = read("captured", word)
    assert (False, True) == (event.concerns_payment, event.recognized)


def test_only_an_authorization_has_the_payments_own_id(read):
    assert "ext_42" == read("authorized").external_id
    captured = read("captured", id="7950000011166404903955")
    assert (None, "7950000011166404903955") == (
        captured.external_id,
        captured.payment_change.reference,
    )


def test_two_partial_captures_are_two(read):
    first, second = read("captured", id="1"), read("captured", id="2")
    assert first.payment_change.reference != second.payment_change.reference


def test_payload_comes_in_three_forms(body, read):
    document = body("captured")
    (entry,) = document["payload"]
    nested = {"transactionResult": {"details": entry["data"]}}
    events = [read({**document, "payload": form}) for form in ([entry], entry, nested)]
    assert events[0] == events[1] == events[2]


def test_object_with_the_reference_is_the_one(body, read):
    document = body("captured")
    (entry,) = document["payload"]
    both = {"data": {"id": "other"}, "transactionResult": {"details": entry["data"]}}
    assert "payses_01JDTEST" == read({**document, "payload": both}).reference


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"totalAmount": "42.5", "currency": "EUR"}, 4250),
        ({"totalAmount": "1500", "currency": "JPY"}, 1500),
        ({"totalAmount": "1.500", "currency": "KWD"}, 1500),
        ({"totalAmount": "10.00", "authorizedAmount": "9.00", "currency": "EUR"}, 1000),
        ({"authorizedAmount": "9.00", "currency": "EUR"}, 900),
    ],
)
def test_amounts_are_decimal_texts_in_major_units(details, expected, read):
    assert expected == read("captured", orderInformation={"amountDetails": details}).amount


@pytest.mark.parametrize(
    "changes",
    [
        {"orderInformation": None},
        {"orderInformation": {"amountDetails": {"totalAmount": "1.00"}}},
        {"orderInformation": {"amountDetails": {"totalAmount": "1,00", "currency": "EUR"}}},
        {"orderInformation": {"amountDetails": {"totalAmount": "-1", "currency": "EUR"}}},
        {"orderInformation": {"amountDetails": ["1.00"]}},
        {"clientReferenceInformation": None},
    ],
)
def test_capture_that_cannot_be_read_is_malformed(changes, read):
    with pytest.raises(Rejected) as refused:
        read("captured", **changes)
    assert Cause.MALFORMED == refused.value.cause


def test_decline_may_come_without_money(read):
    event = read("failed", orderInformation=None)
    assert ("error", None) == (event.session_status, event.amount)


@pytest.mark.parametrize("raw", [b"eyJhbGciOiJSU0EifQ.a.b.c.d", b'{"encData":"eyJhbGci"}'])
def test_encrypted_body_is_refused_with_a_clear_reason(raw, read):
    with pytest.raises(Rejected, match="message-level encryption"):
        read(raw)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health_check_is_answered(method, cybersource, simulated):
    delivery = simulated(cybersource, "captured")
    probe = replace(delivery, method=method, body=b"", headers=())
    assert 200 == cybersource.adapter.handshake(probe, cybersource.config).status
    assert cybersource.adapter.handshake(delivery, cybersource.config) is None


def test_retry_is_the_same_delivery(cybersource, simulated, resigned, body):
    again = resigned(cybersource, simulated(cybersource, "captured"), body("captured"))
    retried = replace(again, body=again.body.replace(b'"retryNumber": 0', b'"retryNumber": 3'))
    assert again.body != retried.body
    keys = {cybersource.adapter.key(one, cybersource.config) for one in (again, retried)}
    assert {b"evt_captured"} == keys


def test_other_organizations_are_not_applied(body, read, instance_of, simulated):
    event = read({**body("captured"), "organizationId": "another"})
    assert (False, True) == (event.concerns_payment, event.recognized)
    # The key belongs to one organization: where none is named, it is that one.
    assert read({**body("captured"), "organizationId": None}).concerns_payment
    anyone = instance_of("cybersource", organization_id="")
    (event,) = anyone.adapter.read(simulated(anyone, "captured"), anyone.config)
    assert event.concerns_payment


def test_key_is_chosen_by_its_name(instance_of, simulated, refusal):
    rotating = instance_of("cybersource", signature_keys=KEYS)
    only_new = instance_of("cybersource", signature_keys={"new": KEYS["new"]})
    swapped = instance_of("cybersource", signature_keys={"new": KEYS["old"], "old": KEYS["new"]})
    for signer, label in ((rotating, "key old"), (only_new, "key new")):
        delivery = simulated(signer, "captured")
        assert label == rotating.adapter.verify(delivery, rotating.config).secret
        assert Cause.BAD_SIGNATURE == refusal(swapped, delivery)
    assert Cause.UNKNOWN_KEY == refusal(only_new, simulated(rotating, "captured"))


def test_without_a_key_everything_is_refused(cybersource, instance_of, simulated, refusal):
    delivery = simulated(cybersource, "captured")
    bare = instance_of("cybersource", signature_keys={})
    assert Cause.NOT_CONFIGURED == refusal(bare, delivery)


def test_key_must_be_base64(instance_of):
    with pytest.raises(ValidationError, match="signature_keys"):
        instance_of("cybersource", signature_keys={"a": "not base64!"})


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda v: v.replace(";", " ; "), None),
        (lambda v: ";".join(reversed(v.split(";"))), None),
        (lambda v: v.replace("t=", "x="), Cause.MISSING_SIGNATURE),
        (lambda v: v.replace("keyId=", "key="), Cause.MISSING_SIGNATURE),
        (lambda v: v.split(";sig=")[0], Cause.MISSING_SIGNATURE),
        (lambda v: v + ";t=1", Cause.MISSING_SIGNATURE),
        (lambda v: v.replace("t=", "t=x"), Cause.BAD_SIGNATURE),
        (lambda v: v.replace("t=", "t=\udc80"), Cause.BAD_SIGNATURE),
        (lambda v: v.replace("keyId=", "keyId=1"), Cause.UNKNOWN_KEY),
        (lambda v: v.replace("t=17", "t=18"), Cause.BAD_SIGNATURE),
        (lambda v: v.rstrip("="), Cause.BAD_SIGNATURE),
    ],
)
def test_header_is_read_by_its_items(change, cause, cybersource, simulated, refusal):
    delivery = simulated(cybersource, "captured")
    changed = with_signature(delivery, change(signature_of(delivery)))
    assert cause == refusal(cybersource, changed)


def test_signed_time_must_be_milliseconds(cybersource, simulated, refusal):
    delivery = simulated(cybersource, "captured")
    ((name, secret),) = cybersource.config.signature_keys.items()
    for stamp, cause in {"now": Cause.MALFORMED, "1764000000": Cause.STALE_TIMESTAMP}.items():
        message = f"{stamp}.".encode() + delivery.body
        made = base64.b64encode(hmac.digest(base64.b64decode(secret.value), message, "sha256"))
        value = f"t={stamp};keyId={name};sig={made.decode()}"
        assert cause == refusal(cybersource, with_signature(delivery, value))


def test_forged_delivery_is_not_called_stale(cybersource, simulated, refusal, at):
    late = replace(simulated(cybersource, "captured"), received_at=at + timedelta(hours=1))
    assert Cause.STALE_TIMESTAMP == refusal(cybersource, late)
    assert Cause.BAD_SIGNATURE == refusal(cybersource, replace(late, body=b"{}"))
