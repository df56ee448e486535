from datetime import timedelta

import builders
import pytest
from builders import at

from gateway.store import keys
from gateway.store.deliveries import Finished
from gateway.store.keys import DeliveryState


@pytest.fixture
def end(inbox):
    """Keeps a delivery and ends the work on it with a state, at a second; its id."""

    def ended(state, second, key=b"a"):
        given = builders.delivery(key)
        delivery_id = inbox.append(given, key, secret="s", settled=True).delivery_id
        shard = keys.shard_of(delivery_id)
        entries = inbox.claim(shard, 10, timedelta(0))
        inbox.finish(shard, [Finished(entry, state, at(second)) for entry in entries])
        return delivery_id

    return ended


def test_oldest_come_first_and_touched_ones_go_to_the_end(end, lists):
    bodies = (b"a", b"b", b"c", b"d")
    ids = [end(DeliveryState.PARKED, second, key) for second, key in enumerate(bodies)]
    shard = keys.shard_of(ids[0])
    ids = [delivery_id for delivery_id in ids if keys.shard_of(delivery_id) == shard]
    assert 1 < len(ids)

    assert ids == lists.oldest(shard, DeliveryState.PARKED, at(5), 10)
    lists.touch(shard, DeliveryState.PARKED, ids[:1], at(8))
    assert [*ids[1:], ids[0]] == lists.oldest(shard, DeliveryState.PARKED, at(9), 10)
    assert ids[1:] == lists.oldest(shard, DeliveryState.PARKED, at(7), 10)


def test_touch_lists_nothing_that_was_not_listed(lists):
    lists.touch(0, DeliveryState.PARKED, [keys.delivery_id("x", b"", 1)], at(0))

    assert [] == lists.listed(DeliveryState.PARKED, 10)


def test_forget_applied_takes_expired_ones_off_the_list(end, lists):
    shard = keys.shard_of(end(DeliveryState.APPLIED, 1))
    lists.forget_applied(shard, at(1))
    assert [] == lists.listed(DeliveryState.APPLIED, 10)


def test_forget_applied_leaves_what_has_not_expired(end, lists):
    delivery_id = end(DeliveryState.APPLIED, 2)
    lists.forget_applied(keys.shard_of(delivery_id), at(1))
    assert [delivery_id] == lists.listed(DeliveryState.APPLIED, 10)


def test_listed_is_newest_first_over_all_shards(end, lists):
    ids = [end(DeliveryState.DEAD, second, key) for second, key in enumerate((b"a", b"b", b"c"))]

    assert ids[:0:-1] == lists.listed(DeliveryState.DEAD, 2)
    assert 3 == lists.count(DeliveryState.DEAD)
