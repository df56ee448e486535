"""PhonePe Payment Gateway v2: https://developer.phonepe.com/payment-gateway."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from marshmallow import validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event
from providers.schemes.shared_hash import SharedHash
from providers.shapes import Shape, id_at, items, matching, text

# An event and the order's or refund's own state: those of its attempts do not count.
_MEANINGS = {
    "checkout.order.completed COMPLETED, pg.order.completed COMPLETED": Means.PAID,
    "checkout.order.failed FAILED, pg.order.failed FAILED": Means.FAILED,
    "pg.refund.completed COMPLETED": Means.REFUNDED,
    "pg.refund.failed FAILED": Means.REFUND_FAILED,
}
_DETAILS = "paymentDetails"
_ORDER = Shape("orderId", "merchantOrderId", own_id="orderId", total=True)
_REFUND = Shape("", "originalMerchantOrderId", own_id="refundId")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhonePeConfig:
    username: Annotated[
        str,
        "Dashboard > Developer Settings > Webhook > username",
        validate.Length(1, error="must not be empty"),
    ]
    password: Annotated[Secrets, "the same page; several while you rotate"]


class PhonePe(Adapter[PhonePeConfig]):
    id = "phonepe"
    Config = PhonePeConfig
    scheme = SharedHash[PhonePeConfig](
        lambda config: config.username, lambda config: config.password
    )
    unproven = "the whole body: the header is a static token, so serve this URL by HTTPS only"
    secret_headers = ("Authorization",)
    meanings = _MEANINGS
    ignored = tuple(
        "pg.transaction.* checkout.transaction.* pg.refund.accepted subscription.*"
        " paylink.*".split()
    )

    def read(self, delivery: Delivery, config: PhonePeConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        # `type` is deprecated, but older configurations bring nothing else.
        kind = text(document, "event") or (text(document, "type") or "").lower().replace("_", ".")
        if not kind:
            raise Rejected(Cause.MALFORMED, "event: must be there")
        found = payload.loose_object(document.get("payload"))
        state, own_id = text(found, "state"), id_at(found, "refundId|orderId")
        meaning = self.meaning(f"{kind} {state}", kind)
        at, transaction = _newest(found) if meaning else (0, "")
        told = Told(
            event_id=":".join(filter(None, (kind, own_id, state, transaction))),
            type=kind,
            occurred_at=payload.from_millis(at) if at else delivery.received_at,
        )
        shape = _REFUND if kind.startswith("pg.refund") else _ORDER
        if meaning:
            matching(found, shape.own_id)
        found["currency"] = found.get("currency") or "INR"
        return [event(delivery, shape.completing(told, found, meaning), meaning)]


def _newest(found: dict[str, Any]) -> tuple[int, str]:
    """The time in milliseconds of a refund, or of an order's last attempt; and its transaction."""
    tries = [(_millis(item), text(item, "transactionId") or "") for item in items(found, _DETAILS)]
    at, transaction = max(tries, default=(0, ""))
    return (_millis(found) if "refundId" in found else 0) or at, transaction


def _millis(found: Any) -> int:
    value = payload.dig(found, "timestamp") or 0
    payload.from_millis(value)
    return int(value)


adapter = PhonePe()
