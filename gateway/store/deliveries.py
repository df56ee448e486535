"""Deliveries as records: what was kept, what came of it, and how that is written."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from gateway.domain.errors import InvalidInput
from gateway.domain.events import Delivery
from gateway.store.bodies import open_body
from gateway.store.keys import DeliveryState
from gateway.store.sealing import Seal
from gateway.store.sessions import Lookup
from gateway.store.times import from_micros, to_micros


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A verified delivery as it was kept, and what came of it so far.

    `failure` is what went wrong at the last try to apply it, `asked` who had it tried again.
    """

    id: str
    delivery: Delivery
    state: DeliveryState
    secret: str = ""
    settled: bool = True
    duplicates: int = 0
    finished_at: datetime | None = None
    notes: tuple[str, ...] = ()
    waits: tuple[Lookup, ...] = ()
    failure: str = ""
    asked: str = ""
    digest: str = ""

    @property
    def has_body(self) -> bool:
        """Bodies are let go of in time; then a digest is there in their place."""
        return not self.digest


@dataclass(frozen=True, slots=True)
class Parked:
    """What a parked delivery waits for, and since when (aware UTC)."""

    delivery_id: str
    received_at: datetime
    waits: tuple[Lookup, ...]


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A place in a list of deliveries: when one got there (milliseconds), and which it is."""

    millis: int
    delivery_id: str

    @property
    def cursor(self) -> str:
        return f"{self.millis}-{self.delivery_id}"

    @classmethod
    def of(cls, cursor: str) -> "Spot":
        """Raises InvalidInput if it is no cursor of ours."""
        millis, _, delivery_id = cursor.partition("-")
        if not re.fullmatch(r"[0-9]{1,16}", millis):
            raise InvalidInput("cursor", "is not one that a page ended with")
        return cls(int(millis), delivery_id)


@dataclass(frozen=True, slots=True)
class Appended:
    """What the store did with a delivery, and whether its shard must be woken."""

    delivery_id: str
    new: bool
    wake_due: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of work: a place in a shard's stream, and the delivery that it names."""

    stream_id: str
    delivery_id: str


@dataclass(frozen=True, slots=True)
class Finished:
    """How the work on an entry ended: `notes` say what came of it, `waits` what it waits for."""

    entry: Entry
    state: DeliveryState
    at: datetime
    notes: tuple[str, ...] = ()
    waits: tuple[Lookup, ...] = ()
    body: bytes | None = field(default=None, repr=False)


def encode_meta(delivery: Delivery, *, secret: str, settled: bool) -> bytes:
    """All of a delivery but its body, as it is kept."""
    return orjson.dumps(
        {
            "p": delivery.provider_id,
            "t": to_micros(delivery.received_at),
            "h": delivery.headers,
            "m": delivery.method,
            "u": delivery.path,
            "q": delivery.query,
            "a": delivery.remote_addr,
            "s": secret,
            "v": int(settled),
        }
    )


def decode(delivery_id: str, raw: Mapping[bytes, bytes], seal: Seal) -> StoredDelivery:
    """A delivery from the fields of its hash. Raises StoreRefused if no key opens its body."""
    meta = orjson.loads(raw[b"meta"])
    body = b""
    if b"body" in raw:
        sealed, packed = raw.get(b"sealed"), raw.get(b"packed")
        body = open_body(seal, raw[b"body"], packed=packed, sealed=sealed)
    finished = raw.get(b"finished")
    delivery = Delivery(
        provider_id=meta["p"],
        body=body,
        headers=tuple((name, value) for name, value in meta["h"]),
        received_at=from_micros(meta["t"]),
        method=meta["m"],
        path=meta["u"],
        query=meta["q"],
        remote_addr=meta["a"],
    )
    return StoredDelivery(
        id=delivery_id,
        delivery=delivery,
        state=DeliveryState(raw[b"state"].decode()),
        secret=meta["s"],
        settled=bool(meta["v"]),
        duplicates=int(raw.get(b"duplicates", 0)),
        finished_at=from_micros(int(finished)) if finished else None,
        notes=tuple(json.loads(raw.get(b"notes", b"[]"))),
        waits=decode_waits(raw.get(b"waits")),
        failure=raw.get(b"failure", b"").decode(),
        asked=raw.get(b"asked", b"").decode(),
        digest=raw.get(b"digest", b"").decode(),
    )


def decode_parked(delivery_id: str, meta: bytes, waits: bytes | None) -> Parked:
    return Parked(delivery_id, from_micros(json.loads(meta)["t"]), decode_waits(waits))


def encode_waits(waits: tuple[Lookup, ...]) -> str:
    return json.dumps([(one.provider_id, one.external_id, one.reference) for one in waits])


def decode_waits(raw: bytes | None) -> tuple[Lookup, ...]:
    return tuple(Lookup(*waits) for waits in json.loads(raw or b"[]"))
