"""Basic authentication: a user name and a password with every request."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Generic, Protocol, TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Scheme, Verified
from providers.schemes.parts import as_base64, with_headers

C = TypeVar("C")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    """The credentials as a part of a provider's configuration."""

    username: Annotated[str, "the user name that was set for this endpoint with the provider"]
    password: Annotated[Secret, "its password"]


@dataclass(frozen=True)
class BehindBasicAuth(Generic[C]):
    """A scheme that basic authentication comes on top of, where credentials are configured."""

    inner: Scheme[C]
    credentials: Callable[[C], BasicCredentials | None]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        expected = self.credentials(config)
        if expected is not None:
            check_basic_auth(delivery, expected)
        return self.inner.verify(delivery, config)

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        expected = self.credentials(config)
        if expected is not None:
            token = f"Basic {basic_auth(expected)}"
            delivery = with_headers(delivery, ("Authorization", token))
        return self.inner.sign(delivery, config)


def basic_header(username: str | int, password: Secret) -> tuple[str, str]:
    """The header with which we authenticate ourselves to a provider's API."""
    return "Authorization", f"Basic {as_base64(f'{username}:{password.value}'.encode())}"
