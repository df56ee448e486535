import hashlib
import json
from dataclasses import replace

import pytest

from gateway.domain.errors import Cause, Rejected
from providers.contract import ApiAnswer

URL = "https://sandbox.przelewy24.pl/api/v1/transaction/verify"
GOOD = b'{"data":{"status":"success"},"responseCode":0}'


@pytest.fixture
def p24(instance_of):
    return instance_of("przelewy24")


@pytest.fixture
def notified(p24, simulated, resigned):
    """A notification of a kind, with some of its fields replaced, signed again."""

    def make(kind="authorized", **changes):
        delivery = simulated(p24, kind)
        return resigned(p24, delivery, json.loads(delivery.body) | changes)

    return make


@pytest.fixture
def settled(p24, notified):
    def make(status=200, body=GOOD, **changes):
        settlement = p24.adapter.settle(notified(**changes), p24.config)
        next(settlement)
        with pytest.raises(StopIteration) as end:
            settlement.send(ApiAnswer(status, body))
        (event,) = end.value.value
        return event

    return make


def told(event):
    change = event.payment_change
    return event.session_status, change and change.kind, event.amount


def test_transaction_is_settled_by_its_verification(p24, notified, settled):
    assert not p24.adapter.verify(notified(), p24.config).settled
    with pytest.raises(Rejected) as refused:
        p24.adapter.read(notified(), p24.config)
    assert Cause.UNVERIFIABLE == refused.value.cause
    event = settled()
    assert ("authorized", "captured", 4250) == told(event)
    assert ("ext_42", "payses_01JDTEST", "EUR") == (
        event.external_id,
        event.reference,
        event.currency,
    )


def test_verification_asks_for_what_the_shop_asked_for(p24, notified):
    order = 2**63 + 1
    delivery = notified(amount=5000, originAmount=4250, orderId=order, sessionId="Zażółć/1")
    request = next(p24.adapter.settle(delivery, p24.config))
    text = f'{{"sessionId":"Zażółć/1","orderId":{order},"amount":4250,"currency":"EUR",'
    text += '"crc":"development_not_a_secret"}'
    assert ("PUT", URL) == (request.method, request.url)
    assert {
        "merchantId": 87654,
        "posId": 87654,
        "sessionId": "Zażółć/1",
        "amount": 4250,
        "currency": "EUR",
        "orderId": order,
        "sign": hashlib.sha384(text.encode()).hexdigest(),
    } == json.loads(request.body)
    expected = "Basic ODc2NTQ6ZGV2ZWxvcG1lbnRfbm90X2Ffa2V5"
    assert expected == dict(request.headers)["Authorization"]
    assert "not_a_key" not in repr(request)


def test_verification_is_signed_by_the_key_that_signed_the_notification(p24, notified, instance_of):
    delivery = notified()
    rotating = instance_of("przelewy24", crc=["fake_new", "development_not_a_secret"])
    assert "crc[1]" == p24.adapter.verify(delivery, rotating.config).secret
    before = next(p24.adapter.settle(delivery, p24.config)).body
    assert before == next(p24.adapter.settle(delivery, rotating.config)).body


def test_production_has_a_host_of_its_own(notified, instance_of):
    real = instance_of("przelewy24", sandbox=False)
    request = next(real.adapter.settle(notified(), real.config))
    assert request.url.startswith("https://secure.przelewy24.pl/")


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, b"{}"), (409, b""), (200, b'{"data":{"status":"failed"}}'), (200, b"{}")],
)
def test_refused_verification_is_an_error(status, body, settled):
    assert ("error", None, 4250) == told(settled(status, body))


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (401, b"", Cause.UNVERIFIABLE),
        (403, b"", Cause.UNVERIFIABLE),
        (302, b"", Cause.UNVERIFIABLE),
        (404, b"", Cause.UNKNOWN_PAYMENT),
        (200, b"<html>", Cause.MALFORMED),
    ],
)
def test_answer_that_says_nothing_settles_nothing(status, body, cause, settled):
    with pytest.raises(Rejected) as refused:
        settled(status, body)
    assert cause == refused.value.cause


def test_underpaid_transaction_is_not_verified(p24, notified):
    delivery = notified(amount=4249)
    assert p24.adapter.verify(delivery, p24.config).settled
    (event,) = p24.adapter.read(delivery, p24.config)
    assert ("requires_more", None, 4249) == told(event)


@pytest.mark.parametrize(
    ("status", "change", "recognized"),
    [(0, "refunded", True), (1, "refund_failed", True), (2, None, False)],
)
def test_refund_is_told_by_its_status(status, change, recognized, p24, notified):
    delivery = notified("refunded", status=status)
    assert p24.adapter.verify(delivery, p24.config).settled
    (event,) = p24.adapter.read(delivery, p24.config)
    assert (None, change) == told(event)[:2]
    assert recognized == event.recognized


def test_refund_is_known_by_its_own_id_and_time(p24, notified):
    told = [notified("refunded", refundsUuid=own, timestamp=1763999600) for own in ("a", "b")]
    (first,), (second,) = (p24.adapter.read(delivery, p24.config) for delivery in told)
    assert ("a", "b") == (first.payment_change.reference, second.payment_change.reference)
    assert first.event_id != second.event_id
    assert 1763999600 == first.occurred_at.timestamp()


@pytest.mark.parametrize("kind", ["authorized", "refunded"])
@pytest.mark.parametrize("name", ["merchantId", "posId"])
def test_other_merchant_or_shop_is_refused(kind, name, notified, p24, refusal):
    assert Cause.UNKNOWN_PAYMENT == refusal(p24, notified(kind, **{name: 1}))


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("authorized", "amount", "4250"),
        ("authorized", "amount", 4251),
        ("authorized", "originAmount", 1),
        ("authorized", "statement", "x"),
        ("authorized", "methodId", 1),
        ("authorized", "sessionId", "payses_other"),
        ("refunded", "status", 1),
        ("refunded", "refundsUuid", "other"),
    ],
)
def test_changed_field_breaks_the_signature(kind, name, value, notified, p24, refusal):
    body = json.loads(notified(kind).body) | {name: value}
    delivery = replace(notified(kind), body=json.dumps(body).encode())
    assert Cause.BAD_SIGNATURE == refusal(p24, delivery)


@pytest.mark.parametrize("name", ["requestId", "timestamp"])
def test_unsigned_fields_of_a_refund_may_change(name, notified, p24, refusal):
    body = json.loads(notified("refunded").body) | {name: 1}
    delivery = replace(notified("refunded"), body=json.dumps(body, indent=3).encode())
    assert refusal(p24, delivery) is None


@pytest.mark.parametrize("value", [None, "", 7, {}])
def test_missing_sign_is_a_missing_signature(value, notified, p24, refusal):
    body = json.loads(notified().body) | {"sign": value}
    delivery = replace(notified(), body=json.dumps(body).encode())
    assert Cause.MISSING_SIGNATURE == refusal(p24, delivery)


@pytest.mark.parametrize("changes", [{"orderId": None}, {"currency": "P"}, {"originAmount": None}])
def test_notification_without_what_is_needed_is_malformed(changes, p24, notified):
    with pytest.raises(Rejected) as refused:
        next(p24.adapter.settle(notified(**changes), p24.config))
    assert Cause.MALFORMED == refused.value.cause


def test_refund_without_a_status_is_malformed(p24, notified):
    with pytest.raises(Rejected, match="status"):
        p24.adapter.read(notified("refunded", status=None), p24.config)
