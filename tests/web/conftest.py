from datetime import timedelta

import pytest
import toy
from redis import Redis

from gateway.store.changes import Changes
from gateway.store.collections import Collections
from gateway.store.health import Health
from gateway.store.idempotency import IdempotencyKeys
from gateway.store.logins import Logins
from gateway.store.tokens import Scope, Token, Tokens, digest_of
from gateway.web.app import create_app
from gateway.web.services import Services
from jobs.drain import Drain

TOKENS = {
    "all": frozenset(Scope),
    "reader": frozenset({Scope.READ}),
    "writer": frozenset({Scope.WRITE}),
}


class KnownHealth:
    """The store's health as a test says it is: fakeredis has no INFO to ask."""

    def __init__(self) -> None:
        self.health = Health(faults=())
        self.doubts = 0
        self.turned_away = 0

    def __call__(self) -> Health:
        return self.health

    def doubt(self) -> None:
        self.doubts += 1

    def turn_away(self) -> None:
        self.turned_away += 1


@pytest.fixture
def health():
    return KnownHealth()


@pytest.fixture
def make_services(clock, health):
    def make(client: Redis, **fields) -> Services:
        return Services(
            settings=toy.settings(**fields),
            runtime=toy.runtime(client, clock, **fields),
            collections=Collections(client),
            idempotency=IdempotencyKeys(client),
            changes=Changes(client),
            tokens=Tokens(client),
            logins=Logins(client, Tokens(client)),
            health=health,
            unsettled=lambda: 0,
        )

    return make


@pytest.fixture
def services(fake, make_services):
    made = make_services(fake)
    for name, scopes in TOKENS.items():
        made.tokens.add(Token(name, scopes, digest_of(name), made.runtime.clock()))
    return made


@pytest.fixture
def client(services):
    return create_app(services).test_client()


@pytest.fixture
def api(client):
    """Calls the private API with a token of all scopes."""

    def call(method, path, token="all", headers=(), **fields):
        sent = {"Authorization": f"Bearer {token}", **dict(headers)}
        return client.open(path, method=method, headers=sent, **fields)

    return call


@pytest.fixture
def post(client):
    """Posts a delivery as its provider would."""

    def call(delivery, path=None, **headers):
        sent = [*delivery.headers, *headers.items()]
        where = path or f"/webhooks/{delivery.provider_id}"
        return client.post(where, data=delivery.body, headers=sent)

    return call


NEW = {"provider_id": "toy", "amount": 1000, "currency_code": "EUR"}


@pytest.fixture
def create(api):
    """Creates a session, and gives its JSON."""

    def call(session_id="ps_1", headers=(), **fields):
        answer = api("POST", "/sessions", headers=headers, json={**NEW, "id": session_id, **fields})
        assert 201 == answer.status_code, answer.text
        return answer.json

    return call


@pytest.fixture
def webhook(post, services):
    """Posts webhooks of the toy provider and lets a drain apply them."""

    def call(*events, **fields):
        answer = post(toy.signed(*events, **fields))
        drain(services)
        return answer

    return call


@pytest.fixture
def drained(services):
    return lambda: drain(services)


def drain(services):
    Drain(services.runtime, 0).run(linger=timedelta(0))
