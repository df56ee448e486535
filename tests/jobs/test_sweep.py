from datetime import UTC, datetime, timedelta

import toy
from test_drain import create, drain, state

from gateway.store.inbox import RETENTION
from gateway.store.keys import DeliveryState
from gateway.store.sessions import Lookup
from jobs.parking import release
from jobs.queue import DRAIN, SETTLE
from jobs.sweep import PARKED_LIMIT, sweep_all

NOTHING = timedelta(0)


def test_sweep_wakes_a_shard_whose_wake_up_was_lost(runtime, queued):
    toy.keep(runtime, toy.told("e1"))
    runtime.inbox.clear_wake(0)
    sweep_all(runtime)

    assert [(DRAIN, 0)] == queued()


def test_sweep_wakes_a_shard_whose_drain_died(runtime, queued):
    toy.keep(runtime, toy.told("e1"))
    runtime.inbox.claim(0, 10, NOTHING)
    runtime.inbox.clear_wake(0)
    sweep_all(runtime)

    assert [(DRAIN, 0)] == queued()


def test_sweep_lets_a_shard_be_that_is_looked_after_or_empty(runtime, queued):
    sweep_all(runtime)
    toy.keep(runtime, toy.told("e1"))
    sweep_all(runtime)

    assert [] == queued()


def test_sweep_releases_what_a_dead_creator_left_parked(runtime, monkeypatch):
    delivery_id = toy.keep(runtime, toy.told("e1"))
    drain(runtime)
    monkeypatch.setattr("test_drain.release", lambda *_: None)
    create(runtime)
    sweep_all(runtime)
    drain(runtime)

    assert DeliveryState.APPLIED is state(runtime, delivery_id)
    assert [] == runtime.sessions.waiting_for(Lookup("toy", None, "ps_1"))


def test_sweep_lets_be_what_has_no_session_yet(runtime, clock):
    delivery_id = toy.keep(runtime, toy.told("e1"))
    drain(runtime)
    clock.advance(seconds=9)
    sweep_all(runtime)

    assert DeliveryState.PARKED is state(runtime, delivery_id)
    assert 0 == runtime.inbox.backlog(0)


def test_delivery_whose_session_never_comes_is_dead_in_the_end(runtime, clock):
    delivery_id = toy.keep(runtime, toy.told("e1"))
    drain(runtime)
    clock.advance(days=PARKED_LIMIT.days, seconds=1)
    sweep_all(runtime)

    assert DeliveryState.DEAD is state(runtime, delivery_id)
    assert [] == runtime.lists.listed(DeliveryState.PARKED, 10)
    assert [] == runtime.sessions.waiting_for(Lookup("toy", None, "ps_1"))


def test_sweep_settles_again_what_the_queue_lost(runtime, queued, store, clock):
    delivery_id = toy.keep(runtime, ask=True)
    drain(runtime)
    store.delete(*store.keys("rq:*"))
    clock.advance(seconds=3)
    sweep_all(runtime)
    assert [(SETTLE, delivery_id)] == queued()


def test_sweep_leaves_alone_what_a_job_will_settle(runtime, queued, clock):
    delivery_id = toy.keep(runtime, ask=True)
    drain(runtime)
    for _ in range(3):
        clock.advance(seconds=3)
        sweep_all(runtime)

    assert [(SETTLE, delivery_id)] == queued()


def test_sweep_finds_a_job_that_is_in_no_list(runtime, queued, store, clock):
    delivery_id = toy.keep(runtime, ask=True)
    drain(runtime)
    store.delete("rq:queue:gateway-settle")
    clock.now = datetime.now(UTC) + timedelta(minutes=11)  # RQ has a clock of its own
    sweep_all(runtime)

    assert [(SETTLE, delivery_id)] == queued()


def test_sweep_forgets_applied_deliveries_that_have_expired(runtime, clock):
    create(runtime)
    toy.keep(runtime, toy.told("e1"))
    drain(runtime)
    clock.advance(seconds=RETENTION.total_seconds() + 1)
    sweep_all(runtime)

    assert [] == runtime.lists.listed(DeliveryState.APPLIED, 10)


def test_release_without_anything_parked_does_nothing(runtime, queued):

    assert 0 == release(runtime, Lookup("toy", "pay", "ps_1"))
    assert [] == queued()
