import pytest

from gateway.store.idempotency import KEPT, IdempotencyKeys


@pytest.fixture
def idempotency(store):
    return IdempotencyKeys(store)


def test_first_call_claims_and_the_next_one_gets_its_session(idempotency):
    assert "ps_1" == idempotency.claim("api:shop", "k", b"asked", "ps_1")
    assert "ps_1" == idempotency.claim("api:shop", "k", b"asked", "ps_2")


def test_another_request_under_the_same_key_is_refused(idempotency):
    idempotency.claim("api:shop", "k", b"asked", "ps_1")

    assert idempotency.claim("api:shop", "k", b"else", "ps_1") is None


def test_keys_of_two_callers_are_apart(idempotency):
    idempotency.claim("api:shop", "k", b"asked", "ps_1")

    assert "ps_2" == idempotency.claim("api:desk", "k", b"else", "ps_2")


def test_key_is_kept_for_a_day(idempotency, store):
    idempotency.claim("api:shop", "k", b"asked", "ps_1")

    [key] = store.keys("idempotency:*")
    assert 0 < store.ttl(key) <= KEPT.total_seconds()
