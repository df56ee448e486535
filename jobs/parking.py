"""Letting go of deliveries that waited for a session."""

from gateway.store.keys import shard_of
from gateway.store.sessions import Lookup
from jobs.runtime import Runtime


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
