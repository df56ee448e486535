"""Quarantine: an operator answers for claims of too little money, or of another currency."""

from typing import Any

from flask_smorest import Blueprint

from gateway.domain.actions import accept, refuse
from gateway.domain.sessions import PaymentSession
from gateway.store.tokens import Scope
from gateway.web import answers, schemas, views
from gateway.web.auth import Authenticator, actor
from gateway.web.services import Services
from jobs.quarantine import Answer, Claimed, give_answer


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
