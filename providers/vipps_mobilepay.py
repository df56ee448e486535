"""Vipps MobilePay ePayment: https://developer.vippsmobilepay.com/docs/APIs/webhooks-api/."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from marshmallow import fields, validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.signed_headers import SignedHeaders

# An event's name, and whether what it names succeeded.
_MEANINGS = {
    "CREATED True": Means.PENDING,
    "AUTHORIZED True": Means.AUTHORIZED,
    "AUTHORIZED False": Means.FAILED,
    "ABORTED True": Means.CANCELED,
    "EXPIRED True": Means.CANCELED,
    "TERMINATED True": Means.CANCELED,
    "CANCELLED True": Means.RELEASED,
    "CAPTURED True": Means.CAPTURED,
    "CAPTURED False": Means.CAPTURE_FAILED,
    "REFUNDED True": Means.REFUNDED,
    "REFUNDED False": Means.REFUND_FAILED,
    "CANCELLED False": Means.IGNORED,
    "TERMINATED False": Means.IGNORED,
}


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


class Money(payload.Body):
    value, currency = payload.MinorUnits(required=True), payload.Currency(required=True)


class Notice(payload.Body):
    msn, reference = payload.NumberedId(required=True), payload.Id(required=True)
    # The id of one operation on the payment.
    psp_reference = payload.Id(data_key="pspReference", required=True)
    name, timestamp = payload.Id(required=True), payload.IsoTime(required=True)
    success = fields.Boolean(required=True)
    amount = fields.Nested(Money, load_default=None, allow_none=True)


_NOTICE = Notice()


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
            kind = payload.text_under(document, "eventType") or "qr"
            event_id = f"{kind}:{payload.text_under(document, 'occurred') or ''}"
            other = Told(event_id=event_id, type=kind, occurred_at=delivery.received_at)
            return [event(delivery, other, meaning_of([kind], {}, self.ignored))]
        found = _NOTICE.read(document)
        if found["msn"] != config.msn:
            raise Rejected(Cause.UNKNOWN_PAYMENT, "msn: another sales unit's delivery")
        facts = (found[key] for key in ("msn", "reference", "name", "psp_reference", "success"))
        told = Told(
            event_id=":".join(map(str, facts)),
            type=found["name"],
            occurred_at=found["timestamp"],
            external_id=found["reference"],
            reference=found["reference"],
            subject=found["psp_reference"],
        )
        meaning = meaning_of([f"{told.type} {found['success']}"], _MEANINGS)
        money = found["amount"]
        if money is not None:
            told = replace(told, amount=money["value"], currency=money["currency"])
        elif meaning is not None and meaning.needs_amount:
            raise Rejected(Cause.MALFORMED, "amount: must be there")
        return [event(delivery, told, meaning)]


adapter = VippsMobilepay()
