"""Cybersource: https://developer.cybersource.com/docs/cybs/en-us/webhooks/implementation/all/rest/webhooks.html."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret
from providers.contract import Adapter, Reply
from providers.meanings import Meaning, Means, Told, event, meaning_of
from providers.schemes.named_keys import NamedKeyStamp, base64_key, usable_by_name

_MEANINGS = {
    # With the capture in the same request, payments.captures.accept tells of that.
    "payments.payments.accept": Means.AUTHORIZED,
    "payments.payments.partial.approval": Means.REQUIRES_MORE,
    "payments.payments.review": Means.PENDING,
    "payments.payments.reject": Means.FAILED,
    "payments.captures.accept": Means.CAPTURED,
    "payments.captures.reject": Means.CAPTURE_FAILED,
    "payments.reversals.accept": Means.RELEASED,
    "payments.voids.accept": Means.RELEASED,
    "payments.refunds.accept": Means.REFUNDED,
    "payments.refunds.partial.approval": Means.REFUNDED,
    "payments.refunds.reject": Means.REFUND_FAILED,
    "payments.credits.accept": Means.REFUNDED,
    "payments.credits.partial.approval": Means.REFUNDED,
    "payments.credits.reject": Means.REFUND_FAILED,
    "risk.casemanagement.decision.reject": Means.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CybersourceConfig:
    signature_keys: Annotated[
        Mapping[str, Secret],
        "keyId -> key (base64), as answered by POST /kms/egress/v2/keys-sym with"
        " keyType=sharedSecret; during a rotation both",
        usable_by_name(base64_key),
    ]
    organization_id: Annotated[
        str, "the organization whose notifications are applied; empty: all that are signed"
    ] = ""


class Envelope(payload.Body):
    event_id = payload.Id(required=True, data_key="notificationId")
    type = payload.Text(required=True, data_key="eventType")
    occurred_at = payload.IsoTime(required=True, data_key="eventDate")


class Details(payload.Body):
    total = fields.Raw(allow_none=True, data_key="totalAmount")
    authorized = fields.Raw(allow_none=True, data_key="authorizedAmount")
    currency = payload.Currency(allow_none=True)


_ENVELOPE, _DETAILS = Envelope(), Details()


class Cybersource(Adapter[CybersourceConfig]):
    id = "cybersource"
    Config = CybersourceConfig
    key_path = "notificationId"
    scheme = NamedKeyStamp[CybersourceConfig]("v-c-signature", lambda config: config.signature_keys)
    meanings = _MEANINGS
    ignored = tuple(
        "payments.captures.review payments.refunds.review payments.credits.review"
        " payments.reversals.reject payments.voids.reject risk.casemanagement.decision.accept"
        " tokens.* tms.* invoicing.* recurring.* rbs.* uc.*".split()
    )

    def handshake(self, delivery: Delivery, config: CybersourceConfig) -> Reply | None:
        """The subscription's health check."""
        return Reply() if delivery.method in ("GET", "HEAD") else None

    def read(self, delivery: Delivery, config: CybersourceConfig) -> Iterable[PaymentEvent]:
        # A compact JWE, which starts with its own header in base64, or one in an object.
        if delivery.body.startswith(b"ey") or "encData" in payload.peek(delivery.body):
            detail = "it is encrypted: switch message-level encryption off for the webhook"
            raise Rejected(Cause.MALFORMED, detail)
        document = payload.json_object(delivery.body)
        told = Told(**_ENVELOPE.read(document))
        organization = document.get("organizationId") or config.organization_id
        if config.organization_id not in ("", organization):
            told = replace(told, detail="of an organization that is not configured")
            return [event(delivery, told, Means.IGNORED)]
        meaning = meaning_of([told.type], _MEANINGS, self.ignored)
        if meaning not in (None, Means.IGNORED):
            told = _complete(told, _data(document.get("payload")), meaning)
        return [event(delivery, told, meaning)]


def _data(found: Any) -> Any:
    """The object that holds the payment, in any of the forms in which it has been seen."""
    listed = found[0] if isinstance(found, list) and found else None
    paths = (listed, "data"), (found, "data"), (found, "transactionResult.details")
    seen = [inner for outer, path in paths if isinstance(inner := payload.dig(outer, path), dict)]
    named = [inner for inner in seen if "clientReferenceInformation" in inner]
    return next(iter(named + seen), None)


def _complete(told: Told, found: Any, meaning: Meaning) -> Told:
    money = _DETAILS.read(payload.dig(found, "orderInformation.amountDetails") or {})
    amount, currency = money.get("total") or money.get("authorized"), money.get("currency")
    if meaning.needs_amount:
        payload.require({"totalAmount": amount, "currency": currency}, "totalAmount", "currency")
    own_id = payload.text_under(found, "id")
    # Captures, refunds and reversals have ids of their own, and may not name the first one.
    first_id = own_id if told.type.startswith("payments.payments.") else None
    reference = payload.text_under(found, "clientReferenceInformation.code")
    if not (reference or first_id):
        raise Rejected(Cause.MALFORMED, "clientReferenceInformation.code: must be there")
    return replace(
        told,
        external_id=first_id,
        reference=reference,
        subject=own_id or told.event_id,
        amount=payload.from_major(amount, currency) if amount is not None and currency else None,
        currency=currency,
    )


adapter = Cybersource()
