"""Airwallex payments: https://www.airwallex.com/docs/developer-tools/webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from marshmallow import validate

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, by_word, event
from providers.schemes.parts import header
from providers.schemes.two_header_hmac import TwoHeaderHmac
from providers.shapes import Heading, Shape, text

_STAMP = "x-timestamp"
_FAILURES = "authorization_failed authentication_failed failed_to_process risk_declined expired"
_FAILED = frozenset(("failed", *_FAILURES.split()))
_DISPUTES = {
    "requires_response, dispute_received_by_merchant, pre_chargeback_accepted": Means.DISPUTED,
    "won, dispute_reversed": Means.DISPUTE_WON,
    "lost, accepted, expired": Means.DISPUTE_LOST,
}
_MEANINGS = by_word(
    {
        # `requires_payment_method` is where a new intent starts, and where one falls back to when
        # an attempt has failed.
        "payment_intent.created, payment_intent.pending": Means.PENDING,
        "payment_intent.pending_review, payment_intent.requires_payment_method": Means.PENDING,
        "payment_intent.requires_payment_method failed": Means.FAILED,
        "payment_intent.requires_customer_action": Means.REQUIRES_MORE,
        "payment_intent.requires_capture": Means.AUTHORIZED,
        "payment_intent.succeeded": Means.PAID,
        "payment_intent.cancelled": Means.CANCELED,
        "payment_attempt.capture_failed": Means.CAPTURE_FAILED,
        # `succeeded` is what older API versions call it.
        "refund.settled, refund.succeeded": Means.REFUNDED,
        "refund.failed": Means.REFUND_FAILED,
    }
)
_MEANINGS |= {f"payment_attempt.{word}": Means.FAILED for word in _FAILURES.split()}
_MEANINGS |= {f"payment_dispute.{word}": its for word, its in by_word(_DISPUTES).items()}
_MEANINGS |= {f"dispute.{word}": its for word, its in by_word(_DISPUTES).items()}
_HEADING = Heading("id", "name")
_NAMED = "metadata.session_id|merchant_order_id"
_OF_INTENT = Shape("payment_intent_id", _NAMED, priced=False, major=True, at="updated_at")
_SHAPES = {
    # An intent tells the sum that was captured so far, and its attempt that it was not.
    "payment_intent": replace(
        _OF_INTENT, external_id="id", sums={Means.PAID: "captured_amount|amount"}, total=True
    ),
    "payment_attempt": replace(_OF_INTENT, own_id="payment_intent_id", total=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AirwallexConfig:
    webhook_secrets: Annotated[
        Secrets, "web app > Developer > Webhooks > (subscription) > Secret, whsec_..."
    ]
    tolerance_seconds: Annotated[
        int, "how far a timestamp may be from the receipt", validate.Range(1, 604_800)
    ] = 300


class Airwallex(Adapter[AirwallexConfig]):
    id, key_path = "airwallex", "id"
    Config = AirwallexConfig
    scheme = TwoHeaderHmac[AirwallexConfig](
        _STAMP,
        "x-signature",
        lambda config: config.webhook_secrets,
        tolerance=lambda config: config.tolerance_seconds,
        separator=b"",
        # Nothing parts them from the body, but milliseconds with a digit less are long past.
        stamps_per_second=1000,
    )
    meanings = _MEANINGS
    ignored = tuple(
        "payment_attempt.* refund.received refund.accepted refund.processing charge.* deposit.*"
        " transfer.* conversion.* payment_consent.* payment_link.* customer.* payout.* invoice.*"
        " subscription.* billing_* billing.* issuing.* account.* card.*".split()
    )

    def read(self, delivery: Delivery, config: AirwallexConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        told = _HEADING.told(document, payload.from_millis(header(delivery, _STAMP)))
        # Some families, and some API versions, have no wrapper around the object.
        found = payload.dig(document, "data.object") or document.get("data")
        attempt = text(found, "latest_payment_attempt.status") or ""
        words = [f"{told.type} failed"] if attempt.lower() in _FAILED else []
        meaning = self.meaning(*words, told.type)
        shape = _SHAPES.get(told.type.partition(".")[0], _OF_INTENT)
        return [event(delivery, shape.completing(told, found, meaning), meaning)]


adapter = Airwallex()
