"""An HMAC of the body from a provider's newer API, and from its older one just a token."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from gateway.domain.events import Delivery
from providers.contract import Verified
from providers.schemes.body_hmac import BodyHmac
from providers.schemes.static_token import StaticToken

C = TypeVar("C")


@dataclass(frozen=True)
class HmacOrToken(Generic[C]):
    """`is_signed` tells by the body which API it is from: a token never stands in for an HMAC.

    With `asks_back` whatever came with a token alone is not settled: it covers nothing of a body.
    """

    hmac: BodyHmac[C]
    token: StaticToken[C]
    is_signed: Callable[[bytes], bool]
    asks_back: Callable[[C], bool] = lambda _: False

    def verify(self, delivery: Delivery, config: C) -> Verified:
        if delivery.header_values(self.hmac.header) or self.is_signed(delivery.body):
            return self.hmac.verify(delivery, config)
        return replace(self.token.verify(delivery, config), settled=not self.asks_back(config))

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        scheme = self.hmac if self.is_signed(delivery.body) else self.token
        return scheme.sign(delivery, config)
