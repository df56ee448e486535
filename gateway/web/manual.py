"""Bank transfers and cash: what an operator saw, told like a provider's webhook.

It goes the way of every webhook: durable first, then applied once by the same rules.
"""

import json
from typing import Any
from uuid import uuid4

from flask import Response
from flask_smorest import Blueprint

from gateway.domain.actions import Actor
from gateway.domain.errors import Conflict
from gateway.domain.events import Delivery
from gateway.domain.sessions import PaymentSession
from gateway.store.tokens import Scope
from gateway.web import answers, schemas
from gateway.web.auth import Authenticator, actor
from gateway.web.keeping import keep
from gateway.web.services import Services

_ADAPTER = "manual"


def blueprint(services: Services, auth: Authenticator) -> Blueprint:
    routes = Blueprint("manual", __name__, description="Bank transfers and cash")

    @routes.route("/sessions/<session_id>/manual", methods=["POST"])
    @auth.require(Scope.OPERATE)
    @routes.arguments(schemas.ManualEvent)
    @routes.response(202, answers.ManualAccepted)
    def tell(values: dict[str, Any], session_id: str) -> Response | dict[str, str]:
        """Say what happened to the payment of a session of the provider `manual`."""
        session = services.runtime.sessions.get(session_id)
        instance = services.settings.instances.get(session.provider_id)
        if instance is None or instance.adapter.id != _ADAPTER:
            raise Conflict("Only a session of the provider `manual` is moved by hand.")
        return {"delivery_id": _keep(services, session, values, actor(services))}

    return routes


def _keep(services: Services, session: PaymentSession, values: dict[str, Any], who: Actor) -> str:
    """Makes what was said durable, and wakes a drain; the delivery's id."""
    # An id may be told again with another type: captured, then refunded.
    event_id = f"{values['type']}:{values.get('id') or uuid4().hex}"
    body = {
        "id": event_id,
        "type": f"manual.{values['type']}",
        "occurred_at": (values.get("occurred_at") or who.now).isoformat(),
        "reference": session.id,
        "amount": values.get("amount", session.amount),
        "currency": session.currency_code,
        "note": values["note"],
    }
    delivery = Delivery(
        provider_id=session.provider_id,
        body=json.dumps(body).encode(),
        headers=(("Content-Type", "application/json"),),
        received_at=who.now,
        path=f"/sessions/{session.id}/manual",
    )
    # The same id told twice is one event, also where the body differs in its time.
    key = f"{session.id}:{event_id}".encode()
    return keep(services, delivery, key, secret=who.name, settled=True).delivery_id
