"""The sweep: finds what a lost wake-up, a killed process or a flushed queue left behind."""

from contextlib import suppress
from datetime import timedelta

from gateway.domain.actions import Actor, expire
from gateway.domain.errors import NotFound
from gateway.store.deliveries import Parked
from gateway.store.inbox import RETENTION
from gateway.store.keys import DeliveryState
from jobs.acts import act
from jobs.parking import make_findable
from jobs.runtime import Runtime, runtime

INTERVAL = 2
"""Seconds between two sweeps."""
_PAGE = 200
# Of bodies, in one sweep: more than come in between two of them.
_PAGES = 10
# A drain lists what is to be settled first, and then enqueues its job.
_ENQUEUED_BY = timedelta(seconds=2)
PARKED_LIMIT = timedelta(days=30)
# Longer than any request takes that writes a session.
_FINDABLE_BY = timedelta(minutes=1)


def sweep() -> None:
    """RQ job, enqueued every INTERVAL seconds by the cron process."""
    sweep_all(runtime())


def sweep_all(runtime: Runtime) -> None:
    """One pass over all shards; harmless at any time and any number of times."""
    expire_due(runtime)
    _make_findable(runtime)
    for shard in range(runtime.inbox.shards):
        if runtime.inbox.needs_wake(shard):
            runtime.queue.wake(shard)
        _look_again_at_parked(runtime, shard)
        _settle_again(runtime, shard)
        runtime.lists.forget_applied(shard, runtime.clock() - RETENTION)
        _let_go_of_bodies(runtime, shard)
    _forget_rejected(runtime)


def _let_go_of_bodies(runtime: Runtime, shard: int) -> None:
    before = runtime.clock() - timedelta(days=runtime.body_days)
    for _ in range(_PAGES):
        if not runtime.bodies.let_go_of_old(shard, before):
            return


def _forget_rejected(runtime: Runtime) -> None:
    """Refused requests hold bodies, too: after the same time they go, whole."""
    before = runtime.clock() - timedelta(days=runtime.body_days)
    for instance in runtime.instances:
        runtime.journal.forget(instance, before)


def _make_findable(runtime: Runtime) -> None:
    """Does what was left undone by who died right after writing a session."""
    ids = runtime.sessions.unindexed(runtime.clock() - _FINDABLE_BY, _PAGE)
    for session in runtime.sessions.get_many(ids) if ids else []:
        if session is not None:
            make_findable(runtime, session)
    runtime.sessions.forget_unindexed(ids)


def expire_due(runtime: Runtime) -> None:
    """Cancels open sessions whose time has come."""
    actor = Actor("job:expiry", runtime.clock())
    due = runtime.listings.due(actor.now, _PAGE)
    for session_id in due:
        with suppress(NotFound):
            act(runtime, session_id, lambda record: expire(record, actor))
    runtime.listings.forget_expiry(due)


def _look_again_at_parked(runtime: Runtime, shard: int) -> None:
    """Releases parked deliveries whose session came while whoever created it died."""
    now = runtime.clock()
    ids = runtime.lists.oldest(shard, DeliveryState.PARKED, now, _PAGE)
    parked = runtime.inbox.parked(ids)
    pairs = [(one.delivery_id, lookup) for one in parked for lookup in one.waits]
    found = runtime.sessions.find([lookup for _, lookup in pairs])
    known = {delivery_id for (delivery_id, _), one in zip(pairs, found, strict=True) if one}
    for one in (one for one in parked if one.delivery_id in known):
        if runtime.inbox.requeue(one.delivery_id).wake_due:
            runtime.queue.wake(shard)
        _unpark(runtime, one)
    waiting = [one for one in parked if one.delivery_id not in known]
    for one in waiting:
        if now - one.received_at > PARKED_LIMIT:
            _give_up(runtime, one)
    # The others go to the end of the line, so that all get their turn.
    others = [one.delivery_id for one in waiting]
    runtime.lists.touch(shard, DeliveryState.PARKED, others, now)


def _give_up(runtime: Runtime, one: Parked) -> None:
    """A session that did not come in all that time is nobody's: a person should look."""
    why = f"no session came within {PARKED_LIMIT.days} days; create it, then requeue this"
    runtime.inbox.give_up(one.delivery_id, runtime.clock(), why)
    _unpark(runtime, one)


def _unpark(runtime: Runtime, one: Parked) -> None:
    for lookup in one.waits:
        runtime.sessions.unpark(lookup, [one.delivery_id])


def _settle_again(runtime: Runtime, shard: int) -> None:
    """Enqueues settlements anew of which RQ has lost the job, or that were put off until now."""
    now = runtime.clock()
    ids = runtime.lists.oldest(shard, DeliveryState.UNSETTLED, now - _ENQUEUED_BY, _PAGE)
    settling = runtime.queue.settling(ids, now) if ids else set()
    left = [delivery_id for delivery_id in ids if delivery_id not in settling]
    for delivery_id, tries in zip(left, runtime.inbox.tries(left), strict=True):
        runtime.queue.settle(delivery_id, tries)
    # To the end of the line, so that all get their turn.
    runtime.lists.touch(shard, DeliveryState.UNSETTLED, ids, now)
