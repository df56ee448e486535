"""Logins to the console: a random secret in a cookie stands for a token that was shown once."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from redis import Redis

from gateway.store import keys
from gateway.store.connection import guarded
from gateway.store.tokens import Token, Tokens, digest_of

LASTS = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Login:
    """Who is logged in. `form_key` goes with every form: another site cannot know it."""

    token: Token
    form_key: str = field(repr=False)

    def proves(self, form_key: str) -> bool:
        return hmac.compare_digest(self.form_key.encode(), form_key.encode("utf-8", "replace"))


class Logins:
    """Logins in the store, by the digest of their secret. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, tokens: Tokens) -> None:
        self._client = client
        self._tokens = tokens

    def begin(self, token: Token) -> str:
        """The secret of a new login; the token's own is never kept by a browser."""
        secret = secrets.token_urlsafe(32)
        guarded(self._client.set, keys.login(digest_of(secret)), token.digest, ex=LASTS)
        return secret

    def find(self, secret: str) -> Login | None:
        """A login that lasts, of a token that was not revoked; the token may be expired."""
        digest: Any = guarded(self._client.get, keys.login(digest_of(secret)))
        token = self._tokens.of_digest(digest.decode()) if digest else None
        if token is None:
            return None
        form_key = hashlib.sha256(b"form\0" + secret.encode("utf-8", "surrogatepass"))
        return Login(token, form_key.hexdigest())

    def end(self, secret: str) -> None:
        guarded(self._client.delete, keys.login(digest_of(secret)))
