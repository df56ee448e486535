"""Errors as problem+json (RFC 9457), with stable types, a request id, and nothing secret."""

import json
import re
from http import HTTPStatus
from random import getrandbits
from typing import Any
from wsgiref.types import WSGIEnvironment

from flask import Flask, Response, request
from structlog import get_logger
from werkzeug.exceptions import HTTPException

from gateway.domain.errors import Conflict, InvalidInput, NotFound, StoreUnavailable
from gateway.observe import REQUEST_ID

TYPE = "urn:payment-webhook-gateway:problem:"
RETRY_AFTER = "5"
"""Seconds: a store restarts, or a failover ends, about that fast."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = get_logger()


def problem(status: int, name: str, detail: str, **members: Any) -> Response:
    """An error answer. `name` is stable and ends the type; `detail` says what to do."""
    body = {
        "type": f"{TYPE}{name}",
        "title": _title(status),
        "status": status,
        "detail": detail,
        "request_id": REQUEST_ID.get(),
        **members,
    }
    return Response(json.dumps(body), status=status, content_type="application/problem+json")


def _title(status: int) -> str:
    """A provider may want a status of its own: GoCardless asks for 498."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"


def register(app: Flask) -> None:
    """Makes every error of an app a problem, and every answer carry a request id."""
    app.before_request(lambda: begin(request.environ))
    app.after_request(end)
    app.register_error_handler(Exception, of)
    # flask-smorest has one of its own.
    app.register_error_handler(HTTPException, of)


def begin(environ: WSGIEnvironment) -> None:
    """Gives a request its id."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    # Nobody must be unable to guess it, so it need not cost a system call.
    REQUEST_ID.set(given if _REQUEST_ID.fullmatch(given) else f"{getrandbits(128):032x}")


def end(response: Response) -> Response:
    """The response with what every one of them has."""
    for name, value in common_headers():
        response.headers.setdefault(name, value)
    return response


def common_headers() -> list[tuple[str, str]]:
    """What every response has, unless it says otherwise itself."""
    return [("X-Request-Id", REQUEST_ID.get()), ("Cache-Control", "no-store")]


def of(error: Exception) -> Response:
    """The answer to an error, whatever it is."""
    match error:
        case HTTPException():
            return _http(error)
        case StoreUnavailable():
            return _unavailable(error)
        case NotFound():
            return problem(404, "not_found", str(error))
        case Conflict():
            return problem(409, "conflict", str(error))
        case InvalidInput():
            errors = {error.field: [error.message]}
            return problem(422, "invalid_input", str(error), errors=errors)
        case _:
            return _unexpected(error)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    name = HTTPStatus(status).name.lower()
    # flask-smorest leaves the fields at fault here.
    messages = (getattr(error, "data", None) or {}).get("messages")
    members = {"errors": messages} if messages else {}
    answer = problem(status, name, error.description or HTTPStatus(status).phrase, **members)
    for header, value in error.get_headers():
        if header.lower() in ("allow", "retry-after", "www-authenticate"):
            answer.headers[header] = value
    return answer


def _unavailable(error: StoreUnavailable) -> Response:
    log.warning("store_unavailable", detail=str(error))
    answer = problem(503, "store_unavailable", str(error))
    answer.headers["Retry-After"] = RETRY_AFTER
    return answer


def _unexpected(error: Exception) -> Response:
    log.error("request_failed", exc_info=error)
    detail = "The gateway failed; its log has the reason under this request id."
    return problem(500, "internal_error", detail)
