"""Every key of the store is made here, and nowhere else.

Each key has a hash tag, and every script touches one tag only, so that the same code runs on one
server, on Sentinel and on Cluster.
"""

import hashlib
import re
import zlib
from enum import StrEnum

CHANGES = "session-changes"
"""The channel on which every commit says which session changed, and to which version."""

_DELIVERY_ID = re.compile(r"dlv_([0-9a-f]{2})[0-9a-f]{32}")
MAX_SHARDS = 256
LIST_PARTS = 16
"""How many parts the lists of sessions have. Never change it: sessions stand in their part."""


class DeliveryState(StrEnum):
    """Where a delivery stands. All but `received` have a list for operators."""

    RECEIVED = "received"
    APPLIED = "applied"
    PARKED = "parked"
    QUARANTINED = "quarantined"
    UNSETTLED = "unsettled"
    DEAD = "dead"


LISTED = tuple(state for state in DeliveryState if state is not DeliveryState.RECEIVED)
"""The states that have a list."""


def session(session_id: str) -> str:
    return f"session:{{{session_id}}}"


def history(session_id: str) -> str:
    return f"session:{{{session_id}}}:history"


def payment(session_id: str) -> str:
    return f"session:{{{session_id}}}:payment"


def cart_snapshot(session_id: str) -> str:
    return f"session:{{{session_id}}}:cart"


def cart(cart_id: str) -> str:
    return f"cart:{{{cart_id}}}"


def collection(collection_id: str) -> str:
    return f"collection:{{{collection_id}}}"


def list_part(session_id: str) -> int:
    """Which part of the lists a session stands in: they are spread over the servers."""
    return zlib.crc32(session_id.encode()) % LIST_PARTS


def sessions_by(part: int, month: str, provider_id: str, status: str) -> str:
    """Of the sessions that last changed in a month (UTC): so a list ends growing in time."""
    return f"sessions:{{{part}}}:{month}:{provider_id}:{status}"


def session_months(part: int) -> str:
    return f"sessions:{{{part}}}:months"


def idempotency(owner: str, key: str) -> str:
    return f"idempotency:{{{owner}:{key}}}"


def external(provider_id: str, external_id: str) -> str:
    return f"external:{{{provider_id}:{external_id}}}"


def parked(provider_id: str, waits_for: str) -> str:
    return f"parked:{{{provider_id}:{waits_for}}}"


def delivery_id(provider_id: str, key: bytes, shards: int) -> str:
    """The id of a delivery: its shard, and a digest of the instance and the adapter's key."""
    digest = hashlib.blake2b(provider_id.encode() + b"\0" + key, digest_size=16).hexdigest()
    return f"dlv_{int(digest[:4], 16) % shards:02x}{digest}"


def shard_of(delivery: str) -> int:
    """The shard that a delivery id names. Raises ValueError if it is no delivery id."""
    match = _DELIVERY_ID.fullmatch(delivery)
    if match is None:
        raise ValueError("not a delivery id")
    return int(match[1], 16)


def delivery(delivery: str) -> str:
    return f"delivery:{{{shard_of(delivery)}}}:{delivery}"


def inbox(shard: int) -> str:
    return f"inbox:{{{shard}}}"


def wake(shard: int) -> str:
    return f"inbox:{{{shard}}}:wake"


def deliveries(shard: int, state: DeliveryState) -> str:
    return f"deliveries:{{{shard}}}:{state}"


def bodies_gone(shard: int) -> str:
    return f"deliveries:{{{shard}}}:bodies-gone"


def rejected(provider_id: str) -> str:
    return f"rejected:{{{provider_id}}}"


def rejected_bytes(provider_id: str) -> str:
    return f"rejected:{{{provider_id}}}:bytes"


def rejected_kept(provider_id: str) -> str:
    return f"rejected:{{{provider_id}}}:kept"


def secret_use(provider_id: str) -> str:
    return f"secrets:{{{provider_id}}}"


def tally(provider_id: str, hour: str) -> str:
    return f"tally:{{{provider_id}}}:{hour}"


def last_received(provider_id: str) -> str:
    return f"tally:{{{provider_id}}}:last"


def login(digest: str) -> str:
    return f"login:{{{digest}}}"


def api_rest(provider_id: str) -> str:
    return f"api:{{{provider_id}}}:rest"


def api_failures(provider_id: str) -> str:
    return f"api:{{{provider_id}}}:failures"


def api_answer(digest: str) -> str:
    return f"api-answer:{{{digest}}}"


def token(digest: str) -> str:
    return f"token:{{{digest}}}"


UNINDEXED = "sessions:unindexed"
"""Sorted set of the sessions that may not be found by all their names yet, by when that began."""

EXPIRING = "sessions:expiring"
"""Sorted set of the sessions that expire, by the time at which they do."""

TOKENS = "tokens"
"""Set of the digests of all tokens, for listing them."""
