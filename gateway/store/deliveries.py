"""Deliveries as records: what was kept, what came of it, and how that is written."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from gateway.domain.errors import InvalidInput
from gateway.domain.events import Delivery
from gateway.store import packing
from gateway.store.keys import DeliveryState
from gateway.store.records import readable
from gateway.store.sealing import Seal
from gateway.store.sessions import Lookup
from gateway.store.times import from_micros, to_micros, to_millis

_NOTES = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A verified delivery as it was kept, and what came of it so far.

    `failure` is what went wrong at the last try to apply it, `asked` who had it tried again,
    `request_id` that of the request that brought it, until it is applied: the logs of web and
    jobs meet in it. So is `trace`, the span that it arrived in, if it was traced.
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
    request_id: str = ""
    trace: str = ""

    @property
    def listed_at(self) -> datetime:
        """When it got into the list of its state."""
        return self.finished_at or self.delivery.received_at

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
    def before(cls, moment: datetime) -> "Spot":
        """The place that all are after that got there before a moment."""
        return cls(to_millis(moment), "")

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
class Waiting:
    """How many entries are not finished, and when the oldest one came (aware UTC)."""

    count: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of work: a place in a shard's stream, and the delivery that it names."""

    stream_id: str
    delivery_id: str


@dataclass(frozen=True, slots=True)
class Finished:
    """How the work on an entry ended: `notes` say what came of it, `waits` what it waits for.

    With `stored` an applied delivery is packed together with what came of it.
    """

    entry: Entry
    state: DeliveryState
    at: datetime
    notes: tuple[str, ...] = ()
    waits: tuple[Lookup, ...] = ()
    stored: StoredDelivery | None = None


def encode_meta(
    delivery: Delivery, *, secret: str, settled: bool, request_id: str = "", trace: str = ""
) -> bytes:
    """All of a delivery but its body, as it is kept."""
    told = {
        "i": request_id,
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
    return orjson.dumps(told | {"o": trace} if trace else told)


def pack(stored: StoredDelivery, at: datetime, notes: Sequence[str], seal: Seal) -> bytes:
    """A delivery and what came of it in one piece, sealed: as an applied one is kept."""
    # The request's id and its trace are random: they would cost as much as all headers.
    meta = encode_meta(stored.delivery, secret=stored.secret, settled=stored.settled)
    ended = _NOTES.encode([to_micros(at), *notes]).encode()
    return seal.close(packing.pack(meta, ended, stored.delivery.body))


def decode(delivery_id: str, raw: Mapping[bytes, bytes], seal: Seal) -> StoredDelivery:
    """A delivery from the fields of its hash.

    Raises StoreRefused if no key opens its body, or if it cannot be read.
    """
    with readable("A delivery"):
        return _decoded(delivery_id, raw, seal)


def _decoded(delivery_id: str, raw: Mapping[bytes, bytes], seal: Seal) -> StoredDelivery:
    meta, body, finished, notes = _opened(raw, seal)
    # What was worked on again since it was packed has these anew.
    finished = int(raw.get(b"finished", finished))
    notes = json.loads(raw[b"notes"]) if b"notes" in raw else notes
    told = orjson.loads(meta)
    delivery = Delivery(
        provider_id=told["p"],
        body=body,
        headers=tuple((name, value) for name, value in told["h"]),
        received_at=from_micros(told["t"]),
        method=told["m"],
        path=told["u"],
        query=told["q"],
        remote_addr=told["a"],
    )
    return StoredDelivery(
        id=delivery_id,
        delivery=delivery,
        state=DeliveryState(raw[b"state"].decode()),
        secret=told["s"],
        settled=bool(told["v"]),
        duplicates=int(raw.get(b"duplicates", 0)),
        finished_at=from_micros(finished) if finished else None,
        notes=tuple(notes),
        waits=decode_waits(raw.get(b"waits")),
        failure=raw.get(b"failure", b"").decode(),
        asked=raw.get(b"asked", b"").decode(),
        digest=raw.get(b"digest", b"").decode(),
        request_id=told.get("i", ""),
        trace=told.get("o", ""),
    )


def _opened(raw: Mapping[bytes, bytes], seal: Seal) -> tuple[bytes, bytes, int, list[str]]:
    """The meta, the body, when it was finished (microseconds, 0: never), and the notes."""
    sealed = b"sealed" in raw
    if b"packed" in raw:
        packed = seal.open(raw[b"packed"]) if sealed else raw[b"packed"]
        meta, ended, body = packing.unpack(packed, 3)
        at, *notes = json.loads(ended)
        return meta, body, at, notes
    body = raw.get(b"body", b"")
    return raw[b"meta"], seal.open(body) if sealed and body else body, 0, []


def decode_parked(delivery_id: str, raw: Mapping[bytes, bytes], seal: Seal) -> Parked:
    meta, *_ = _opened(raw, seal)
    return Parked(
        delivery_id, from_micros(orjson.loads(meta)["t"]), decode_waits(raw.get(b"waits"))
    )


def encode_waits(waits: tuple[Lookup, ...]) -> str:
    return json.dumps([(one.provider_id, one.external_id, one.reference) for one in waits])


def decode_waits(raw: bytes | None) -> tuple[Lookup, ...]:
    return tuple(Lookup(*waits[:3]) for waits in json.loads(raw or b"[]"))
