"""Acting on sessions: update, cancel, delete, select, refresh, and creating them again."""

import builders
import pytest
import toy

from jobs.sweep import expire_due

NEW = {"provider_id": "toy", "amount": 1000, "currency_code": "EUR"}


def history(api, session_id="ps_1"):
    decisions = api("GET", f"/sessions/{session_id}/history").json["decisions"]
    return [(decision["source"], decision["type"], decision["outcome"]) for decision in decisions]


def test_update_sets_fields_and_names_its_token(api, create):
    create()
    answer = api("PATCH", "/sessions/ps_1", json={"amount": 1200, "data": {"x": 1}})

    assert (200, 1200, {"x": 1}) == (
        answer.status_code,
        answer.json["amount"],
        answer.json["data"],
    )
    assert ("api:all", "session.updated", "applied") in history(api)


def test_setting_the_payments_id_lets_go_of_what_waited_for_it(api, create, webhook, drained):
    create()
    webhook(toy.told("e1", None, external_id="pay_7"))
    assert "pending" == api("GET", "/sessions/ps_1").json["status"]
    api("PATCH", "/sessions/ps_1", json={"data": {"id": "pay_7"}})
    drained()

    assert "authorized" == api("GET", "/sessions/ps_1").json["status"]


@pytest.mark.parametrize("wrong", [{"amount": -1}, {"is_initiated": "yes"}, {"status": "pending"}])
def test_update_refuses_what_it_does_not_know(api, create, wrong):
    create()

    assert 422 == api("PATCH", "/sessions/ps_1", json=wrong).status_code


def test_cancel_ends_an_open_session(api, create):
    create()

    assert "canceled" == api("POST", "/sessions/ps_1/cancel").json["status"]
    assert "canceled" == api("POST", "/sessions/ps_1/cancel").json["status"]


def test_authorized_session_is_not_ended_here(api, create, webhook):
    create()
    webhook(toy.told("e1"))

    for method, path in (("POST", "/cancel"), ("DELETE", ""), ("POST", "/refresh")):
        answer = api(method, f"/sessions/ps_1{path}", json={} if "refresh" in path else None)
        assert 409 == answer.status_code, path
        assert "provider" in answer.json["detail"]


def test_deleted_session_is_gone_but_its_late_webhooks_are_seen(api, create, webhook):
    create(cart_id="cart_1")
    assert 204 == api("DELETE", "/sessions/ps_1").status_code
    assert 410 == api("GET", "/sessions/ps_1").status_code
    assert 409 == api("DELETE", "/sessions/ps_1").status_code
    webhook(toy.told("e1"))

    assert ("toy", "toy", "superseded") in history(api)
    assert 201 == api("POST", "/sessions", json={**NEW, "cart_id": "cart_1"}).status_code
    assert [] == api("GET", "/sessions?ids=ps_1").json["sessions"]


def test_cart_has_one_session_for_a_provider(api, create):
    create(cart_id="cart_1")
    second = api("POST", "/sessions", json={**NEW, "cart_id": "cart_1"})
    other = api("POST", "/sessions", json={**NEW, "cart_id": "cart_1", "provider_id": "toy-eu"})

    assert 409 == second.status_code
    assert "ps_1" in second.json["detail"]
    assert 201 == other.status_code


def test_sessions_without_a_cart_are_any_number(create):
    for number in range(3):
        create(f"ps_{number}")


def test_one_session_of_a_cart_is_selected(api, create):
    create("ps_1", cart_id="cart_1")
    create("ps_2", cart_id="cart_1", provider_id="toy-eu")
    tag = api("GET", "/sessions/ps_1").headers["ETag"]
    assert True is api("POST", "/sessions/ps_1/select").json["is_selected"]
    assert True is api("POST", "/sessions/ps_2/select").json["is_selected"]

    found = {
        s["id"]: s["is_selected"] for s in api("GET", "/sessions?cart_id=cart_1").json["sessions"]
    }
    assert {"ps_1": None, "ps_2": True} == found
    assert tag == api("GET", "/sessions/ps_1").headers["ETag"]


def test_selection_changes_the_etag(api, create):
    create(cart_id="cart_1")
    tag = api("GET", "/sessions/ps_1").headers["ETag"]
    api("POST", "/sessions/ps_1/select")

    answer = api("GET", "/sessions/ps_1", headers={"If-None-Match": tag})
    assert (200, True) == (answer.status_code, answer.json["is_selected"])


def test_session_without_a_cart_cannot_be_selected(api, create):
    create()

    assert 409 == api("POST", "/sessions/ps_1/select").status_code


def test_refresh_puts_a_fresh_session_in_the_old_ones_place(api, create, webhook):
    create(cart_id="cart_1", cart={"items": 2}, data={"id": "pay_1"})
    api("POST", "/sessions/ps_1/select")
    answer = api("POST", "/sessions/ps_1/refresh", json={"id": "ps_2", "amount": 900})

    new = answer.json
    assert 201 == answer.status_code
    assert ("ps_2", "cart_1", "pending", 900) == (
        new["id"],
        new["cart_id"],
        new["status"],
        new["amount"],
    )
    assert new["is_selected"] is None
    old = api("GET", "/sessions/ps_1").json
    assert ("canceled", "ps_2") == (old["status"], old["superseded_by"])
    assert ["ps_2"] == [s["id"] for s in api("GET", "/sessions?cart_id=cart_1").json["sessions"]]
    assert {"items": 2} == api("GET", "/sessions/ps_2?expand=cart").json["cart"]


def test_late_webhook_of_a_refreshed_session_stays_with_it(api, create, webhook):
    create(data={"id": "pay_1"})
    api("POST", "/sessions/ps_1/refresh", json={"id": "ps_2"})
    webhook(toy.told("e1", None, external_id="pay_1"))

    assert "pending" == api("GET", "/sessions/ps_2").json["status"]
    old = api("GET", "/sessions/ps_1").json
    assert ("authorized", True) == (old["status"], old["needs_void"])
    assert ("toy", "toy", "superseded") in history(api)


def test_refreshed_session_is_refreshed_once(api, create):
    create()
    api("POST", "/sessions/ps_1/refresh", json={})

    assert 409 == api("POST", "/sessions/ps_1/refresh", json={}).status_code


def test_cart_details_are_given_when_asked_for(api, create):
    create(cart_id="cart_1", cart={"items": [1]})

    assert api("GET", "/sessions/ps_1").json["cart"] is None
    assert {"items": [1]} == api("GET", "/sessions/ps_1?expand=cart").json["cart"]


KEY = {"Idempotency-Key": "k-1"}


def test_creation_under_the_same_key_gives_the_same_session(api):
    first = api("POST", "/sessions", headers=KEY, json=NEW)
    again = api("POST", "/sessions", headers=KEY, json=NEW)

    assert (201, 201) == (first.status_code, again.status_code)
    assert first.json == again.json


def test_another_body_under_the_same_key_is_refused(api):
    api("POST", "/sessions", headers=KEY, json=NEW)
    answer = api("POST", "/sessions", headers=KEY, json={**NEW, "amount": 5})

    assert 422 == answer.status_code
    assert "Idempotency-Key" in answer.json["errors"]


def test_creation_that_died_after_its_key_goes_on(api, services):
    asked = api("POST", "/sessions", headers=KEY, json=NEW).json["id"]
    services.runtime.sessions._client.delete(f"session:{{{asked}}}")  # noqa: SLF001 - as if it died

    again = api("POST", "/sessions", headers=KEY, json=NEW)
    assert (201, asked) == (again.status_code, again.json["id"])


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_strange_key_is_refused(api, key):
    answer = api("POST", "/sessions", headers={"Idempotency-Key": key}, json=NEW)

    assert 422 == answer.status_code


def test_session_past_its_time_is_canceled(api, create, services, clock):
    create(expires_at=builders.at(60).isoformat())
    clock.advance(seconds=61)
    expire_due(services.runtime)

    session = api("GET", "/sessions/ps_1").json
    assert ("canceled", "expired") == (session["status"], session["status_reason"])


def test_expiry_set_later_counts_too(api, create, services, clock):
    create()
    api("PATCH", "/sessions/ps_1", json={"expires_at": builders.at(60).isoformat()})
    clock.advance(seconds=61)
    expire_due(services.runtime)

    assert "canceled" == api("GET", "/sessions/ps_1").json["status"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("POST", "/select"),
        ("POST", "/refresh"),
        ("GET", "/history"),
        ("GET", "/payment"),
        ("GET", "/stream"),
    ],
)
def test_acting_on_no_session_is_not_found(api, method, path):
    body = {} if method in ("PATCH", "POST") else None

    assert 404 == api(method, f"/sessions/ps_9{path}", json=body).status_code
