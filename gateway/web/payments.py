"""Payments: what an authorized session was promoted to, and taking it."""

from typing import Any

from flask import Response
from flask_smorest import Blueprint

from gateway.domain.actions import complete
from gateway.domain.errors import Conflict, NotFound
from gateway.domain.payments import Subject
from gateway.domain.sessions import Record, session_id_of
from gateway.store.sessions import SESSION_ID
from gateway.store.tokens import Scope
from gateway.web import answers, schemas
from gateway.web.auth import Authenticator, actor
from gateway.web.problems import problem
from gateway.web.services import Services
from jobs.acts import act


def blueprint(services: Services, auth: Authenticator) -> Blueprint:
    routes = Blueprint("payments", __name__, description="Payments of authorized sessions")

    @routes.route("/sessions/<session_id>/complete", methods=["POST"])
    @auth.require(Scope.WRITE)
    @routes.arguments(schemas.Completing)
    @routes.response(200, answers.PaymentView)
    def take(values: dict[str, Any], session_id: str) -> Response | dict[str, Any]:
        """Complete an authorized session: gives its Payment, the same one each time."""
        who = actor(services)
        try:
            record = act(
                services.runtime,
                session_id,
                lambda r: complete(r, who, values["idempotency_key"]),
            )
        except Conflict as error:
            status = services.runtime.sessions.get(session_id).status
            return problem(409, "not_authorized", str(error), session_status=status.value)
        return shown(record)

    @routes.route("/sessions/<session_id>/payment", methods=["GET"])
    @auth.require(Scope.READ)
    @routes.response(200, answers.PaymentView)
    def of_session(session_id: str) -> dict[str, Any]:
        """The Payment of a session."""
        return shown(_authorized(services, session_id))

    @routes.route("/payments/<payment_id>", methods=["GET"])
    @auth.require(Scope.READ)
    @routes.response(200, answers.PaymentView)
    def get(payment_id: str) -> dict[str, Any]:
        """A Payment by its own id."""
        return shown(_authorized(services, session_id_of(payment_id)))

    return routes


def _authorized(services: Services, session_id: str) -> Record:
    """Raises NotFound, also while nothing was authorized."""
    found = None
    if SESSION_ID.fullmatch(session_id):
        found = services.runtime.sessions.load([(session_id, ())])[0]
    if found is None or found.record.payment.authorized_at is None:
        raise NotFound(f"There is no payment of session {session_id}.")
    return found.record


def shown(record: Record) -> dict[str, Any]:
    """What PaymentView shows of a payment."""
    payment = record.payment
    return {
        "id": payment.id,
        "session_id": payment.session_id,
        "provider_id": payment.provider_id,
        "currency_code": payment.currency_code,
        "amount": payment.amount,
        "captured_amount": payment.captured_amount,
        "refunded_amount": payment.refunded_amount,
        "disputed_amount": payment.disputed_amount,
        "authorized_at": payment.authorized_at,
        "captured_at": payment.captured_at,
        "canceled_at": record.canceled_at,
        "captures": payment.about(Subject.CAPTURE),
        "refunds": payment.about(Subject.REFUND),
        "disputes": payment.about(Subject.DISPUTE),
    }
