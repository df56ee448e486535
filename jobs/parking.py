"""Letting go of deliveries that waited for a session, which must be findable before."""

from gateway.domain.sessions import PaymentSession
from gateway.store.keys import shard_of
from gateway.store.sessions import Lookup
from jobs.runtime import Runtime


def make_findable(runtime: Runtime, session: PaymentSession) -> None:
    """Indexes and lists a session, and lets go of what waited for it; harmless if repeated.

    Say `expect_index` before the session is written: then the sweep does it for whoever dies.
    """
    runtime.sessions.index([session])
    runtime.listings.state([session])
    release(runtime, Lookup(session.provider_id, session.external_id, session.id))
    runtime.sessions.forget_unindexed([session.id])


def release(runtime: Runtime, lookup: Lookup) -> int:
    """Puts what waits under these ids back into the inbox, and wakes it; how many there were.

    Called after the session can be found: whoever parks looks for it once more afterwards, so
    one of the two always sees the other. Dying half-way leaves the rest parked for the sweep.
    """
    waiting = runtime.sessions.waiting_for(lookup)
    woken = set()
    for delivery_id in waiting:
        if runtime.inbox.requeue(delivery_id).wake_due:
            woken.add(shard_of(delivery_id))
    if waiting:
        runtime.sessions.unpark(lookup, waiting)
    for shard in woken:
        runtime.queue.wake(shard)
    return len(waiting)
