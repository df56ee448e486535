"""Paddle Billing: https://developer.paddle.com/webhooks/about/signature-verification."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from marshmallow import validate

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, by_two_words, by_word, event
from providers.schemes.timestamped_hmac import TimestampedHmac
from providers.shapes import Heading, Shape

_ACTIONS = {
    "refund approved": Means.REFUNDED,
    "refund rejected, refund reversed": Means.REFUND_FAILED,
    "chargeback": Means.DISPUTED,
    "chargeback reversed, chargeback_reverse": Means.DISPUTE_WON,
    "refund pending_approval, chargeback_warning, chargeback_warning_reverse": Means.IGNORED,
    "credit, credit_reverse": Means.IGNORED,
}
_KINDS = ("adjustment.created", "adjustment.updated")
# A type, and of adjustments the action, and of refunds the status.
_MEANINGS = by_word(
    {
        "transaction.created, transaction.ready, transaction.billed": Means.PENDING,
        "transaction.updated, transaction.revised": Means.PENDING,
        # Told of the same money twice: once it is completed, its fees are known.
        "transaction.paid, transaction.completed": Means.PAID,
        # The buyer may try again.
        "transaction.payment_failed, transaction.past_due": Means.FAILED,
        "transaction.canceled": Means.CANCELED,
    }
)
_MEANINGS |= by_two_words({", ".join(_KINDS): _ACTIONS})
_HEADING = Heading("event_id", "event_type", "occurred_at")
_TRANSACTION = Shape(
    "id",
    "custom_data.session_id",
    # `total` leaves out the credit that was used, `grand_total` is what is paid.
    "details.totals.grand_total",
    "currency_code",
    priced=False,
    digits=True,
)
# Not `payout_totals`: those are in the currency in which the merchant is paid out.
_REFUND = Shape("transaction_id", "", "totals.total", "currency_code", digits=True)
# A chargeback that is taken back is an adjustment of its own, without the first one's id.
_CHARGEBACK = replace(_REFUND, own_id="transaction_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class PaddleConfig:
    webhook_secrets: Annotated[
        Secrets, "Developer tools > Notifications > (destination) > Secret key, pdl_ntfset_..."
    ]
    tolerance_seconds: Annotated[
        int, "how far a timestamp may be from the receipt", validate.Range(1, 86_400)
    ] = 5


class Paddle(Adapter[PaddleConfig]):
    # Each replay by hand is another notification of the same event.
    id, key_path = "paddle", "event_id"
    Config = PaddleConfig
    scheme = TimestampedHmac[PaddleConfig](
        "Paddle-Signature",
        lambda config: config.webhook_secrets,
        tolerance=lambda config: config.tolerance_seconds,
        stamp="ts",
        signature="h1",
        separator=";",
        joint=b":",
    )
    meanings = _MEANINGS
    ignored = tuple(
        "subscription.* customer.* address.* business.* price.* product.* discount*.*"
        " payout.* report.* payment_method.* api_key*.* client_token.*".split()
    )

    def read(self, delivery: Delivery, config: PaddleConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        told, found = _HEADING.told(document), payload.loose_object(document.get("data"))
        if told.type not in _KINDS:
            words, shape = [told.type], _TRANSACTION
        else:
            action = f"{told.type} {found.get('action')}"
            words = [f"{action} {found.get('status')}", action]
            shape = _REFUND if found.get("action") == "refund" else _CHARGEBACK
        meaning = self.meaning(*words)
        return [event(delivery, shape.completing(told, found, meaning), meaning)]


adapter = Paddle()
