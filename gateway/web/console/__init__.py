"""The console: pages for whoever is on call. What they show and do, the API and the CLI do too.

Rendered here, without an outside host; reading needs no script. `read` looks, `operate` acts.
"""

from flask import Blueprint, Response, render_template

from gateway.web import problems
from gateway.web.console import (
    actions,
    deliveries,
    login,
    overview,
    providers,
    sessions,
    trying,
    words,
)
from gateway.web.console.login import Door
from gateway.web.ingress import Ingress
from gateway.web.services import Services

PREFIX = "/console"
# Nothing that a provider sent can bring a script, a style or an address of its own to life.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def blueprint(services: Services, ingress: Ingress | None) -> Blueprint:
    """`ingress`: this process's own, if it has that face."""
    routes = Blueprint(
        "console",
        __name__,
        url_prefix=PREFIX,
        template_folder="templates",
        static_folder="static",
    )
    routes.before_request(Door(services).check)
    routes.after_request(_secured)
    routes.register_error_handler(Exception, _failed)
    words.register(routes)
    for page in (login, overview, deliveries, sessions, providers, actions):
        page.add(routes, services)
    if ingress is not None:
        trying.add(routes, services, ingress)
    return routes


def _secured(response: Response) -> Response:
    response.headers.extend(_HEADERS)
    return response


def _failed(error: Exception) -> tuple[str, int]:
    """The page of an error: what the API would say, for people."""
    answer = problems.of(error)
    return render_template("console/error.html", problem=answer.get_json()), answer.status_code
