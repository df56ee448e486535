"""PhonePe Payment Gateway v2: https://developer.phonepe.com/payment-gateway."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields, validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter, Verified
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.parts import header, live, same_as_any, with_headers

# An event and the order's or refund's own state: those of its attempts do not count.
_MEANINGS = {
    "checkout.order.completed COMPLETED": Means.PAID,
    "pg.order.completed COMPLETED": Means.PAID,
    "checkout.order.failed FAILED": Means.FAILED,
    "pg.order.failed FAILED": Means.FAILED,
    "pg.refund.completed COMPLETED": Means.REFUNDED,
    "pg.refund.failed FAILED": Means.REFUND_FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PhonePeConfig:
    username: Annotated[
        str,
        "Dashboard > Developer Settings > Webhook > username",
        validate.Length(1, error="must not be empty"),
    ]
    password: Annotated[Secrets, "the same page; several while you rotate"]


class SharedHash:
    """`Authorization` is the SHA-256 of `username:password`: it covers nothing of the body."""

    def verify(self, delivery: Delivery, config: PhonePeConfig) -> Verified:
        secrets = live(config.password)
        given = [header(delivery, "Authorization").lower()]
        for secret in secrets:
            if same_as_any(_hash(config, secret), given):
                return Verified(secret.label)
        raise Rejected(Cause.BAD_CREDENTIALS, "Authorization is not of this user and password")

    def sign(self, delivery: Delivery, config: PhonePeConfig) -> Delivery:
        return with_headers(delivery, ("Authorization", _hash(config, live(config.password)[0])))


def _hash(config: PhonePeConfig, password: Secret) -> str:
    return hashlib.sha256(f"{config.username}:{password.value}".encode()).hexdigest()


class Detail(payload.Body):
    transaction_id = payload.Text(data_key="transactionId", load_default="", allow_none=True)
    timestamp = fields.Raw(load_default=None, allow_none=True)


class Subject(payload.Body):
    """An order or a refund; PhonePe calls it the payload."""

    order_id = payload.Id(data_key="orderId", allow_none=True)
    merchant_order_id = payload.Text(data_key="merchantOrderId", allow_none=True)
    refund_id = payload.Id(data_key="refundId", allow_none=True)
    refunded_order_id = payload.Text(data_key="originalMerchantOrderId", allow_none=True)
    amount = payload.MinorUnits(load_default=None, allow_none=True)
    currency = payload.Currency(load_default=None, allow_none=True)
    timestamp = fields.Raw(load_default=None, allow_none=True)
    details = fields.List(
        fields.Nested(Detail), data_key="paymentDetails", load_default=None, allow_none=True
    )


class Envelope(payload.Body):
    # `type` is deprecated, but older configurations bring nothing else.
    event, type = (payload.Text(load_default="", allow_none=True) for _ in range(2))
    subject = fields.Raw(data_key="payload", load_default=None)


_ENVELOPE, _SUBJECT = Envelope(), Subject()


class PhonePe(Adapter[PhonePeConfig]):
    id = "phonepe"
    Config = PhonePeConfig
    scheme = SharedHash()
    secret_headers = ("Authorization",)
    meanings = _MEANINGS
    ignored = tuple(
        "pg.transaction.* checkout.transaction.* pg.refund.accepted subscription.*"
        " paylink.*".split()
    )

    def read(self, delivery: Delivery, config: PhonePeConfig) -> Iterable[PaymentEvent]:
        envelope = _ENVELOPE.read(payload.json_object(delivery.body))
        kind = envelope["event"] or (envelope["type"] or "").lower().replace("_", ".")
        if not kind:
            raise Rejected(Cause.MALFORMED, "event: must be there")
        subject = envelope["subject"]
        own_id = payload.text_under(subject, "refundId") or payload.text_under(subject, "orderId")
        state = payload.text_under(subject, "state")
        told = Told(
            event_id=":".join(filter(None, (kind, own_id, state))),
            type=kind,
            occurred_at=delivery.received_at,
        )
        meaning = meaning_of([f"{kind} {state}", kind], _MEANINGS, self.ignored)
        if meaning not in (None, Means.IGNORED):
            told = _complete(told, _SUBJECT.read(subject))
        return [event(delivery, told, meaning)]


def _complete(told: Told, found: dict[str, Any]) -> Told:
    of_refund = told.type.startswith("pg.refund")
    names = ("refund_id", "refunded_order_id") if of_refund else ("order_id", "merchant_order_id")
    details = [(_millis(item), item["transaction_id"] or "") for item in found["details"] or ()]
    newest, transaction = max(details, default=(0, ""))
    at = (_millis(found) if of_refund else 0) or newest
    return replace(
        told,
        event_id=":".join(filter(None, (told.event_id, transaction))),
        occurred_at=payload.from_millis(at) if at else told.occurred_at,
        external_id=None if of_refund else payload.need(found, "order_id"),
        reference=found.get(names[1]),
        subject=payload.need(found, names[0]),
        total=not of_refund,
        amount=payload.need(found, "amount"),
        currency=found["currency"] or "INR",
    )


def _millis(found: dict[str, Any]) -> int:
    value = found["timestamp"] or 0
    payload.from_millis(value)
    return int(value)


adapter = PhonePe()
