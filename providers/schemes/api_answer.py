"""Asking providers' APIs: what is sent, and what the answers come to."""

from http import HTTPStatus
from typing import Any

from gateway.domain.errors import Cause, Rejected
from providers import payload
from providers.configuration import Secret
from providers.contract import ApiAnswer, ApiRequest
from providers.schemes.parts import as_base64


def found_object(answer: ApiAnswer) -> dict[str, Any]:
    """The JSON object that was asked for. Raises UNKNOWN_PAYMENT, UNVERIFIABLE or MALFORMED."""
    if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        raise Rejected(Cause.UNKNOWN_PAYMENT, "the provider's API does not know it")
    if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
        raise Rejected(Cause.UNVERIFIABLE, f"the provider's API answered {answer.status}")
    return payload.json_object(answer.body)


def key_get(url: str, key: str, *headers: tuple[str, str]) -> ApiRequest:
    """Asks for an object by Basic authentication with a key for a user, and no password."""
    basic = ("Authorization", f"Basic {as_base64(f'{key}:'.encode())}")
    return ApiRequest("GET", url, (basic, *headers))


def bearer_get(url: str, token: Secret | None) -> ApiRequest:
    """Asks for an object with a bearer token. Raises UNVERIFIABLE where none is configured."""
    if token is None:
        raise Rejected(Cause.UNVERIFIABLE, "configure access to the API: it has to be asked")
    return ApiRequest("GET", url, (("Authorization", f"Bearer {token.value}"),))
