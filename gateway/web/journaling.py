"""How much strangers may leave here: a flood must cost the store next to nothing.

Refused requests are written down, and notifications that nothing signs are kept until they are
asked back; anybody can send either.
"""

import ipaddress
import threading
from dataclasses import dataclass, field

_MINUTE, _SECOND = 60.0, 1.0
_MAX_ADDRESSES = 4096


@dataclass(slots=True)
class _Window:
    """Counts from its beginning on; over its length a new one begins."""

    began: float
    count: int = 0

    def admits(self, now: float, length: float, most: int) -> bool:
        if now - self.began >= length:
            self.began, self.count = now, 0
        self.count += 1
        return self.count <= most


@dataclass(slots=True)
class Gate:
    """Lets some requests through, and counts the others. One a process.

    In a minute `per_address` (IPv6: of its /64), in a second `per_instance` of all that post to it.
    """

    per_address: int
    per_instance: int
    _addresses: dict[tuple[str, str], _Window] = field(default_factory=dict)
    _instances: dict[str, _Window] = field(default_factory=dict)
    _passed_over: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admit(self, instance: str, address: str, now: float) -> int | None:
        """How many were passed over since the last that was let in; None: pass this one over too.

        `instance` is one of the configured ones, or an adapter's id; `now` in monotonic seconds.
        """
        with self._lock:
            if len(self._addresses) >= _MAX_ADDRESSES:
                self._addresses.clear()
            own = self._addresses.setdefault((instance, _network(address)), _Window(now))
            whole = self._instances.setdefault(instance, _Window(now))
            # The address first: a loud one must not use up what is there for all of them.
            if own.admits(now, _MINUTE, self.per_address) and whole.admits(
                now, _SECOND, self.per_instance
            ):
                return self._passed_over.pop(instance, 0)
            self._passed_over[instance] = self._passed_over.get(instance, 0) + 1
            return None


def journal_gate() -> Gate:
    """For refused requests that are written down."""
    return Gate(per_address=20, per_instance=5)


def unproven_gate() -> Gate:
    """For notifications that nothing signs: each costs a call of the provider's API later."""
    return Gate(per_address=600, per_instance=50)


def _network(address: str) -> str:
    """Who has an IPv6 address has a whole network of them."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:  # noqa: PLR2004 - IPv4
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))
