import pytest

from gateway.cli.development import (
    development_environment,
    development_instance,
    development_token,
    simulated_adapters,
)
from gateway.config import load
from gateway.domain.errors import ConfigurationError
from gateway.store.tokens import Scope, Tokens

STORE = {"GATEWAY_STORE_URL": "redis://localhost"}


def instances(environ):
    return load(STORE | development_environment(environ)).instances


def test_every_adapter_here_is_configured():
    assert simulated_adapters() == sorted(instances({}))


def test_own_configuration_stands():
    own = {
        "GATEWAY_STRIPE_WEBHOOK_SECRETS": "whsec_own",
        "GATEWAY_INSTANCES": "stripe-eu=stripe",
        "GATEWAY_STRIPE_EU_WEBHOOK_SECRETS": "whsec_eu",
        "GATEWAY_LOG_FORMAT": "json",
    }
    made = development_environment(own)

    assert own == {name: made[name] for name in own}
    assert {"stripe", "stripe-eu", "adyen"} <= instances(own).keys()


def test_second_account_does_not_configure_the_first():
    eu = {
        "GATEWAY_INSTANCES": "stripe-eu=stripe",
        "GATEWAY_STRIPE_EU_WEBHOOK_SECRETS": "whsec_eu",
    }

    assert {"stripe", "stripe-eu"} <= instances(eu).keys()


def test_faulty_configuration_is_not_papered_over():
    with pytest.raises(ConfigurationError, match="GATEWAY_STRIPE_WEBHOOK_SECRETS"):
        development_environment({"GATEWAY_STRIPE_API_KEY": "rk_1"})


def test_clients_variables_are_no_fault():
    assert instances({"GATEWAY_URL": "http://127.0.0.1:8080", "GATEWAY_TOKEN": "pwg_1"})


def test_instance_signs_what_it_verifies():
    instance = development_instance("stripe", {})

    assert ("stripe", "stripe") == (instance.name, instance.adapter.id)


def test_token_stays_the_same_and_is_known_to_a_new_store(tmp_path, valkey, valkey_url):
    file = tmp_path / "token"
    first = development_token(file, valkey_url)
    assert first == development_token(file, valkey_url)
    valkey.flushall()

    assert first == development_token(file, valkey_url)
    assert frozenset(Scope) == Tokens(valkey).find(first).scopes
    assert 0o600 == file.stat().st_mode & 0o777
