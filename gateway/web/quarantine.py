"""Quarantine: an operator answers for claims of too little money, or of another currency."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask_smorest import Blueprint

from gateway.domain.actions import Act, Actor, accept, refuse
from gateway.domain.errors import NotFound
from gateway.domain.history import Decision
from gateway.domain.sessions import PaymentSession, Record
from gateway.store.deliveries import Entry, Finished
from gateway.store.inbox import NO_ENTRY
from gateway.store.keys import DeliveryState, shard_of
from gateway.store.tokens import Scope
from gateway.web import answers, schemas, views
from gateway.web.auth import Authenticator, actor
from gateway.web.services import Services
from jobs.acts import act
from jobs.runtime import Runtime

Answer = Callable[[Record, Actor, Decision, str], Act]


@dataclass(frozen=True, slots=True)
class Claimed:
    """One claim in a session's history, by what identifies it."""

    session_id: str
    source: str
    event_id: str


def blueprint(services: Services, auth: Authenticator) -> Blueprint:
    routes = Blueprint("quarantine", __name__, description="Answers to mismatched claims")

    @routes.route("/sessions/<session_id>/quarantine/accept", methods=["POST"])
    @auth.require(Scope.OPERATE)
    @routes.arguments(schemas.Answering)
    @routes.response(200, answers.SessionView)
    def accept_claim(values: dict[str, Any], session_id: str) -> PaymentSession:
        """Let a claim in quarantine authorize its session."""
        return _answered(services, session_id, values, accept)

    @routes.route("/sessions/<session_id>/quarantine/refuse", methods=["POST"])
    @auth.require(Scope.OPERATE)
    @routes.arguments(schemas.Answering)
    @routes.response(200, answers.SessionView)
    def refuse_claim(values: dict[str, Any], session_id: str) -> PaymentSession:
        """Leave a claim in quarantine without effect."""
        return _answered(services, session_id, values, refuse)

    return routes


def _answered(
    services: Services, session_id: str, values: dict[str, Any], answer: Answer
) -> PaymentSession:
    claim = Claimed(session_id, values["source"], values["event_id"])
    session = give_answer(services.runtime, claim, answer, values["note"], actor(services))
    return views.seen(services.runtime, [session])[0]


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
    runtime.inbox.finish(shard_of(delivery_id), [done], leaves=DeliveryState.QUARANTINED)
