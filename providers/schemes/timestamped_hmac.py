"""A time and the HMAC of time and body, together in one header."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.parts import (
    SecretsOf,
    check_window,
    header,
    live,
    matching,
    unix_stamp,
    with_headers,
)

C = TypeVar("C")


@dataclass(frozen=True)
class TimestampedHmac(Generic[C]):
    """`t=<unix seconds>,v1=<hex>[,v1=<hex>]` in one header, over `t + "." + body`.

    Providers differ in the names, in what separates the items, and in what joins time and body.
    """

    header: str
    secrets: SecretsOf[C]
    tolerance: int | Callable[[C], int] = 300
    stamp: str = "t"
    signature: str = "v1"
    separator: str = ","
    joint: bytes = b"."

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.secrets(config))
        items = header(delivery, self.header).split(self.separator)
        pairs = [item.strip().partition("=") for item in items]
        stamps = [value for name, _, value in pairs if name == self.stamp]
        given = [value for name, _, value in pairs if name == self.signature]
        if len(stamps) != 1 or not given:
            wanted = f"one {self.stamp} and a {self.signature}"
            raise Rejected(Cause.MISSING_SIGNATURE, f"{self.header} must hold {wanted}")
        stamp = unix_stamp(stamps[0])
        verdict = matching(secrets, lambda one: self._stamped(one, stamps[0], delivery), given)
        width = self.tolerance if isinstance(self.tolerance, int) else self.tolerance(config)
        check_window(delivery, stamp, width)
        return verdict

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        first = live(self.secrets(config))[0]
        stamp = str(int(delivery.received_at.timestamp()))
        items = (
            f"{self.stamp}={stamp}",
            f"{self.signature}={self._stamped(first, stamp, delivery)}",
        )
        return with_headers(delivery, (self.header, self.separator.join(items)))

    def _stamped(self, secret: Secret, stamp: str, delivery: Delivery) -> str:
        message = stamp.encode() + self.joint + delivery.body
        return hmac.digest(secret.bytes, message, hashlib.sha256).hex()
