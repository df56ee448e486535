"""No signature at all: the delivery is a hint, and the provider's API tells what is true."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Verified

C = TypeVar("C")


@dataclass(frozen=True)
class Unsigned(Generic[C]):
    """Accepts everything, and settles nothing: only the API's answer is ever applied.

    Without the `token` of that API nothing could ever be settled, so nothing is accepted.
    """

    token: Callable[[C], Secret | None]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        if self.token(config) is None:
            raise Rejected(Cause.NOT_CONFIGURED, "configure access to the API: this is not signed")
        return Verified(settled=False)

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        return delivery
