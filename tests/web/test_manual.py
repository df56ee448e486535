from dataclasses import replace

import pytest
import toy

from gateway.config import load
from gateway.store.tokens import Scope, Token, digest_of
from gateway.web.app import create_app
from jobs.drain import Drain

SEEN = {"type": "authorized", "note": "the transfer is on our account"}


@pytest.fixture
def desk(fake, make_services):
    """A gateway with `manual`, and how an operator calls it."""
    environ = {"GATEWAY_STORE_URL": "unix:///none", "GATEWAY_INSTANCES": "manual"}
    services = make_services(fake)
    instances = {**services.settings.instances, **load(environ).instances}
    services = replace(
        services,
        settings=replace(services.settings, instances=instances),
        runtime=replace(services.runtime, instances=instances),
    )
    for name, scopes in (("all", frozenset(Scope)), ("writer", frozenset({Scope.WRITE}))):
        services.tokens.add(Token(name, scopes, digest_of(name), services.runtime.clock()))
    http = create_app(services).test_client()

    def call(method, path, token="all", **fields):
        headers = {"Authorization": f"Bearer {token}"}
        answer = http.open(path, method=method, headers=headers, **fields)
        Drain(services.runtime, 0).run(linger=toy.NO_TIME)
        return answer

    new = {"id": "ps_1", "provider_id": "manual", "amount": 1000, "currency_code": "EUR"}
    assert 201 == call("POST", "/sessions", json=new).status_code
    return call


def tell(desk, **fields):
    return desk("POST", "/sessions/ps_1/manual", json={**SEEN, **fields})


def test_transfer_that_an_operator_saw_authorizes(desk):
    answer = tell(desk)

    assert 202 == answer.status_code
    session = desk("GET", "/sessions/ps_1").json
    assert ("authorized", 1000) == (session["status"], session["authorized_amount"])
    last = desk("GET", "/sessions/ps_1/history").json["decisions"][-1]
    assert ("manual.authorized", answer.json["delivery_id"]) == (last["type"], last["delivery_id"])
    assert "on our account" in last["detail"]


def test_same_id_counts_once(desk):
    tell(desk, type="captured", id="bank-7")
    tell(desk, type="captured", id="bank-7")

    assert 1000 == desk("GET", "/sessions/ps_1/payment").json["captured_amount"]


def test_refund_in_parts_adds_up(desk):
    tell(desk, type="captured", id="a")
    tell(desk, type="refunded", id="b", amount=100)
    tell(desk, type="refunded", id="c", amount=200)

    assert 300 == desk("GET", "/sessions/ps_1/payment").json["refunded_amount"]


def test_too_little_money_waits_in_quarantine(desk):
    tell(desk, amount=999)

    assert "requires_more" == desk("GET", "/sessions/ps_1").json["status"]


def test_session_of_a_real_provider_is_not_moved_by_hand(desk):
    new = {"id": "ps_2", "provider_id": "toy", "amount": 1000, "currency_code": "EUR"}
    desk("POST", "/sessions", json=new)

    assert 409 == desk("POST", "/sessions/ps_2/manual", json=SEEN).status_code


@pytest.mark.parametrize("wrong", [{"type": "stolen"}, {"note": ""}, {"amount": -1}, {"x": 1}])
def test_strange_telling_is_refused(desk, wrong):
    assert 422 == tell(desk, **wrong).status_code


def test_telling_takes_the_scope_operate(desk):
    assert 403 == desk("POST", "/sessions/ps_1/manual", token="writer", json=SEEN).status_code
