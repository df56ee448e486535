from datetime import timedelta

import builders
import pytest
from builders import at

from gateway.domain.errors import StoreUnavailable
from gateway.store import keys
from gateway.store.clients import edge_client
from gateway.store.deliveries import Finished
from gateway.store.inbox import WAKE_TTL, Inbox
from gateway.store.keys import DeliveryState
from gateway.store.sessions import Lookup

NO_WAIT = timedelta(0)


def append(inbox, key=b"evt_1", **fields):
    given = builders.delivery(key + b" body", **fields)
    return inbox.append(given, key, secret="webhook_secrets[0]", settled=True)


def only_shard(inbox, appended):
    return keys.shard_of(appended.delivery_id)


def finish(inbox, shard, state, at_=None, **fields):
    done = [Finished(e, state, at_ or at(9), **fields) for e in inbox.claim(shard, 10, NO_WAIT)]
    inbox.finish(shard, done)
    return done


def test_append_keeps_the_delivery_as_it_came(inbox):
    headers = (("Content-Type", "application/json"), ("X-Twice", "1"), ("X-Twice", "2"))
    fields = {"headers": headers, "query": "a=ü", "path": "/webhooks/x", "remote_addr": "::1"}
    appended = append(inbox, received_at=at(0.123456), **fields)

    stored = inbox.load([appended.delivery_id])[0]

    assert builders.delivery(b"evt_1 body", received_at=at(0.123456), **fields) == stored.delivery
    assert DeliveryState.RECEIVED is stored.state
    assert "webhook_secrets[0]" == stored.secret
    assert stored.settled


def test_append_keeps_bytes_that_are_no_text(inbox):
    body = bytes(range(256))
    appended = inbox.append(builders.delivery(body), b"k", secret="", settled=False)

    stored = inbox.load([appended.delivery_id])[0]

    assert body == stored.delivery.body
    assert not stored.settled


def test_same_key_is_a_duplicate_and_is_counted(inbox):
    first, second = append(inbox), append(inbox)

    assert first.new
    assert not second.new
    assert first.delivery_id == second.delivery_id
    assert 1 == inbox.load([first.delivery_id])[0].duplicates
    assert 1 == inbox.backlog(only_shard(inbox, first))


def test_first_of_a_burst_wakes_its_shard(store):
    inbox = Inbox(store, shards=1)

    assert [True, False, False] == [append(inbox, key).wake_due for key in (b"a", b"b", b"c")]


def test_arrival_after_the_flag_was_cleared_wakes_again(store):
    inbox = Inbox(store, shards=1)
    append(inbox, b"a")
    inbox.clear_wake(0)

    assert append(inbox, b"b").wake_due


def test_wake_flag_does_not_outlive_a_dead_drain(store):
    inbox = Inbox(store, shards=1)
    append(inbox)

    assert 0 < store.pttl(keys.wake(0)) <= WAKE_TTL.total_seconds() * 1000


def test_claim_gives_each_entry_once_in_order(store):
    inbox = Inbox(store, shards=1)
    ids = [append(inbox, key).delivery_id for key in (b"a", b"b", b"c")]

    assert ids[:2] == [entry.delivery_id for entry in inbox.claim(0, 2, NO_WAIT)]
    assert ids[2:] == [entry.delivery_id for entry in inbox.claim(0, 2, NO_WAIT)]
    assert [] == inbox.claim(0, 2, NO_WAIT)


def test_claim_survives_a_store_that_was_emptied(store):
    inbox = Inbox(store, shards=1)
    inbox.open()
    store.flushall()
    appended = append(inbox)

    assert [appended.delivery_id] == [e.delivery_id for e in inbox.claim(0, 9, NO_WAIT)]


def test_calls_survive_a_store_that_lost_the_library(store):
    inbox = Inbox(store, shards=1)
    append(inbox, b"a")
    store.function_flush()

    assert append(inbox, b"b").new


def test_finish_ends_the_entry_and_lists_the_delivery(inbox, lists):
    appended = append(inbox)
    shard = only_shard(inbox, appended)
    kept = inbox.load([appended.delivery_id])[0]
    finish(inbox, shard, DeliveryState.APPLIED, notes=("done",), stored=kept)

    stored = inbox.load([appended.delivery_id])[0]

    assert 0 == inbox.backlog(shard)
    assert DeliveryState.APPLIED is stored.state
    assert ("done",) == stored.notes
    assert kept.delivery == stored.delivery
    assert (kept.secret, kept.settled) == (stored.secret, stored.settled)
    assert at(9) == stored.finished_at
    assert [appended.delivery_id] == lists.listed(DeliveryState.APPLIED, 10)


def test_packed_delivery_can_be_worked_on_again(inbox):
    appended = append(inbox)
    shard, ids = only_shard(inbox, appended), [appended.delivery_id]
    first = inbox.load(ids)[0]
    finish(inbox, shard, DeliveryState.APPLIED, at(1), notes=("first",), stored=first)
    inbox.requeue(*ids)
    waits = (Lookup("stripe", "pi_1", None),)
    finish(inbox, shard, DeliveryState.PARKED, at(2), notes=("second",), waits=waits, stored=first)

    (parked,) = inbox.parked(ids)
    assert (first.delivery.received_at, waits) == (parked.received_at, parked.waits)
    again = inbox.load(ids)[0]
    assert (("second",), at(2), first.delivery) == (again.notes, again.finished_at, again.delivery)

    inbox.requeue(*ids)
    finish(inbox, shard, DeliveryState.APPLIED, at(3), notes=("third",), stored=again)
    last = inbox.load(ids)[0]
    assert (("third",), at(3), first.delivery) == (last.notes, last.finished_at, last.delivery)
    assert () == last.waits


def test_applied_delivery_expires_and_a_dead_one_does_not(inbox, store):
    applied, dead = append(inbox, b"a"), None
    finish(inbox, only_shard(inbox, applied), DeliveryState.APPLIED)
    dead = append(inbox, b"b")
    finish(inbox, only_shard(inbox, dead), DeliveryState.DEAD)

    thirty_days = 30 * 24 * 3600
    assert store.ttl(keys.delivery(applied.delivery_id)) > thirty_days
    assert -1 == store.ttl(keys.delivery(dead.delivery_id))


def test_duplicate_of_a_finished_delivery_is_not_worked_on_again(inbox):
    appended = append(inbox)
    shard = only_shard(inbox, appended)
    finish(inbox, shard, DeliveryState.APPLIED)

    assert not append(inbox).new
    assert 0 == inbox.backlog(shard)


def test_overdue_entry_is_taken_over_once(inbox):
    appended = append(inbox)
    shard = only_shard(inbox, appended)
    inbox.claim(shard, 10, NO_WAIT)

    [(stream_id, tries)] = inbox.overdue(shard, NO_WAIT, 10)

    assert 1 == tries
    (taken,) = inbox.take_over(shard, [stream_id], NO_WAIT)
    assert appended.delivery_id == taken.delivery_id
    assert [] == inbox.overdue(shard, timedelta(minutes=1), 10)
    assert [] == inbox.take_over(shard, [stream_id], timedelta(minutes=1))


def test_overdue_gives_the_least_tried_first(inbox):
    for key in (b"a", b"b", b"c", b"d"):
        append(inbox, key)
    shard = 0 if inbox.backlog(0) >= 2 else 1
    inbox.claim(shard, 10, NO_WAIT)
    (first, _), (second, _), *_ = inbox.overdue(shard, NO_WAIT, 10)
    inbox.take_over(shard, [first], NO_WAIT)

    assert second == inbox.overdue(shard, NO_WAIT, 10)[0][0]
    assert (first, 2) == inbox.overdue(shard, NO_WAIT, 10)[-1]


def test_requeue_puts_a_parked_delivery_back_to_work(inbox, lists):
    appended = append(inbox)
    shard = only_shard(inbox, appended)
    waits = (Lookup("stripe", "pi_1", None),)
    finish(inbox, shard, DeliveryState.PARKED, waits=waits)
    inbox.clear_wake(shard)

    gone = keys.delivery_id("stripe", b"gone", 2)
    [parked] = inbox.parked([appended.delivery_id, gone])
    assert (appended.delivery_id, at(0), waits) == (
        parked.delivery_id,
        parked.received_at,
        parked.waits,
    )
    assert inbox.requeue(appended.delivery_id).wake_due
    assert [] == lists.listed(DeliveryState.PARKED, 10)
    assert 1 == inbox.backlog(shard)


def test_what_is_put_back_to_work_is_received_again(inbox):
    appended = append(inbox)
    finish(inbox, only_shard(inbox, appended), DeliveryState.DEAD)

    inbox.requeue(appended.delivery_id)

    assert DeliveryState.RECEIVED is inbox.load([appended.delivery_id])[0].state


def test_work_on_what_is_gone_meanwhile_leaves_nothing_behind(inbox, store, lists):
    appended = append(inbox)
    shard = only_shard(inbox, appended)
    store.delete(keys.delivery(appended.delivery_id))

    finish(inbox, shard, DeliveryState.DEAD)

    assert not store.exists(keys.delivery(appended.delivery_id))
    assert [] == lists.listed(DeliveryState.DEAD, 10)
    assert 0 == inbox.backlog(shard)


def test_requeue_of_what_is_gone_does_nothing(inbox):
    delivery_id = keys.delivery_id("stripe", b"gone", 2)

    assert not inbox.requeue(delivery_id).new


def test_needs_wake_only_while_entries_wait_and_nobody_looks(inbox):
    appended = append(inbox)
    shard = only_shard(inbox, appended)
    assert not inbox.needs_wake(shard)
    inbox.clear_wake(shard)
    assert inbox.needs_wake(shard)
    assert not inbox.needs_wake(shard)
    assert not inbox.needs_wake(1 - shard)


def test_needs_wake_sees_entries_that_a_dead_drain_holds(inbox):
    shard = only_shard(inbox, append(inbox))
    inbox.claim(shard, 10, NO_WAIT)
    inbox.clear_wake(shard)

    assert inbox.needs_wake(shard)


def test_unknown_delivery_is_none(inbox):
    assert [None] == inbox.load([keys.delivery_id("x", b"y", 2)])
    assert [] == inbox.load([])


@pytest.mark.parametrize("shards", [1, 16])
def test_append_is_one_round_trip(valkey, shards):
    inbox = Inbox(valkey, shards)
    append(inbox, b"warm")
    before = valkey.info("commandstats").get("cmdstat_fcall", {}).get("calls", 0)
    total = valkey.info("stats")["total_commands_processed"]
    append(inbox, b"one")
    stats = valkey.info("stats")["total_commands_processed"] - total

    assert before + 1 == valkey.info("commandstats")["cmdstat_fcall"]["calls"]
    # The INFO calls of this test are the others; commands inside a function are not round trips.
    assert stats <= 10


def test_unreachable_store_is_unavailable():

    client = edge_client("unix:///nowhere/socket")
    with pytest.raises(StoreUnavailable, match="GATEWAY_STORE_URL"):
        append(Inbox(client, 1))
    client.close()
