"""Acting on one session: read it, decide (pure), commit, and again if it had changed meanwhile."""

from collections.abc import Callable

from gateway.domain.actions import Act
from gateway.domain.errors import NotFound, StoreUnavailable
from gateway.domain.history import Decision
from gateway.domain.sessions import Outcome, Record
from gateway.store.sessions import Commit
from jobs.runtime import Runtime

_ROUNDS = 20


def _is_old(runtime: Runtime, session_id: str, decision: Decision) -> bool:
    """Whether an act that changed nothing need not be written: its first telling stays."""
    if decision.outcome is Outcome.UNCHANGED:
        return True
    loaded = runtime.sessions.load([(session_id, (decision.key,))])[0]
    return loaded is not None and decision.key in loaded.known


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
        if after == loaded.record and _is_old(runtime, session_id, decision):
            return after
        if runtime.sessions.commit([Commit(loaded.record, after, (decision,), loaded.later)])[0]:
            runtime.listings.state([after.session])
            return after
    raise StoreUnavailable("The session changes faster than it can be written; try again.")
