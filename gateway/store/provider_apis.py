"""What jobs remember of providers' APIs: whether they are out of order, and answers that last."""

import hashlib
from typing import Any

from redis import Redis

from gateway.store import keys
from gateway.store.connection import guarded

# After so many failures within a minute an API is left alone for a while.
FAILURES = 5
_WINDOW = 60
COOLING = 30
# However long an API asks us to wait, it is asked again within the hour.
_LONGEST = 3600


class ProviderApis:
    """One circuit an instance, and a cache of answers. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def rests(self, instance: str) -> float:
        """Seconds for which the instance's API is to be left alone; 0 if it may be asked."""
        left: Any = guarded(self._client.pttl, keys.api_rest(instance))
        return float(max(0, left)) / 1000

    def let_rest(self, instance: str, seconds: float) -> None:
        """Leaves the API alone for some seconds, as it asks for itself."""
        pause = int(max(1.0, min(seconds, _LONGEST)) * 1000)
        guarded(self._client.set, keys.api_rest(instance), "1", px=pause)

    def failed(self, instance: str) -> None:
        """Counts a failure; with many in a row the API rests."""
        where = keys.api_failures(instance)
        failures: Any = guarded(self._client.incr, where)
        guarded(self._client.expire, where, _WINDOW)
        if failures >= FAILURES:
            self.let_rest(instance, COOLING)

    def answered(self, instance: str) -> None:
        """It works: failures before do not count any more."""
        guarded(self._client.delete, keys.api_failures(instance))

    def recall(self, call: bytes) -> bytes | None:
        """An answer that was kept for this very call."""
        found: Any = guarded(self._client.get, _kept(call))
        answer: bytes | None = found
        return answer

    def keep(self, call: bytes, answer: bytes, seconds: int) -> None:
        """Keeps an answer for some seconds: a certificate, an access token."""
        guarded(self._client.set, _kept(call), answer, ex=seconds)


def _kept(call: bytes) -> str:
    return keys.api_answer(hashlib.sha256(call).hexdigest())
