"""PayU GPO Europe, REST API 2.1: https://developers.payu.com/europe/docs/payment-flows/lifecycle/."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.suffixed_digest import SuffixedDigest

_MEANINGS = {
    "NEW": Means.PENDING,
    "PENDING": Means.PENDING,
    # Only where automatic receipt is off: the money is held, the shop has to take it.
    "WAITING_FOR_CONFIRMATION": Means.AUTHORIZED,
    "COMPLETED": Means.PAID,
    "CANCELED": Means.CANCELED,
    "REJECTED": Means.FAILED,
    "REFUND FINALIZED": Means.REFUNDED,
    "REFUND CANCELED": Means.REFUND_FAILED,
    "REFUND PENDING": Means.IGNORED,
}
_SHA = {
    "SHA-256": "sha256",
    "SHA256": "sha256",
    "SHA": "sha256",
    "SHA-384": "sha384",
    "SHA384": "sha384",
    "SHA-512": "sha512",
    "SHA512": "sha512",
}
_WEAK = {"MD5": "md5", "SHA-1": "sha1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PayUConfig:
    second_keys: Annotated[
        Secrets,
        "panel > Electronic payments > My shops > (POS) > Configuration keys > Second key (MD5)",
    ]
    pos_id: Annotated[str, "in the same place: POS ID (pos_id); empty: not checked"] = ""
    allow_md5: Annotated[
        bool, "false refuses notifications signed with MD5 or SHA-1; first set the POS to SHA-256"
    ] = True


class Order(payload.Body):
    id, status = payload.Id(required=True, data_key="orderId"), payload.Id(required=True)
    reference = payload.Text(load_default=None, allow_none=True, data_key="extOrderId")
    amount = payload.WrittenMinorUnits(required=True, data_key="totalAmount")
    currency = payload.Currency(required=True, data_key="currencyCode")


class Refund(payload.Body):
    id, status = payload.NumberedId(required=True, data_key="refundId"), payload.Id(required=True)
    amount = payload.WrittenMinorUnits(required=True)
    currency = payload.Currency(required=True, data_key="currencyCode")
    at = payload.IsoTime(load_default=None, allow_none=True, data_key="statusDateTime")


class Notification(payload.Body):
    order_id = payload.Text(load_default=None, allow_none=True, data_key="orderId")
    reference = payload.Text(load_default=None, allow_none=True, data_key="extOrderId")
    # Only a completed order tells when.
    at = payload.IsoTime(load_default=None, allow_none=True, data_key="localReceiptDateTime")


_ORDER, _REFUND, _NOTIFICATION = Order(), Refund(), Notification()


class PayU(Adapter[PayUConfig]):
    id = "payu"
    Config = PayUConfig
    scheme = SuffixedDigest[PayUConfig](
        ("OpenPayu-Signature", "X-OpenPayU-Signature"),
        lambda config: config.second_keys,
        lambda config: _WEAK | _SHA if config.allow_md5 else _SHA,
    )
    meanings = _MEANINGS

    def read(self, delivery: Delivery, config: PayUConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        about, refund = _NOTIFICATION.read(document), document.get("refund")
        if refund is not None:
            return [_refund_event(delivery, about, _REFUND.read(refund))]
        order = _ORDER.read(document.get("order"))
        pos_id = payload.text_under(document, "order.merchantPosId")
        if config.pos_id and pos_id not in (None, config.pos_id):
            raise Rejected(Cause.UNKNOWN_PAYMENT, "it is of another point of sale")
        told = Told(
            event_id=f"{order['id']}:{order['status']}",
            type=order["status"],
            occurred_at=about["at"] or delivery.received_at,
            external_id=order["id"],
            reference=order["reference"],
            subject=order["id"],
            amount=order["amount"],
            currency=order["currency"],
        )
        return [event(delivery, told, meaning_of([told.type], _MEANINGS))]


def _refund_event(
    delivery: Delivery, about: dict[str, Any], refund: dict[str, Any]
) -> PaymentEvent:
    order_id, kind = payload.need(about, "order_id"), f"REFUND {refund['status']}"
    told = Told(
        event_id=f"{order_id}:{refund['id']}:{refund['status']}",
        type=kind,
        occurred_at=refund["at"] or delivery.received_at,
        external_id=order_id,
        reference=about["reference"],
        subject=refund["id"],
        amount=refund["amount"],
        currency=refund["currency"],
    )
    return event(delivery, told, meaning_of([kind], _MEANINGS))


adapter = PayU()
