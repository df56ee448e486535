"""PayU GPO Europe, REST API 2.1: https://developers.payu.com/europe/docs/payment-flows/lifecycle/."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event
from providers.schemes.suffixed_digest import SuffixedDigest
from providers.shapes import Shape, matching

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
_NAMED, _MONEY = ("orderId", "extOrderId"), ("totalAmount", "currencyCode")
_SHAPES = {
    # Only a completed order tells when.
    "order": Shape(*_NAMED, *_MONEY, "orderId", digits=True, at="localReceiptDateTime"),
    "refund": Shape(*_NAMED, "amount", _MONEY[1], "refundId", digits=True, at="statusDateTime"),
}
_SHA = {f"SHA{dash}{bits}": f"sha{bits}" for dash in ("", "-") for bits in (256, 384, 512)}
_SHA |= {"SHA": "sha256"}
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
        part = "order" if document.get("refund") is None else "refund"
        found = payload.loose_object(document.get(part))
        pos_id = payload.text_under(found, "merchantPosId")
        if config.pos_id and pos_id not in (None, config.pos_id):
            raise Rejected(Cause.UNKNOWN_PAYMENT, "it is of another point of sale")
        # The ids of a refund's order stand outside of it, and so does the time of an order.
        found = {**document, **found}
        status, order_id = matching(found, "status"), matching(found, "orderId")
        facts = [order_id, payload.text_under(found, "refundId"), status]
        told = Told(
            event_id=":".join(filter(None, facts)),
            type=status if part == "order" else f"REFUND {status}",
            occurred_at=delivery.received_at,
        )
        meaning = self.meaning(told.type)
        return [event(delivery, _SHAPES[part].completing(told, found, meaning), meaning)]


adapter = PayU()
