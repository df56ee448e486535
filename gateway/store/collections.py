"""Payment collections: which sessions pay an amount together."""

import json
from typing import Any

from redis import Redis

from gateway.domain.collections import PaymentCollection
from gateway.domain.errors import Conflict, NotFound
from gateway.store import keys
from gateway.store.connection import call, guarded
from gateway.store.records import readable
from gateway.store.times import from_micros, to_micros


class Collections:
    """Collections in the store. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def get(self, collection_id: str) -> PaymentCollection:
        """Raises NotFound."""
        raw: Any = guarded(self._client.hget, keys.collection(collection_id), "record")
        if not raw:
            raise NotFound(f"There is no collection {collection_id}.")
        return _decode(raw)

    def put(self, collection: PaymentCollection) -> None:
        """Writes a collection over its last version. Raises Conflict if that has changed."""
        before = "" if collection.version == 1 else str(collection.version - 1)
        where = [keys.collection(collection.id)]
        if not call(
            self._client, "replace_record", where, [before, collection.version, _encode(collection)]
        ):
            raise Conflict(f"The collection {collection.id} was changed meanwhile; read it again.")


def _encode(collection: PaymentCollection) -> str:
    canceled = collection.canceled_at
    record = {
        "id": collection.id,
        "amount": collection.amount,
        "currency": collection.currency_code,
        "created": to_micros(collection.created_at),
        "updated": to_micros(collection.updated_at),
        "sessions": collection.session_ids,
        "description": collection.description,
        "metadata": dict(collection.metadata),
        "canceled": None if canceled is None else to_micros(canceled),
        "version": collection.version,
    }
    return json.dumps(record, separators=(",", ":"))


def _decode(raw: bytes) -> PaymentCollection:
    """Raises StoreRefused if it cannot be read."""
    with readable("A collection"):
        return _decoded(raw)


def _decoded(raw: bytes) -> PaymentCollection:
    record = json.loads(raw)
    canceled = record["canceled"]
    return PaymentCollection(
        id=record["id"],
        amount=record["amount"],
        currency_code=record["currency"],
        created_at=from_micros(record["created"]),
        updated_at=from_micros(record["updated"]),
        session_ids=tuple(record["sessions"]),
        description=record["description"],
        metadata=record["metadata"],
        canceled_at=None if canceled is None else from_micros(canceled),
        version=record["version"],
    )
