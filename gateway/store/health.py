"""Whether the store can keep the first promise: what was answered 2xx is on disk."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from gateway.domain.errors import StoreUnavailable
from gateway.store.clients import forget_places, primaries
from gateway.store.connection import guarded

# Writes must still fit that come in until the store is looked at again, and the workers' own.
MEMORY_HIGH_WATER = 0.95
MEMORY_HEADROOM = 8 * 1024 * 1024
# Seconds by which two clocks may differ, and an answer may be slow, before it is worth a word.
CLOCK_TOLERANCE = 5.0


@dataclass(frozen=True, slots=True)
class Health:
    """`faults` forbid acknowledging anything; `warnings` are for the operator.

    Memory in bytes. `clock_ahead` is how far this machine's clock is ahead of the store's, seconds.
    """

    faults: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    used_memory: int = 0
    max_memory: int = 0
    clock_ahead: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.faults

    def require(self) -> None:
        """Raises StoreUnavailable when the store cannot make a write durable."""
        if self.faults:
            raise StoreUnavailable(" ".join(self.faults))


def check(client: Redis, clock: Callable[[], datetime]) -> Health:
    """The store's health just now: that of all its primaries together.

    An unreachable store is a fault, not an exception.
    """
    try:
        found = [_of_server(server, clock) for server in guarded(primaries, client)]
        if any(one.faults for one in found):
            guarded(forget_places, client)
    except StoreUnavailable as error:
        return Health(faults=(str(error),))
    return Health(
        faults=tuple(dict.fromkeys(fault for one in found for fault in one.faults)),
        warnings=tuple(dict.fromkeys(warning for one in found for warning in one.warnings)),
        used_memory=sum(one.used_memory for one in found),
        max_memory=sum(one.max_memory for one in found),
        clock_ahead=max((one.clock_ahead for one in found), key=abs, default=0.0),
    )


def _of_server(client: Redis, clock: Callable[[], datetime]) -> Health:
    info: dict[str, Any] = guarded(client.info)
    ahead = _clock_ahead(client, clock)
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    return Health(
        faults=tuple(_faults(info, used, limit)),
        warnings=(*_sync_warnings(client), *_clock_warnings(ahead)),
        used_memory=used,
        max_memory=limit,
        clock_ahead=ahead,
    )


class HealthWatch:
    """The store's health, asked at most once in `max_age` seconds and by one thread at a time."""

    def __init__(self, client: Redis, clock: Callable[[], datetime], max_age: float = 1.0) -> None:
        self._client = client
        self._clock = clock
        self._max_age = max_age
        self._lock = threading.Lock()
        self._last: tuple[float, Health] | None = None
        self.turned_away = 0
        """Webhooks of this process that could not be made durable."""

    def __call__(self) -> Health:
        with self._lock:
            last = self._last
            if last is None or time.monotonic() - last[0] > self._max_age:
                health = check(self._client, self._clock)
                last = self._last = (time.monotonic(), health)
            return last[1]

    def doubt(self) -> None:
        """A write has failed: ask anew before the next one."""
        self._last = None

    def turn_away(self) -> None:
        with self._lock:
            self.turned_away += 1


def _faults(info: dict[str, Any], used: int, limit: int) -> list[str]:
    faults = []
    if info.get("loading"):
        faults.append("The store is loading its data; it will be ready by itself.")
    if not info.get("aof_enabled"):
        faults.append("The store does not persist; set `appendonly yes`.")
    elif info.get("aof_last_write_status", "ok") != "ok":
        faults.append("The store cannot write its append-only file; free its disk.")
    if info.get("role") == "slave":
        faults.append("GATEWAY_STORE_URL names a replica; it must name the primary.")
    # Told only where `min-replicas-to-write` asks for some.
    if info.get("min_slaves_good_slaves") == 0:
        faults.append("The store takes no writes while no replica follows it; see to the replicas.")
    if limit and info.get("maxmemory_policy") != "noeviction":
        faults.append("The store evicts data when it is full; set `maxmemory-policy noeviction`.")
    if limit and used >= min(MEMORY_HIGH_WATER * limit, limit - MEMORY_HEADROOM):
        faults.append("The store is nearly full; raise `maxmemory` or free memory.")
    return faults


def _clock_ahead(client: Redis, clock: Callable[[], datetime]) -> float:
    told: Any = guarded(client.time)
    seconds, micros = (int(part) for part in told)
    return clock().timestamp() - seconds - micros / 1_000_000


def _clock_warnings(ahead: float) -> list[str]:
    """Neither clock is right for sure, so nothing is refused for it that the rules let pass."""
    if abs(ahead) < CLOCK_TOLERANCE:
        return []
    off = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the store's"
    return [
        f"This machine's clock is {off}; set both by NTP: signatures are good for minutes only."
    ]


def _sync_warnings(client: Redis) -> list[str]:
    try:
        config: Any = guarded(client.config_get, "appendfsync")
    except StoreUnavailable:
        return []  # managed servers hide their configuration
    if config.get("appendfsync", "always") == "always":
        return []
    return ["The store syncs once a second; only `appendfsync always` survives a loss of power."]
