"""Adapters of providers whose deliveries name what has happened, and whose API tells what it is."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers.contract import Adapter
from providers.meanings import Told, event, meaning_of

C = TypeVar("C")


class AskingAdapter(Adapter[C]):
    """An adapter whose `meanings` are words of the API: no delivery can say one of them."""

    @abstractmethod
    def told(self, delivery: Delivery, config: C) -> Told:
        """What is told by a delivery of which there is nothing to ask. Raises Rejected."""

    def read(self, delivery: Delivery, config: C) -> Iterable[PaymentEvent]:
        if self.asks(delivery, config):
            raise Rejected(Cause.UNVERIFIABLE, "a notification says nothing until it is settled")
        told = self.told(delivery, config)
        return [event(delivery, told, meaning_of([told.type], {}, self.ignored))]
