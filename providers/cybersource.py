"""Cybersource: https://developer.cybersource.com/docs/cybs/en-us/webhooks/implementation/all/rest/webhooks.html."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret
from providers.contract import Adapter, Reply
from providers.meanings import Means, event
from providers.schemes.named_keys import NamedKeyStamp, usable_by_name
from providers.schemes.parts import base64_key
from providers.shapes import Heading, Shape

_MEANINGS = {
    # With the capture in the same request, payments.captures.accept tells of that.
    "payments.payments.accept": Means.AUTHORIZED,
    "payments.payments.partial.approval": Means.REQUIRES_MORE,
    "payments.payments.review": Means.PENDING,
    "payments.payments.reject, risk.casemanagement.decision.reject": Means.FAILED,
    "payments.captures.accept": Means.CAPTURED,
    "payments.captures.reject": Means.CAPTURE_FAILED,
    "payments.reversals.accept, payments.voids.accept": Means.RELEASED,
    "payments.refunds.accept, payments.refunds.partial.approval": Means.REFUNDED,
    "payments.credits.accept, payments.credits.partial.approval": Means.REFUNDED,
    "payments.refunds.reject, payments.credits.reject": Means.REFUND_FAILED,
}
_HEADING = Heading("notificationId", "eventType", "eventDate")
_SUM, _NAMED = "orderInformation.amountDetails", "clientReferenceInformation.code"
_MONEY = (f"{_SUM}.totalAmount|{_SUM}.authorizedAmount", f"{_SUM}.currency")
_LATER = Shape("", _NAMED, *_MONEY, "id|notificationId", in_parts=True, priced=False, major=True)
# Captures, refunds and reversals have ids of their own, and may not name the first one.
_FIRST = replace(_LATER, external_id="id")


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


class Cybersource(Adapter[CybersourceConfig]):
    id, key_path = "cybersource", "notificationId"
    Config = CybersourceConfig
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
        told = _HEADING.told(document)
        organization = document.get("organizationId") or config.organization_id
        if config.organization_id not in ("", organization):
            told = replace(told, detail="of an organization that is not configured")
            return [event(delivery, told, Means.IGNORED)]
        meaning = self.meaning(told.type)
        shape = _FIRST if told.type.startswith("payments.payments.") else _LATER
        found = _data(document.get("payload")) | {"notificationId": told.event_id}
        return [event(delivery, shape.completing(told, found, meaning), meaning)]


def _data(found: Any) -> dict[str, Any]:
    """The object that holds the payment, in any of the forms in which it has been seen."""
    listed = found[0] if isinstance(found, list) and found else None
    paths = (listed, "data"), (found, "data"), (found, "transactionResult.details")
    seen = [inner for outer, path in paths if isinstance(inner := payload.dig(outer, path), dict)]
    named = [inner for inner in seen if "clientReferenceInformation" in inner]
    return next(iter(named + seen), {})


adapter = Cybersource()
