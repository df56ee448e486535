import pytest
import toy

from gateway.store.keys import DeliveryState

ANSWER = {"source": "toy", "event_id": "e1", "note": "called the customer"}


@pytest.fixture
def quarantined(create, webhook):
    create()
    webhook(toy.told("e1", amount=600))


def answer(api, verb, **fields):
    return api("POST", f"/sessions/ps_1/quarantine/{verb}", json={**ANSWER, **fields})


def listed(services):
    return services.runtime.lists.listed(DeliveryState.QUARANTINED, 10)


def test_accepted_claim_authorizes(api, quarantined, services):
    assert 1 == len(listed(services))
    session = answer(api, "accept").json

    assert ("authorized", 600) == (session["status"], session["authorized_amount"])
    assert [] == listed(services)
    last = api("GET", "/sessions/ps_1/history").json["decisions"][-1]
    assert ("api:all", "quarantine.accepted", "called the customer") == (
        last["source"],
        last["type"],
        last["detail"],
    )


def test_refused_claim_leaves_the_session_as_it_is(api, quarantined, services):
    session = answer(api, "refuse").json

    assert "requires_more" == session["status"]
    assert [] == listed(services)


@pytest.mark.parametrize("verb", ["accept", "refuse"])
def test_answer_may_be_repeated_and_the_first_one_stays(api, quarantined, verb):
    first, again = answer(api, verb).json, answer(api, verb, note="changed my mind").json

    assert first == again
    decisions = api("GET", "/sessions/ps_1/history").json["decisions"]
    notes = [(d["outcome"], d["detail"]) for d in decisions if d["type"].startswith("quarantine")]
    assert [("applied", "called the customer")] == notes


def test_only_a_claim_in_quarantine_can_be_answered(api, create, webhook):
    create()
    webhook(toy.told("e1"))

    assert 409 == answer(api, "accept").status_code
    assert 404 == answer(api, "accept", event_id="e9").status_code
    assert 422 == answer(api, "accept", note="").status_code


def test_answering_takes_the_scope_operate(api, quarantined):
    path = "/sessions/ps_1/quarantine/accept"

    assert 403 == api("POST", path, token="writer", json=ANSWER).status_code
