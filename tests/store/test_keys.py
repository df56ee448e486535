import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.cluster import key_slot

from gateway.store import keys
from gateway.store.keys import DeliveryState


def tag(key: str) -> str:
    return re.search(r"\{(.+?)\}", key)[1]


def test_all_keys_of_a_session_share_a_tag():
    made = [keys.session("ps_1"), keys.history("ps_1"), keys.payment("ps_1")]

    assert {"ps_1"} == {tag(key) for key in made}


def test_all_keys_of_a_shard_share_a_tag():
    delivery_id = keys.delivery_id("stripe", b"evt", 16)
    shard = keys.shard_of(delivery_id)
    made = [keys.delivery(delivery_id), keys.inbox(shard), keys.wake(shard)]
    made += [keys.deliveries(shard, state) for state in DeliveryState]

    assert {str(shard)} == {tag(key) for key in made}


@given(st.text(), st.binary(), st.integers(1, keys.MAX_SHARDS))
def test_delivery_id_names_a_shard_that_exists(provider, key, shards):
    delivery_id = keys.delivery_id(provider, key, shards)

    assert keys.shard_of(delivery_id) in range(shards)


def test_delivery_id_differs_between_instances():
    assert keys.delivery_id("stripe", b"evt", 4) != keys.delivery_id("stripe-eu", b"evt", 4)


@pytest.mark.parametrize("text", ["", "dlv_", "dlv_zz" + "0" * 32, "dlv_00" + "0" * 33, "x"])
def test_shard_of_refuses_what_is_no_delivery_id(text):
    with pytest.raises(ValueError, match="not a delivery id"):
        keys.shard_of(text)


@pytest.mark.parametrize("shards", [3, 16])
def test_deliveries_are_spread_evenly_over_shards(shards):
    numbers = range(500 * shards)
    ids = [keys.delivery_id("stripe", b"evt_%d" % number, shards) for number in numbers]
    counts = Counter(map(keys.shard_of, ids))
    assert set(range(shards)) == set(counts)
    assert max(counts.values()) < 1.25 * 500
    assert min(counts.values()) > 0.75 * 500


def shares(made):
    """How many of these keys each of three primaries has, each with a third of the slots."""
    slots = [key_slot(key.encode()) for key in made]
    return sorted(Counter(slot * 3 // 16384 for slot in slots).values())


def test_three_primaries_share_what_there_is():
    """Shards and parts of lists share their tags: sixteen are enough to have nobody idle."""
    assert [4, 6, 6] == shares(map(keys.inbox, range(16)))
    assert [21, 21, 22] == shares(map(keys.inbox, range(64)))
    parts = range(keys.LIST_PARTS)
    assert [4, 6, 6] == shares(keys.sessions_by(n, "2026-11", "stripe", "pending") for n in parts)
    few, _, many = shares(keys.session(f"ps_{n}") for n in range(3000))
    assert many - few < 150
