"""Vipps MobilePay ePayment: https://developer.vippsmobilepay.com/docs/APIs/webhooks-api/."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from marshmallow import validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.signed_headers import SignedHeaders
from providers.shapes import Heading, Shape, matching, text, word

# An event's name, and whether what it names succeeded.
_MEANINGS = {
    "CREATED true": Means.PENDING,
    "AUTHORIZED true": Means.AUTHORIZED,
    "AUTHORIZED false": Means.FAILED,
    "ABORTED true, EXPIRED true, TERMINATED true": Means.CANCELED,
    "CANCELLED true": Means.RELEASED,
    "CAPTURED true": Means.CAPTURED,
    "CAPTURED false": Means.CAPTURE_FAILED,
    "REFUNDED true": Means.REFUNDED,
    "REFUNDED false": Means.REFUND_FAILED,
    "CANCELLED false, TERMINATED false": Means.IGNORED,
}
# The pspReference is the id of one operation on the payment.
_HEADING = Heading("pspReference", "name", "timestamp")
_MONEY = ("amount.value", "amount.currency")
_SHAPE = Shape("reference", "reference", *_MONEY, "pspReference", in_parts=True, priced=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VippsMobilepayConfig:
    webhook_secrets: Annotated[
        Secrets, "returned once, as `secret`, by POST /webhooks/v1/webhooks: one a registration"
    ]
    msn: Annotated[str, "the sales unit's merchant serial number", validate.Length(1)]
    webhook_url: Annotated[
        str,
        "the URL as registered, where a proxy changes host, path or query on the way",
        validate.Regexp(r"(https?://[\w.-]+(:\d+)?(/[!-~]*)?)?\Z", error="must be an http(s) URL"),
    ] = ""


class VippsMobilepay(Adapter[VippsMobilepayConfig]):
    id = "vipps_mobilepay"
    Config = VippsMobilepayConfig
    scheme = SignedHeaders[VippsMobilepayConfig](
        secrets=lambda config: config.webhook_secrets,
        url=lambda config: config.webhook_url,
        # Some servers drop the other one.
        other_header="X-Vipps-Authorization",
    )
    meanings = _MEANINGS
    ignored = ("recurring.*", "login.*", "user.*", "qr", "qr.*", "order-management.*", "order.*")

    def read(self, delivery: Delivery, config: VippsMobilepayConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        if "name" not in document and "pspReference" not in document:
            # The other families have shapes of their own; those of QR codes do not say a type.
            kind = text(document, "eventType") or "qr"
            event_id = f"{kind}:{text(document, 'occurred') or ''}"
            other = Told(event_id=event_id, type=kind, occurred_at=delivery.received_at)
            return [event(delivery, other, meaning_of([kind], {}, self.ignored))]
        told, success = _HEADING.told(document), word(document, "success")
        payload.require(document, "msn", "success")
        if word(document, "msn") != config.msn:
            raise Rejected(Cause.UNKNOWN_PAYMENT, "msn: another sales unit's delivery")
        reference = matching(document, "reference")
        facts = (config.msn, reference, told.type, told.event_id, success)
        meaning = self.meaning(f"{told.type} {success}")
        told = _SHAPE.completing(replace(told, event_id=":".join(facts)), document, meaning)
        return [event(delivery, told, meaning)]


adapter = VippsMobilepay()
