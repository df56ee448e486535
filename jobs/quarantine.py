"""Answering for a claim of too little money, or of another currency: accepted, or refused."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.domain.actions import Act, Actor
from gateway.domain.errors import NotFound
from gateway.domain.history import Decision
from gateway.domain.sessions import PaymentSession, Record
from gateway.store.deliveries import Entry, Finished
from gateway.store.inbox import NO_ENTRY
from gateway.store.keys import DeliveryState, shard_of
from jobs.acts import act
from jobs.runtime import Runtime

Answer = Callable[[Record, Actor, Decision, str], Act]


@dataclass(frozen=True, slots=True)
class Claimed:
    """One claim in a session's history, by what identifies it."""

    session_id: str
    source: str
    event_id: str


def give_answer(
    runtime: Runtime, claim: Claimed, answer: Answer, note: str, who: Actor
) -> PaymentSession:
    """Answers for a claim; its session then. Raises NotFound, Conflict, StoreUnavailable."""
    runtime.sessions.glance(claim.session_id)
    about = _decision(runtime, claim)
    record = act(runtime, claim.session_id, lambda r: answer(r, who, about, note))
    if about.delivery_id is not None:
        _take_off_the_list(runtime, about.delivery_id, who)
    return record.session


def _decision(runtime: Runtime, claim: Claimed) -> Decision:
    for decision in runtime.sessions.history(claim.session_id):
        if (decision.source, decision.event_id) == (claim.source, claim.event_id):
            return decision
    raise NotFound(
        f"Session {claim.session_id} has no decision {claim.event_id} of {claim.source}."
    )


def _take_off_the_list(runtime: Runtime, delivery_id: str, who: Actor) -> None:
    """The delivery is dealt with: it leaves the list of those that wait for a person."""
    stored = runtime.inbox.load([delivery_id])[0]
    if stored is None or stored.state is not DeliveryState.QUARANTINED:
        return
    entry = Entry(NO_ENTRY, delivery_id)
    notes = (*stored.notes, f"answered by {who.name}")
    done = Finished(entry, DeliveryState.APPLIED, who.now, notes, stored=stored)
    runtime.inbox.finish(shard_of(delivery_id), [done])
