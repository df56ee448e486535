import pytest
from builders import at

from gateway.store.secret_use import SecretUse, SecretUses, count_uses


@pytest.fixture
def uses(store):
    return SecretUses(store)


@pytest.fixture
def count(store):
    def call(*matched):
        pipeline = store.pipeline(transaction=False)
        count_uses(pipeline, matched)
        pipeline.execute()

    return call


def test_uses_are_counted_by_label_with_the_last_one(uses, count):
    count(("stripe", "webhook_secrets[0]", at(1)), ("stripe", "webhook_secrets[0]", at(0)))
    count(("stripe", "webhook_secrets[1]", at(2)), ("adyen", "hmac_keys[0]", at(2)))

    assert [
        SecretUse("webhook_secrets[0]", 2, at(1)),
        SecretUse("webhook_secrets[1]", 1, at(2)),
    ] == uses.of("stripe")
    assert [] == uses.of("nobody")


def test_what_no_secret_proved_is_not_counted(count, store):
    count(("mollie", "", at(1)))

    assert [] == store.keys("*")
