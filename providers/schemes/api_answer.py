"""Asking providers' APIs: what is sent, and what the answers come to."""

from http import HTTPStatus
from typing import Any

from gateway.domain.errors import Cause, Rejected
from providers import payload
from providers.configuration import Secret
from providers.contract import ApiAnswer, ApiRequest
from providers.schemes.basic_auth import basic_header
from providers.shapes import text


def found_object(answer: ApiAnswer) -> dict[str, Any]:
    """The JSON object that was asked for. Raises UNKNOWN_PAYMENT, UNVERIFIABLE or MALFORMED."""
    if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        raise Rejected(Cause.UNKNOWN_PAYMENT, "the provider's API does not know it")
    if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
        raise Rejected(Cause.UNVERIFIABLE, f"the provider's API answered {answer.status}")
    return payload.json_object(answer.body)


def key_get(url: str, key: Secret | None, *more: tuple[str, str]) -> ApiRequest:
    """Asks for an object by Basic authentication with a key for a user, and no password.

    Raises UNVERIFIABLE where no key is configured.
    """
    if key is None:
        raise Rejected(Cause.UNVERIFIABLE, "configure the API's key: it has to be asked")
    return ApiRequest("GET", url, (basic_header(key.value, Secret("", "none")), *more))


def object_named(answer: ApiAnswer, own_id: str, under: str = "") -> dict[str, Any]:
    """The object of that id, which may stand under a path of the answer.

    Raises as `found_object` does, and UNVERIFIABLE where the answer tells of something else.
    """
    document = found_object(answer)
    found = payload.dig(document, under) if under else document
    if not isinstance(found, dict) or text(found, "id") != own_id:
        raise Rejected(Cause.UNVERIFIABLE, "the provider's API answered with another object")
    return found


def bearer_get(url: str, token: Secret | None, *more: tuple[str, str]) -> ApiRequest:
    """Asks for an object with a bearer token, and with more headers than that.

    Raises UNVERIFIABLE where no token is configured.
    """
    if token is None:
        raise Rejected(Cause.UNVERIFIABLE, "configure access to the API: it has to be asked")
    return ApiRequest("GET", url, (("Authorization", f"Bearer {token.value}"), *more))


def basic_get(url: str, username: str, password: Secret | None) -> ApiRequest:
    """Asks for an object with basic authentication. Raises UNVERIFIABLE without a password."""
    if password is None:
        raise Rejected(Cause.UNVERIFIABLE, "set username and password: the API has to be asked")
    return ApiRequest("GET", url, (basic_header(username, password),))
