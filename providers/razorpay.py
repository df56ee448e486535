"""Razorpay: https://razorpay.com/docs/webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.body_hmac import BodyHmac

_MEANINGS = {
    "payment.pending": Means.PENDING,
    "payment.authorized": Means.AUTHORIZED,
    "payment.captured": Means.PAID,
    # Comes beside payment.captured, and tells of the same payment.
    "order.paid": Means.PAID,
    # One attempt: the next one on the same order may succeed, and even this one may, late.
    "payment.failed": Means.FAILED,
    "payment_link.cancelled": Means.CANCELED,
    "payment_link.expired": Means.CANCELED,
    "invoice.expired": Means.CANCELED,
    "refund.processed": Means.REFUNDED,
    "refund.failed": Means.REFUND_FAILED,
    "payment.dispute.created": Means.DISPUTED,
    "payment.dispute.won": Means.DISPUTE_WON,
    "payment.dispute.lost": Means.DISPUTE_LOST,
    # Neither side won (a retrieval or a suspicion of fraud), so the merchant keeps the money.
    "payment.dispute.closed": Means.DISPUTE_WON,
}
# What an event is about, by the beginning of its name.
_ABOUT = {
    "payment.dispute.": "dispute",
    "payment.": "payment",
    "order.": "payment",
    "refund.": "refund",
    "payment_link.": "payment_link",
    "invoice.": "invoice",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RazorpayConfig:
    webhook_secrets: Annotated[
        Secrets,
        "Dashboard > Account & Settings > Webhooks > (webhook) > Secret; repeats of older events"
        " stay signed with the old one, so keep it for a day",
    ]


class Entity(payload.Body):
    """A payment, order, refund, dispute, link or invoice: what is used of each."""

    id = payload.Id(required=True)
    # Empty, where there is none, as well as null.
    order_id, payment_id, receipt, reference_id = (payload.Text(allow_none=True) for _ in range(4))
    amount = payload.MinorUnits(allow_none=True)
    currency = payload.Currency(allow_none=True)
    # An empty list when there are none, else an object.
    notes = fields.Raw(allow_none=True)


class Holder(payload.Body):
    entity = fields.Nested(Entity, required=True)


class Payload(payload.Body):
    payment, order, refund, dispute, payment_link, invoice = (
        fields.Nested(Holder, allow_none=True) for _ in range(6)
    )


class Envelope(payload.Body):
    event, created_at = payload.Id(required=True), payload.UnixTime(allow_none=True)
    payload = fields.Raw(load_default=None, allow_none=True)


_ENVELOPE, _PAYLOAD = Envelope(), Payload()


class Razorpay(Adapter[RazorpayConfig]):
    id = "razorpay"
    Config = RazorpayConfig
    scheme = BodyHmac[RazorpayConfig]("X-Razorpay-Signature", lambda config: config.webhook_secrets)
    meanings = _MEANINGS
    ignored = tuple(
        "refund.created refund.speed_changed payment.dispute.under_review"
        " payment.dispute.action_required payment_link.paid payment_link.partially_paid"
        " invoice.paid invoice.partially_paid payment.downtime.* subscription.* settlement.*"
        " transfer.* qr_code.* virtual_account.* payout.* account.* fund_account.*".split()
    )

    def read(self, delivery: Delivery, config: RazorpayConfig) -> Iterable[PaymentEvent]:
        envelope = _ENVELOPE.read(payload.json_object(delivery.body))
        kind, inner = envelope["event"], envelope["payload"]
        meaning = meaning_of([kind], _MEANINGS, self.ignored)
        told = Told(
            event_id=_event_id(delivery) or f"{kind}:{envelope.get('created_at')}",
            type=kind,
            occurred_at=envelope.get("created_at") or delivery.received_at,
        )
        if kind in _MEANINGS:
            payload.need(envelope, "created_at")
            told = _complete(told, _PAYLOAD.read(inner), _event_id(delivery))
        return [event(delivery, told, meaning)]


def _event_id(delivery: Delivery) -> str | None:
    """The event's id. No signature covers it, so nothing but the history may rest on it."""
    values = delivery.header_values("X-Razorpay-Event-Id")
    found = values[0].strip() if len(values) == 1 else ""
    return found if found and payload.is_text(found) else None


def _complete(told: Told, holders: dict[str, Any], event_id: str | None) -> Told:
    found = {name: holder["entity"] for name, holder in holders.items() if holder}
    name = next(name for start, name in _ABOUT.items() if told.type.startswith(start))
    subject, payment = payload.need(found, name), found.get("payment") or {}
    # An order survives failed payments, so it is what a session knows.
    external_id = payment.get("order_id") or payment.get("id") or subject.get("order_id")
    if not external_id:
        whole = name in ("payment_link", "invoice")
        external_id = payload.need(subject, "payment_id", *(["id"] if whole else []))
    moment = int(told.occurred_at.timestamp())
    return replace(
        told,
        event_id=event_id or f"{told.type}:{subject['id']}:{moment}",
        external_id=external_id,
        reference=_reference(found),
        subject=subject["id"],
        amount=payload.need(subject, "amount"),
        currency=payload.need(subject, "currency"),
    )


def _reference(found: dict[str, Any]) -> str | None:
    """Our session's id: from the notes of anything but a refund, else the order's receipt."""
    holders = [found.get(name) or {} for name in ("payment", "order", "payment_link", "invoice")]
    told = [payload.text_under(holder, "notes.session_id") for holder in holders]
    told += [holder.get("reference_id") or holder.get("receipt") for holder in holders]
    return next(filter(None, told), None)


adapter = Razorpay()
