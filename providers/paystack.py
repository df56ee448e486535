"""Paystack: https://paystack.com/docs/payments/webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, event
from providers.schemes.body_hmac import BodyHmac
from providers.shapes import Heading, Shape, id_at, matching, text

# Paystack captures at once. A word's second part is the charge's status, or the resolution.
_MEANINGS = {
    "charge.success success": Means.PAID,
    "charge.failed": Means.FAILED,
    "refund.processed": Means.REFUNDED,
    "refund.failed": Means.REFUND_FAILED,
    "charge.dispute.create": Means.DISPUTED,
    "charge.dispute.resolve merchant-accepted": Means.DISPUTE_LOST,
    "charge.dispute.resolve auto-accepted": Means.DISPUTE_LOST,
    "charge.dispute.resolve declined": Means.DISPUTE_WON,
}
_HEADING = Heading("event_id", "event", livemode="data.domain")
# A transaction's own reference can be the merchant's choice as well.
_SESSION = "metadata.session_id|transaction.metadata.session_id"
_PAYMENT = "transaction.reference|transaction_reference"
_REFUND = Shape(
    _PAYMENT,
    f"{_SESSION}|{_PAYMENT}",
    currency="currency|transaction.currency",
    # Not every refund has an id of its own.
    own_id="refund_reference|id|built_id",
    digits=True,
    at="updated_at|created_at",
)
_DISPUTED = "refund_amount|transaction.amount"
# By a type without its last part.
_SHAPES = {
    "charge": Shape("reference", f"{_SESSION}|reference", digits=True, at="paid_at|paidAt"),
    "refund": _REFUND,
    "charge.dispute": replace(_REFUND, amount=_DISPUTED, own_id="id", at="updated_at|resolvedAt"),
}
# The franc has no decimals, but Paystack sends it times a hundred like all others.
_DECIMALS = {"XOF": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaystackConfig:
    secret_keys: Annotated[
        Secrets,
        "Dashboard > Settings > API Keys & Webhooks > Secret Key, of the right mode (there is no"
        " separate webhook secret); after rolling it, keep the old one for three days",
    ]


class Paystack(Adapter[PaystackConfig]):
    id = "paystack"
    Config = PaystackConfig
    scheme = BodyHmac[PaystackConfig](
        "x-paystack-signature", lambda config: config.secret_keys, algorithm="sha512"
    )
    refusal_status = 401
    meanings = _MEANINGS
    ignored = tuple(
        "refund.pending refund.processing refund.needs-attention charge.dispute.remind"
        " charge.dispute.resolve paymentrequest.* invoice.* subscription.* transfer.*"
        " customeridentification.* dedicatedaccount.* productorder.* terminal.*".split()
    )
    decimals = _DECIMALS

    def read(self, delivery: Delivery, config: PaystackConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        kind, data = matching(document, "event"), _plain(document.get("data"))
        status, resolution = text(data, "status"), text(data, "resolution")
        condition = status if kind == "charge.success" else resolution
        meaning = self.meaning(f"{kind} {condition}", kind)
        facts = (kind, id_at(data, _REFUND.own_id), status, resolution)
        built = {"event_id": ":".join(filter(None, facts))}
        told = _HEADING.told(document | built, delivery.received_at)
        if meaning:
            family = kind.rpartition(".")[0]
            if family == "charge":
                payload.require(data, "reference")
            told = _SHAPES[family].completing(told, data, meaning)
        return [event(delivery, told, meaning, self.decimals)]


def _plain(said: Any) -> dict[str, Any]:
    """The data without empty texts, which stand for nothing, and with metadata as objects."""
    filled = {name: value for name, value in payload.loose_object(said).items() if value != ""}
    data = payload.opened(filled, "metadata", "transaction")
    data["transaction"] = payload.opened(data["transaction"], "metadata")
    return data | {"built_id": f"{data.get('transaction_reference')}:{data.get('amount')}"}


adapter = Paystack()
