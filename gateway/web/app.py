"""The Flask application: one of the two faces, or both."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask
from flask_smorest import Api

from gateway import __version__
from gateway.config import Face
from gateway.web import (
    collections,
    console,
    deliveries,
    ingress,
    listings,
    manual,
    openapi,
    operations,
    overview,
    payments,
    problems,
    quarantine,
    sessions,
    waiting,
)
from gateway.web.answers import Problem
from gateway.web.auth import Authenticator
from gateway.web.ingress import PREFIX, Ingress
from gateway.web.services import Services

F = TypeVar("F", bound=Callable[..., Any])


class App(Flask):
    """The WSGI application. Where there is an ingress, webhooks go straight to it."""

    ingress: Ingress | None = None

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        posted = environ["REQUEST_METHOD"] == "POST"
        if posted and self.ingress and environ["PATH_INFO"].startswith(PREFIX):
            return self.ingress.answer(environ, start_response)
        return super().wsgi_app(environ, start_response)

    def ensure_sync(self, func: F) -> F:
        """There is nothing asynchronous here, so nothing has to be asked each time it is called."""
        return func


def create_app(services: Services) -> Flask:
    """The WSGI application over these services."""
    app = App(__name__, static_folder=None)
    app.config.update(
        # One more than is accepted: the server's own limit must not cut a body off unseen.
        MAX_CONTENT_LENGTH=services.settings.largest_body + 1,
        API_TITLE="Payment webhook gateway",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.1.0",
    )
    app.register_blueprint(operations.blueprint(services))
    if Face.WEBHOOKS in services.settings.faces:
        app.ingress = Ingress(services)
        app.register_blueprint(ingress.blueprint(app.ingress))
    api = None
    if Face.API in services.settings.faces:
        auth = Authenticator(services)
        room = waiting.Waiting(services)
        app.register_blueprint(operations.metrics_blueprint(services, auth))
        app.register_blueprint(waiting.blueprint(services, auth, room))
        app.register_blueprint(console.blueprint(services, app.ingress))
        api = Api(app)
        api.register_blueprint(sessions.blueprint(services, auth, room))
        for floor in (listings, payments, collections, quarantine, manual, deliveries, overview):
            api.register_blueprint(floor.blueprint(services, auth))
        # No view names it: it is what all errors look like.
        api.spec.components.schema("Problem", schema=Problem)
    app.register_blueprint(openapi.blueprint(services, api))
    # Last, so that these handlers stand and not those of flask-smorest.
    problems.register(app)
    return app
