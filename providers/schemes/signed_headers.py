"""The scheme of Azure's services: an HMAC over method, URL, date, host and a hash of the body."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import format_datetime, parsedate_to_datetime
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.parts import (
    SecretsOf,
    as_base64,
    check_window,
    forged,
    header,
    live,
    matching,
    same_as_any,
    with_headers,
)

C = TypeVar("C")
_DATE, _CONTENT = "x-ms-date", "x-ms-content-sha256"
_SIGNED = f"HMAC-SHA256 SignedHeaders={_DATE};host;{_CONTENT}&Signature="


@dataclass(frozen=True)
class SignedHeaders(Generic[C]):
    """`Authorization: HMAC-SHA256 SignedHeaders=…&Signature=…`, or the same under another name.

    `url` is the one that the sender was given, where a proxy changes it on the way; empty: the
    request's own host, path and query are those.
    """

    secrets: SecretsOf[C]
    url: Callable[[C], str] = lambda _: ""
    other_header: str = ""
    tolerance: int = 300

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.secrets(config))
        date, content = header(delivery, _DATE), header(delivery, _CONTENT)
        name = "Authorization"
        if self.other_header and not any(delivery.header_values(name)):
            name = self.other_header
        given, target = header(delivery, name), self._target(delivery, config)
        if not same_as_any(_hash(delivery), [content]):
            raise forged()
        verdict = matching(secrets, lambda secret: _value(secret, target, date, content), [given])
        check_window(delivery, _seconds(date), self.tolerance)
        return verdict

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        first, content = live(self.secrets(config))[0], _hash(delivery)
        date = format_datetime(delivery.received_at, usegmt=True)
        value = _value(first, self._target(delivery, config), date, content)
        return with_headers(delivery, (_DATE, date), (_CONTENT, content), ("Authorization", value))

    def _target(self, delivery: Delivery, config: C) -> tuple[str, str]:
        """The host, and the path with its query, as the sender saw them."""
        if self.url(config):
            parts = urlsplit(self.url(config))
            host, path, query = parts.netloc, parts.path or "/", parts.query
        else:
            host, path, query = header(delivery, "Host"), delivery.path, delivery.query
        return host, f"{path}?{query}" if query else path


def _hash(delivery: Delivery) -> str:
    return as_base64(hashlib.sha256(delivery.body).digest())


def _value(secret: Secret, target: tuple[str, str], date: str, content: str) -> str:
    host, path = target
    message = f"POST\n{path}\n{date};{host};{content}".encode("utf-8", "surrogatepass")
    return _SIGNED + base64.b64encode(hmac.digest(secret.bytes, message, "sha256")).decode()


def _seconds(date: str) -> int:
    """Unix seconds of an HTTP date. Raises MALFORMED for anything else."""
    try:
        found = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        found = None
    if found is None or found.tzinfo is None:
        raise Rejected(Cause.MALFORMED, f"{_DATE} must be an HTTP date")
    return int(found.timestamp())
