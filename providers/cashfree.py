"""Cashfree Payments: https://www.cashfree.com/docs/payments/online/webhooks/overview."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields, validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Meaning, Means, Told, event, meaning_of
from providers.schemes.parts import as_base64
from providers.schemes.two_header_hmac import TwoHeaderHmac

# What a delivery is about, and the status there: types say no more than their family.
_MEANINGS = {
    "payment SUCCESS": Means.PAID,
    # One attempt: the buyer may try again under the same order.
    "payment FAILED": Means.FAILED,
    "payment USER_DROPPED": Means.FAILED,
    "payment PENDING": Means.PENDING,
    "payment NOT_ATTEMPTED": Means.PENDING,
    "payment VOID": Means.RELEASED,
    "payment CANCELLED": Means.RELEASED,
    "refund SUCCESS": Means.REFUNDED,
    "refund FAILED": Means.REFUND_FAILED,
    "refund CANCELLED": Means.REFUND_FAILED,
    "refund PENDING": Means.IGNORED,
    "refund ONHOLD": Means.IGNORED,
    "dispute DISPUTE_CREATED": Means.DISPUTED,
    "dispute DISPUTE_MERCHANT_WON": Means.DISPUTE_WON,
    "dispute DISPUTE_MERCHANT_LOST": Means.DISPUTE_LOST,
    "dispute DISPUTE_MERCHANT_ACCEPTED": Means.DISPUTE_LOST,
    "dispute DISPUTE_DOCS_RECEIVED": Means.IGNORED,
    "dispute DISPUTE_UNDER_REVIEW": Means.IGNORED,
    "dispute DISPUTE_INSUFFICIENT_EVIDENCE": Means.IGNORED,
}
# The objects under `data` that tell of each; what is nearer to the point comes later.
_PARTS = {
    "payment": ("order", "payment"),
    "refund": ("auto_refund", "refund"),
    "dispute": ("order", "order_details", "dispute"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CashfreeConfig:
    client_secrets: Annotated[
        Secrets, "Merchant Dashboard > Developers > API Keys > Client Secret, of each active key"
    ]
    tolerance_seconds: Annotated[
        int | None,
        "how far a timestamp may be from the receipt; without it any time is taken, since repeats"
        " may carry the first one",
        validate.Range(1, 604_800),
    ] = None


class Parts(payload.Body):
    """The objects of a payment, a refund or a dispute, as one."""

    cf_payment_id, cf_refund_id, dispute_id, order_id = (
        payload.NumberedId(allow_none=True) for _ in range(4)
    )
    payment_status, refund_status, dispute_status = (
        payload.Text(allow_none=True) for _ in range(3)
    )
    payment_amount, refund_amount, dispute_amount = (fields.Raw(allow_none=True) for _ in range(3))
    payment_currency, refund_currency, dispute_amount_currency, order_currency = (
        payload.Currency(allow_none=True) for _ in range(4)
    )
    order_tags = fields.Raw(allow_none=True)


class Envelope(payload.Body):
    type, event_time = payload.Id(required=True), payload.IsoTime(allow_none=True)
    data = fields.Raw(load_default=None, allow_none=True)


_ENVELOPE, _FOUND = Envelope(), Parts()


class Cashfree(Adapter[CashfreeConfig]):
    id = "cashfree"
    Config = CashfreeConfig
    scheme = TwoHeaderHmac[CashfreeConfig](
        stamp_header="x-webhook-timestamp",
        signature_header="x-webhook-signature",
        secrets=lambda config: config.client_secrets,
        tolerance=lambda config: config.tolerance_seconds,
        separator=b"",
        encode=as_base64,
        stamp_form="[0-9]{13}",
        stamps_per_second=1000,
    )
    meanings = _MEANINGS
    ignored = tuple(
        "SETTLEMENT_* PAYMENT_CHARGES_WEBHOOK PAYMENT_LINK_EVENT SUBSCRIPTION_* *VAULT*".split()
    )

    def read(self, delivery: Delivery, config: CashfreeConfig) -> Iterable[PaymentEvent]:
        envelope = _ENVELOPE.read(payload.json_object(delivery.body))
        kind, at = envelope["type"], envelope.get("event_time")
        told = Told(event_id=f"{kind}:{at}", type=kind, occurred_at=at or delivery.received_at)
        meaning, about = meaning_of([kind], {}, self.ignored), _about(kind)
        if meaning is None and about is not None:
            payload.need(envelope, "event_time")
            parts = [payload.dig(envelope["data"], part) for part in _PARTS[about]]
            found = _FOUND.read({k: v for part in parts for k, v in _items(part) if v is not None})
            meaning = meaning_of([f"{about} {found.get(f'{about}_status')}"], _MEANINGS)
            if about == "refund" and not {"cf_payment_id", "order_id"} & found.keys():
                # Cashfree gave back by itself what belonged to no order.
                meaning = Means.IGNORED
            if meaning:
                told = _complete(told, about, found, meaning)
        return [event(delivery, told, meaning)]


def _about(kind: str) -> str | None:
    """What a type is about: refunds that Cashfree starts by itself have a type of their own."""
    return "refund" if "REFUND" in kind else next(filter(kind.lower().startswith, _PARTS), None)


def _items(part: Any) -> Iterable[tuple[str, Any]]:
    return part.items() if isinstance(part, dict) else ()


def _complete(told: Told, about: str, found: dict[str, Any], meaning: Meaning) -> Told:
    ids = {"payment": "cf_payment_id", "refund": "cf_refund_id", "dispute": "dispute_id"}
    places = (f"{about}_currency", f"{about}_amount_currency", "payment_currency", "order_currency")
    currency = next((found[place] for place in places if place in found), None)
    amount = found.get(f"{about}_amount")
    if meaning.needs_amount and None in (amount, currency):
        raise Rejected(Cause.MALFORMED, f"{about}_amount and its currency: must be there")
    subject, status = payload.need(found, ids[about]), found[f"{about}_status"]
    return replace(
        told,
        event_id=f"{told.type}:{subject}:{status}",
        external_id=found.get("cf_payment_id"),
        reference=payload.text_under(found, "order_tags.session_id") or found.get("order_id"),
        subject=subject,
        amount=payload.from_major(amount, currency) if currency and amount is not None else None,
        currency=currency,
    )


adapter = Cashfree()
