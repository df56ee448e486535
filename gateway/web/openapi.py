"""The OpenAPI document of both faces, and a reference page made of it, without any outside host."""

from functools import cache
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify, render_template
from flask_smorest import Api

from gateway.config import Face
from gateway.web.services import Services

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ALWAYS = (400, 401, 403, 422, 500, 503)
_METHODS = ("get", "post", "patch", "delete")
_ETAG = {
    "ETag": {
        "description": "Changes with the session, and with the selection of its cart.",
        "schema": {"type": "string"},
        "example": '"2"',
    }
}
_HEADERS = {
    ("/sessions", "post"): ("Idempotency-Key", "Makes the call safe to repeat for a day."),
    ("/sessions/{session_id}", "get"): ("If-None-Match", "The ETag that is known already."),
    ("/sessions/{session_id}/stream", "get"): ("Last-Event-ID", "The last event that was seen."),
}


def blueprint(services: Services, api: Api | None) -> Blueprint:
    routes = Blueprint("openapi", __name__, template_folder="templates")

    @cache
    def document() -> dict[str, Any]:
        return _document(services, api)

    @routes.get("/openapi.json")
    def openapi() -> Response:
        """The document, for machines."""
        return jsonify(document())

    @routes.get("/reference")
    def reference() -> str:
        """The document, for people."""
        return render_template("reference.html", api=document(), methods=_METHODS)

    return routes


def _document(services: Services, api: Api | None) -> dict[str, Any]:
    """What this process serves: of the private face what the views say, the rest by hand."""
    made: dict[str, Any] = api.spec.to_dict() if api else {}
    components = made.setdefault("components", {})
    components["responses"] = {}
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    paths = made.setdefault("paths", {})
    if api is not None:
        paths |= {"/sessions/{session_id}/stream": _STREAM}
        for path, item in paths.items():
            for method in set(item) & set(_METHODS):
                _complete(path, method, item[method])
    if Face.WEBHOOKS in services.settings.faces:
        paths |= {"/webhooks/{provider}": _WEBHOOKS}
    paths |= {"/live": _probe("alive", 200), "/ready": _probe("ready", 200, 503)}
    return made


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Adds what holds for every view: who may call, which errors there are, which headers."""
    operation["security"] = [{"token": []}]
    answers = operation["responses"]
    answers.pop("default", None)
    errors = list(_ALWAYS)
    errors += [404] if "{" in path else []
    errors += [409, 413, 415] if method != "get" else []
    errors += [410] if path.startswith("/sessions/{session_id}") else []
    for status in errors:
        answers[str(status)] = {"description": HTTPStatus(status).phrase, "content": _PROBLEM}
    if path.startswith("/sessions") and (path, method) != ("/sessions", "get"):
        for good in {"200", "201", "304"} & set(answers):
            answers[good]["headers"] = _ETAG
    if (path, method) in _HEADERS:
        name, description = _HEADERS[path, method]
        header = {"in": "header", "name": name, "description": description}
        schema = {"type": "string", "minLength": 1, "maxLength": 255}
        operation.setdefault("parameters", []).append(header | {"schema": schema})


def _probe(what: str, *statuses: int) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    answers = {
        str(status): {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }
    return {"get": {"summary": f"Whether the process is {what}.", "responses": answers}}


_ID = {
    "in": "path",
    "name": "session_id",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
}
_STREAM: dict[str, Any] = {
    "parameters": [_ID],
    "get": {
        "tags": ["sessions"],
        "summary": "Server-sent events: the session now, and again at each change.",
        "responses": {
            "200": {
                "description": "Events `session`, each with the session's JSON.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
    },
}
_WEBHOOKS: dict[str, Any] = {
    "parameters": [
        {
            "in": "path",
            "name": "provider",
            "required": True,
            "description": "A configured provider instance.",
            "schema": {"type": "string", "minLength": 1},
        }
    ],
    "post": {
        "tags": ["webhooks"],
        "summary": "A provider's webhook; it is answered 2xx once it is on disk.",
        "requestBody": {"content": {"*/*": {"schema": {}}}},
        "responses": {"2XX": {"description": "Kept, in the provider's own form."}}
        | {
            str(status): {"description": description}
            for status, description in (
                (400, "Refused, with its cause."),
                (401, "Refused, with its cause."),
                (403, "Refused, with its cause."),
                (404, "There is no such provider."),
                (413, "The body is too large."),
                (503, "It cannot be made durable just now: send it again."),
            )
        },
    },
}
