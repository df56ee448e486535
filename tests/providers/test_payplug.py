import json
from datetime import UTC, datetime

import pytest

from gateway.domain.errors import Cause, Rejected
from providers.contract import ApiAnswer

API = "https://api.payplug.com/v1/payments"
HELD = {"authorized_amount": 4000, "authorized_at": 1763999000, "expires_at": 1764999000}
PAYMENT = {
    "id": "pay_42",
    "object": "payment",
    "is_live": False,
    "amount": 4250,
    "amount_refunded": 0,
    "authorization": None,
    "currency": "EUR",
    "is_paid": False,
    "paid_at": None,
    "created_at": 1763998000,
    "failure": None,
    "metadata": {"session_id": "payses_42"},
}
PAID = {"is_paid": True, "paid_at": 1763999500}
REFUND = {
    "id": "re_7",
    "payment_id": "pay_42",
    "object": "refund",
    "amount": 1500,
    "currency": "EUR",
    "created_at": 1763999600,
    "is_live": False,
    "metadata": {"session_id": "payses_42"},
}


@pytest.fixture
def payplug(instance_of):
    return instance_of("payplug")


@pytest.fixture
def notified(payplug, simulated, resigned):
    def make(**hint):
        return resigned(payplug, simulated(payplug, "captured"), hint)

    return make


@pytest.fixture
def settled(payplug, notified):
    """The events of a notification by what the API answers."""

    def make(found, status=200, instance=payplug, hint=None):
        names = ("id", "object", "payment_id")
        hint = hint or {name: found[name] for name in names if name in found}
        settlement = instance.adapter.settle(notified(**hint), instance.config)
        next(settlement)
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        with pytest.raises(StopIteration) as end:
            settlement.send(ApiAnswer(status, body))
        return end.value.value

    return make


def told(event):
    change = event.payment_change
    return event.type, event.session_status, change and change.kind, event.amount


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [("payment.pending", "pending", None, 4250)]),
        (PAID, [("payment.paid", "authorized", "captured", 4250)]),
        ({"authorization": HELD}, [("payment.authorized", "authorized", None, 4000)]),
        (
            {"authorization": HELD | {"authorized_amount": None, "expires_at": None}},
            [("payment.authorized", "authorized", None, 4250)],
        ),
        (
            {"authorization": HELD | {"expires_at": 1763999999}},
            [("payment.pending", "pending", None, 4250)],
        ),
        (
            {"authorization": HELD | {"authorized_at": None}},
            [("payment.pending", "pending", None, 4250)],
        ),
        (PAID | {"authorization": HELD}, [("payment.paid", "authorized", "captured", 4250)]),
        ({"failure": {"code": "aborted"}}, [("payment.canceled", "canceled", None, 4250)]),
        ({"failure": {"code": "timeout"}}, [("payment.canceled", "canceled", None, 4250)]),
        (
            {"failure": {"code": "aborted"}, "authorization": HELD},
            [("payment.canceled", "canceled", "voided", 4250)],
        ),
        ({"failure": {"code": "card_declined"}}, [("payment.failed", "error", None, 4250)]),
        ({"failure": {"code": "fraud_suspected"}}, [("payment.failed", "error", None, 4250)]),
        ({"failure": {"code": None}}, [("payment.failed", "error", None, 4250)]),
        (
            PAID | {"amount_refunded": 1500},
            [
                ("payment.paid", "authorized", "captured", 4250),
                ("payment.refunded", None, "refunded", 1500),
            ],
        ),
    ],
)
def test_payment_counts_as_it_is_now(changes, expected, settled):
    events = settled(PAYMENT | changes)
    assert expected == [told(event) for event in events]
    assert {("pay_42", "payses_42", "EUR", False)} == {
        (event.external_id, event.reference, event.currency, event.livemode) for event in events
    }


def test_times_are_those_of_the_facts(settled, at):
    (paid,), (failed,) = settled(PAYMENT | PAID), settled(PAYMENT | {"failure": {"code": "x"}})
    assert (datetime(2025, 11, 24, 15, 51, 40, tzinfo=UTC), at) == (
        paid.occurred_at,
        failed.occurred_at,
    )


def test_states_are_different_events(settled):
    canceled = {"failure": {"code": "aborted"}}
    states = [{}, PAID, {"authorization": HELD}, {"failure": {"code": "x"}}, canceled]
    states.append(canceled | {"authorization": HELD})
    ids = {settled(PAYMENT | state)[0].event_id for state in states}
    assert len(states) == len(ids)
    refunds = {settled(PAYMENT | PAID | {"amount_refunded": n})[1].event_id for n in (1, 2)}
    assert 2 == len(refunds)


def test_refund_is_told_once_by_its_own_id_and_in_the_sum(settled):
    (single,), (_, total) = settled(REFUND), settled(PAYMENT | PAID | {"amount_refunded": 1500})
    assert ("refund", None, "refunded", 1500) == told(single)
    assert ("pay_42", "re_7") == (single.external_id, single.payment_change.reference)
    assert (False, True) == (
        single.payment_change.running_total,
        total.payment_change.running_total,
    )


@pytest.mark.parametrize(
    ("hint", "path"),
    [
        ({"object": "payment", "id": "pay_42", "is_paid": True, "amount": 1}, "pay_42"),
        ({"object": "refund", "id": "re_7", "payment_id": "pay_42"}, "pay_42/refunds/re_7"),
    ],
)
def test_object_is_asked_for_at_payplug_only(hint, path, payplug, notified):
    request = next(payplug.adapter.settle(notified(**hint), payplug.config))
    assert ("GET", f"{API}/{path}") == (request.method, request.url)
    expected = {
        "Authorization": "Bearer sk_test_development_not_a_secret",
        "PayPlug-Version": "2019-08-06",
    }
    assert expected == dict(request.headers)
    assert "not_a_secret" not in repr(request)


@pytest.mark.parametrize(
    "hint",
    [
        {},
        {"object": "payment"},
        {"object": "payment", "id": "re_7"},
        {"object": "payment", "id": "pay_"},
        {"object": "payment", "id": "pay_4/../5"},
        {"object": "payment", "id": "pay_4\n"},
        {"object": "payment", "id": "pay_é"},
        {"object": "payment", "id": 42},
        {"object": "refund", "id": "re_7"},
        {"object": "refund", "id": "re_7", "payment_id": "pay_4?x"},
        {"object": ["payment"], "id": "pay_42"},
        {"object": "https://evil.example", "id": "pay_42"},
    ],
)
def test_odd_id_is_never_asked(hint, payplug, notified):
    with pytest.raises(Rejected) as refused:
        next(payplug.adapter.settle(notified(**hint), payplug.config))
    assert Cause.MALFORMED == refused.value.cause


def test_object_of_no_concern_takes_no_other_events_id(payplug, notified, settled):
    (paid,) = settled(PAYMENT | PAID)
    delivery = notified(object=paid.event_id)
    (event,) = payplug.adapter.read(delivery, payplug.config)
    assert not event.concerns_payment
    assert paid.event_id != event.event_id


@pytest.mark.parametrize(
    ("kind", "recognized"),
    [("installment_plan", True), ("accounting_report", True), ("moon_phase", False)],
)
def test_object_of_no_concern_is_not_asked_for(kind, recognized, payplug, notified):
    delivery = notified(object=kind, id="inst_1")
    assert payplug.adapter.verify(delivery, payplug.config).settled
    (event,) = payplug.adapter.read(delivery, payplug.config)
    assert (False, recognized) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize("status", [404, 401, 403, 302, 204])
def test_answer_other_than_ok_settles_nothing(status, settled):
    with pytest.raises(Rejected) as refused:
        settled(PAYMENT | PAID, status)
    assert Cause.UNVERIFIABLE == refused.value.cause


@pytest.mark.parametrize(
    "found",
    [
        PAYMENT | {"id": "pay_43"},
        PAYMENT | {"object": "refund"},
        PAYMENT | {"amount": "4250"},
        PAYMENT | {"amount": -1},
        PAYMENT | {"currency": None},
        {},
        b"[]",
        b"\xff",
    ],
)
def test_answer_about_something_else_settles_nothing(found, settled):
    with pytest.raises(Rejected) as refused:
        settled(found, hint={"object": "payment", "id": "pay_42"})
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize(
    ("key", "live", "accepted"),
    [
        ("sk_live_fake", True, True),
        ("sk_live_fake", False, False),
        ("sk_test_fake", True, False),
        ("sk_test_fake", False, True),
        ("other_fake", True, True),
    ],
)
def test_mode_of_the_key_is_the_mode_of_the_payment(key, live, accepted, settled, instance_of):
    found, instance = PAYMENT | {"is_live": live}, instance_of("payplug", secret_key=key)
    if accepted:
        assert live == settled(found, instance=instance)[0].livemode
        return
    with pytest.raises(Rejected) as refused:
        settled(found, instance=instance)
    assert Cause.UNVERIFIABLE == refused.value.cause


def test_notification_itself_says_nothing_and_is_never_a_repetition(payplug, simulated):
    delivery = simulated(payplug, "captured")
    assert not payplug.adapter.verify(delivery, payplug.config).settled
    assert payplug.adapter.key(delivery, payplug.config) is None
    with pytest.raises(Rejected) as refused:
        payplug.adapter.read(delivery, payplug.config)
    assert Cause.UNVERIFIABLE == refused.value.cause


def test_without_a_key_nothing_is_accepted(instance_of, simulated, payplug, refusal):
    bare = instance_of("payplug", secret_key=None)
    assert Cause.NOT_CONFIGURED == refusal(bare, simulated(payplug, "captured"))
