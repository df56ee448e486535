"""HMACs of the body by every live secret, listed in one header or in several of the same name."""

import re
from dataclasses import dataclass
from typing import TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.contract import Verified
from providers.schemes.body_hmac import BodyHmac
from providers.schemes.parts import matching

C = TypeVar("C")


@dataclass(frozen=True)
class ListedHmac(BodyHmac[C]):
    """Like BodyHmac, but any one of the signatures will do, each with its prefix or without."""

    def verify(self, delivery: Delivery, config: C) -> Verified:
        listed = re.split(r"[,\s]+", " ".join(delivery.header_values(self.header)))
        given = [bare for item in listed if (bare := item.removeprefix(self.prefix))]
        if not given:
            raise Rejected(Cause.MISSING_SIGNATURE, f"header {self.header} holds no signature")
        return matching(
            self.secrets(config),
            lambda secret: self._sign(delivery, config, secret).removeprefix(self.prefix),
            given,
        )
