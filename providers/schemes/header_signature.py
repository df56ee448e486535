"""One header with a signature that takes more than the bytes of the body."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.parts import SecretsOf, header, live, matching, with_headers

C = TypeVar("C")


@dataclass(frozen=True)
class HeaderSignature(Generic[C]):
    """The header holds what `signature` makes of the delivery, the settings and one secret."""

    header: str
    secrets: SecretsOf[C]
    signature: Callable[[Delivery, C, Secret], str]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.secrets(config))
        given = header(delivery, self.header)
        return matching(secrets, lambda secret: self.signature(delivery, config, secret), [given])

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        first = live(self.secrets(config))[0]
        return with_headers(delivery, (self.header, self.signature(delivery, config, first)))
