import pytest
import toy

NEW = {"amount": 1000, "currency_code": "EUR"}


@pytest.fixture
def collection(api, create):
    """A collection of 1000 with a session of 600."""
    create("ps_1", amount=600)
    return api("POST", "/collections", json={**NEW, "session_ids": ["ps_1"]}).json


def shown(api, collection):
    body = api("GET", f"/collections/{collection['id']}").json
    return body["status"], body["authorized_amount"], [s["id"] for s in body["payment_sessions"]]


def test_collection_follows_its_sessions(api, create, collection, webhook):
    path = f"/collections/{collection['id']}"
    assert ("awaiting", 0, ["ps_1"]) == shown(api, collection)
    webhook(toy.told("e1", amount=600))
    assert ("partially_authorized", 600, ["ps_1"]) == shown(api, collection)
    create("ps_2", amount=400)
    api("POST", f"{path}/sessions", json={"session_ids": ["ps_2", "ps_1"]})
    webhook(toy.told("e2", "ps_2", amount=400))

    assert ("authorized", 1000, ["ps_1", "ps_2"]) == shown(api, collection)


def test_collection_without_sessions_is_not_paid(api):
    made = api("POST", "/collections", json={**NEW, "description": "d", "metadata": {"x": 1}})

    assert 201 == made.status_code
    assert made.json["id"].startswith("paycol_")
    assert ("not_paid", "d", {"x": 1}) == tuple(
        made.json[name] for name in ("status", "description", "metadata")
    )


def test_open_session_is_taken_out_and_an_authorized_one_stays(api, collection, webhook, create):
    path = f"/collections/{collection['id']}/sessions"
    create("ps_2")
    api("POST", path, json={"session_ids": ["ps_2"]})
    webhook(toy.told("e1", amount=600))

    assert 200 == api("DELETE", f"{path}/ps_2").status_code
    assert 409 == api("DELETE", f"{path}/ps_1").status_code
    assert 200 == api("DELETE", f"{path}/ps_stranger").status_code


def test_canceled_collection_takes_nothing_more(api, collection, create):
    path = f"/collections/{collection['id']}"
    create("ps_2")
    assert "canceled" == api("POST", f"{path}/cancel").json["status"]
    assert "canceled" == api("POST", f"{path}/cancel").json["status"]

    assert 409 == api("POST", f"{path}/sessions", json={"session_ids": ["ps_2"]}).status_code
    assert 409 == api("DELETE", f"{path}/sessions/ps_1").status_code


def test_collection_with_authorized_money_is_not_canceled(api, collection, webhook):
    webhook(toy.told("e1", amount=600))

    assert 409 == api("POST", f"/collections/{collection['id']}/cancel").status_code


@pytest.mark.parametrize("wrong", [["ps_9"], ["ps_usd"], [], ["a b"]])
def test_session_that_does_not_fit_is_refused(api, collection, create, wrong):
    create("ps_usd", currency_code="USD")
    path = f"/collections/{collection['id']}/sessions"

    assert 422 == api("POST", path, json={"session_ids": wrong}).status_code


def test_missing_collection_is_not_found(api):
    assert 404 == api("GET", "/collections/paycol_9").status_code
