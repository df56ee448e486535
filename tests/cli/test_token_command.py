import json

import pytest
from click.testing import CliRunner
from redis import Redis

from gateway.cli import main
from gateway.store.tokens import Scope, Tokens


@pytest.fixture
def gateway(valkey_url, monkeypatch):
    monkeypatch.setenv("GATEWAY_STORE_URL", valkey_url)

    def run(*arguments):
        return CliRunner().invoke(main, arguments)

    return run


def find(valkey: Redis, secret: str):
    return Tokens(valkey).find(secret)


def test_created_token_opens_what_its_scopes_allow(gateway, valkey):
    made = gateway("token", "create", "shop", "--scope", "read", "--scope", "write")

    assert 0 == made.exit_code, made.output
    token = find(valkey, made.stdout.strip())
    assert "shop" == token.name
    assert {Scope.READ, Scope.WRITE} == token.scopes
    assert token.expires_at is None


def test_secret_is_256_random_bits_with_a_known_beginning(gateway):
    secrets = {
        json.loads(gateway("token", "create", name, "--scope", "read", "--json").stdout)["secret"]
        for name in ("a", "b")
    }

    assert 2 == len(secrets)
    assert {True} == {secret.startswith("pwg_") and 47 == len(secret) for secret in secrets}


@pytest.mark.parametrize(("span", "days"), [("90d", 90), ("36h", 1.5), ("52w", 364)])
def test_token_expires_after_its_span(gateway, valkey, span, days):
    made = gateway("token", "create", "shop", "--scope", "read", "--expires", span, "--json")

    token = find(valkey, json.loads(made.stdout)["secret"])
    assert days * 86400 == (token.expires_at - token.created_at).total_seconds()


def test_list_shows_no_secret(gateway):
    secret = gateway("token", "create", "shop", "--scope", "operate").stdout.strip()
    gateway("token", "create", "till", "--scope", "read", "--expires", "1d")

    shown = gateway("token", "list")
    assert ["NAME", "shop", "till"] == [line.split()[0] for line in shown.stdout.splitlines()]
    assert "never" in shown.stdout
    assert secret not in shown.stdout
    listed = json.loads(gateway("token", "list", "--json").stdout)
    assert [("shop", ["operate"]), ("till", ["read"])] == [(t["name"], t["scopes"]) for t in listed]


def test_revoked_token_is_gone(gateway, valkey):
    secret = gateway("token", "create", "shop", "--scope", "read").stdout.strip()

    revoked = gateway("token", "revoke", "shop", "--json")
    assert {"name": "shop", "revoked": 1} == json.loads(revoked.stdout)
    assert find(valkey, secret) is None
    again = gateway("token", "revoke", "shop")
    assert 1 == again.exit_code
    assert "Error: There is no token shop; `gateway token list` shows all.\n" == again.stderr


def test_name_is_not_given_twice(gateway):
    gateway("token", "create", "shop", "--scope", "read")

    second = gateway("token", "create", "shop", "--scope", "write")
    assert 1 == second.exit_code
    assert "There is a token shop already" in second.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["shop"], "Missing option '--scope'"),
        (["shop", "--scope", "everything"], "'everything' is not one of"),
        (["shop", "--scope", "read", "--expires", "soon"], "'soon' is not a span"),
        (["shop", "--scope", "read", "--expires", "0d"], "'0d' is not a span"),
        (["a b", "--scope", "read"], "letters, digits"),
    ],
)
def test_misuse_is_explained(gateway, arguments, told):
    refused = gateway("token", "create", *arguments)

    assert 2 == refused.exit_code
    assert told in refused.stderr
