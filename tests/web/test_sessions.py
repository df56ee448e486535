from dataclasses import replace

import builders
import pytest
import toy

from gateway.domain.events import SessionStatus
from gateway.domain.sessions import apply
from gateway.store.sessions import Commit
from gateway.store.tokens import Scope, Token, digest_of
from jobs.drain import Drain

NEW = {"provider_id": "toy", "amount": 1000, "currency_code": "EUR"}


def authorize(services, session_id):

    before = services.runtime.sessions.load([(session_id, ())])[0].record
    told = builders.status(SessionStatus.AUTHORIZED, 1, provider_id="toy")
    after, _ = apply(before, told, known=False)
    after = replace(after, session=replace(after.session, version=before.session.version + 1))
    services.runtime.sessions.commit([Commit(before, after, ())])


def test_created_session_has_every_field_of_the_entity(api, clock):
    answer = api("POST", "/sessions", json=NEW)

    body = answer.json
    assert 201 == answer.status_code
    assert body["id"].startswith("ps_")
    assert f"/sessions/{body['id']}" == answer.headers["Location"]
    key = body.pop("idempotency_key")
    assert len(key) >= 20
    assert {
        "id": body["id"],
        "cart_id": None,
        "cart": None,
        "provider_id": "toy",
        "is_selected": None,
        "is_initiated": False,
        "status": "pending",
        "data": {},
        "amount": 1000,
        "payment_authorized_at": None,
        "created_at": clock.now.isoformat(),
        "updated_at": clock.now.isoformat(),
        "currency_code": "EUR",
        "payment_id": None,
        "authorized_amount": None,
        "status_reason": "created",
        "needs_void": False,
        "expires_at": None,
        "completed_at": None,
        "superseded_by": None,
        "version": 1,
    } == body


def test_given_id_cart_and_data_are_kept(api):
    given = {**NEW, "id": "ps_mine", "cart_id": "cart_1", "data": {"id": "pay_1", "x": [1]}}
    body = api("POST", "/sessions", json=given).json

    assert ("ps_mine", "cart_1") == (body["id"], body["cart_id"])
    assert {"id": "pay_1", "x": [1]} == body["data"]
    assert body["is_initiated"]


def test_taken_id_is_a_conflict(api):
    api("POST", "/sessions", json={**NEW, "id": "ps_1"})
    answer = api("POST", "/sessions", json={**NEW, "id": "ps_1"})

    assert 409 == answer.status_code
    assert "application/problem+json" == answer.content_type


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount": "1000"}, "amount"),
        ({"amount": 10.0}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": 2**60}, "amount"),
        ({"amount": None}, "amount"),
        ({"currency_code": "eur"}, "currency_code"),
        ({"currency_code": "EUR\n"}, "currency_code"),
        ({"id": "a b"}, "id"),
        ({"id": "x" * 65}, "id"),
        ({"id": ""}, "id"),
        ({"data": []}, "data"),
        ({"provider_id": ""}, "provider_id"),
        ({"stauts": "authorized"}, "stauts"),
        ({"status": "authorized"}, "status"),
    ],
)
def test_wrong_value_is_named(api, wrong, field):
    answer = api("POST", "/sessions", json={**NEW, **wrong})

    assert 422 == answer.status_code
    assert field in str(answer.json["errors"])


def test_session_of_an_unconfigured_provider_is_refused(api):
    answer = api("POST", "/sessions", json={**NEW, "provider_id": "stripe"})

    assert 422 == answer.status_code
    assert "toy" in str(answer.json["errors"]["provider_id"])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff"])
def test_body_that_is_no_object_is_a_problem(api, body):
    answer = api("POST", "/sessions", data=body, headers={"Content-Type": "application/json"})

    assert answer.status_code in (400, 422)
    assert "application/problem+json" == answer.content_type


def test_get_tells_the_version_and_304_while_it_holds(api, services):
    created = api("POST", "/sessions", json={**NEW, "id": "ps_1"})
    tag = created.headers["ETag"]

    unchanged = api("GET", "/sessions/ps_1", headers={"If-None-Match": tag})
    authorize(services, "ps_1")
    changed = api("GET", "/sessions/ps_1", headers={"If-None-Match": tag})

    assert (304, b"", tag) == (unchanged.status_code, unchanged.data, unchanged.headers["ETag"])
    assert (200, "authorized") == (changed.status_code, changed.json["status"])
    assert tag != changed.headers["ETag"]


@pytest.mark.parametrize("tag", ["", '"x"', '"99"', "W/", '"2", "3"', '"²"', '"1s"'])
def test_strange_etag_gets_the_session(api, tag):
    api("POST", "/sessions", json={**NEW, "id": "ps_1"})

    assert 200 == api("GET", "/sessions/ps_1", headers={"If-None-Match": tag}).status_code


@pytest.mark.parametrize("path", ["/sessions/ps_9", "/sessions/ps_9/history"])
def test_missing_session_is_not_found(api, path):
    answer = api("GET", path)

    assert 404 == answer.status_code
    assert "ps_9" in answer.json["detail"]


def test_webhook_that_came_first_is_applied_after_the_creation(api, post, services, clock):
    post(toy.signed(toy.told("e1")))
    Drain(services.runtime, 0).run(linger=builders.at(0) - builders.at(0))
    api("POST", "/sessions", json={**NEW, "id": "ps_1"})
    Drain(services.runtime, 0).run(linger=builders.at(0) - builders.at(0))

    assert "authorized" == api("GET", "/sessions/ps_1").json["status"]
    decisions = api("GET", "/sessions/ps_1/history").json["decisions"]
    assert [("api:all", "session.created"), ("toy", "toy")] == [
        (decision["source"], decision["type"]) for decision in decisions
    ]
    assert ("applied", "pending", "authorized") == tuple(
        decisions[1][name] for name in ("outcome", "before", "after")
    )


@pytest.mark.parametrize(
    ("token", "method", "path", "status"),
    [
        ("reader", "POST", "/sessions", 403),
        ("writer", "GET", "/sessions/ps_1", 403),
        ("reader", "GET", "/sessions/ps_1", 404),
        ("nobody", "GET", "/sessions/ps_1", 401),
        ("", "GET", "/sessions/ps_1", 401),
    ],
)
def test_tokens_do_what_their_scopes_allow(api, token, method, path, status):
    answer = api(method, path, token=token, json=NEW if method == "POST" else None)

    assert status == answer.status_code
    assert "application/problem+json" == answer.content_type


def test_call_without_a_token_is_told_how(client):
    answer = client.get("/sessions/ps_1")

    assert 401 == answer.status_code
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert "gateway token create" in answer.json["detail"]


def test_expired_token_is_refused(client, services, clock):

    expires = builders.at(60)
    services.tokens.add(
        Token("old", frozenset(Scope), digest_of("old"), clock(), expires_at=expires)
    )
    headers = {"Authorization": "Bearer old"}
    assert 404 == client.get("/sessions/ps_1", headers=headers).status_code
    clock.advance(seconds=61)

    assert 401 == client.get("/sessions/ps_1", headers=headers).status_code
