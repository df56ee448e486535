"""The journal of rejected requests: what was refused and why, bounded in number and in bytes."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from gateway.store import keys
from gateway.store.connection import guarded
from gateway.store.times import from_micros, to_micros

# Anybody can fill this journal, so what it keeps of anybody is little.
MAX_ENTRIES = 1000
MAX_BODY = 8 * 1024
MAX_HEADERS = 4 * 1024


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused request; `body` is cut at MAX_BODY, `digest` is that of the whole."""

    id: str
    provider_id: str
    cause: Cause
    detail: str
    received_at: datetime
    remote_addr: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    digest: str


class Journal:
    """Rejected requests of each provider instance. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def record(self, delivery: Delivery, error: Rejected) -> None:
        headers = json.dumps(delivery.headers, separators=(",", ":"))
        entry: dict[Any, Any] = {
            "cause": error.cause.value,
            "detail": error.detail,
            "at": to_micros(delivery.received_at),
            "from": delivery.remote_addr,
            "headers": headers if len(headers) <= MAX_HEADERS else "[]",
            "body": delivery.body[:MAX_BODY],
            "digest": hashlib.sha256(delivery.body).hexdigest(),
        }
        where = keys.rejected(delivery.provider_id)
        guarded(self._client.xadd, where, entry, maxlen=MAX_ENTRIES, approximate=True)

    def latest(self, provider_id: str, count: int) -> list[Rejection]:
        """The last rejected requests of an instance, newest first."""
        found: Any = guarded(self._client.xrevrange, keys.rejected(provider_id), count=count)
        return [
            Rejection(
                id=entry_id.decode(),
                provider_id=provider_id,
                cause=Cause(raw[b"cause"].decode()),
                detail=raw[b"detail"].decode(),
                received_at=from_micros(int(raw[b"at"])),
                remote_addr=raw[b"from"].decode(),
                headers=tuple((name, value) for name, value in json.loads(raw[b"headers"])),
                body=raw[b"body"],
                digest=raw[b"digest"].decode(),
            )
            for entry_id, raw in found
        ]
