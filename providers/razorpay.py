"""Razorpay: https://razorpay.com/docs/webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, event
from providers.schemes.body_hmac import BodyHmac
from providers.shapes import Heading, Shape, text

_MEANINGS = {
    "payment.pending": Means.PENDING,
    "payment.authorized": Means.AUTHORIZED,
    # Both come of one payment.
    "payment.captured, order.paid": Means.PAID,
    # One attempt: the next one on the same order may succeed, and even this one may, late.
    "payment.failed": Means.FAILED,
    "payment_link.cancelled, payment_link.expired, invoice.expired": Means.CANCELED,
    "refund.processed": Means.REFUNDED,
    "refund.failed": Means.REFUND_FAILED,
    "payment.dispute.created": Means.DISPUTED,
    # Closed: neither side won (a retrieval, a suspicion of fraud), and the money stays.
    "payment.dispute.won, payment.dispute.closed": Means.DISPUTE_WON,
    "payment.dispute.lost": Means.DISPUTE_LOST,
}
_HEADING = Heading("event_id", "event", "created_at")
_HOLDERS = ("payment", "order", "payment_link", "invoice")
# Our session's id: in the notes of anything but a refund, else where shops put their own.
_NOTED = [f"{holder}.entity.notes.session_id" for holder in _HOLDERS]
_NUMBERED = [
    f"{holder}.entity.{name}" for holder in _HOLDERS for name in ("reference_id", "receipt")
]


def _shape(about: str, *its_own: str) -> Shape:
    """Where an event has what: an order survives failed payments, so a session knows the order."""
    names = ["payment.entity.order_id", "payment.entity.id"]
    names += [f"{about}.entity.{name}" for name in ("order_id", "payment_id", *its_own)]
    own = f"{about}.entity"
    money, reference = (f"{own}.amount", f"{own}.currency"), "|".join(_NOTED + _NUMBERED)
    return Shape("|".join(names), reference, *money, f"{own}.id", in_parts=True)


# What an event is about, by the beginning of its name.
_SHAPES = {
    "payment.dispute.": _shape("dispute"),
    "payment.": _shape("payment"),
    "order.": _shape("payment"),
    "refund.": _shape("refund"),
    "payment_link.": _shape("payment_link", "id"),
    "invoice.": _shape("invoice", "id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RazorpayConfig:
    webhook_secrets: Annotated[
        Secrets,
        "Dashboard > Account & Settings > Webhooks > (webhook) > Secret; repeats of older events"
        " stay signed with the old one, so keep it for a day",
    ]


class Razorpay(Adapter[RazorpayConfig]):
    id = "razorpay"
    Config = RazorpayConfig
    scheme = BodyHmac[RazorpayConfig]("X-Razorpay-Signature", lambda config: config.webhook_secrets)
    unproven = "the event's id, which is a header: events are told apart by it, nothing more"
    meanings = _MEANINGS
    ignored = tuple(
        "refund.created refund.speed_changed payment.dispute.under_review"
        " payment.dispute.action_required payment_link.paid payment_link.partially_paid"
        " invoice.paid invoice.partially_paid payment.downtime.* subscription.* settlement.*"
        " transfer.* qr_code.* virtual_account.* payout.* account.* fund_account.*".split()
    )

    def read(self, delivery: Delivery, config: RazorpayConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        # The event's id. No signature covers it, so nothing but the history may rest on it.
        values = delivery.header_values("X-Razorpay-Event-Id")
        named = {"event_id": values[0].strip()} if len(values) == 1 else {}
        kind, found = text(document, "event") or "", document.get("payload")
        shape = next((its for start, its in _SHAPES.items() if kind.startswith(start)), Shape(""))
        built = f"{kind}:{text(found, shape.own_id)}:{document.get('created_at')}"
        event_id = text(named, "event_id") or built
        told = _HEADING.told({**document, "event_id": event_id}, delivery.received_at)
        meaning = self.meaning(kind)
        if meaning:
            payload.require(document, "created_at")
        return [event(delivery, shape.completing(told, found, meaning), meaning)]


adapter = Razorpay()
