import json
from dataclasses import replace

import pytest

from gateway.domain.errors import Cause, Rejected
from providers.contract import ApiAnswer

KEY_ID = "krn:partner:global:notification:signing-key:development"
ORDERS = "https://api.playground.klarna.com/ordermanagement/v1/orders"
ORDER = {
    "order_id": "f339-2f8b",
    "status": "AUTHORIZED",
    "fraud_status": "ACCEPTED",
    "order_amount": 10000,
    "captured_amount": 0,
    "refunded_amount": 0,
    "purchase_currency": "eur",
    "merchant_reference1": "payses_42",
    "merchant_reference2": "10042",
}
SESSION = {
    "session_id": "e4b8-1ca2",
    "status": "complete",
    "authorization_token": "1edd-f502",
    "order_amount": 2599,
    "purchase_currency": "GBP",
    "merchant_reference1": "payses_42",
}
AUTHORIZATION = {"session_id": "e4b8-1ca2", "authorization_token": "1edd-f502"}
RESULT = {"order_id": "f339-2f8b", "event_type": "FRAUD_RISK_REJECTED"}
PUSH = "klarna_order_id=f339-2f8b&token=fake_token"


@pytest.fixture
def klarna(instance_of):
    return instance_of(
        "klarna",
        callback_token=["fake_token", "fake_next_token"],
        username="PK0_fake",
        password="fake",
        environment="playground",
    )


@pytest.fixture
def read(klarna, simulated, resigned):
    """The one event of a kind under another type, with fields of its payload replaced."""

    def make(kind, word=None, **changes):
        delivery = simulated(klarna, kind)
        body = json.loads(delivery.body)
        body["metadata"]["event_type"] = word or body["metadata"]["event_type"]
        body["payload"].update(changes)
        (event,) = klarna.adapter.read(resigned(klarna, delivery, body), klarna.config)
        return event

    return make


@pytest.fixture
def callback(klarna, simulated):
    def make(body="", query=PUSH):
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        return replace(simulated(klarna, "captured"), body=raw, query=query, headers=())

    return make


def outcome(klarna, delivery, found, status=200):
    """The requests that a callback leads to, and the events of the answer."""
    settlement = klarna.adapter.settle(delivery, klarna.config)
    requests = [next(settlement)]
    try:
        answer = ApiAnswer(status, json.dumps(found).encode())
        while True:
            requests.append(settlement.send(answer))
            answer = ApiAnswer(403, b"")
    except StopIteration as end:
        return requests, end.value


def told(event):
    change = event.payment_change
    return event.session_status, change and change.kind, event.amount


def test_key_is_looked_up_by_its_id(klarna, simulated, instance_of, refusal):
    delivery = simulated(klarna, "captured")
    both = instance_of(
        "klarna", signing_keys={"old": "fake_old", KEY_ID: "development_not_a_secret"}
    )
    assert KEY_ID == both.adapter.verify(delivery, both.config).secret
    changed = instance_of("klarna", signing_keys={KEY_ID: "fake_old"})
    assert Cause.BAD_SIGNATURE == refusal(changed, delivery)
    other = instance_of("klarna", signing_keys={"old": "development_not_a_secret"})
    assert Cause.UNKNOWN_KEY == refusal(other, delivery)
    assert Cause.NOT_CONFIGURED == refusal(instance_of("klarna", signing_keys={}), delivery)


@pytest.mark.parametrize("name", ["Klarna-Signature", "Klarna-Signing-Key-Id"])
def test_both_headers_are_needed(name, klarna, simulated, refusal):
    delivery = simulated(klarna, "captured")
    headers = tuple(pair for pair in delivery.headers if pair[0] != name)
    assert Cause.MISSING_SIGNATURE == refusal(klarna, replace(delivery, headers=headers))


@pytest.mark.parametrize("body", ['{"metadata":{},"payload":{}}', "[]", "{", "\ud800", '{"a":1}'])
def test_body_that_is_no_callback_has_to_be_signed(body, klarna, callback, refusal):
    delivery = replace(callback(), body=body.encode("utf-8", "surrogatepass"))
    assert Cause.MISSING_SIGNATURE == refusal(klarna, delivery)


@pytest.mark.parametrize(
    ("kind", "word", "changes", "status", "change"),
    [
        ("created", None, {}, "pending", None),
        ("processing", None, {}, "pending", None),
        ("processing", "payment.request.state-change.in_progress", {}, "pending", None),
        ("requires_action", None, {}, "requires_more", None),
        ("created", "payment.request.state-change.authorized", {}, "authorized", None),
        ("failed", None, {}, "error", None),
        ("canceled", None, {}, "canceled", None),
        ("expired", None, {}, "canceled", None),
        ("authorized", None, {}, "authorized", None),
        ("captured", None, {}, "authorized", "captured"),
        ("ignored", None, {}, None, None),
        ("voided", None, {}, "canceled", "voided"),
        ("voided", None, {"previous_state": "COMPLETED"}, None, None),
        ("disputed", None, {}, None, "disputed"),
        ("disputed", "payment.dispute.state-change.representment", {}, None, None),
        ("disputed", "payment.dispute.state-change.pre-arbitration", {}, None, None),
        ("disputed", "payment.dispute.state-change.arbitration", {}, None, None),
        ("disputed", "payment.dispute.updated.evidence", {}, None, None),
        ("dispute_won", None, {}, None, "dispute_won"),
        ("dispute_lost", None, {}, None, "dispute_lost"),
    ],
)
def test_event_means_what_the_table_says(kind, word, changes, status, change, read):
    event = read(kind, word, **changes)
    assert (status, change) == told(event)[:2]
    assert event.recognized


def test_dispute_is_told_by_its_own_id_and_money(read):
    event = read("disputed")
    assert "dispute" in event.payment_change.reference
    assert ("ext_42", 4250, "EUR") == (event.external_id, event.amount, event.currency)
    assert event.payment_change.reference == read("dispute_lost").payment_change.reference
    assert read("dispute_lost", dispute_details=None).amount is None


def test_dispute_of_an_order_is_known_by_the_order(read):
    names = ("payment_transaction_id", "payment_transaction_reference")
    order = {"order_id": "5c8c-a572", "merchant_reference2": "payses_42"}
    event = read("disputed", **dict.fromkeys(names), **order)
    assert ("5c8c-a572", "payses_42") == (event.external_id, event.reference)
    assert "ext_42" == read("disputed", **order).external_id


def test_event_without_an_id_is_named_by_its_signature(klarna, simulated, resigned):
    delivery = simulated(klarna, "captured")
    body = json.loads(delivery.body)
    del body["metadata"]["event_id"]
    bare = resigned(klarna, delivery, body)
    (event,) = klarna.adapter.read(bare, klarna.config)
    assert bare.header_values("Klarna-Signature") == [event.event_id]
    assert bare.body == klarna.adapter.key(bare, klarna.config)


def test_event_about_no_payment_at_all_is_malformed(read):
    with pytest.raises(Rejected) as refused:
        read("captured", payment_transaction_id=None, payment_transaction_reference=None)
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize("body", ["", RESULT, AUTHORIZATION], ids=["push", "result", "session"])
def test_callback_is_let_in_by_its_token_only(body, klarna, callback, refusal, instance_of):
    for at, token in enumerate(("fake_token", "fake_next_token")):
        delivery = callback(body, f"klarna_order_id=f339-2f8b&token={token}")
        verdict = klarna.adapter.verify(delivery, klarna.config)
        assert (False, f"callback_token[{at}]") == (verdict.settled, verdict.secret)
        assert klarna.adapter.key(delivery, klarna.config) is None
        with pytest.raises(Rejected):
            klarna.adapter.read(delivery, klarna.config)
    for query in ("token=fake_toke", "token=%00", "token=fake_toke&token=fake_token"):
        assert Cause.BAD_CREDENTIALS == refusal(klarna, callback(body, query))
    for query in ("", "token=", "token=%20", "tokens=fake_token", "token=\ud800"):
        assert Cause.MISSING_SIGNATURE == refusal(klarna, callback(body, query))
    assert Cause.NOT_CONFIGURED == refusal(instance_of("klarna"), callback(body))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [("authorized", None, 10000)]),
        ({"fraud_status": "PENDING"}, [("pending", None, 10000)]),
        ({"fraud_status": "REJECTED"}, [("error", None, 10000)]),
        ({"fraud_status": "STOPPED"}, [("error", None, 10000)]),
        ({"fraud_status": None}, [(None, None, None)]),
        ({"status": "PART_CAPTURED", "captured_amount": 4000}, [("authorized", "captured", 4000)]),
        ({"status": "CAPTURED", "captured_amount": 10000}, [("authorized", "captured", 10000)]),
        (
            {"status": "CAPTURED", "captured_amount": 10000, "refunded_amount": 2500},
            [("authorized", "captured", 10000), (None, "refunded", 2500)],
        ),
        ({"status": "CANCELLED"}, [("canceled", "voided", 10000)]),
        ({"status": "EXPIRED"}, [("canceled", "voided", 10000)]),
        ({"status": "CLOSED"}, [("canceled", "voided", 10000)]),
        ({"status": "CLOSED", "captured_amount": 10000}, [("authorized", "captured", 10000)]),
        ({"status": "EXPIRED", "captured_amount": 1000}, [("authorized", "captured", 1000)]),
    ],
)
@pytest.mark.parametrize("body", ["", RESULT], ids=["push", "result"])
def test_order_counts_as_it_is_now(body, changes, expected, klarna, callback):
    requests, events = outcome(klarna, callback(body), ORDER | changes)
    assert expected == [told(event) for event in events]
    assert len(events) == len({event.event_id for event in events})
    acknowledged = not body and ("authorized", None, 10000) in expected
    urls = [f"{ORDERS}/f339-2f8b", f"{ORDERS}/f339-2f8b/acknowledge"]
    assert urls[: 1 + acknowledged] == [request.url for request in requests]
    assert {"Basic UEswX2Zha2U6ZmFrZQ=="} == {dict(r.headers)["Authorization"] for r in requests}


@pytest.mark.parametrize(
    ("changes", "reference"),
    [
        ({}, "payses_42"),
        ({"merchant_reference1": None}, "10042"),
        ({"merchant_reference1": "", "merchant_reference2": "", "merchant_data": "x"}, "x"),
        ({"merchant_reference1": {}, "merchant_reference2": None}, None),
    ],
)
def test_reference_stands_in_one_of_three_places(changes, reference, klarna, callback):
    _, (event,) = outcome(klarna, callback(), ORDER | changes)
    assert (reference, "f339-2f8b", False) == (event.reference, event.external_id, event.livemode)


@pytest.mark.parametrize("query", ["token=x", "klarna_order_id=", "klarna_order_id=a%2F..%2Fb"])
def test_odd_order_id_is_never_asked(query, klarna, callback):
    with pytest.raises(Rejected) as refused:
        next(klarna.adapter.settle(callback("", query), klarna.config))
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize("value", [None, 7, "a b", "", "é", "x" * 256, {}])
@pytest.mark.parametrize(("body", "name"), [(RESULT, "order_id"), (AUTHORIZATION, "session_id")])
def test_odd_id_in_a_body_is_never_asked(body, name, value, klarna, callback):
    with pytest.raises(Rejected) as refused:
        next(klarna.adapter.settle(callback(body | {name: value}), klarna.config))
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize(
    ("region", "environment", "host"),
    [
        ("eu", "production", "api.klarna.com"),
        ("na", "production", "api-na.klarna.com"),
        ("oc", "playground", "api-oc.playground.klarna.com"),
    ],
)
def test_host_is_of_the_region_and_environment(region, environment, host, instance_of, callback):
    there = instance_of("klarna", region=region, environment=environment, password="fake")
    request = next(there.adapter.settle(callback(), there.config))
    assert request.url.startswith(f"https://{host}/ordermanagement/")


def test_callback_without_credentials_says_which_setting_is_missing(instance_of, callback):
    bare = instance_of("klarna")
    with pytest.raises(Rejected, match="password") as refused:
        next(bare.adapter.settle(callback(), bare.config))
    assert Cause.UNVERIFIABLE == refused.value.cause


@pytest.mark.parametrize(
    ("body", "found", "status", "cause"),
    [
        ("", {}, 404, Cause.UNKNOWN_PAYMENT),
        ("", {}, 401, Cause.UNVERIFIABLE),
        ("", {}, 200, Cause.MALFORMED),
        ("", ORDER | {"order_id": "other"}, 200, Cause.MALFORMED),
        ("", ORDER | {"order_amount": "100"}, 200, Cause.MALFORMED),
        (AUTHORIZATION, SESSION | {"session_id": "other"}, 200, Cause.MALFORMED),
        (AUTHORIZATION, SESSION | {"status": "incomplete"}, 200, Cause.UNVERIFIABLE),
        (AUTHORIZATION, SESSION | {"authorization_token": "other"}, 200, Cause.UNVERIFIABLE),
        (AUTHORIZATION, SESSION | {"authorization_token": None}, 200, Cause.UNVERIFIABLE),
    ],
)
def test_answer_that_confirms_nothing_settles_nothing(body, found, status, cause, klarna, callback):
    with pytest.raises(Rejected) as refused:
        outcome(klarna, callback(body), found, status)
    assert cause == refused.value.cause


@pytest.mark.parametrize("token", ["", None, {}])
def test_authorization_without_a_token_is_never_confirmed(token, klarna, callback):
    body = AUTHORIZATION | {"authorization_token": token}
    with pytest.raises(Rejected) as refused:
        outcome(klarna, callback(body), SESSION | {"authorization_token": token or ""})
    assert refused.value.cause in {Cause.UNVERIFIABLE, Cause.MALFORMED}


def test_authorization_of_a_session_waits_for_the_merchant(klarna, callback):
    (request,), (event,) = outcome(klarna, callback(AUTHORIZATION), SESSION)
    assert request.url.endswith("/payments/v1/sessions/e4b8-1ca2")
    assert ("requires_more", None, 2599) == told(event)
    assert ("payses_42", "e4b8-1ca2", "GBP") == (event.reference, event.external_id, event.currency)
    assert SESSION["authorization_token"] not in event.event_id


def test_token_can_be_put_into_an_url(klarna, callback, refusal):
    bare = callback("", "klarna_order_id=f339-2f8b&token=old")
    made = klarna.adapter.unsigned.sign(bare, klarna.config)
    assert "klarna_order_id=f339-2f8b&token=fake_token" == made.query
    assert refusal(klarna, made) is None
