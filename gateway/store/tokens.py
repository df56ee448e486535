"""API tokens: shown once, stored as digests, each with scopes and an expiry."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from redis import Redis

from gateway.store import keys
from gateway.store.connection import guarded
from gateway.store.records import readable
from gateway.store.times import from_micros, to_micros


class Scope(StrEnum):
    """What a token may do; none contains another."""

    READ = "read"
    WRITE = "write"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Token:
    """Who calls the private API. `digest` identifies it, and cannot be turned back into it."""

    name: str
    scopes: frozenset[Scope]
    digest: str
    created_at: datetime
    expires_at: datetime | None = None

    def allows(self, scope: Scope, now: datetime) -> bool:
        return scope in self.scopes and not self.is_expired(now)

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


def digest_of(secret: str) -> str:
    """SHA-256 serves: tokens are 256 random bits, so nothing can be guessed from a digest."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Tokens:
    """Tokens in the store. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def add(self, token: Token) -> None:
        values: dict[Any, Any] = {
            "name": token.name,
            "scopes": " ".join(sorted(token.scopes)),
            "created": to_micros(token.created_at),
        }
        if token.expires_at is not None:
            values["expires"] = to_micros(token.expires_at)
        guarded(self._client.hset, keys.token(token.digest), mapping=values)
        guarded(self._client.sadd, keys.TOKENS, token.digest)

    def find(self, secret: str) -> Token | None:
        """The token of a secret, if there is one; it may be expired."""
        digest = digest_of(secret)
        token = self.of_digest(digest)
        # The look-up is by digest; comparing once more keeps the check constant in time.
        same = token is not None and hmac.compare_digest(token.digest, digest)
        return token if same else None

    def all(self) -> list[Token]:
        digests: Any = guarded(self._client.smembers, keys.TOKENS)
        found = [self.of_digest(digest.decode()) for digest in digests]
        return sorted((t for t in found if t is not None), key=lambda t: (t.name, t.created_at))

    def revoke(self, name: str) -> int:
        """Revokes all tokens of a name; how many there were."""
        doomed = [token for token in self.all() if token.name == name]
        for token in doomed:
            guarded(self._client.delete, keys.token(token.digest))
            guarded(self._client.srem, keys.TOKENS, token.digest)
        return len(doomed)

    def of_digest(self, digest: str) -> Token | None:
        """The token that has this digest, if there is one; it may be expired."""
        raw: Any = guarded(self._client.hgetall, keys.token(digest))
        if not raw:
            return None
        with readable("A token"):
            expires = raw.get(b"expires")
            return Token(
                name=raw[b"name"].decode(),
                scopes=_scopes(raw[b"scopes"].decode().split()),
                digest=digest,
                created_at=from_micros(int(raw[b"created"])),
                expires_at=from_micros(int(expires)) if expires else None,
            )


def _scopes(written: Sequence[str]) -> frozenset[Scope]:
    """A scope of a later version allows nothing here; the token's others are good nevertheless."""
    return frozenset(scope for scope in Scope if scope in written)
