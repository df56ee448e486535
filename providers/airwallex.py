"""Airwallex payments: https://www.airwallex.com/docs/developer-tools/webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields, validate

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Meaning, Means, Told, event, meaning_of
from providers.schemes.parts import header
from providers.schemes.two_header_hmac import TwoHeaderHmac

_STAMP = "x-timestamp"
_ATTEMPT_FAILED = (
    "authorization_failed authentication_failed failed_to_process risk_declined expired".split()
)
_DISPUTES = {
    "requires_response": Means.DISPUTED,
    "dispute_received_by_merchant": Means.DISPUTED,
    "pre_chargeback_accepted": Means.DISPUTED,
    "won": Means.DISPUTE_WON,
    "dispute_reversed": Means.DISPUTE_WON,
    "lost": Means.DISPUTE_LOST,
    "accepted": Means.DISPUTE_LOST,
    "expired": Means.DISPUTE_LOST,
}
_MEANINGS = {
    "payment_intent.created": Means.PENDING,
    "payment_intent.pending": Means.PENDING,
    "payment_intent.pending_review": Means.PENDING,
    # Where a new intent starts, and where one falls back to when an attempt has failed.
    "payment_intent.requires_payment_method": Means.PENDING,
    "payment_intent.requires_payment_method failed": Means.FAILED,
    "payment_intent.requires_customer_action": Means.REQUIRES_MORE,
    "payment_intent.requires_capture": Means.AUTHORIZED,
    "payment_intent.succeeded": Means.PAID,
    "payment_intent.cancelled": Means.CANCELED,
    **{f"payment_attempt.{word}": Means.FAILED for word in _ATTEMPT_FAILED},
    "payment_attempt.capture_failed": Means.CAPTURE_FAILED,
    "refund.settled": Means.REFUNDED,
    # The name of refund.settled in older API versions.
    "refund.succeeded": Means.REFUNDED,
    "refund.failed": Means.REFUND_FAILED,
    **{f"payment_dispute.{word}": means for word, means in _DISPUTES.items()},
    **{f"dispute.{word}": means for word, means in _DISPUTES.items()},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AirwallexConfig:
    webhook_secrets: Annotated[
        Secrets, "web app > Developer > Webhooks > (subscription) > Secret, whsec_..."
    ]
    tolerance_seconds: Annotated[
        int, "how far a timestamp may be from the receipt", validate.Range(1, 604_800)
    ] = 300


class Envelope(payload.Body):
    id, name = payload.Id(required=True), payload.Text(required=True)
    data = fields.Raw(load_default=None, allow_none=True)


class Subject(payload.Body):
    """An intent, attempt, refund or dispute: what is used of each."""

    id, payment_intent_id = payload.Id(required=True), payload.Id(allow_none=True)
    amount, captured_amount, metadata = (fields.Raw(allow_none=True) for _ in range(3))
    currency, updated_at = payload.Currency(allow_none=True), payload.IsoTime(allow_none=True)
    merchant_order_id = payload.Text(allow_none=True)


_ENVELOPE, _SUBJECT = Envelope(), Subject()


class Airwallex(Adapter[AirwallexConfig]):
    id = "airwallex"
    Config = AirwallexConfig
    scheme = TwoHeaderHmac[AirwallexConfig](
        _STAMP,
        "x-signature",
        lambda config: config.webhook_secrets,
        tolerance=lambda config: config.tolerance_seconds,
        separator=b"",
        # Nothing parts them from the body, but milliseconds with a digit less are long past.
        stamps_per_second=1000,
    )
    meanings = _MEANINGS
    ignored = tuple(
        "payment_attempt.* refund.received refund.accepted refund.processing charge.* deposit.*"
        " transfer.* conversion.* payment_consent.* payment_link.* customer.* payout.* invoice.*"
        " subscription.* billing_* billing.* issuing.* account.* card.*".split()
    )

    def key(self, delivery: Delivery, config: AirwallexConfig) -> bytes:
        return (payload.text_at(delivery.body, "id") or "").encode() or delivery.body

    def read(self, delivery: Delivery, config: AirwallexConfig) -> Iterable[PaymentEvent]:
        envelope = _ENVELOPE.read(payload.json_object(delivery.body))
        # Some families, and some API versions, have no wrapper around the object.
        inner = payload.dig(envelope["data"], "object")
        found = envelope["data"] if inner is None else inner
        words = [envelope["name"]]
        attempt = payload.text_under(found, "latest_payment_attempt.status") or ""
        if attempt.lower() in ("failed", *_ATTEMPT_FAILED):
            words.insert(0, f"{envelope['name']} failed")
        sent_at = payload.from_millis(header(delivery, _STAMP))
        told = Told(event_id=envelope["id"], type=envelope["name"], occurred_at=sent_at)
        meaning = meaning_of(words, _MEANINGS, self.ignored)
        if meaning not in (None, Means.IGNORED):
            told = _complete(told, _SUBJECT.read(found), meaning)
        return [event(delivery, told, meaning)]


def _complete(told: Told, found: dict[str, Any], meaning: Meaning) -> Told:
    family, its_own = told.type.partition(".")[0], found["id"]
    intent = its_own if family == "payment_intent" else found.get("payment_intent_id")
    amount, currency = found.get("amount"), found.get("currency")
    if meaning == Means.PAID:
        amount = payload.need(found, "captured_amount", "amount")
    if meaning.needs_amount:
        payload.require({"amount": amount, "currency": currency}, "amount", "currency")
    # An intent tells the sum that was captured so far, and its attempt that it was not.
    about_intent = family in ("payment_intent", "payment_attempt")
    return replace(
        told,
        occurred_at=found.get("updated_at") or told.occurred_at,
        external_id=intent,
        reference=payload.text_under(found, "metadata.session_id")
        or found.get("merchant_order_id"),
        subject=intent if about_intent else its_own,
        total=about_intent,
        amount=payload.from_major(amount, currency) if amount is not None and currency else None,
        currency=currency,
    )


adapter = Airwallex()
