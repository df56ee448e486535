import pytest
from builders import at

from gateway.store.secret_use import SecretUse, SecretUses


@pytest.fixture
def uses(store):
    return SecretUses(store)


def test_uses_are_counted_by_label_with_the_last_one(uses):
    uses.count([("stripe", "webhook_secrets[0]"), ("stripe", "webhook_secrets[0]")], at(1))
    uses.count([("stripe", "webhook_secrets[1]"), ("adyen", "hmac_keys[0]")], at(2))

    assert [
        SecretUse("webhook_secrets[0]", 2, at(1)),
        SecretUse("webhook_secrets[1]", 1, at(2)),
    ] == uses.of("stripe")
    assert [] == uses.of("nobody")


def test_counting_nothing_is_nothing(uses, store):
    uses.count([], at(1))

    assert [] == store.keys("*")
