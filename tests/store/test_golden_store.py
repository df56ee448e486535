"""A whole store as an earlier version wrote it: whoever reads it later must understand all of it.

Never make it anew: what is written otherwise one day is added beside what is here.
"""

import json
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from gateway.domain.events import SessionStatus
from gateway.store.carts import Carts
from gateway.store.delivery_lists import DeliveryLists
from gateway.store.idempotency import IdempotencyKeys
from gateway.store.inbox import Inbox
from gateway.store.journal import Journal
from gateway.store.keys import DeliveryState
from gateway.store.listings import Listings
from gateway.store.logins import Logins
from gateway.store.provider_apis import ProviderApis
from gateway.store.secret_use import SecretUses
from gateway.store.sessions import Lookup, Sessions
from gateway.store.tallies import Tallies
from gateway.store.tokens import Token, Tokens

GOLDEN = json.loads((Path(__file__).parent / "golden_store.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)

READERS: dict[str, Callable[[Redis], object]] = {
    "carts": lambda store: _carts(Carts(store, Sessions(store))),
    "tokens": lambda store: [_token(one) for one in Tokens(store).all()],
    "login": lambda store: _login(Logins(store, Tokens(store))),
    "journal": lambda store: Journal(store).latest("stripe", 10),
    "tallies": lambda store: _tallies(Tallies(store)),
    "uses of secrets": lambda store: SecretUses(store).of("stripe"),
    "idempotency key": lambda store: IdempotencyKeys(store).claim("shop", "k", b"{}", "ps_2"),
    "lists of sessions": lambda store: _listed(Listings(store)),
    "indexes of sessions": lambda store: _found(Sessions(store)),
    "lists of deliveries": lambda store: _deliveries(DeliveryLists(store, 1)),
    "inbox": lambda store: Inbox(store, 1).claim(0, 10, timedelta(0)),
    "provider's API": lambda store: ProviderApis(store).recall(b"a question"),
}


def _carts(carts: Carts) -> object:
    return carts.sessions_of("cart_1"), carts.selected(["cart_1"]), carts.snapshot("ps_1")


def _token(token: Token | None) -> object:
    assert token
    return token.name, sorted(token.scopes), token.digest, token.created_at, token.expires_at


def _login(logins: Logins) -> object:
    found = logins.find("a login's secret")
    return found and _token(found.token)


def _tallies(tallies: Tallies) -> object:
    [day] = tallies.days(["stripe"], NOW)
    counts = {name: day.total(name) for name in ("received", "applied", "refused")}
    return counts, day.hours[-2].received_lags, tallies.last(["stripe"])


def _listed(listings: Listings) -> object:
    places = listings.page(["stripe"], list(SessionStatus), None, None, 10)
    return places, listings.due(NOW + timedelta(days=1), 10)


def _found(sessions: Sessions) -> object:
    waits = Lookup("stripe", "pi_2", None)
    return sessions.find([Lookup("stripe", "pi_1", None)]), sessions.waiting_for(waits)


def _deliveries(lists: DeliveryLists) -> object:
    return {state.value: lists.listed(state, 10) for state in DeliveryState if state != "received"}


@pytest.fixture
def recorded(store):
    for key, (kind, value) in GOLDEN["store"].items():
        _write(store, key, kind, value)
    return store


def _write(store, key, kind, value):
    raw = {name: b64decode(written) for name, written in value.items()}
    if kind == "string":
        store.set(key, raw[""])
    elif kind == "hash":
        store.hset(key, mapping=raw)
    elif kind == "set":
        store.sadd(key, *raw)
    elif kind == "zset":
        store.zadd(key, {name: float(score) for name, score in raw.items()})
    else:
        for at, fields in raw.items():
            store.xadd(key, json.loads(fields), id=at)


@pytest.mark.parametrize("name", READERS)
def test_recorded_store_is_read_as_ever(recorded, name):
    assert GOLDEN["read"][name] == repr(READERS[name](recorded))


def test_every_kind_of_key_was_recorded():
    kinds = {"cart", "deliveries", "external", "idempotency", "inbox", "login", "parked"}
    kinds |= {"rejected", "secrets", "session", "sessions", "tally", "token", "tokens"}
    kinds |= {"api-answer"}
    assert kinds <= {key.partition(":")[0] for key in GOLDEN["store"]}
