import hmac
import json
from dataclasses import replace

import pytest

from gateway.domain.errors import Cause, Rejected
from providers.contract import ApiAnswer

SECRET = "development_not_a_secret"
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
PAYMENT = {
    "resource": "payment",
    "id": "tr_42",
    "mode": "live",
    "createdAt": "2025-11-24T15:58:00+00:00",
    "amount": {"value": "42.50", "currency": "EUR"},
    "metadata": {"session_id": "payses_42"},
}


@pytest.fixture
def mollie(instance_of):
    return instance_of("mollie", api_key="test_fake")


@pytest.fixture
def read(mollie, simulated, resigned):
    """The one event of a kind under another type, with fields of its entity replaced."""

    def make(kind, word=None, **changes):
        delivery = simulated(mollie, kind)
        body = json.loads(delivery.body)
        body["type"] = word or body["type"]
        body["_embedded"]["entity"].update(changes)
        (event,) = mollie.adapter.read(resigned(mollie, delivery, body), mollie.config)
        return event

    return make


@pytest.fixture
def classic(mollie, simulated):
    def make(body="id=tr_42"):
        return replace(simulated(mollie, "captured"), body=body.encode(), headers=FORM)

    return make


@pytest.fixture
def simple(mollie, simulated, resigned):
    """An event that only says what it is about."""

    def make(word, entity_id, href=None):
        delivery = simulated(mollie, "captured")
        body = json.loads(delivery.body) | {"type": word, "entityId": entity_id}
        del body["_embedded"]
        body["_links"]["entity"] = {"href": href}
        return resigned(mollie, delivery, body)

    return make


def outcome(mollie, delivery, found, status=200):
    """The request that a delivery leads to, and the events of the answer."""
    settlement = mollie.adapter.settle(delivery, mollie.config)
    request = next(settlement)
    body = found if isinstance(found, bytes) else json.dumps(found).encode()
    with pytest.raises(StopIteration) as end:
        settlement.send(ApiAnswer(status, body))
    return request, end.value.value


def told(event):
    change = event.payment_change
    return event.type, event.session_status, change and change.kind, event.amount


def hex_of(delivery, secret=SECRET):
    return hmac.digest(secret.encode(), delivery.body, "sha256").hex()


@pytest.mark.parametrize(
    "lines",
    [
        ["sha256={good}"],
        ["{good}"],
        ["sha256=00,sha256={good}"],
        ["sha256={good}, 00"],
        ["sha256=00", "sha256={good}"],
    ],
)
def test_any_signature_of_a_rotation_will_do(lines, mollie, simulated, refusal):
    delivery = simulated(mollie, "captured")
    headers = [("x-mollie-signature", line.format(good=hex_of(delivery))) for line in lines]
    assert refusal(mollie, replace(delivery, headers=tuple(headers))) is None


@pytest.mark.parametrize("lines", [[], [""], ["sha256="], [",", " "]])
def test_json_without_a_signature_is_refused(lines, mollie, simulated, refusal, instance_of):
    delivery = simulated(mollie, "captured")
    for kind in ((), FORM):
        headers = kind + tuple(("X-Mollie-Signature", line) for line in lines)
        for instance in (mollie, instance_of("mollie", signing_secrets=[])):
            assert Cause.MISSING_SIGNATURE == refusal(instance, replace(delivery, headers=headers))


@pytest.mark.parametrize("value", ["sha1={good}", "SHA256={good}", "sha256={upper}", "sha256=é"])
def test_other_signature_is_refused(value, mollie, simulated, refusal):
    delivery = simulated(mollie, "captured")
    good = hex_of(delivery)
    headers = (("X-Mollie-Signature", value.format(good=good, upper=good.upper())),)
    assert Cause.BAD_SIGNATURE == refusal(mollie, replace(delivery, headers=headers))


@pytest.mark.parametrize(
    ("kind", "word", "changes", "status", "change"),
    [
        ("processing", None, {}, "pending", None),
        ("authorized", None, {}, "authorized", None),
        ("captured", None, {}, "authorized", "captured"),
        ("failed", None, {}, "error", None),
        ("canceled", None, {}, "canceled", None),
        ("voided", None, {}, "canceled", "voided"),
        ("expired", None, {}, "canceled", None),
        ("expired", None, {"authorizedAt": "2025-11-24T16:00:00Z"}, "canceled", "voided"),
        ("capture_succeeded", None, {}, None, "captured"),
        ("capture_failed", None, {}, None, "capture_failed"),
        ("refunded", None, {}, None, "refunded"),
        ("refund_failed", None, {}, None, "refund_failed"),
        ("refunded", "refund.canceled", {}, None, "refund_failed"),
        ("refunded", "refund.queued", {}, None, None),
        ("refunded", "refund.pending", {}, None, None),
        ("refunded", "refund.processing", {}, None, None),
        ("disputed", None, {}, None, "disputed"),
        ("dispute_won", None, {}, None, "dispute_won"),
        ("captured", "dispute.created", {}, None, None),
        ("captured", "payout.paid", {}, None, None),
    ],
)
def test_event_means_what_the_table_says(kind, word, changes, status, change, read):
    event = read(kind, word, **changes)
    assert (status, change) == told(event)[1:3]
    assert event.recognized


def test_refund_belongs_to_its_payment_and_has_metadata_of_its_own(read):
    event = read("refunded", metadata={"session_id": "other"}, mode="live")
    assert ("ext_42", None, True) == (event.external_id, event.reference, event.livemode)
    assert event.payment_change.reference.startswith("re_")
    with pytest.raises(Rejected, match="paymentId"):
        read("refunded", paymentId=None)


@pytest.mark.parametrize("metadata", [None, "payses_42", [], {"session_id": {}}, 7])
def test_metadata_may_be_anything(metadata, read):
    assert read("captured", metadata=metadata).reference is None


def test_settlement_of_a_chargeback_is_no_amount(read):
    settlement = {"value": "-42.50", "currency": "EUR"}
    assert 4250 == read("disputed", settlementAmount=settlement).amount


def test_sum_of_nothing_is_no_amount(read):
    nothing = {"value": "0.00", "currency": "EUR"}
    assert 4250 == read("captured", amountCaptured=nothing).amount


@pytest.mark.parametrize(
    ("value", "currency", "amount"),
    [("5000", "JPY", 5000), ("10.00", "EUR", 1000), ("0.01", "USD", 1)],
)
def test_amount_is_in_minor_units(value, currency, amount, read):
    event = read("captured", amount={"value": value, "currency": currency})
    assert (amount, currency) == (event.amount, event.currency)


@pytest.mark.parametrize("value", ["-1.00", "1,00", "", None, {}, "NaN", "1e3"])
def test_money_that_cannot_be_read_is_malformed(value, read):
    with pytest.raises(Rejected) as refused:
        read("captured", amount={"value": value, "currency": "EUR"})
    assert Cause.MALFORMED == refused.value.cause


def test_classic_call_waits_for_the_api_and_is_never_a_repetition(mollie, classic):
    assert not mollie.adapter.verify(classic(), mollie.config).settled
    assert mollie.adapter.key(classic(), mollie.config) is None
    with pytest.raises(Rejected):
        mollie.adapter.read(classic(), mollie.config)


def test_classic_call_without_an_api_key_is_refused(instance_of, classic, refusal):
    assert Cause.NOT_CONFIGURED == refusal(instance_of("mollie"), classic())


def test_test_call_and_one_about_an_order_are_answered_and_mean_nothing(mollie, classic, simulated):
    for body in ("id=tr_42&testByMollie=1", "testByMollie=1", "id=ord_8wmqcHMN4U"):
        assert mollie.adapter.handshake(classic(body), mollie.config).status == 200
    assert mollie.adapter.handshake(classic(), mollie.config) is None
    assert mollie.adapter.handshake(simulated(mollie, "captured"), mollie.config) is None


@pytest.mark.parametrize(
    "body",
    [
        "id=",
        "id=tr_",
        "id=tr_a/../b",
        "id=tr_a%2Fb",
        "id=tr_a%0A",
        "id=https://evil.example/tr_a",
        "id=tr_a&id=tr_b",
        "status=paid",
        "id=tr_\u00e9",
        "a=1&" * 30,
    ],
)
def test_odd_id_is_never_asked(body, mollie, classic):
    with pytest.raises(Rejected) as refused:
        next(mollie.adapter.settle(classic(body), mollie.config))
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "open"}, [("payment.open", "pending", None, 4250)]),
        ({"status": "pending"}, [("payment.pending", "pending", None, 4250)]),
        ({"status": "failed"}, [("payment.failed", "error", None, 4250)]),
        ({"status": "canceled"}, [("payment.canceled", "canceled", None, 4250)]),
        (
            {"status": "expired", "authorizedAt": "2025-11-24T16:00:00Z"},
            [("payment.expired", "canceled", "voided", 4250)],
        ),
        (
            {"status": "authorized", "amountCaptured": {"value": "20.00", "currency": "EUR"}},
            [
                ("payment.authorized", "authorized", None, 4250),
                ("capture.succeeded", None, "captured", 2000),
            ],
        ),
        (
            {"status": "paid", "amountCaptured": {"value": "20.00", "currency": "EUR"}},
            [("payment.paid", "authorized", "captured", 2000)],
        ),
        (
            {"status": "paid", "amountRefunded": {"value": "5.95", "currency": "EUR"}},
            [
                ("payment.paid", "authorized", "captured", 4250),
                ("refund.refunded", None, "refunded", 595),
            ],
        ),
        (
            {"status": "paid", "amountChargedBack": {"value": "42.50", "currency": "EUR"}},
            [
                ("payment.paid", "authorized", "captured", 4250),
                ("chargeback.received", None, "disputed", 4250),
            ],
        ),
        ({"status": "waning"}, [("payment.waning", None, None, None)]),
    ],
)
def test_classic_call_tells_what_the_payment_is_now(changes, expected, mollie, classic):
    delivery = classic("id=tr_42&status=paid&amount=1.00")
    request, events = outcome(mollie, delivery, PAYMENT | changes)
    assert "https://api.mollie.com/v2/payments/tr_42" == request.url
    assert "Bearer test_fake" == dict(request.headers)["Authorization"]
    assert "test_fake" not in repr(request)
    assert expected == [told(event) for event in events]


def test_classic_events_differ_by_what_they_tell(mollie, classic):
    state = PAYMENT | {"status": "paid", "paidAt": "2025-11-24T16:00:00+00:00"}
    refunds = [
        {"amountRefunded": {"value": value, "currency": "EUR"}} for value in ("1.00", "2.00")
    ]
    _, first = outcome(mollie, classic(), state | refunds[0])
    _, second = outcome(mollie, classic(), state | refunds[1])
    assert first[0] == second[0]
    assert 3 == len({event.event_id for event in (*first, *second)})
    assert {("tr_42", True)} == {
        (event.payment_change.reference, event.payment_change.running_total)
        for event in (*first, *second)
    }
    assert (True, "payses_42") == (first[0].livemode, first[0].reference)


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (404, Cause.UNKNOWN_PAYMENT),
        (410, Cause.UNKNOWN_PAYMENT),
        (401, Cause.UNVERIFIABLE),
        (403, Cause.UNVERIFIABLE),
        (302, Cause.UNVERIFIABLE),
    ],
)
def test_answer_other_than_ok_settles_nothing(status, cause, mollie, classic):
    with pytest.raises(Rejected) as refused:
        outcome(mollie, classic(), PAYMENT, status)
    assert cause == refused.value.cause


@pytest.mark.parametrize("found", [PAYMENT | {"id": "tr_43"}, {}, b"[]", b"\xff"])
def test_answer_about_something_else_settles_nothing(found, mollie, classic):
    with pytest.raises(Rejected) as refused:
        outcome(mollie, classic(), found)
    assert Cause.MALFORMED == refused.value.cause


def test_organization_token_asks_for_test_payments(instance_of, classic):
    organization = instance_of("mollie", api_key="access_fake", testmode=True)
    request = next(organization.adapter.settle(classic(), organization.config))
    assert request.url.endswith("/payments/tr_42?testmode=true")


@pytest.mark.parametrize(
    ("word", "path", "found", "expected"),
    [
        ("payment.paid", "tr_42", {"status": "paid"}, ("authorized", "captured")),
        ("payment.pending", "tr_42", {"status": "failed"}, ("error", None)),
        ("refund.refunded", "tr_42/refunds/re_4", {"status": "failed"}, (None, "refund_failed")),
        ("capture.failed", "tr_42/captures/cpt_4", {"status": "succeeded"}, (None, "captured")),
        ("chargeback.received", "tr_42/chargebacks/chb_4", {}, (None, "disputed")),
        (
            "chargeback.received",
            "tr_42/chargebacks/chb_4",
            {"reversedAt": "2025-12-01T00:00:00Z"},
            (None, "dispute_won"),
        ),
    ],
)
def test_simple_event_counts_as_it_is_now(word, path, found, expected, mollie, simple):
    entity_id = path.rpartition("/")[2]
    url = f"https://api.mollie.com/v2/payments/{path}"
    delivery = simple(word, entity_id, url)
    verdict = mollie.adapter.verify(delivery, mollie.config)
    assert (False, "signing_secrets[0]") == (verdict.settled, verdict.secret)
    kind = word.partition(".")[0]
    answer = PAYMENT | {"resource": kind, "id": entity_id, "paymentId": "tr_42"} | found
    request, (event,) = outcome(mollie, delivery, answer)
    assert (url, "evt_captured", word) == (request.url, event.event_id, event.type)
    assert expected == told(event)[1:3]
    assert "tr_42" == event.external_id


@pytest.mark.parametrize(
    ("word", "entity_id", "href"),
    [
        ("payment.paid", "tr_4/../x", None),
        ("payment.paid", "", None),
        ("refund.refunded", "re_4", None),
        ("refund.refunded", "re_4", "https://evil.example/v2/payments/tr_42/refunds/re_4"),
        ("refund.refunded", "re_4", "https://api.mollie.com/v2/payments/tr_42/refunds/re_5"),
        ("refund.refunded", "re_4", "https://api.mollie.com/v2/payments/tr_42/refunds/re_4?a=1"),
    ],
)
def test_simple_event_that_leads_elsewhere_is_refused(word, entity_id, href, mollie, simple):
    with pytest.raises(Rejected) as refused:
        next(mollie.adapter.settle(simple(word, entity_id, href), mollie.config))
    assert Cause.MALFORMED == refused.value.cause


def test_simple_event_says_nothing_without_the_api(mollie, simple, instance_of):
    delivery, keyless = simple("payment.paid", "tr_42"), instance_of("mollie")
    with pytest.raises(Rejected):
        mollie.adapter.read(delivery, mollie.config)
    with pytest.raises(Rejected, match="access to the API"):
        next(keyless.adapter.settle(delivery, keyless.config))
    assert mollie.adapter.verify(simple("payout.paid", "po_4"), mollie.config).settled
