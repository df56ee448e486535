"""Paddle Billing: https://developer.paddle.com/webhooks/about/signature-verification."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields, validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.timestamped_hmac import TimestampedHmac

_REFUND = {
    "approved": Means.REFUNDED,
    "rejected": Means.REFUND_FAILED,
    "reversed": Means.REFUND_FAILED,
    "pending_approval": Means.IGNORED,
}
_ACTIONS = {
    **{f"refund {status}": meaning for status, meaning in _REFUND.items()},
    "chargeback": Means.DISPUTED,
    "chargeback reversed": Means.DISPUTE_WON,
    "chargeback_reverse": Means.DISPUTE_WON,
    "chargeback_warning": Means.IGNORED,
    "chargeback_warning_reverse": Means.IGNORED,
    "credit": Means.IGNORED,
    "credit_reverse": Means.IGNORED,
}
_KINDS = ("adjustment.created", "adjustment.updated")
# A type, and of adjustments the action, and of refunds the status.
_MEANINGS = {
    "transaction.created": Means.PENDING,
    "transaction.ready": Means.PENDING,
    "transaction.billed": Means.PENDING,
    "transaction.updated": Means.PENDING,
    "transaction.revised": Means.PENDING,
    "transaction.paid": Means.PAID,
    # The same money once more: now its fees are known.
    "transaction.completed": Means.PAID,
    # The buyer may try again.
    "transaction.payment_failed": Means.FAILED,
    "transaction.past_due": Means.FAILED,
    "transaction.canceled": Means.CANCELED,
    **{f"{kind} {word}": meaning for kind in _KINDS for word, meaning in _ACTIONS.items()},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaddleConfig:
    webhook_secrets: Annotated[
        Secrets, "Developer tools > Notifications > (destination) > Secret key, pdl_ntfset_..."
    ]
    tolerance_seconds: Annotated[
        int, "how far a timestamp may be from the receipt", validate.Range(1, 86_400)
    ] = 5


class Envelope(payload.Body):
    event_id, event_type = payload.Id(required=True), payload.Text(required=True)
    occurred_at = payload.IsoTime(required=True)
    data = fields.Dict(load_default=dict)


class Subject(payload.Body):
    """A transaction or an adjustment: what is used of each."""

    id, currency_code = payload.Id(required=True), payload.Currency(required=True)
    transaction_id = payload.Id(load_default=None, allow_none=True)


class Money(payload.Body):
    # `total` leaves out the credit that was used, `grand_total` is what is paid.
    grand_total, total = (
        payload.WrittenMinorUnits(load_default=None, allow_none=True) for _ in range(2)
    )


_ENVELOPE, _SUBJECT, _MONEY = Envelope(), Subject(), Money()


class Paddle(Adapter[PaddleConfig]):
    id = "paddle"
    Config = PaddleConfig
    scheme = TimestampedHmac[PaddleConfig](
        "Paddle-Signature",
        lambda config: config.webhook_secrets,
        tolerance=lambda config: config.tolerance_seconds,
        stamp="ts",
        signature="h1",
        separator=";",
        joint=b":",
    )
    meanings = _MEANINGS
    ignored = tuple(
        "subscription.* customer.* address.* business.* price.* product.* discount*.*"
        " payout.* report.* payment_method.* api_key*.* client_token.*".split()
    )

    def key(self, delivery: Delivery, config: PaddleConfig) -> bytes:
        # Each replay by hand is another notification of the same event.
        return (payload.text_at(delivery.body, "event_id") or "").encode() or delivery.body

    def read(self, delivery: Delivery, config: PaddleConfig) -> Iterable[PaymentEvent]:
        envelope = _ENVELOPE.read(payload.json_object(delivery.body))
        kind, data = envelope["event_type"], envelope["data"]
        told = Told(event_id=envelope["event_id"], type=kind, occurred_at=envelope["occurred_at"])
        action = f"{kind} {data.get('action')}"
        words = [f"{action} {data.get('status')}", action] if kind in _KINDS else [kind]
        meaning = meaning_of(words, _MEANINGS, self.ignored)
        if meaning is None or meaning == Means.IGNORED:
            return [event(delivery, told, meaning)]
        complete = _adjustment if kind in _KINDS else _transaction
        told = complete(told, _SUBJECT.read(data), data)
        if told.amount is None and meaning != Means.PENDING:
            raise Rejected(Cause.MALFORMED, "totals: must be there")
        return [event(delivery, told, meaning)]


def _transaction(told: Told, found: dict[str, Any], data: dict[str, Any]) -> Told:
    return replace(
        told,
        external_id=found["id"],
        reference=payload.text_under(data, "custom_data.session_id"),
        amount=_MONEY.read(payload.dig(data, "details.totals") or {})["grand_total"],
        currency=found["currency_code"],
    )


def _adjustment(told: Told, found: dict[str, Any], data: dict[str, Any]) -> Told:
    payment = found["transaction_id"]
    if payment is None:
        raise Rejected(Cause.MALFORMED, "transaction_id: must be there")
    return replace(
        told,
        external_id=payment,
        # A chargeback that is taken back is an adjustment of its own, without the first one's id.
        subject=found["id"] if data.get("action") == "refund" else payment,
        # Not `payout_totals`: those are in the currency in which the merchant is paid out.
        amount=_MONEY.read(data.get("totals") or {})["total"],
        currency=found["currency_code"],
    )


adapter = Paddle()
