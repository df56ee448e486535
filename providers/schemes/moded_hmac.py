"""A time, a test-mode and a live-mode HMAC of time and body, together in one header."""

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
    forged,
    header,
    live,
    matching,
    unix_stamp,
    with_headers,
)

C = TypeVar("C")


@dataclass(frozen=True)
class ModedHmac(Generic[C]):
    """`t=<unix seconds>,te=<hex>,li=<hex>` over `t + "." + body`; one signature is empty.

    The names of the signatures are not signed, so `livemode` must find the same mode in the body.
    A `tolerance` of None lets any time pass: repeats may carry the first one.
    """

    header: str
    secrets: SecretsOf[C]
    livemode: Callable[[bytes], bool | None]
    tolerance: Callable[[C], int | None] = lambda _: None

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.secrets(config))
        items = [item.partition("=") for item in header(delivery, self.header).split(",")]
        found = {name.strip(): value.strip() for name, equals, value in items if equals}
        if len(found) != len(items) or not {"t", "te", "li"} <= found.keys():
            raise Rejected(Cause.MISSING_SIGNATURE, f"{self.header} must hold t, te and li once")
        given = found["li"] or found["te"]
        if not given:
            raise Rejected(Cause.MISSING_SIGNATURE, f"{self.header} holds no signature")
        verdict = matching(secrets, lambda s: _hmac(s, found["t"], delivery), [given])
        if self.livemode(delivery.body) not in (None, bool(found["li"])):
            raise forged()
        stamp, tolerance = unix_stamp(found["t"]), self.tolerance(config)
        if tolerance is not None:
            check_window(delivery, stamp, tolerance)
        return verdict

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        stamp = str(int(delivery.received_at.timestamp()))
        value = _hmac(live(self.secrets(config))[0], stamp, delivery)
        test, live_mode = ("", value) if self.livemode(delivery.body) else (value, "")
        return with_headers(delivery, (self.header, f"t={stamp},te={test},li={live_mode}"))


def _hmac(secret: Secret, stamp: str, delivery: Delivery) -> str:
    message = stamp.encode("utf-8", "surrogatepass") + b"." + delivery.body
    return hmac.digest(secret.bytes, message, "sha256").hex()
