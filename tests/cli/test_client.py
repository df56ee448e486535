import pytest
import requests
import responses
from responses import matchers

from gateway import client as module
from gateway.client import (
    GatewayClient,
    NewSession,
    NotYet,
    Payment,
    Refused,
    Unreachable,
    is_ready,
    post_delivery,
)
from gateway.domain.events import Delivery, SessionStatus

BASE = "http://gateway.example"
ONE = f"{BASE}/sessions/ps_1"
AUTHORIZED = {SessionStatus.AUTHORIZED}


@pytest.fixture
def api():
    with responses.RequestsMock() as api:
        yield api


@pytest.fixture
def client():
    with GatewayClient(f"{BASE}/", "pwg_1") as client:
        yield client


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """Pauses pass at once; how long they would have been is kept."""
    pauses = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    return pauses


def told(version=1, status="pending", **fields):
    session = {
        "id": "ps_1",
        "provider_id": "stripe",
        "status": status,
        "status_reason": "created",
        "amount": 4250,
        "currency_code": "EUR",
        "payment_authorized_at": None,
        "version": version,
        "data": {},
        "needs_void": False,
        "idempotency_key": "key",
    }
    return {"json": session | fields, "headers": {"ETag": f'"{version}"'}}


def only_if_not(version):
    return [matchers.header_matcher({"If-None-Match": f'"{version}"'})]


def test_create_sends_what_was_given(api, client):
    body = {"provider_id": "stripe", "amount": 4250, "currency_code": "EUR", "id": "ps_1"}
    sent = [
        matchers.json_params_matcher(body),
        matchers.header_matcher({"Authorization": "Bearer pwg_1"}),
    ]
    api.post(f"{BASE}/sessions", status=201, match=sent, **told())

    new = NewSession(provider_id="stripe", amount=4250, currency_code="EUR", id="ps_1")
    session = client.create(new)
    assert ("ps_1", SessionStatus.PENDING, '"1"') == (session.id, session.status, session.etag)


def test_refusal_carries_the_problem(api, client):
    problem = {"detail": "amount: wrong", "errors": {"amount": ["Not a valid integer."]}}
    api.post(f"{BASE}/sessions", status=422, json=problem)

    with pytest.raises(Refused, match=r"answered 422: amount: wrong .*integer") as refused:
        client.create(NewSession(provider_id="stripe", amount=-1, currency_code="EUR"))
    assert (422, problem) == (refused.value.status, dict(refused.value.problem) | problem)


def test_unchanged_session_is_asked_for_by_its_etag(api, client):
    api.get(ONE, **told(7))
    api.get(ONE, status=304, match=only_if_not(7))

    assert client.changed(client.get("ps_1")) is None


def test_wait_asks_again_with_growing_pauses_if_nobody_waits_with_the_answer(api, client, pauses):
    api.get(ONE, **told(1))
    api.get(ONE, status=304, match=only_if_not(1))
    api.get(ONE, status=304, match=only_if_not(1))
    api.get(ONE, match=only_if_not(1), **told(2, "requires_more"))
    at = "2026-11-20T14:00:00+00:00"
    api.get(ONE, match=only_if_not(2), **told(3, "authorized", payment_authorized_at=at))

    session = client.wait_for("ps_1", AUTHORIZED, timeout=60)
    assert (3, at) == (session.version, session.payment_authorized_at.isoformat())
    assert pauses == sorted(set(pauses))
    assert 2 == len(pauses)


def test_creation_may_carry_a_key_that_makes_it_safe_to_repeat(api, client):
    sent = [matchers.header_matcher({"Idempotency-Key": "order-7"})]
    api.post(f"{BASE}/sessions", status=201, match=sent, **told())

    new = NewSession(provider_id="stripe", amount=4250, currency_code="EUR")
    assert "ps_1" == client.create(new, idempotency_key="order-7").id


def test_completion_sends_the_sessions_own_key(api, client):
    payment = {
        "id": "pay_1",
        "session_id": "ps_1",
        "amount": 4250,
        "currency_code": "EUR",
        "captured_amount": 0,
        "refunded_amount": 0,
        "disputed_amount": 0,
    }
    sent = [matchers.json_params_matcher({"idempotency_key": "key"})]
    api.get(ONE, **told(2, "authorized"))
    api.post(f"{ONE}/complete", match=sent, json={**payment, "captures": []})

    assert Payment(**payment) == client.complete(client.get("ps_1"))


def test_wait_outlives_a_gateway_that_is_away_for_a_moment(api, client):
    api.get(ONE, **told(1))
    api.get(ONE, status=503, json={"detail": "the store is away"})
    api.get(ONE, body=requests.ConnectionError())
    api.get(ONE, **told(2, "authorized"))

    assert 2 == client.wait_for("ps_1", AUTHORIZED, timeout=60).version


def test_wait_gives_up_when_its_time_is_over(api, client):
    api.get(ONE, **told(1))

    with pytest.raises(NotYet, match="ps_1 is still pending"):
        client.wait_for("ps_1", AUTHORIZED, timeout=0)


def test_history_is_told_in_the_gateways_own_words(api, client):
    at = "2026-11-20T14:00:00+00:00"
    decision = {
        "source": "stripe",
        "event_id": "evt_1",
        "type": "payment_intent.succeeded",
        "outcome": "applied",
        "before": "pending",
        "after": "authorized",
        "occurred_at": at,
        "received_at": at,
        "decided_at": at,
        "delivery_id": "dlv_1",
        "change": "captured",
        "amount": 4250,
        "currency": "EUR",
        "detail": "",
    }
    api.get(f"{ONE}/history", json={"decisions": [decision]})

    [known] = client.history("ps_1")
    assert {**decision, "occurred_at": known.occurred_at} == {
        name: value.isoformat() if name in ("received_at", "decided_at") else value
        for name in decision
        for value in [getattr(known, name)]
    }


@pytest.mark.parametrize("status", [429, 503])
def test_busy_gateway_counts_as_unreachable(api, client, status):
    api.get(ONE, status=status, body="not even JSON")

    with pytest.raises(Unreachable):
        client.get("ps_1")


def test_id_cannot_leave_its_place_in_the_path(api, client):
    api.get(f"{BASE}/sessions/..%2Ftokens", **told())

    client.get("../tokens")


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False)])
def test_readiness_is_what_the_gateway_says(api, status, ready):
    api.get(f"{BASE}/ready", status=status)

    assert ready is is_ready(BASE)


def test_gateway_that_is_away_is_not_ready(api):
    assert not is_ready(BASE)


def test_delivery_is_posted_with_its_exact_bytes(api):
    body = b'{"z": 1,  "a":\xff}'
    api.post(f"{BASE}/webhooks/stripe-eu?a=1&a=%20", status=401, json={"cause": "bad_signature"})
    delivery = Delivery(
        "stripe-eu", body, (("X-Signature", "s"),), received_at=None, query="a=1&a=%20"
    )

    answer = post_delivery(BASE, delivery)
    assert body == api.calls[0].request.body
    assert "s" == api.calls[0].request.headers["X-Signature"]
    assert (401, "bad_signature", False) == (answer.status, answer.cause, answer.ok)
