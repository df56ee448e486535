"""What a provider told us, in our own words: deliveries and the payment events in them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class SessionStatus(StrEnum):
    """The five statuses of a PaymentSession."""

    PENDING = "pending"
    REQUIRES_MORE = "requires_more"
    ERROR = "error"
    AUTHORIZED = "authorized"
    CANCELED = "canceled"


class ChangeKind(StrEnum):
    """What can happen to a payment after it was authorized."""

    CAPTURED = "captured"
    CAPTURE_FAILED = "capture_failed"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    VOIDED = "voided"
    DISPUTED = "disputed"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"


@dataclass(frozen=True, slots=True)
class PaymentChange:
    """One change of a payment, identified by the provider's own reference for it.

    The same capture or refund may be told many times and by several event types; it counts once
    per `reference`. With `running_total` the event's amount is the sum so far under that
    reference (Stripe's `amount_refunded`), and replaces what was told before.
    """

    kind: ChangeKind
    reference: str
    running_total: bool = False


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """One fact that a provider told us about one payment.

    `event_id` is equal on every redelivery of the fact and differs between facts. `occurred_at`
    is the provider's time of the fact (aware, UTC), or the receipt where the provider gives none.
    `external_id` is the provider's id of the payment, `reference` what the merchant gave it.
    `amount` is in minor units. An event with neither status nor change does not concern a payment;
    `recognized` then tells a type that is ignored by name from one that nobody has heard of.
    """

    provider_id: str
    event_id: str
    type: str
    occurred_at: datetime
    external_id: str | None = None
    reference: str | None = None
    session_status: SessionStatus | None = None
    payment_change: PaymentChange | None = None
    amount: int | None = None
    currency: str | None = None
    livemode: bool | None = None
    detail: str = ""
    recognized: bool = True

    @property
    def concerns_payment(self) -> bool:
        return self.session_status is not None or self.payment_change is not None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request of a provider, as it arrived; it carries zero or more events.

    `headers` keeps order and repetition; names are compared without case. `received_at` is aware
    UTC. The body and the headers stay out of the repr: they hold personal data and credentials.
    """

    provider_id: str
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    received_at: datetime
    method: str = "POST"
    path: str = ""
    query: str = field(default="", repr=False)
    remote_addr: str = ""

    def header_values(self, name: str) -> list[str]:
        """All values sent under a header name; empty when there is none."""
        wanted, length = name.lower(), len(name)
        # Asked several times a webhook: comparing lengths first spares most of the work.
        return [v for key, v in self.headers if len(key) == length and key.lower() == wanted]
