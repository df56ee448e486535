"""Erasing what the gateway holds of a person, on request: a session's cart and data, and the bodies
of the deliveries that told of it. What happened to the money, and when, stays.
"""

from gateway.domain.actions import Actor, erase
from gateway.store.sessions import Lookup
from jobs.acts import act
from jobs.runtime import Runtime


def erase_session(runtime: Runtime, session_id: str, who: Actor) -> int:
    """How many bodies were let go of. Safe to repeat. Raises NotFound."""
    record = act(runtime, session_id, lambda found: erase(found, who))
    runtime.carts.forget_snapshot(session_id)
    told = {d.delivery_id for d in runtime.sessions.history(session_id) if d.delivery_id}
    session = record.session
    told |= set(
        runtime.sessions.waiting_for(Lookup(session.provider_id, session.external_id, session_id))
    )
    return runtime.bodies.let_go(sorted(told))
