import hmac
import json
from dataclasses import replace

import pytest

from gateway.domain.errors import Cause, Rejected
from providers import simulator
from providers.contract import ApiAnswer


@pytest.fixture
def gocardless(instance_of):
    return instance_of("gocardless")


@pytest.fixture
def read(gocardless, simulated, resigned):
    """The one event of a kind with another action, and with some of its fields replaced."""

    def make(kind, action=None, **changes):
        delivery = simulated(gocardless, kind)
        body = json.loads(delivery.body)
        body["events"][0].update({"action": action} if action else {}, **changes)
        (event,) = gocardless.adapter.read(resigned(gocardless, delivery, body), gocardless.config)
        return event

    return make


def told(event):
    return event.session_status, event.payment_change and event.payment_change.kind


@pytest.mark.parametrize(
    ("kind", "action", "status", "change"),
    [
        ("captured", "created", "pending", None),
        ("captured", "submitted", "pending", None),
        ("captured", "customer_approval_granted", "pending", None),
        ("captured", "resubmission_requested", "pending", None),
        ("captured", "confirmed", "authorized", "captured"),
        ("captured", "paid_out", None, None),
        ("captured", "failed", "error", "capture_failed"),
        ("captured", "customer_approval_denied", "error", None),
        ("captured", "cancelled", "canceled", "voided"),
        ("captured", "charged_back", None, "disputed"),
        ("captured", "chargeback_cancelled", None, "dispute_won"),
        ("captured", "chargeback_settled", None, "dispute_lost"),
        ("captured", "late_failure_settled", None, None),
        ("captured", "surcharge_fee_debited", None, None),
        ("captured", "sds_settlement_delayed", None, None),
        ("refunded", "created", None, None),
        ("refunded", "refund_settled", None, None),
        ("refunded", "paid", None, "refunded"),
        ("refunded", "failed", None, "refund_failed"),
        ("refunded", "funds_returned", None, "refund_failed"),
        ("authorized", "fulfilled", "authorized", None),
        ("authorized", "flow_created", "pending", None),
        ("authorized", "flow_visited", "pending", None),
        ("authorized", "collect_bank_account", "pending", None),
        ("authorized", "collect_customer_details", "pending", None),
        ("authorized", "select_institution", "pending", None),
        ("authorized", "choose_currency", "pending", None),
        ("authorized", "payer_details_confirmed", "pending", None),
        ("authorized", "bank_authorisation_visited", "pending", None),
        ("authorized", "bank_authorisation_denied", "requires_more", None),
        ("authorized", "bank_authorisation_failed", "requires_more", None),
        ("authorized", "bank_authorisation_expired", "requires_more", None),
        ("authorized", "cancelled", "canceled", None),
        ("authorized", "failed", "error", None),
        ("authorized", "payer_geo_blocked", "error", None),
        ("ignored", "active", None, None),
    ],
)
def test_event_means_what_the_table_says(kind, action, status, change, read):
    event = read(kind, action)
    assert (status, change) == told(event)
    assert event.recognized
    assert event.type.endswith(f".{action}")


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"will_attempt_retry": True}, ("pending", None)),
        ({"will_attempt_retry": False}, ("error", "capture_failed")),
        ({"will_attempt_retry": "true"}, ("error", "capture_failed")),
        (None, ("error", "capture_failed")),
    ],
)
def test_failure_that_is_retried_is_none(details, expected, read):
    assert expected == told(read("capture_failed", details=details))


def test_late_failure_undoes_the_capture(read):
    captured, failed = read("captured").payment_change, read("capture_failed").payment_change
    assert captured.reference == failed.reference == "ext_42"


@pytest.mark.parametrize(
    ("changes", "reference"),
    [
        ({}, "payses_01JDTEST"),
        ({"metadata": {"session_id": "other"}}, "payses_01JDTEST"),
        ({"resource_metadata": None}, None),
        ({"resource_metadata": {}, "metadata": {"session_id": "other"}}, None),
    ],
)
def test_reference_is_the_metadata_of_the_resource(changes, reference, read):
    assert reference == read("captured", **changes).reference


def test_refund_without_its_payment_is_known_by_its_own_id(read):
    event = read("refunded", links={"refund": "RF1"})
    assert ("RF1", "RF1") == (event.external_id, event.payment_change.reference)
    linked = read("refunded", links={"refund": "RF1", "payment": "PM1"})
    assert ("PM1", "RF1") == (linked.external_id, linked.payment_change.reference)


def test_billing_request_is_known_by_its_own_id(read):
    links = {"billing_request": "BRQ1", "payment_request_payment": "PM1"}
    assert "BRQ1" == read("authorized", links=links).external_id


def test_no_amount_is_told(read):
    assert (None, None) == (read("captured").amount, read("captured").currency)


def test_batch_tells_all_its_events_in_order(gocardless, payment, at):
    kinds = ("captured", "ignored", "refunded", "disputed")
    delivery = simulator.simulate_batch(gocardless, kinds, payment, event_id="EV", at=at)
    events = list(gocardless.adapter.read(delivery, gocardless.config))
    changes = ["captured", None, "refunded", "disputed"]
    assert changes == [told(event)[1] for event in events]


@pytest.mark.parametrize(
    "bad", [None, 7, {}, {"id": "EV1"}, {"id": "EV1", "created_at": "no", "action": "confirmed"}]
)
def test_bad_event_holds_up_no_other(bad, gocardless, simulated, resigned):
    delivery = simulated(gocardless, "captured")
    body = json.loads(delivery.body)
    body["events"].insert(0, bad)
    (event,) = gocardless.adapter.read(resigned(gocardless, delivery, body), gocardless.config)
    assert ("authorized", "captured") == told(event)


@pytest.mark.parametrize(
    "body", [{}, {"events": {}}, {"events": None}, {"events": [None]}, {"events": [{"id": "EV1"}]}]
)
def test_body_without_one_readable_event_is_malformed(body, gocardless, simulated, resigned):
    delivery = resigned(gocardless, simulated(gocardless, "captured"), body)
    with pytest.raises(Rejected) as refused:
        gocardless.adapter.read(delivery, gocardless.config)
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize("links", [None, {}, {"payment": ""}, {"payment": {}}, {"refund": "RF1"}])
def test_event_that_names_no_payment_is_malformed(links, read):
    with pytest.raises(Rejected, match=r"links\.payment"):
        read("captured", links=links)


def test_empty_batch_and_missing_meta_are_let_be(gocardless, simulated, resigned):
    delivery = resigned(gocardless, simulated(gocardless, "captured"), {"events": []})
    assert [] == list(gocardless.adapter.read(delivery, gocardless.config))


def test_added_newline_breaks_the_signature(gocardless, simulated, refusal):
    delivery = simulated(gocardless, "captured")
    longer = replace(delivery, body=delivery.body + b"\n")
    assert Cause.BAD_SIGNATURE == refusal(gocardless, longer)


def test_signature_is_lower_case_hex_of_the_body(gocardless, simulated):
    delivery = simulated(gocardless, "captured")
    expected = hmac.digest(b"development_not_a_secret", delivery.body, "sha256").hex()
    assert [expected] == delivery.header_values("webhook-signature")


def test_answers_are_the_ones_asked_for(gocardless):
    assert (204, 498) == (gocardless.adapter.reply.status, gocardless.adapter.refusal_status)


@pytest.fixture
def priced(instance_of):
    return instance_of("gocardless", access_token="sandbox_fake", environment="sandbox")


@pytest.fixture
def batch(payment, at, priced):
    def make(*kinds, **changes):
        told = replace(payment, external_id="PM42", reference_id="7", **changes)
        return simulator.simulate_batch(priced, kinds, told, event_id="EV", at=at)

    return make


def test_amounts_are_asked_for_where_a_token_is_configured(priced, batch):
    delivery = batch("captured", "ignored", "refunded", "disputed")
    assert not priced.adapter.verify(delivery, priced.config).settled
    settlement = priced.adapter.settle(delivery, priced.config)
    first = next(settlement)
    money = {"payments": {"amount": 4250, "currency": "EUR"}}
    second = settlement.send(ApiAnswer(200, json.dumps(money).encode()))
    api = "https://api-sandbox.gocardless.com"
    assert (f"{api}/payments/PM42", f"{api}/refunds/RF7") == (first.url, second.url)
    assert {"Authorization": "Bearer sandbox_fake", "GoCardless-Version": "2015-07-06"} == dict(
        first.headers
    )
    with pytest.raises(StopIteration) as end:
        settlement.send(ApiAnswer(200, b'{"refunds":{"amount":1500,"currency":"EUR"}}'))
    amounts = [4250, None, 1500, None]
    assert amounts == [event.amount for event in end.value.value]


def test_what_moves_no_money_is_not_asked_for(priced, batch, gocardless):
    assert priced.adapter.verify(batch("disputed", "voided"), priced.config).settled
    assert gocardless.adapter.verify(batch("captured"), gocardless.config).settled


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (404, b"{}", Cause.UNKNOWN_PAYMENT),
        (401, b"{}", Cause.UNVERIFIABLE),
        (200, b"{}", Cause.MALFORMED),
        (200, b'{"payments":{"amount":"4250","currency":"EUR"}}', Cause.MALFORMED),
    ],
)
def test_answer_without_the_money_settles_nothing(status, body, cause, priced, batch):
    settlement = priced.adapter.settle(batch("captured"), priced.config)
    next(settlement)
    with pytest.raises(Rejected) as refused:
        settlement.send(ApiAnswer(status, body))
    assert cause == refused.value.cause


def test_odd_id_is_never_asked(priced, simulated):
    settlement = priced.adapter.settle(simulated(priced, "captured"), priced.config)
    with pytest.raises(Rejected) as refused:
        next(settlement)
    assert Cause.MALFORMED == refused.value.cause
