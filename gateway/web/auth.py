"""Bearer tokens with scopes for the private face."""

import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from gateway.domain.actions import Actor
from gateway.store.tokens import Scope, Token, digest_of
from gateway.web.services import Services

F = TypeVar("F", bound=Callable[..., Any])
# Seconds for which a process remembers a token: a revoked one works that much longer.
REMEMBERED = 5.0
_MAX_REMEMBERED = 1000
_CHALLENGE = WWWAuthenticate("bearer")


def actor(services: Services) -> Actor:
    """Who makes this call, and when: every write names its token in the history."""
    return Actor(f"api:{g.token.name}", services.runtime.clock())


class Authenticator:
    """Finds out who calls. Polling must not cost a second look-up each time."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._remembered: dict[str, tuple[float, Token]] = {}

    def require(self, scope: Scope) -> Callable[[F], F]:
        """Lets only tokens with a scope into a view, and leaves the token in `g.token`."""

        def decorate(view: F) -> F:
            @wraps(view)
            def guarded_view(*args: Any, **kwargs: Any) -> Any:
                g.token = self._authorize(scope)
                return view(*args, **kwargs)

            return guarded_view  # type: ignore[return-value]  # wraps keeps the signature

        return decorate

    def _authorize(self, scope: Scope) -> Token:
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        token = self._find(secret.strip()) if kind.lower() == "bearer" else None
        now = self._services.runtime.clock()
        if token is None or token.is_expired(now):
            raise Unauthorized(
                "Send a live token as `Authorization: Bearer …`; `gateway token create` makes one.",
                www_authenticate=_CHALLENGE,
            )
        if not token.allows(scope, now):
            raise Forbidden(f"This token lacks the scope {scope.value!r}.")
        return token

    def _find(self, secret: str) -> Token | None:
        # Keyed by digest, so that a dump of this process's memory holds no usable token.
        digest, now = digest_of(secret), time.monotonic()
        known = self._remembered.get(digest)
        if known is not None and now - known[0] < REMEMBERED:
            return known[1]
        token = self._services.tokens.find(secret)
        if token is not None:
            with self._lock:
                if len(self._remembered) >= _MAX_REMEMBERED:
                    self._remembered.clear()
                self._remembered[digest] = (now, token)
        return token
