"""One header with the HMAC of the body, and another with the id of the key that made it."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.parts import as_hex, forged, header, same_as_any, with_headers

C = TypeVar("C")


@dataclass(frozen=True)
class KeyedHmac(Generic[C]):
    """An HMAC in hex by the key that `key_id_header` names; several keys may be live."""

    header: str
    key_id_header: str
    keys: Callable[[C], Mapping[str, Secret]]
    algorithm: str = "sha256"

    def verify(self, delivery: Delivery, config: C) -> Verified:
        keys = self._live(config)
        given, key_id = header(delivery, self.header), header(delivery, self.key_id_header)
        if key_id not in keys:
            raise Rejected(Cause.UNKNOWN_KEY, f"{self.key_id_header} names no configured key")
        if not same_as_any(self._sign(delivery, keys[key_id]), [given]):
            raise forged()
        return Verified(key_id)

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        key_id, secret = next(iter(self._live(config).items()))
        value = self._sign(delivery, secret)
        return with_headers(delivery, (self.header, value), (self.key_id_header, key_id))

    def _live(self, config: C) -> Mapping[str, Secret]:
        keys = self.keys(config)
        if not keys:
            raise Rejected(Cause.NOT_CONFIGURED, "no signing key is configured for this provider")
        return keys

    def _sign(self, delivery: Delivery, secret: Secret) -> str:
        return as_hex(hmac.digest(secret.bytes, delivery.body, self.algorithm))
