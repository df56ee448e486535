"""A time and the HMAC of time and body, together in one header."""

import hashlib
import hmac
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
    """`t=<unix seconds>,v1=<hex>[,v1=<hex>]` in one header, over `t + "." + body`."""

    header: str
    secrets: SecretsOf[C]
    tolerance: int = 300

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.secrets(config))
        pairs = [item.strip().partition("=") for item in header(delivery, self.header).split(",")]
        stamps = [value for name, _, value in pairs if name == "t"]
        given = [value for name, _, value in pairs if name == "v1"]
        if len(stamps) != 1 or not given:
            raise Rejected(Cause.MISSING_SIGNATURE, f"{self.header} must hold one t and a v1")
        stamp = unix_stamp(stamps[0])
        verdict = matching(secrets, lambda secret: _stamped(secret, stamps[0], delivery), given)
        check_window(delivery, stamp, self.tolerance)
        return verdict

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        first = live(self.secrets(config))[0]
        stamp = str(int(delivery.received_at.timestamp()))
        value = f"t={stamp},v1={_stamped(first, stamp, delivery)}"
        return with_headers(delivery, (self.header, value))


def _stamped(secret: Secret, stamp: str, delivery: Delivery) -> str:
    message = stamp.encode() + b"." + delivery.body
    return hmac.digest(secret.bytes, message, hashlib.sha256).hex()
