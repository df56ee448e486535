from datetime import UTC, datetime

import pytest

from gateway.store.logins import LASTS, Logins
from gateway.store.tokens import Scope, Token, Tokens, digest_of

TOKEN = Token("ann", frozenset({Scope.READ}), digest_of("t"), datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def logins(fake):
    tokens = Tokens(fake)
    tokens.add(TOKEN)
    return Logins(fake, tokens)


def test_login_stands_for_its_token_until_it_ends(logins):
    secret = logins.begin(TOKEN)
    assert TOKEN == logins.find(secret).token

    logins.end(secret)
    assert logins.find(secret) is None


def test_login_ends_with_its_token(logins, fake):
    secret = logins.begin(TOKEN)
    Tokens(fake).revoke("ann")
    assert logins.find(secret) is None


def test_login_ends_by_itself(logins, fake):
    logins.begin(TOKEN)
    (key,) = fake.keys("login:*")
    assert 0 < fake.ttl(key) <= LASTS.total_seconds()


def test_store_holds_nothing_that_logs_in(logins, fake):
    secret = logins.begin(TOKEN)
    assert not any(secret in key.decode() for key in fake.keys("*"))
    assert logins.find("") is None
    assert logins.find("\ud800") is None


def test_form_key_is_of_one_login(logins):
    one, other = (logins.find(logins.begin(TOKEN)) for _ in range(2))

    assert one.proves(one.form_key)
    assert not one.proves(other.form_key)
    assert not one.proves("ä\ud800")
    assert one.form_key not in repr(one)
