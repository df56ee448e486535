"""PayMongo: https://developers.paymongo.com/docs/webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields, validate

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter, Reply
from providers.meanings import Meaning, Means, Told, event, meaning_of
from providers.schemes.moded_hmac import ModedHmac

_REFUND = {"succeeded": Means.REFUNDED, "failed": Means.REFUND_FAILED}
_REFUND |= dict.fromkeys(("pending", "processing"), Means.IGNORED)
# A type, or a type and the status (of a dispute: the outcome) of its resource.
_MEANINGS = {
    "payment.paid": Means.PAID,
    "payment.failed": Means.FAILED,
    "payment_intent.succeeded": Means.PAID,
    "payment_intent.awaiting_capture": Means.AUTHORIZED,
    "payment_intent.awaiting_payment_method": Means.REQUIRES_MORE,
    # The shop still has to make a payment from it.
    "source.chargeable": Means.PENDING,
    "checkout_session.payment.paid": Means.PAID,
    "link.payment.paid": Means.PAID,
    "qr.paid": Means.PAID,
    "qr.expired": Means.CANCELED,
    "payment.refunded": Means.REFUNDED,
    "dispute.created": Means.DISPUTED,
    "dispute.resolved won": Means.DISPUTE_WON,
    "dispute.resolved lost": Means.DISPUTE_LOST,
} | {
    f"{kind} {status}": its
    for kind in ("payment.refund.updated", "refund.updated", "refund.succeeded")
    for status, its in _REFUND.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymongoConfig:
    webhook_secrets: Annotated[
        Secrets, "Dashboard > Developers > Webhooks > (webhook) > Signing secret, whsk_..."
    ]
    tolerance_seconds: Annotated[
        int | None,
        "how far a timestamp may be from the receipt; empty: any time, repeats may have the first",
        validate.Range(1, 604_800),
    ] = None


class Details(payload.Body):
    """A payment, an intent, a refund, a checkout session ...: what is used of each."""

    id, amount = payload.Id(required=True), payload.MinorUnits(allow_none=True)
    currency, status = payload.Currency(allow_none=True), payload.Text(allow_none=True)
    payment_intent_id, payment_intent, payment_id = (payload.Id(allow_none=True) for _ in range(3))
    reference_number, external_reference_number = (payload.Text(allow_none=True) for _ in range(2))
    metadata, payments = (fields.Raw(allow_none=True) for _ in range(2))


class Happening(payload.Body):
    event_id, type = payload.Id(required=True, data_key="id"), payload.Id(required=True)
    occurred_at = payload.UnixTime(required=True, data_key="created_at")


_HAPPENING, _DETAILS = Happening(), Details()


def _flat(resource: Any) -> dict[str, Any]:
    """An object's attributes, and its id among them."""
    attributes = payload.loose_object(payload.dig(resource, "attributes"))
    return {**attributes, "id": payload.dig(resource, "id")}


def _livemode(body: bytes) -> bool | None:
    found = payload.dig(payload.peek(body), "data.attributes.livemode")
    return found if isinstance(found, bool) else None


class Paymongo(Adapter[PaymongoConfig]):
    id = "paymongo"
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

    def key(self, delivery: Delivery, config: PaymongoConfig) -> bytes:
        found = payload.text_under(payload.peek(delivery.body), "data.id")
        return found.encode() if found else delivery.body

    def read(self, delivery: Delivery, config: PaymongoConfig) -> Iterable[PaymentEvent]:
        whole = _flat(payload.json_object(delivery.body).get("data"))
        happening, found = _HAPPENING.read(whole), _flat(whole.get("data"))
        told = Told(**happening, livemode=_livemode(delivery.body))
        states = (payload.text_under(found, name) for name in ("outcome", "status"))
        words = [told.type, *(f"{told.type} {state}" for state in states)]
        meaning = meaning_of(words, _MEANINGS, self.ignored)
        if meaning:
            told = _complete(told, _DETAILS.read(found), meaning)
        return [event(delivery, told, meaning)]


def _complete(told: Told, found: dict[str, Any], meaning: Meaning) -> Told:
    own_id, payment = found["id"], _paid(found)
    intent = found.get("payment_intent_id") or found.get("payment_intent")
    external_id = found.get("payment_intent_id") or own_id
    # Several types tell of one payment: the intent, where there is one, is what they all know.
    known = (
        None if own_id.startswith("pi_") else payment.get("payment_intent_id") or payment.get("id")
    )
    subject = intent or known or own_id
    if told.type.startswith(("payment.refund.", "refund.", "dispute.")):
        external_id, subject = payload.need(found, "payment_intent_id", "payment_id"), own_id
    money = found if payment.get("amount") is None else payment
    if meaning.needs_amount:
        payload.require(money, "amount", "currency")
    references = [payload.text_under(holder, "metadata.session_id") for holder in (found, payment)]
    references += [found.get(f"{by}reference_number") for by in ("", "external_")]
    return replace(
        told,
        external_id=external_id,
        reference=next(filter(None, references), None),
        subject=subject,
        # All of a payment is back, which refunds of their own may have told already.
        total=told.type == "payment.refunded",
        amount=money.get("amount"),
        currency=money.get("currency"),
    )


def _paid(found: dict[str, Any]) -> dict[str, Any]:
    """The nested payment that a checkout session, a link or an intent was paid by."""
    nested = found.get("payments")
    items = nested if isinstance(nested, list) else []
    payments = (_DETAILS.read(_flat(payload.dig(item, "data") or item)) for item in items)
    return next((payment for payment in payments if payment.get("status") == "paid"), {})


adapter = Paymongo()
