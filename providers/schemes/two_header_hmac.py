"""A time in one header, and in another the HMAC of time and body."""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.parts import (
    SecretsOf,
    as_hex,
    check_window,
    header,
    live,
    matching,
    raw_key,
    with_headers,
)

C = TypeVar("C")


@dataclass(frozen=True)
class TwoHeaderHmac(Generic[C]):
    """An HMAC over time, separator and body; several signatures may stand there, with commas.

    `stamp_form` is a pattern of the time: with neither a separator nor a tolerance it must fix the
    number of digits, or the boundary between time and body could be shifted. `stamps_per_second`
    is 1000 where it is in milliseconds. A `tolerance` of None lets any time pass: repeats may
    carry the first one.
    """

    stamp_header: str
    signature_header: str
    secrets: SecretsOf[C]
    tolerance: Callable[[C], int | None] = lambda _: None
    separator: bytes = b"."
    encode: Callable[[bytes], str] = as_hex
    key: Callable[[Secret], bytes] = raw_key
    algorithm: str = "sha256"
    stamp_form: str = "[0-9]{1,15}"
    stamps_per_second: int = 1

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.secrets(config))
        stamp = header(delivery, self.stamp_header)
        given = [item.strip() for item in header(delivery, self.signature_header).split(",")]
        verdict = matching(secrets, lambda secret: self._hmac(secret, stamp, delivery), given)
        if not re.fullmatch(self.stamp_form, stamp):
            raise Rejected(Cause.MALFORMED, f"{self.stamp_header} must be a Unix time, digits only")
        tolerance = self.tolerance(config)
        if tolerance is not None:
            check_window(delivery, int(stamp) // self.stamps_per_second, tolerance)
        return verdict

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        first = live(self.secrets(config))[0]
        stamp = str(int(delivery.received_at.timestamp() * self.stamps_per_second))
        value = self._hmac(first, stamp, delivery)
        return with_headers(delivery, (self.stamp_header, stamp), (self.signature_header, value))

    def _hmac(self, secret: Secret, stamp: str, delivery: Delivery) -> str:
        signed = stamp.encode("utf-8", "surrogatepass") + self.separator + delivery.body
        return self.encode(hmac.digest(self.key(secret), signed, self.algorithm))
