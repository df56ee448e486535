"""A test webhook from the providers page: only where everybody knows the secrets anyway."""

import secrets
from dataclasses import replace
from datetime import datetime

from flask import Blueprint, redirect, render_template, request, url_for
from marshmallow import ValidationError
from werkzeug.wrappers import Response

from gateway.domain.errors import InvalidInput, NotFound
from gateway.domain.sessions import PaymentSession
from gateway.web.ingress import Ingress
from gateway.web.services import Services
from providers import configuration, simulator
from providers.contract import Reply
from providers.registry import Instance
from providers.simulator import SimulatedPayment


def kinds_to_try(instance: Instance, now: datetime) -> tuple[str, ...]:
    """What can be sent as this provider: nothing, unless its secrets are the made-up ones.

    Nor what is asked back from the provider's API: there is nobody to answer (`gateway simulate`
    stands in for it).
    """
    adapter = instance.adapter
    payment = SimulatedPayment(session_id="ps_1", external_id="1", amount=100, currency="EUR")
    try:
        made_up = configuration.load(adapter.Config, simulator.development_config(adapter.id))
    except (InvalidInput, ValidationError):
        return ()
    if made_up != instance.config:
        return ()
    return tuple(
        kind
        for kind in simulator.kinds(adapter.id)
        if not simulator.api_calls(instance, kind, payment, event_id="1", at=now)
    )


def add(routes: Blueprint, services: Services, ingress: Ingress) -> None:
    runtime = services.runtime

    @routes.post("/providers/<name>/try")
    def try_webhook(name: str) -> Response | tuple[str, int]:
        """Sends a webhook about a session through the ingress, as the provider would."""
        instance, now = runtime.instances.get(name), runtime.clock()
        if instance is None:
            raise NotFound(f"There is no provider {name!r}.")
        kind = request.form.get("kind", "")
        if kind not in kinds_to_try(instance, now):
            raise InvalidInput("kind", "cannot be sent as this provider")
        payment = _payment(instance, runtime.sessions.get(request.form.get("session_id", "")))
        event_id = f"evt_{secrets.token_hex(8)}"
        made = simulator.simulate(instance, kind, payment, event_id=event_id, at=now)
        answer = ingress.take(instance, replace(made, remote_addr=request.remote_addr or ""))
        if isinstance(answer, Reply):
            return redirect(url_for("console.session", session_id=payment.session_id))
        page = render_template("console/error.html", problem=answer.get_json())
        return page, answer.status_code


def _payment(instance: Instance, session: PaymentSession) -> SimulatedPayment:
    known = session.external_id
    return SimulatedPayment(
        session_id=session.id,
        external_id=known or simulator.external_id(instance.adapter.id, session.id),
        amount=session.amount,
        currency=session.currency_code,
    )
