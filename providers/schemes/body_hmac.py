"""One header with the HMAC of the body."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.parts import (
    SecretsOf,
    as_hex,
    header,
    live,
    matching,
    raw_key,
    with_headers,
)

C = TypeVar("C")


@dataclass(frozen=True)
class BodyHmac(Generic[C]):
    """One header with the HMAC of the body, or of what `signed` makes of the delivery."""

    header: str
    secrets: SecretsOf[C]
    algorithm: str = "sha256"
    encode: Callable[[bytes], str] = as_hex
    key: Callable[[Secret], bytes] = raw_key
    signed: Callable[[Delivery, C], bytes] = lambda delivery, _: delivery.body
    prefix: str = ""

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.secrets(config))
        given = header(delivery, self.header)
        return matching(secrets, lambda secret: self._sign(delivery, config, secret), [given])

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        first = live(self.secrets(config))[0]
        return with_headers(delivery, (self.header, self._sign(delivery, config, first)))

    def _sign(self, delivery: Delivery, config: C, secret: Secret) -> str:
        signed = self.signed(delivery, config)
        return self.prefix + self.encode(hmac.digest(self.key(secret), signed, self.algorithm))
