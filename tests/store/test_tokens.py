import pytest
from builders import at

from gateway.domain.errors import StoreRefused
from gateway.store import keys
from gateway.store.tokens import Scope, Token, Tokens, digest_of


@pytest.fixture
def tokens(store):
    return Tokens(store)


def token(secret="s3cret", name="shop", scopes=(Scope.READ,), expires_at=None):
    return Token(name, frozenset(scopes), digest_of(secret), at(0), expires_at)


def test_token_is_found_by_its_secret(tokens):
    made = token(scopes=(Scope.READ, Scope.WRITE), expires_at=at(60))
    tokens.add(made)

    assert made == tokens.find("s3cret")
    assert tokens.find("other") is None


def test_store_holds_no_secret(tokens, store):
    tokens.add(token())

    values = [store.hgetall(key) for key in store.scan_iter("token:*")]
    assert "s3cret" not in repr(values)


def test_scope_holds_until_the_token_expires():
    made = token(expires_at=at(60))

    assert made.allows(Scope.READ, at(59))
    assert not made.allows(Scope.READ, at(60))
    assert not made.allows(Scope.WRITE, at(0))


def test_revoked_token_is_gone(tokens):
    tokens.add(token("a", "shop"))
    tokens.add(token("b", "shop"))
    tokens.add(token("c", "desk"))

    assert 2 == tokens.revoke("shop")
    assert tokens.find("a") is None
    assert ["desk"] == [one.name for one in tokens.all()]


def test_scope_of_a_later_version_allows_nothing_and_harms_nothing(tokens, store):
    tokens.add(made := token(scopes=(Scope.READ,)))
    store.hset(keys.token(made.digest), "scopes", "audit read")

    assert made == tokens.find("s3cret")


def test_token_that_is_not_as_this_version_knows_it_is_refused(tokens, store):
    tokens.add(made := token())
    store.hset(keys.token(made.digest), "created", "yesterday")

    with pytest.raises(StoreRefused, match="later version"):
        tokens.find("s3cret")
