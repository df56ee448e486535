"""PayMongo: https://developers.paymongo.com/docs/webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets, Tolerance
from providers.contract import Adapter, Reply
from providers.meanings import Means, event
from providers.schemes.moded_hmac import ModedHmac
from providers.shapes import Heading, Shape, items, text

_REFUND = "payment.refund.updated {0}, refund.updated {0}, refund.succeeded {0}"
# A type, or a type and the status (of a dispute: the outcome) of its resource.
_MEANINGS = {
    "payment.paid, payment_intent.succeeded, checkout_session.payment.paid": Means.PAID,
    "link.payment.paid, qr.paid": Means.PAID,
    "payment.failed": Means.FAILED,
    "payment_intent.awaiting_capture": Means.AUTHORIZED,
    "payment_intent.awaiting_payment_method": Means.REQUIRES_MORE,
    # The shop still has to make a payment from it.
    "source.chargeable": Means.PENDING,
    "qr.expired": Means.CANCELED,
    "payment.refunded": Means.REFUNDED,
    _REFUND.format("succeeded"): Means.REFUNDED,
    _REFUND.format("failed"): Means.REFUND_FAILED,
    f"{_REFUND.format('pending')}, {_REFUND.format('processing')}": Means.IGNORED,
    "dispute.created": Means.DISPUTED,
    "dispute.resolved won": Means.DISPUTE_WON,
    "dispute.resolved lost": Means.DISPUTE_LOST,
}
_HEADING = Heading("id", "type", "created_at", "livemode")
_NAMED = "metadata.session_id|paid.metadata.session_id|reference_number|external_reference_number"
# What a checkout session, a link or an intent was paid by tells the money, if there is such.
_MONEY = ("paid.amount|amount", "paid.currency|currency")
# Several types tell of one payment: the intent, where there is one, is what they all know.
_WHOLE = Shape("payment_intent_id|id", _NAMED, *_MONEY, "known", in_parts=True, priced=False)
_PART = Shape("payment_intent_id|payment_id", _NAMED, *_MONEY, in_parts=True, priced=False)
# All of a payment is back, which refunds of their own may have told already.
_ALL_BACK = replace(_WHOLE, total=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymongoConfig:
    webhook_secrets: Annotated[Secrets, "Dashboard > Developers > Webhooks > Signing secret"]
    tolerance_seconds: Tolerance = None


def _flat(resource: Any) -> dict[str, Any]:
    """An object's attributes, and its id among them."""
    attributes = payload.loose_object(payload.dig(resource, "attributes"))
    return {**attributes, "id": payload.dig(resource, "id")}


def _livemode(body: bytes) -> bool | None:
    found = payload.dig(payload.peek(body), "data.attributes.livemode")
    return found if isinstance(found, bool) else None


class Paymongo(Adapter[PaymongoConfig]):
    id, key_path = "paymongo", "data.id"
    Config = PaymongoConfig
    scheme = ModedHmac[PaymongoConfig](
        "Paymongo-Signature",
        secrets=lambda config: config.webhook_secrets,
        livemode=_livemode,
        tolerance=lambda config: config.tolerance_seconds,
    )
    # A body that is not JSON may count as a failure.
    reply = Reply(200, "{}", "application/json")
    meanings = _MEANINGS
    ignored = ("payout.*", "subscription.*", "workflow.*")

    def read(self, delivery: Delivery, config: PaymongoConfig) -> Iterable[PaymentEvent]:
        whole = _flat(payload.json_object(delivery.body).get("data"))
        told, found = _HEADING.told(whole), _flat(whole.get("data"))
        states = (f"{told.type} {text(found, name)}" for name in ("outcome", "status"))
        meaning = self.meaning(told.type, *states)
        found |= {"paid": _paid(found)}
        own_id = text(found, "id") or ""
        by_parts = "" if own_id.startswith("pi_") else "paid.payment_intent_id|paid.id"
        found["known"] = text(found, f"payment_intent_id|payment_intent|{by_parts}|id")
        is_part = told.type.startswith(("payment.refund.", "refund.", "dispute."))
        shape = _ALL_BACK if told.type == "payment.refunded" else _PART if is_part else _WHOLE
        return [event(delivery, shape.completing(told, found, meaning), meaning)]


def _paid(found: dict[str, Any]) -> dict[str, Any]:
    """The nested payment that a checkout session, a link or an intent was paid by."""
    payments = [_flat(payload.dig(item, "data") or item) for item in items(found, "payments")]
    return next((payment for payment in payments if payment.get("status") == "paid"), {})


adapter = Paymongo()
