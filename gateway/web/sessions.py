"""Sessions for the merchant's services: create, poll cheaply, wait, act, ask why."""

from http import HTTPStatus
from typing import Any

from flask import Request, Response, make_response, url_for
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema
from webargs.flaskparser import FlaskParser

from gateway import metrics
from gateway.domain import actions
from gateway.domain.actions import Changes
from gateway.domain.history import Decision
from gateway.domain.sessions import PaymentSession
from gateway.store.tokens import Scope
from gateway.web import answers, checkout, schemas, views
from gateway.web.answers import SessionView
from gateway.web.auth import Authenticator, actor
from gateway.web.problems import problem
from gateway.web.services import Services
from gateway.web.waiting import Waiting
from jobs.acts import act
from jobs.parking import make_findable


class _Parser(FlaskParser):
    """Spares a poll, which has no query, an exception for each parameter that it might have."""

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        return super().load_querystring(req, schema) if req.query_string else {}


def blueprint(services: Services, auth: Authenticator, waiting: Waiting) -> Blueprint:  # noqa: C901 - a row of views
    routes = Blueprint("sessions", __name__, description="PaymentSessions and their histories")
    routes.ARGUMENTS_PARSER = _Parser()
    runtime = services.runtime

    @routes.route("/sessions", methods=["POST"])
    @auth.require(Scope.WRITE)
    @routes.arguments(schemas.NewSession)
    @routes.response(201, SessionView)
    def create(values: dict[str, Any]) -> Response:
        """Create a session at checkout; safe to repeat with an `Idempotency-Key`."""
        session = checkout.create(services, values, actor(services))
        return _answer(services, session, HTTPStatus.CREATED)

    @routes.route("/sessions/<session_id>", methods=["GET"])
    @auth.require(Scope.READ)
    # A schema is built only once where it is given as an instance: this is what is polled.
    @routes.arguments(schemas.Poll(), location="query", unknown=RAISE)
    @routes.response(200, SessionView)
    @routes.alt_response(304, description="Unchanged since the ETag in If-None-Match.")
    def get(options: dict[str, Any], session_id: str) -> Response:
        """Get a session; send `If-None-Match` to poll cheaply, and `wait` to hear of a change."""
        found = runtime.sessions.glance(session_id)
        tag = views.glanced_etag(runtime, session_id, found)
        if views.is_known(tag) and options["wait"]:
            look = waiting.wait(session_id, tag, options["wait"])
            if look.tag != tag and not options["expand"]:
                metrics.POLLS.labels("told").inc()
                headers = {"ETag": look.tag, "Content-Type": "application/json"}
                return Response(look.body, headers=headers)
            found, tag = runtime.sessions.glance(session_id), look.tag
        if views.is_known(tag):
            metrics.POLLS.labels("unchanged").inc()
            return Response(status=304, headers={"ETag": tag})
        metrics.POLLS.labels("changed").inc()
        session = found.read()
        cart = runtime.carts.snapshot(session_id) if options["expand"] else None
        return _answer(services, session, HTTPStatus.OK, cart)

    @routes.route("/sessions/<session_id>", methods=["PATCH"])
    @auth.require(Scope.WRITE)
    @routes.arguments(schemas.SessionChanges)
    @routes.response(200, SessionView)
    def update(values: dict[str, Any], session_id: str) -> Response:
        """Set fields of a session; setting `data.id` lets go of webhooks that waited for it."""
        changes, who = Changes(**values), actor(services)
        if changes.expires_at is not None:
            runtime.listings.expect_expiry(session_id, changes.expires_at)
        if changes.data is not None:
            runtime.sessions.expect_index(session_id, who.now)
        record = act(runtime, session_id, lambda r: actions.update(r, who, changes))
        if changes.data is not None:
            make_findable(runtime, record.session)
        return _answer(services, record.session)

    @routes.route("/sessions/<session_id>", methods=["DELETE"])
    @auth.require(Scope.WRITE)
    @routes.response(204)
    def delete(session_id: str) -> None:
        """Delete a session; its history stays, for late webhooks."""
        who = actor(services)
        record = act(runtime, session_id, lambda r: actions.delete(r, who))
        runtime.carts.leave(record.session)

    @routes.route("/sessions/<session_id>/cancel", methods=["POST"])
    @auth.require(Scope.WRITE)
    @routes.response(200, SessionView)
    def cancel(session_id: str) -> Response:
        """Cancel an open session; a provider's later authorization still wins, and is flagged."""
        who = actor(services)
        return _answer(services, act(runtime, session_id, lambda r: actions.cancel(r, who)).session)

    @routes.route("/sessions/<session_id>/select", methods=["POST"])
    @auth.require(Scope.WRITE)
    @routes.response(200, SessionView)
    def select(session_id: str) -> Response:
        """Select a session as the one that completes its cart."""
        session = runtime.sessions.get(session_id)
        runtime.carts.select(session)
        return _answer(services, session)

    @routes.route("/sessions/<session_id>/refresh", methods=["POST"])
    @auth.require(Scope.WRITE)
    @routes.arguments(schemas.Refreshing)
    @routes.response(201, SessionView)
    def refresh(values: dict[str, Any], session_id: str) -> Response:
        """Put a fresh session in the place of an open one."""
        session = checkout.refresh(services, session_id, values, actor(services))
        return _answer(services, session, HTTPStatus.CREATED)

    @routes.route("/sessions/<session_id>/history", methods=["GET"])
    @auth.require(Scope.READ)
    @routes.response(200, answers.HistoryView)
    def history(session_id: str) -> dict[str, list[Decision]]:
        """Every decision about a session: why it is in its state."""
        runtime.sessions.glance(session_id)
        return {"decisions": runtime.sessions.history(session_id)}

    return routes


def _answer(
    services: Services,
    session: PaymentSession,
    status: HTTPStatus = HTTPStatus.OK,
    cart: dict[str, Any] | None = None,
) -> Response:
    if session.deleted_at is not None:
        return problem(410, "gone", "The session was deleted; its history is still there.")
    [session] = views.seen(services.runtime, [session])
    answer = make_response(views.shown(session, cart), status)
    answer.headers["ETag"] = views.etag_of(session)
    if status is HTTPStatus.CREATED:
        answer.headers["Location"] = url_for("sessions.get", session_id=session.id)
    return answer
