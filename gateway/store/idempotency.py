"""Idempotency keys: a creation that is sent again creates nothing again."""

import hashlib
from datetime import timedelta
from typing import Any

from redis import Redis

from gateway.store import keys
from gateway.store.connection import guarded

KEPT = timedelta(hours=24)


class IdempotencyKeys:
    """Keys of callers, each remembered for KEPT. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def claim(self, owner: str, key: str, request: bytes, session_id: str) -> str | None:
        """The session that the first call under this key was to create: `session_id` if this is it.

        None if that call asked for something else.
        """
        digest = hashlib.sha256(request).hexdigest()
        where, value = keys.idempotency(owner, key), f"{digest} {session_id}"
        guarded(self._client.set, where, value, nx=True, px=KEPT)
        found: Any = guarded(self._client.get, where)
        asked, _, first = (found or value.encode()).decode().partition(" ")
        return first if asked == digest else None
