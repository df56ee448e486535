"""No signature at all: the delivery is a hint, and the provider's API tells what is true."""

from typing import Generic, TypeVar

from gateway.domain.events import Delivery
from providers.contract import Verified

C = TypeVar("C")


class Unsigned(Generic[C]):
    """Accepts everything, and settles nothing: only the API's answer is ever applied."""

    def verify(self, delivery: Delivery, config: C) -> Verified:
        return Verified(settled=False)

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        return delivery
