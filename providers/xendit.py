"""Xendit, payments v3 and v2, refunds, invoices, e-wallets: https://docs.xendit.co/apidocs."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers.configuration import Secret, Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event
from providers.payload import from_major, json_object
from providers.schemes.static_token import StaticToken
from providers.shapes import Shape, first, items, text

# An event and the status of its object. Invoices say no event: theirs is made of the status.
_MEANINGS = {
    "payment PENDING": Means.PENDING,
    "payment.authorization AUTHORIZED": Means.AUTHORIZED,
    "payment.awaiting_capture AWAITING_CAPTURE": Means.AUTHORIZED,
    "payment.capture SUCCEEDED, payment.succeeded SUCCEEDED": Means.PAID,
    # Paid first and settled later: the same money.
    "invoice PAID, invoice SETTLED, ewallet.capture SUCCEEDED": Means.PAID,
    "payment.failure FAILED, payment.failed FAILED, ewallet.capture FAILED": Means.FAILED,
    "payment_request.expiry EXPIRED, invoice EXPIRED": Means.CANCELED,
    # An authorization that lapsed is free again, as one that was canceled.
    "payment.expiry EXPIRED, payment CANCELED, ewallet.void SUCCEEDED": Means.RELEASED,
    "capture.succeeded SUCCEEDED": Means.CAPTURED,
    "capture.failed FAILED": Means.CAPTURE_FAILED,
    "refund.succeeded SUCCEEDED, ewallet.refund SUCCEEDED": Means.REFUNDED,
    "refund.failed FAILED": Means.REFUND_FAILED,
}
_OWN = "id|payment_id|payment_request_id"
_CHARGED = "capture_amount|charge_amount|amount"
# Never the `created` outside of the object: it is the time of the attempt to tell us.
_AT = "paid_at|updated|created"
# A refund has a reference of its own, which is not ours.
_REFUND = Shape("", "metadata.session_id", own_id=_OWN, priced=False, major=True, at=_AT)
_NAMED = replace(_REFUND, reference="metadata.session_id|reference_id|external_id")
# What tells of a payment as a whole tells the sum so far.
_WHOLE = replace(_NAMED, external_id="id", amount=_CHARGED, total=True)
_PAYMENT = replace(_WHOLE, external_id=f"payment_request_id|{_OWN}", amount="request_amount|amount")
# By event or family; all others are payments and requests for one.
_SHAPES = {
    "capture": replace(
        _NAMED,
        external_id="payment_request_id|payment_id",
        amount="capture_amount|captured_amount|amount",
    ),
    "refund": replace(_REFUND, external_id="payment_id|payment_request_id|invoice_id"),
    "invoice": replace(_WHOLE, sums={Means.PAID: "paid_amount|amount"}),
    "ewallet": _WHOLE,
    "ewallet.refund": replace(
        _REFUND,
        external_id="charge_id|payment_id|id",
        amount=f"refund_amount|refunded_amount|amount|{_CHARGED}",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class XenditConfig:
    callback_tokens: Annotated[
        Secrets,
        "Dashboard > Settings > Webhooks > Webhook verification token, and those of sub-accounts",
    ]
    secret_key: Annotated[Secret | None, "Settings > API keys; nothing is asked with it yet"] = None


class Xendit(Adapter[XenditConfig]):
    id = "xendit"
    Config = XenditConfig
    scheme = StaticToken[XenditConfig]("x-callback-token", lambda config: config.callback_tokens)
    refusal_status = 401
    secret_headers = ("x-callback-token",)
    unproven = "the whole body: the header is a static token, so serve this URL by HTTPS only"
    meanings = _MEANINGS
    ignored = tuple("payment_token.* payment_method.* payout.* disbursement disbursement.*".split())

    def read(self, delivery: Delivery, config: XenditConfig) -> Iterable[PaymentEvent]:
        kind, found = _unwrapped(json_object(delivery.body))
        status, family = text(found, "status"), kind.partition(".")[0]
        words = [f"{kind} {status}", f"{family} {status}", kind]
        meaning = self.meaning(*words)
        captures = items(found, "captures")
        ids = (text(one, "capture_id") for one in captures)
        known = ":".join(filter(None, (kind, text(found, _OWN), status, *ids)))
        told = Told(event_id=known, type=kind, occurred_at=delivery.received_at)
        shape = _SHAPES.get(kind, _SHAPES.get(family, _PAYMENT))
        told = shape.completing(told, found, meaning)
        if meaning == Means.PAID and captures:
            amounts = (first(one, "capture_amount") for one in captures)
            told = replace(
                told, amount=sum(from_major(one, told.currency or "") for one in amounts)
            )
        return [event(delivery, told, meaning)]


def _unwrapped(document: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The event's name and its object; some events come inside another one's data."""
    data = document.get("data")
    while isinstance(data, dict) and isinstance(data.get("data"), dict) and "event" in data:
        document, data = data, data["data"]
    kind, status = text(document, "event"), text(document, "status")
    if kind and isinstance(data, dict):
        return kind, data
    if kind is None and status and "external_id" in document:
        return f"invoice.{status.lower()}", document
    raise Rejected(Cause.MALFORMED, "event and data, or external_id and status: must be there")


adapter = Xendit()
