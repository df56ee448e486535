"""Paystack: https://paystack.com/docs/payments/webhooks."""

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


class Transaction(payload.Body):
    reference = payload.NumberedId(allow_none=True)
    amount = payload.WrittenMinorUnits(allow_none=True)
    currency = payload.Currency(allow_none=True)
    metadata = fields.Raw(allow_none=True)


class Data(Transaction):
    """A transaction, a refund or a dispute: what is used of each."""

    id, refund_reference, transaction_reference = (
        payload.NumberedId(allow_none=True) for _ in range(3)
    )
    status, resolution, domain = (payload.Text(allow_none=True) for _ in range(3))
    refund_amount = payload.WrittenMinorUnits(allow_none=True)
    paid_at, paidAt, updated_at, resolvedAt, created_at = (  # noqa: N815 - the provider's names
        payload.IsoTime(allow_none=True) for _ in range(5)
    )
    transaction = fields.Nested(Transaction, allow_none=True)


class Envelope(payload.Body):
    event = payload.Id(required=True)
    data = fields.Raw(load_default=None, allow_none=True)


_ENVELOPE, _DATA = Envelope(), Data()


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
        envelope = _ENVELOPE.read(payload.json_object(delivery.body))
        kind, data = envelope["event"], envelope["data"]
        status, resolution = (payload.text_under(data, at) for at in ("status", "resolution"))
        words = [f"{kind} {status if kind == 'charge.success' else resolution}", kind]
        meaning = meaning_of(words, self.meanings, self.ignored)
        told = Told(
            event_id=f"{kind}:{payload.text_under(data, 'id')}",
            type=kind,
            occurred_at=delivery.received_at,
        )
        if meaning:
            # Empty texts stand where there is nothing to tell.
            filled = {k: v for k, v in data.items() if v != ""} if isinstance(data, dict) else data
            told = _complete(told, _DATA.read(filled))
        return [event(delivery, told, meaning, self.decimals)]


def _complete(told: Told, data: dict[str, Any]) -> Told:
    transaction = data.get("transaction") or {}
    metadata = [payload.loose_object(holder.get("metadata")) for holder in (data, transaction)]
    references = (payload.text_under(found, "session_id") for found in metadata)
    if told.type.startswith("refund."):
        payment, money = payload.need(data, "transaction_reference"), payload.need(data, "amount")
        # Not every refund has an id of its own.
        subject = data.get("refund_reference") or data.get("id") or f"{payment}:{money}"
        at = data.get("updated_at") or data.get("created_at")
    elif told.type.startswith("charge.dispute."):
        payment = transaction.get("reference") or payload.need(data, "transaction_reference")
        money = data.get("refund_amount") or payload.need(transaction, "amount")
        subject, at = payload.need(data, "id"), data.get("updated_at") or data.get("resolvedAt")
    else:
        payment, money = payload.need(data, "reference"), payload.need(data, "amount")
        subject, at = payload.need(data, "id"), data.get("paid_at") or data.get("paidAt")
    facts = [told.type, subject, data.get("status"), data.get("resolution")]
    return replace(
        told,
        event_id=":".join(filter(None, facts)),
        occurred_at=at or told.occurred_at,
        livemode=_MODES.get(data.get("domain") or ""),
        external_id=payment,
        # A transaction's own reference can be the merchant's choice as well.
        reference=next(filter(None, references), payment),
        # A transaction is captured once, as a whole.
        subject=payment if told.type == "charge.success" else subject,
        amount=money,
        currency=data.get("currency") or payload.need(transaction, "currency"),
    )


adapter = Paystack()
