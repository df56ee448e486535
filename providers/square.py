"""Square: https://developer.squareup.com/docs/webhooks/step3validate."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields, validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter, Verified
from providers.meanings import Meaning, Means, Told, event, meaning_of
from providers.schemes.body_hmac import BodyHmac
from providers.schemes.parts import as_base64

_PAYMENT = {
    "PENDING": Means.PENDING,
    "APPROVED": Means.AUTHORIZED,
    "COMPLETED": Means.PAID,
    "CANCELED": Means.RELEASED,
    "FAILED": Meaning(Means.FAILED.session_status, Means.CAPTURE_FAILED.payment_event),
}
_REFUND = {
    "PENDING": Means.IGNORED,
    "COMPLETED": Means.REFUNDED,
    "FAILED": Means.REFUND_FAILED,
    "REJECTED": Means.REFUND_FAILED,
}
_DISPUTE = {
    "INQUIRY_EVIDENCE_REQUIRED": Means.IGNORED,
    "INQUIRY_PROCESSING": Means.IGNORED,
    "INQUIRY_CLOSED": Means.IGNORED,
    # Told at the start, and again when an inquiry has become a dispute: the same fact.
    "EVIDENCE_REQUIRED": Means.DISPUTED,
    "WON": Means.DISPUTE_WON,
    "LOST": Means.DISPUTE_LOST,
    "ACCEPTED": Means.DISPUTE_LOST,
}
_STATUSES = {
    "payment.created": _PAYMENT,
    "payment.updated": _PAYMENT,
    "refund.created": _REFUND,
    "refund.updated": _REFUND,
    "dispute.created": _DISPUTE | {"PROCESSING": Means.DISPUTED},
    "dispute.state.updated": _DISPUTE | {"PROCESSING": Means.IGNORED},
    # The name of dispute.state.updated in older API versions.
    "dispute.state.changed": _DISPUTE | {"PROCESSING": Means.IGNORED},
}
_MEANINGS = {f"{kind} {at}": its for kind, row in _STATUSES.items() for at, its in row.items()}
_MODES = {"production": True, "sandbox": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareConfig:
    signature_keys: Annotated[
        Secrets,
        "Developer Console > (application) > Webhooks > Subscriptions > (subscription) > Signature"
        " key, of the right environment",
    ]
    notification_url: Annotated[
        str,
        "the notification URL of that subscription, exactly as registered, to the last slash",
        validate.Regexp(r"https?://[!-~]+\Z", error="must be an http(s) URL"),
    ]


class Money(payload.Body):
    amount, currency = payload.MinorUnits(required=True), payload.Currency(required=True)


class Disputed(payload.Body):
    payment_id = payload.Id(allow_none=True)


class Subject(payload.Body):
    """A payment, refund or dispute: what is used of each."""

    # `dispute_id` and `state` are what disputes say in place of `id` and `status`.
    id, dispute_id = (payload.Id(allow_none=True) for _ in range(2))
    status, state = (payload.Text(allow_none=True) for _ in range(2))
    updated_at = payload.IsoTime(allow_none=True)
    reference_id = payload.Text(allow_none=True)
    payment_id = payload.Id(allow_none=True)
    disputed_payment = fields.Nested(Disputed, allow_none=True)
    # The sum with the tip; `amount_money` is without it.
    total_money, amount_money = (fields.Nested(Money, allow_none=True) for _ in range(2))


class Envelope(payload.Body):
    event_id, type = payload.Id(required=True), payload.Text(required=True)
    created_at = payload.IsoTime(required=True)
    data = fields.Raw(load_default=None, allow_none=True)


_ENVELOPE, _SUBJECT = Envelope(), Subject()


class Square(Adapter[SquareConfig]):
    id = "square"
    Config = SquareConfig
    scheme = BodyHmac[SquareConfig](
        "x-square-hmacsha256-signature",
        lambda config: config.signature_keys,
        encode=as_base64,
        # The registered URL, not the request's: proxies change its scheme and host.
        signed=lambda delivery, config: config.notification_url.encode() + delivery.body,
    )
    refusal_status = 403
    meanings = _MEANINGS
    ignored = tuple(
        "dispute.evidence.* order.* invoice.* payout.* customer.* terminal.* oauth.*"
        " webhooks.test_notification".split()
    )

    def verify(self, delivery: Delivery, config: SquareConfig) -> Verified:
        verdict = super().verify(delivery, config)
        if not delivery.body:
            raise Rejected(Cause.MALFORMED, "the body is empty")
        return verdict

    def key(self, delivery: Delivery, config: SquareConfig) -> bytes:
        return (payload.text_at(delivery.body, "event_id") or "").encode() or delivery.body

    def read(self, delivery: Delivery, config: SquareConfig) -> Iterable[PaymentEvent]:
        envelope = _ENVELOPE.read(payload.json_object(delivery.body))
        kind = envelope["type"]
        mode = delivery.header_values("square-environment")
        told = Told(
            event_id=envelope["event_id"],
            type=kind,
            occurred_at=envelope["created_at"],
            livemode=_MODES.get(mode[0].strip().lower()) if len(mode) == 1 else None,
        )
        if kind not in _STATUSES:
            return [event(delivery, told, meaning_of([kind], {}, self.ignored))]
        family = kind.partition(".")[0]
        found = _SUBJECT.read(payload.dig(envelope["data"], f"object.{family}"))
        word = f"{kind} {found.get('status') or found.get('state')}"
        return [event(delivery, _complete(told, family, found), meaning_of([word], _MEANINGS))]


def _complete(told: Told, family: str, found: dict[str, Any]) -> Told:
    own_id = found.get("id") or found.get("dispute_id")
    money = found.get("total_money") or found.get("amount_money")
    if own_id is None or money is None:
        raise Rejected(Cause.MALFORMED, f"{family}: its id and money must be there")
    payments = {
        "payment": own_id,
        "refund": found.get("payment_id"),
        "dispute": (found.get("disputed_payment") or {}).get("payment_id"),
    }
    return replace(
        told,
        # Samples show events made before the object's own last change, so neither time is enough.
        occurred_at=max(told.occurred_at, found.get("updated_at") or told.occurred_at),
        external_id=payments[family],
        reference=found.get("reference_id"),
        subject=own_id,
        # A payment is captured as a whole, and told again at every change of it.
        total=family == "payment",
        amount=money["amount"],
        currency=money["currency"],
    )


adapter = Square()
