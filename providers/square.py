"""Square: https://developer.squareup.com/docs/webhooks/step3validate."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import HTTP_URL, Secrets
from providers.contract import Adapter, Verified
from providers.meanings import Meaning, Means, by_two_words, event, meaning_of
from providers.schemes.body_hmac import BodyHmac
from providers.schemes.parts import as_base64
from providers.shapes import Heading, Shape, matching

_PAYMENT = {
    "PENDING": Means.PENDING,
    "APPROVED": Means.AUTHORIZED,
    "COMPLETED": Means.PAID,
    "CANCELED": Means.RELEASED,
    "FAILED": Meaning(Means.FAILED.session_status, Means.CAPTURE_FAILED.payment_event),
}
_REFUND = {
    "PENDING": Means.IGNORED,
    "COMPLETED": Means.REFUNDED,
    "FAILED, REJECTED": Means.REFUND_FAILED,
}
_DISPUTE = {
    "INQUIRY_EVIDENCE_REQUIRED, INQUIRY_PROCESSING, INQUIRY_CLOSED": Means.IGNORED,
    # Told at the start, and again when an inquiry has become a dispute: the same fact.
    "EVIDENCE_REQUIRED": Means.DISPUTED,
    "WON": Means.DISPUTE_WON,
    "LOST, ACCEPTED": Means.DISPUTE_LOST,
}
_STATUSES = {
    "payment.created, payment.updated": _PAYMENT,
    "refund.created, refund.updated": _REFUND,
    "dispute.created": _DISPUTE | {"PROCESSING": Means.DISPUTED},
    # The latter is its name in older API versions.
    "dispute.state.updated, dispute.state.changed": _DISPUTE | {"PROCESSING": Means.IGNORED},
}
_MEANINGS = by_two_words(_STATUSES)
_KINDS = frozenset(word.partition(" ")[0] for word in _MEANINGS)
_HEADING = Heading("event_id", "type", "created_at", "environment")
# `amount_money` is without the tip.
_SUM = "total_money.amount|amount_money.amount"
_CURRENCY = "total_money.currency|amount_money.currency"
_SHAPES = {
    # A payment is captured as a whole, and told again at every change of it.
    "payment": Shape("id", "reference_id", _SUM, _CURRENCY, total=True),
    # Square can give back money without a payment.
    "refund": Shape("payment_id", "reference_id", _SUM, _CURRENCY, unlinked=True),
    # Older disputes have their id under another name.
    "dispute": Shape("disputed_payment.payment_id", "", _SUM, _CURRENCY, "id|dispute_id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareConfig:
    signature_keys: Annotated[
        Secrets,
        "Developer Console > (application) > Webhooks > Subscriptions > (subscription) > Signature"
        " key, of the right environment",
    ]
    notification_url: Annotated[
        str,
        "the notification URL of that subscription, exactly as registered, to the last slash",
        HTTP_URL,
    ]


class Square(Adapter[SquareConfig]):
    id, key_path = "square", "event_id"
    Config = SquareConfig
    scheme = BodyHmac[SquareConfig](
        "x-square-hmacsha256-signature",
        lambda config: config.signature_keys,
        encode=as_base64,
        # The registered URL, not the request's: proxies change its scheme and host.
        signed=lambda delivery, config: config.notification_url.encode() + delivery.body,
    )
    refusal_status = 403
    meanings = _MEANINGS
    ignored = tuple(
        "dispute.evidence.* order.* invoice.* payout.* customer.* terminal.* oauth.*"
        " webhooks.test_notification".split()
    )

    def verify(self, delivery: Delivery, config: SquareConfig) -> Verified:
        verdict = super().verify(delivery, config)
        if not delivery.body:
            raise Rejected(Cause.MALFORMED, "the body is empty")
        return verdict

    def read(self, delivery: Delivery, config: SquareConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        environment = ",".join(delivery.header_values("square-environment"))
        told = _HEADING.told({**document, "environment": environment})
        if told.type not in _KINDS:
            return [event(delivery, told, meaning_of([told.type], {}, self.ignored))]
        family = told.type.partition(".")[0]
        found = payload.dig(document, f"data.object.{family}")
        meaning = self.meaning(f"{told.type} {matching(found, 'status|state')}")
        told = _SHAPES[family].completing(told, found, meaning)
        # Samples show events made before the object's own last change, so neither time is enough.
        changed = payload.dig(found, "updated_at")
        at = max(told.occurred_at, payload.from_iso(changed) if changed else told.occurred_at)
        return [event(delivery, replace(told, occurred_at=at), meaning)]


adapter = Square()
