"""The journal of rejected requests: what was refused and why, bounded in number and in bytes."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from redis import Redis

from gateway.domain.errors import Cause, NotFound, Rejected
from gateway.domain.events import Delivery
from gateway.store import keys
from gateway.store.connection import call, guarded
from gateway.store.records import readable
from gateway.store.sealing import Seal
from gateway.store.times import from_micros, to_micros
from providers.diagnosis import Diagnosis

# Anybody can fill this journal, so what it keeps of all of them is little. For each instance:
MAX_ENTRIES = 1000
MAX_BYTES = 8 * 1024 * 1024
# Of one request; a body that is longer is cut, and cannot be verified again.
MAX_BODY = 64 * 1024
MAX_HEADERS = 8 * 1024
NO_SEAL = Seal()
_ID_LIMIT = 2**64
_ID = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused request. `delivery` is as it came, but for its credentials.

    `whole` False: the body is cut, or headers are missing; `digest` is that of the whole body.
    `passed_over` counts the requests since the last entry that were not written down.
    `kept_as` is the delivery that it became once it could be verified.
    """

    id: str
    cause: Cause
    detail: str
    delivery: Delivery
    digest: str
    whole: bool = True
    passed_over: int = 0
    diagnosis: Diagnosis | None = None
    kept_as: str | None = field(default=None)


class Journal:
    """Rejected requests of each provider instance. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, seal: Seal = NO_SEAL) -> None:
        self._client = client
        self._seal = seal

    def record(
        self,
        delivery: Delivery,
        error: Rejected,
        diagnosis: Diagnosis | None = None,
        passed_over: int = 0,
    ) -> str:
        """Writes a request down; its id."""
        headers = json.dumps(delivery.headers, separators=(",", ":"))
        whole = len(delivery.body) <= MAX_BODY and len(headers) <= MAX_HEADERS
        meta = {
            "cause": error.cause.value,
            "detail": error.detail,
            "at": to_micros(delivery.received_at),
            "from": delivery.remote_addr,
            "method": delivery.method,
            "path": delivery.path[:500],
            "query": delivery.query[:2000],
            "whole": whole,
            "over": passed_over,
            "sealed": self._seal.closes,
            "diagnosis": diagnosis.as_json() if diagnosis else None,
        }
        entry = {
            "meta": json.dumps(meta, separators=(",", ":")),
            "headers": headers if len(headers) <= MAX_HEADERS else "[]",
            "body": self._seal.close(delivery.body[:MAX_BODY]),
            "digest": hashlib.sha256(delivery.body).hexdigest(),
        }
        size = sum(len(value) for value in entry.values())
        flat = [part for pair in entry.items() for part in pair]
        return _text(
            call(
                self._client,
                "journal",
                _keys(delivery.provider_id),
                [MAX_ENTRIES, MAX_BYTES, size, *flat],
            )
        )

    def latest(self, provider_id: str, count: int, before: str | None = None) -> list[Rejection]:
        """The last rejected requests of an instance, newest first; `before` an id: older ones."""
        if before is not None and not _is_id(before):
            return []
        newest = f"({before}" if before else "+"
        found: Any = guarded(
            self._client.xrevrange, keys.rejected(provider_id), max=newest, count=count
        )
        kept: Any = guarded(self._client.hgetall, keys.rejected_kept(provider_id)) if found else {}
        return [self._rejection(provider_id, at, raw, kept) for at, raw in found]

    def get(self, provider_id: str, entry_id: str) -> Rejection:
        """One rejected request. Raises NotFound."""
        where = keys.rejected(provider_id)
        usable = _is_id(entry_id)
        found: Any = guarded(self._client.xrange, where, entry_id, entry_id) if usable else []
        if not found:
            raise NotFound(
                f"{provider_id} has no rejected request {entry_id}; old ones are let go."
            )
        kept: Any = guarded(self._client.hgetall, keys.rejected_kept(provider_id))
        at, raw = found[0]
        return self._rejection(provider_id, at, raw, kept)

    def forget(self, provider_id: str, before: datetime) -> int:
        """Lets go of some requests that are older; how many, 0 at the end of it."""
        oldest = f"{to_micros(before) // 1000}-0"
        return int(call(self._client, "forget_rejected", _keys(provider_id), [oldest]))

    def _rejection(
        self,
        provider_id: str,
        entry_id: bytes,
        raw: Mapping[bytes, bytes],
        kept: Mapping[bytes, bytes],
    ) -> Rejection:
        with readable("A rejected request"):
            sealed = json.loads(raw[b"meta"]).get("sealed")
            body = self._seal.open(raw[b"body"]) if sealed else raw[b"body"]
            return _rejection(provider_id, entry_id, raw, kept, body)

    def keep(self, rejection: Rejection, delivery_id: str) -> None:
        """Notes that a rejected request has become a delivery after all."""
        where = keys.rejected_kept(rejection.delivery.provider_id)
        guarded(self._client.hset, where, rejection.id, delivery_id)


def _is_id(text: str) -> bool:
    """Whether the store can take it for the id of an entry, and for the end of a range."""
    parts = text.split("-") if _ID.fullmatch(text) else ["0"]
    return 0 < max(map(int, parts)) < _ID_LIMIT


def _keys(provider_id: str) -> list[str]:
    return [
        keys.rejected(provider_id),
        keys.rejected_bytes(provider_id),
        keys.rejected_kept(provider_id),
    ]


def _rejection(
    provider_id: str,
    entry_id: bytes,
    raw: Mapping[bytes, bytes],
    kept: Mapping[bytes, bytes],
    body: bytes,
) -> Rejection:
    meta = json.loads(raw[b"meta"])
    delivery = Delivery(
        provider_id=provider_id,
        body=body,
        headers=tuple((name, value) for name, value in json.loads(raw[b"headers"])),
        received_at=from_micros(meta["at"]),
        method=meta["method"],
        path=meta["path"],
        query=meta["query"],
        remote_addr=meta["from"],
    )
    became = kept.get(entry_id)
    return Rejection(
        id=_text(entry_id),
        cause=Cause(meta["cause"]),
        detail=meta["detail"],
        delivery=delivery,
        digest=raw[b"digest"].decode(),
        whole=meta["whole"],
        passed_over=meta["over"],
        diagnosis=Diagnosis.from_json(meta["diagnosis"]) if meta["diagnosis"] else None,
        kept_as=_text(became) if became else None,
    )


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
