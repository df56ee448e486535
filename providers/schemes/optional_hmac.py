"""One header with the HMAC of the body, which the operator may let be missing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from gateway.domain.events import Delivery
from providers.contract import Verified
from providers.schemes.body_hmac import BodyHmac
from providers.schemes.parts import live

C = TypeVar("C")


@dataclass(frozen=True)
class OptionalHmac(BodyHmac[C]):
    """Like BodyHmac; where `may_lack` is so, what has no signature at all waits for the API.

    A signature that is there has to be right, whatever is configured.
    """

    may_lack: Callable[[C], bool] = lambda _: False

    def verify(self, delivery: Delivery, config: C) -> Verified:
        if self.may_lack(config) and not delivery.header_values(self.header):
            live(self.secrets(config))
            return Verified(settled=False)
        return super().verify(delivery, config)
