"""Access Worldpay: https://developer.worldpay.com/products/events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from marshmallow import fields

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret
from providers.contract import Adapter
from providers.meanings import Meaning, Means, Told, event, meaning_of
from providers.schemes.named_keys import NamedKeyList
from providers.schemes.parts import hex_key, raw_key

_MEANINGS = {
    "sentForAuthorization": Means.PENDING,
    "authorized": Means.AUTHORIZED,
    # `settled` and `refunded` are sent in some set-ups only, so that the sending counts already.
    "sentForSettlement": Means.PAID,
    "settled": Means.CAPTURED,
    "settlementFailed": Means.CAPTURE_FAILED,
    "settlementRejected": Means.CAPTURE_FAILED,
    "cancelled": Means.RELEASED,
    "cancelledByCustomer": Means.RELEASED,
    "expired": Means.RELEASED,
    "requestExpired": Means.RELEASED,
    "error": Means.FAILED,
    "refused": Means.FAILED,
    "sentForRefund": Means.REFUNDED,
    "refunded": Means.REFUNDED,
    "refundFailed": Means.REFUND_FAILED,
    "chargedBack": Means.DISPUTED,
    "informationRequested chargeback": Means.DISPUTED,
}
_KEYS = {"hex": hex_key, "raw": raw_key}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldpayConfig:
    webhook_secrets_by_key_id: Annotated[
        Mapping[str, Secret],
        "keyId -> shared secret, from Worldpay's implementation manager, who also turns signing"
        " on; while keys change both",
    ]
    secret_encoding: Annotated[
        Literal["hex", "raw"], "how those secrets are written: bytes in hex, or the text itself"
    ] = "hex"  # noqa: S105 - the name of an encoding


class Envelope(payload.Body):
    event_id = payload.Id(required=True, data_key="eventId")
    # Without a zone: UTC.
    occurred_at = payload.IsoTime(required=True, data_key="eventTimestamp")
    details = fields.Raw(required=True, data_key="eventDetails")


class Kind(payload.Body):
    type = payload.Text(required=True)
    classification = payload.Text(allow_none=True)


class Money(payload.Body):
    value = payload.MinorUnits(required=True)
    currency = payload.Currency(required=True, data_key="currencyCode")


class Details(payload.Body):
    transaction_reference = payload.Id(required=True, data_key="transactionReference")
    reference = payload.Text(allow_none=True)
    amount = fields.Nested(Money, allow_none=True)


_ENVELOPE, _KIND, _DETAILS = Envelope(), Kind(), Details()


class Worldpay(Adapter[WorldpayConfig]):
    id = "worldpay"
    Config = WorldpayConfig
    scheme = NamedKeyList[WorldpayConfig](
        "Event-Signature",
        lambda config: config.webhook_secrets_by_key_id,
        key=lambda secret, config: _KEYS[config.secret_encoding](secret),
    )
    meanings = _MEANINGS
    ignored = (
        "settlementInstructed",
        "tokenCreated",
        "topUpAccepted",
        "topUpRejected",
        "informationRequested",
    )

    def key(self, delivery: Delivery, config: WorldpayConfig) -> bytes:
        return (payload.text_at(delivery.body, "eventId") or "").encode() or delivery.body

    def read(self, delivery: Delivery, config: WorldpayConfig) -> Iterable[PaymentEvent]:
        envelope = _ENVELOPE.read(payload.json_object(delivery.body))
        kind = _KIND.read(envelope["details"])
        word, classification = kind["type"], kind.get("classification")
        told = Told(event_id=envelope["event_id"], type=word, occurred_at=envelope["occurred_at"])
        if classification == "payout":
            return [event(delivery, told, Means.IGNORED)]
        meaning = meaning_of([word, f"{word} {classification}"], _MEANINGS, self.ignored)
        if meaning not in (None, Means.IGNORED):
            told = _complete(told, _DETAILS.read(envelope["details"]), meaning)
        return [event(delivery, told, meaning)]


def _complete(told: Told, found: dict[str, Any], meaning: Meaning) -> Told:
    if meaning.needs_amount:
        payload.require(found, "amount")
    money = found.get("amount") or {}
    return replace(
        told,
        reference=found["transaction_reference"],
        # A partial settlement or refund has a reference of its own, the same when it is settled.
        subject=found.get("reference") or found["transaction_reference"],
        amount=money.get("value"),
        currency=money.get("currency"),
    )


adapter = Worldpay()
