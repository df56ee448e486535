"""Basic authentication: a user name and a password with every request."""

import hmac
from typing import Protocol

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.schemes.parts import as_base64


class BasicCredentials(Protocol):
    """What basic authentication asks for."""

    @property
    def username(self) -> str: ...
    @property
    def password(self) -> Secret: ...


def check_basic_auth(delivery: Delivery, expected: BasicCredentials) -> None:
    """Raises BAD_CREDENTIALS unless the delivery brings this user name and password."""
    values = delivery.header_values("Authorization")
    given = values[0].strip() if len(values) == 1 else ""
    wanted = basic_auth(expected)
    scheme, _, token = given.partition(" ")
    same = hmac.compare_digest(token.strip().encode("utf-8", "surrogatepass"), wanted.encode())
    if scheme.lower() != "basic" or not same:
        raise Rejected(Cause.BAD_CREDENTIALS, "basic authentication is missing or wrong")


def basic_auth(credentials: BasicCredentials) -> str:
    """The token of an `Authorization: Basic` header."""
    return as_base64(f"{credentials.username}:{credentials.password.value}".encode())
