import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.domain.errors import Cause, Rejected
from gateway.domain.payments import Payment, change_of

HEADER = "Paddle-Signature"


@pytest.fixture
def shop(instance_of):
    return instance_of("paddle")


@pytest.fixture
def read(shop, simulated, resigned):
    """The one event of a kind under another type, with fields of its data replaced."""

    def make(kind, word=None, envelope=(), **changes):
        delivery = simulated(shop, kind)
        document = json.loads(delivery.body) | dict(envelope)
        document["event_type"] = word or document["event_type"]
        document["data"] |= changes
        (event,) = shop.adapter.read(resigned(shop, delivery, document), shop.config)
        return event

    return make


@pytest.fixture
def headed(shop, simulated):
    """A delivery with what is made of the value of its signature header."""

    def make(change):
        delivery = simulated(shop, "captured")
        (value,) = delivery.header_values(HEADER)
        return replace(delivery, headers=((HEADER, change(value)),))

    return make


def said(event):
    change = event.payment_change
    return event.session_status, change.kind if change else None


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("transaction.created", ("pending", None)),
        ("transaction.ready", ("pending", None)),
        ("transaction.billed", ("pending", None)),
        ("transaction.updated", ("pending", None)),
        ("transaction.revised", ("pending", None)),
        ("transaction.paid", ("authorized", "captured")),
        ("transaction.completed", ("authorized", "captured")),
        ("transaction.payment_failed", ("error", None)),
        ("transaction.past_due", ("error", None)),
        ("transaction.canceled", ("canceled", None)),
    ],
)
def test_transaction_means_what_the_table_says(word, expected, read):
    event = read("captured", word)
    assert (word, *expected) == (event.type, *said(event))
    assert ("ext_42", "payses_01JDTEST", 4250, "EUR") == (
        event.external_id,
        event.reference,
        event.amount,
        event.currency,
    )


@pytest.mark.parametrize("word", ["adjustment.created", "adjustment.updated"])
@pytest.mark.parametrize(
    ("action", "status", "change"),
    [
        ("refund", "approved", "refunded"),
        ("refund", "rejected", "refund_failed"),
        ("refund", "reversed", "refund_failed"),
        ("refund", "pending_approval", None),
        ("chargeback", "approved", "disputed"),
        ("chargeback", "reversed", "dispute_won"),
        ("chargeback_reverse", "approved", "dispute_won"),
        ("chargeback_warning", "approved", None),
        ("chargeback_warning_reverse", "approved", None),
        ("credit", "approved", None),
        ("credit_reverse", "approved", None),
    ],
)
def test_adjustment_means_what_its_action_says(word, action, status, change, read):
    event = read("refunded", word, action=action, status=status)
    assert (None, change, True) == (*said(event), event.recognized)
    if change:
        assert ("ext_42", None, 4250, "EUR") == (
            event.external_id,
            event.reference,
            event.amount,
            event.currency,
        )


@pytest.mark.parametrize(
    ("word", "recognized"),
    [
        ("subscription.activated", True),
        ("customer.created", True),
        ("discount.updated", True),
        ("discount_group.created", True),
        ("payout.paid", True),
        ("payment_method.saved", True),
        ("api_key_exposure.created", True),
        ("client_token.revoked", True),
        ("transaction.teleported", False),
        ("subscriptions", False),
    ],
)
def test_type_of_no_concern_is_recorded_and_does_nothing(word, recognized, read):
    event = read("ignored", word)
    assert (False, recognized) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize("changes", [{"action": "teleport"}, {"action": None}, {"status": "new"}])
def test_unheard_of_adjustment_is_recorded_and_does_nothing(changes, read):
    event = read("refunded", **changes)
    assert (False, False) == (event.concerns_payment, event.recognized)


def test_total_is_the_one_after_credit_and_not_the_payout(read):
    totals = {"total": "5000", "grand_total": "4000", "currency_code": "EUR"}
    assert 4000 == read("captured", details={"totals": totals}).amount
    payout = {"total": "9", "currency_code": "USD"}
    refund = read("refunded", totals={"total": "100"}, payout_totals=payout)
    assert (100, "EUR") == (refund.amount, refund.currency)


@pytest.mark.parametrize("total", [None, "", "42.50", "-1", "1e3", [], True])
def test_paid_without_a_total_is_malformed(total, read):
    with pytest.raises(Rejected) as refused:
        read("captured", details={"totals": {"grand_total": total}})
    assert Cause.MALFORMED == refused.value.cause


def test_draft_may_lack_its_totals(read):
    event = read("created", details=None)
    assert ("pending", None) == (event.session_status, event.amount)


@pytest.mark.parametrize("custom", [None, [], {}, {"session_id": None}, "x"])
def test_transaction_may_lack_our_reference(custom, read):
    assert read("captured", custom_data=custom).reference is None


def test_adjustment_of_no_transaction_is_malformed(read):
    with pytest.raises(Rejected) as refused:
        read("refunded", transaction_id=None)
    assert Cause.MALFORMED == refused.value.cause


def test_paid_and_completed_are_one_capture(read):
    assert read("authorized").payment_change == read("captured").payment_change


def test_rejected_refund_is_the_one_that_was_asked_for(read):
    told = [read(kind).payment_change.reference for kind in ("refunded", "refund_failed")]
    assert 1 == len(set(told))


def test_chargeback_that_was_taken_back_disputes_nothing(read):
    payment = Payment("pay_1", "s", "paddle", "EUR", 4250)
    for kind in ("disputed", "dispute_won"):
        payment = payment.with_change(change_of(read(kind, id=f"adj_{kind}")))
    assert 0 == payment.disputed_amount


def test_replay_by_hand_is_the_same_event(shop, simulated, resigned, read):
    delivery = simulated(shop, "captured")
    other = json.loads(delivery.body) | {"notification_id": "ntf_other"}
    again = resigned(shop, delivery, other)
    assert b"evt_captured" == shop.adapter.key(again, shop.config)
    assert "evt_captured" == read("captured", envelope={"notification_id": "other"}).event_id


def test_time_keeps_its_microseconds(read):
    event = read("captured", envelope={"occurred_at": "2026-11-18T11:06:39.120345Z"})
    assert datetime(2026, 11, 18, 11, 6, 39, 120345, UTC) == event.occurred_at


@pytest.mark.parametrize(
    "change",
    [
        lambda value: f"{value};h1={'0' * 64}",
        lambda value: value.replace("h1=", f"h1={'0' * 64};h1="),
        lambda value: f"{value};h2=later;v=3",
        lambda value: value.replace(";", " ; "),
        lambda value: ";".join(reversed(value.split(";"))),
    ],
)
def test_any_of_several_signatures_will_do(change, shop, headed, refusal):
    assert refusal(shop, headed(change)) is None


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda value: value.replace(";", ","), Cause.MISSING_SIGNATURE),
        (lambda value: value.split(";")[0], Cause.MISSING_SIGNATURE),
        (lambda value: value.split(";")[1], Cause.MISSING_SIGNATURE),
        (lambda value: f"{value};ts=1", Cause.MISSING_SIGNATURE),
        (lambda value: value.replace("ts=", "ts=x"), Cause.MALFORMED),
        (lambda value: value.replace("ts=1", "ts=2"), Cause.BAD_SIGNATURE),
        (lambda value: value.upper().replace("TS=", "ts=").replace("H1=", "h1="), "bad_signature"),
    ],
)
def test_header_that_will_not_do_is_refused(change, cause, shop, headed, refusal):
    assert cause == refusal(shop, headed(change))


def test_tolerance_is_the_operators(instance_of, simulated, refusal, at):
    patient = instance_of("paddle", tolerance_seconds=300)
    delivery = simulated(patient, "captured")
    for seconds, cause in ((300, None), (301, Cause.STALE_TIMESTAMP)):
        judged = at.fromtimestamp(at.timestamp() + seconds, UTC)
        assert cause == refusal(patient, replace(delivery, received_at=judged))


def test_secret_is_used_as_it_is_written(instance_of, simulated, refusal):
    odd = instance_of("paddle", webhook_secrets=["pdl_ntfset_01fake_Gr/OW+LNef=="])
    bare = instance_of("paddle", webhook_secrets=["01fake_Gr/OW+LNef=="])
    delivery = simulated(odd, "captured")
    assert (None, Cause.BAD_SIGNATURE) == (refusal(odd, delivery), refusal(bare, delivery))
