"""Cashfree Payments: https://www.cashfree.com/docs/payments/online/webhooks/overview."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets, Tolerance
from providers.contract import Adapter
from providers.meanings import Means, event, meaning_of
from providers.schemes.parts import as_base64
from providers.schemes.two_header_hmac import TwoHeaderHmac
from providers.shapes import Heading, Shape, id_at, matching, text

# What a delivery is about, and the status there: types say no more than their family.
_MEANINGS = {
    "payment SUCCESS": Means.PAID,
    # One attempt: the buyer may try again under the same order.
    "payment FAILED, payment USER_DROPPED": Means.FAILED,
    "payment PENDING, payment NOT_ATTEMPTED": Means.PENDING,
    "payment VOID, payment CANCELLED": Means.RELEASED,
    "refund SUCCESS": Means.REFUNDED,
    "refund FAILED, refund CANCELLED": Means.REFUND_FAILED,
    "refund PENDING, refund ONHOLD": Means.IGNORED,
    "dispute DISPUTE_CREATED": Means.DISPUTED,
    "dispute DISPUTE_MERCHANT_WON": Means.DISPUTE_WON,
    "dispute DISPUTE_MERCHANT_LOST, dispute DISPUTE_MERCHANT_ACCEPTED": Means.DISPUTE_LOST,
    "dispute DISPUTE_DOCS_RECEIVED, dispute DISPUTE_UNDER_REVIEW": Means.IGNORED,
    "dispute DISPUTE_INSUFFICIENT_EVIDENCE": Means.IGNORED,
}
_HEADING = Heading("event_id", "type", "event_time")
_NAMED = ("cf_payment_id", "order_tags.session_id|order_id")
_CURRENCY = "refund_currency|dispute_amount_currency|payment_currency|order_currency"
_PAYMENT = Shape(
    *_NAMED, "payment_amount", _CURRENCY, "cf_payment_id", in_parts=True, priced=False, major=True
)
_SHAPES = {
    "payment": _PAYMENT,
    "refund": replace(_PAYMENT, amount="refund_amount", own_id="cf_refund_id"),
    "dispute": replace(_PAYMENT, amount="dispute_amount", own_id="dispute_id"),
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
    tolerance_seconds: Tolerance = None


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
        document = payload.json_object(delivery.body)
        kind = matching(document, "type")
        # Refunds that Cashfree starts by itself have a type of their own.
        about = "refund" if "REFUND" in kind else kind.partition("_")[0].lower()
        meaning = meaning_of([kind], {}, self.ignored)
        built = f"{kind}:{document.get('event_time')}"
        if meaning is not None or about not in _PARTS:
            told = _HEADING.told({**document, "event_id": built}, delivery.received_at)
            return [event(delivery, told, meaning)]
        parts = [payload.loose_object(payload.dig(document, f"data.{it}")) for it in _PARTS[about]]
        found = {name: value for part in parts for name, value in part.items() if value is not None}
        status, shape = text(found, f"{about}_status"), _SHAPES[about]
        meaning = self.meaning(f"{about} {status}")
        if about == "refund" and not {"cf_payment_id", "order_id"} & found.keys():
            # Cashfree gave back by itself what belonged to no order.
            meaning = Means.IGNORED
        event_id = f"{kind}:{id_at(found, shape.own_id)}:{status}" if meaning else built
        told = _HEADING.told({**document, "event_id": event_id})
        return [event(delivery, shape.completing(told, found, meaning), meaning)]


adapter = Cashfree()
