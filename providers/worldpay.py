"""Access Worldpay: https://developer.worldpay.com/products/events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret
from providers.contract import Adapter
from providers.meanings import Means, event
from providers.schemes.named_keys import NamedKeyList
from providers.schemes.parts import hex_key, raw_key
from providers.shapes import Heading, Shape, text

_MEANINGS = {
    "sentForAuthorization": Means.PENDING,
    "authorized": Means.AUTHORIZED,
    # `settled` and `refunded` are sent in some set-ups only: that it was sent counts already.
    "sentForSettlement": Means.PAID,
    "settled": Means.CAPTURED,
    "settlementFailed, settlementRejected": Means.CAPTURE_FAILED,
    "cancelled, cancelledByCustomer, expired, requestExpired": Means.RELEASED,
    "error, refused": Means.FAILED,
    "sentForRefund, refunded": Means.REFUNDED,
    "refundFailed": Means.REFUND_FAILED,
    "chargedBack, informationRequested chargeback": Means.DISPUTED,
}
# Without a zone, its times are UTC.
_HEADING = Heading("eventId", "eventDetails.type", "eventTimestamp")
_SHAPE = Shape(
    "",
    "transactionReference",
    "amount.value",
    "amount.currencyCode",
    # A partial settlement or refund has a reference of its own, the same when it is settled.
    own_id="reference|transactionReference",
    in_parts=True,
    priced=False,
)
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


class Worldpay(Adapter[WorldpayConfig]):
    id, key_path = "worldpay", "eventId"
    Config = WorldpayConfig
    scheme = NamedKeyList[WorldpayConfig](
        "Event-Signature",
        lambda config: config.webhook_secrets_by_key_id,
        key=lambda secret, config: _KEYS[config.secret_encoding](secret),
    )
    meanings = _MEANINGS
    ignored = tuple(
        "settlementInstructed tokenCreated topUpAccepted topUpRejected informationRequested".split()
    )

    def read(self, delivery: Delivery, config: WorldpayConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        told, found = _HEADING.told(document), document.get("eventDetails")
        classification = text(found, "classification")
        words = [told.type, f"{told.type} {classification}"]
        meaning = self.meaning(*words)
        if classification == "payout":
            meaning = Means.IGNORED
        return [event(delivery, _SHAPE.completing(told, found, meaning), meaning)]


adapter = Worldpay()
