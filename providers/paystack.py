"""Paystack: https://paystack.com/docs/payments/webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, by_word, event, meaning_of
from providers.schemes.body_hmac import BodyHmac
from providers.shapes import Shape, id_at, matching, text

# Paystack captures at once. A word's second part is the charge's status, or the resolution.
_MEANINGS = by_word(
    {
        "charge.success success": Means.PAID,
        "charge.failed": Means.FAILED,
        "refund.processed": Means.REFUNDED,
        "refund.failed": Means.REFUND_FAILED,
        "charge.dispute.create": Means.DISPUTED,
        "charge.dispute.resolve merchant-accepted": Means.DISPUTE_LOST,
        "charge.dispute.resolve auto-accepted": Means.DISPUTE_LOST,
        "charge.dispute.resolve declined": Means.DISPUTE_WON,
    }
)
# A transaction's own reference can be the merchant's choice as well.
_SESSION = "metadata.session_id|transaction.metadata.session_id"
_CHARGE = Shape("reference", f"{_SESSION}|reference", digits=True, at="paid_at|paidAt")
_PAYMENT = "transaction_reference"
_REFUND = Shape(
    _PAYMENT,
    f"{_SESSION}|{_PAYMENT}",
    currency="currency|transaction.currency",
    # Not every refund has an id of its own.
    own_id="refund_reference|id|built_id",
    digits=True,
    at="updated_at|created_at",
)
_DISPUTE = replace(
    _REFUND,
    external_id=f"transaction.reference|{_PAYMENT}",
    reference=f"{_SESSION}|transaction.reference|{_PAYMENT}",
    amount="refund_amount|transaction.amount",
    own_id="id",
    at="updated_at|resolvedAt",
)
# The franc has no decimals, but Paystack sends it times a hundred like all others.
_DECIMALS = {"XOF": 2}
_MODES = {"live": True, "test": False}


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
        kind, data = matching(document, "event"), payload.loose_object(document.get("data"))
        condition = text(data, "status" if kind == "charge.success" else "resolution")
        meaning = meaning_of([f"{kind} {condition}", kind], self.meanings, self.ignored)
        told = Told(
            event_id=f"{kind}:{id_at(data, 'id')}",
            type=kind,
            occurred_at=delivery.received_at,
            livemode=_MODES.get(text(data, "domain") or ""),
        )
        if meaning:
            data, shape = _plain(data), _shape(kind)
            if shape is _CHARGE:
                payload.require(data, "reference")
            own_id = id_at(data, _REFUND.own_id)
            facts = (kind, own_id, text(data, "status"), text(data, "resolution"))
            told = replace(told, event_id=":".join(filter(None, facts)))
            told = shape.completing(told, data, meaning)
        return [event(delivery, told, meaning, self.decimals)]


def _shape(kind: str) -> Shape:
    if kind.startswith("refund."):
        return _REFUND
    return _DISPUTE if kind.startswith("charge.dispute.") else _CHARGE


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    """The data without empty texts, which stand for nothing, and with metadata as objects."""
    filled = {name: value for name, value in data.items() if value != ""}
    filled["metadata"] = payload.loose_object(data.get("metadata"))
    transaction = payload.loose_object(data.get("transaction"))
    filled["transaction"] = transaction | {
        "metadata": payload.loose_object(transaction.get("metadata"))
    }
    filled["built_id"] = f"{data.get(_PAYMENT)}:{data.get('amount')}"
    return filled


adapter = Paystack()
