"""Acting on one session: read it, decide (pure), commit, and again if it had changed meanwhile."""

from collections.abc import Callable

from gateway.domain.actions import Act
from gateway.domain.errors import NotFound, StoreUnavailable
from gateway.domain.sessions import Record
from gateway.store.sessions import Commit
from jobs.runtime import Runtime

_ROUNDS = 20


def act(runtime: Runtime, session_id: str, action: Callable[[Record], Act | None]) -> Record:
    """The record after an action on it; None from the action leaves it as it is.

    Raises NotFound, StoreUnavailable, and whatever the action raises.
    """
    for _ in range(_ROUNDS):
        loaded = runtime.sessions.load([(session_id, ())])[0]
        if loaded is None:
            raise NotFound(f"There is no session {session_id}.")
        acted = action(loaded.record)
        if acted is None:
            return loaded.record
        after, decision = acted
        if runtime.sessions.commit([Commit(loaded.record, after, (decision,))])[0]:
            runtime.listings.state([after.session])
            return after
    raise StoreUnavailable("The session changes faster than it can be written; try again.")
