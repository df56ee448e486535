"""PayPlug, unsigned notifications: https://docs.payplug.com/api/apiref.html."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from marshmallow import fields, validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret
from providers.contract import Adapter, ApiRequest, Settlement, Verified
from providers.meanings import Means, Told, by_word, event, meaning_of
from providers.schemes.unsigned import Unsigned
from providers.shapes import matching

_API = "https://api.payplug.com/v1/payments"
_IDS = {"payment": r"pay_[A-Za-z0-9]{1,64}", "refund": r"re_[A-Za-z0-9]{1,64}"}
_LIVE_KEY = {"sk_live_": True, "sk_test_": False}
# PayPlug has no types: these are made of an object and its state.
_ROWS = {
    "payment.pending": Means.PENDING,
    "payment.authorized": Means.AUTHORIZED,
    "payment.paid": Means.PAID,
    "payment.failed": Means.FAILED,
    "payment.canceled": Means.CANCELED,
    "payment.canceled after authorization": Means.RELEASED,
    "payment.refunded, refund": Means.REFUNDED,
}
_MEANINGS = by_word(_ROWS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayPlugConfig:
    secret_key: Annotated[Secret | None, "Portal > My account > API credentials, sk_..."] = None
    api_version: Annotated[str, "the API's version", validate.Regexp(r"[0-9-]{10}\Z")] = (
        "2019-08-06"
    )


class Authorization(payload.Body):
    authorized_amount = payload.MinorUnits(load_default=None, allow_none=True)
    authorized_at, expires_at = (payload.UnixTime(load_default=None, allow_none=True) for _ in "12")


class PaymentOrRefund(payload.Body):
    id, object = payload.Id(required=True), payload.Text(required=True)
    is_live = fields.Boolean(required=True)
    amount, currency = payload.MinorUnits(required=True), payload.Currency(required=True)
    amount_refunded = payload.MinorUnits(load_default=0, allow_none=True)
    is_paid = fields.Boolean(load_default=False, allow_none=True)
    paid_at, created_at = (payload.UnixTime(load_default=None, allow_none=True) for _ in "12")
    authorization = fields.Nested(Authorization, load_default=None, allow_none=True)
    failure = fields.Dict(load_default=None, allow_none=True)
    payment_id = payload.Id(load_default=None, allow_none=True)
    metadata = fields.Raw(load_default=None, allow_none=True)


_FOUND = PaymentOrRefund()


class PayPlug(Adapter[PayPlugConfig]):
    id = "payplug"
    Config = PayPlugConfig
    # Anybody can send what PayPlug will send: it must not become a repetition of that.
    key_path = None
    scheme = Unsigned[PayPlugConfig]()
    unproven = "the whole notification; what it names is fetched back"
    meanings = _MEANINGS
    ignored = ("installment_plan", "accounting_report")

    def verify(self, delivery: Delivery, config: PayPlugConfig) -> Verified:
        if config.secret_key is None:
            raise Rejected(Cause.NOT_CONFIGURED, "set secret_key: PayPlug has to be asked")
        kind = payload.text_at(delivery.body, "object")
        return Verified(settled=kind is not None and kind not in _IDS)

    def read(self, delivery: Delivery, config: PayPlugConfig) -> Iterable[PaymentEvent]:
        kind = payload.text_at(delivery.body, "object")
        if kind is None or kind in _IDS:
            raise Rejected(Cause.UNVERIFIABLE, "a notification says nothing until it is settled")
        told = Told(event_id=f"unasked:{kind}", type=kind, occurred_at=delivery.received_at)
        return [event(delivery, told, meaning_of([kind], {}, self.ignored))]

    def settle(self, delivery: Delivery, config: PayPlugConfig) -> Settlement:
        hint = payload.json_object(delivery.body)
        kind = matching(hint, "object", "payment|refund")
        path = own_id = matching(hint, "id", _IDS[kind])
        if kind == "refund":
            path = f"{matching(hint, 'payment_id', _IDS['payment'])}/refunds/{own_id}"
        key = config.secret_key.value if config.secret_key else ""
        headers = (("Authorization", f"Bearer {key}"), ("PayPlug-Version", config.api_version))
        answer = yield ApiRequest("GET", f"{_API}/{path}", headers)
        if answer.status != HTTPStatus.OK:
            # PayPlug does not tell an object of the other mode from one that never was.
            raise Rejected(Cause.UNVERIFIABLE, f"PayPlug's API answered {answer.status}")
        found = _FOUND.read(payload.json_object(answer.body))
        if (found["object"], found["id"]) != (kind, own_id):
            raise Rejected(Cause.MALFORMED, "id: the API answered with another object")
        if _LIVE_KEY.get(key[:8], found["is_live"]) != found["is_live"]:
            raise Rejected(Cause.UNVERIFIABLE, "is_live: the key is of the other mode")
        facts = _facts(found, delivery.received_at)
        return [event(delivery, told, meaning_of([word], _MEANINGS)) for told, word in facts]


def _facts(found: dict[str, Any], now: datetime) -> list[tuple[Told, str]]:
    """All that an object tells of itself, each with the word for it."""
    told = Told(
        event_id=found["id"],
        type=found["object"],
        occurred_at=found["created_at"] or now,
        livemode=found["is_live"],
        external_id=found["id"],
        reference=payload.text_under(found["metadata"], "session_id"),
        subject=found["id"],
        amount=found["amount"],
        currency=found["currency"],
    )
    if told.type == "refund":
        return [(replace(told, external_id=payload.need(found, "payment_id")), "refund")]
    state, at, amount = _state(found, now)
    kind, code = f"payment.{state.partition(' ')[0]}", payload.text_under(found, "failure.code")
    fact = f"{told.event_id}:{state}:{code}" if code else f"{told.event_id}:{state}"
    paid = replace(told, event_id=fact, type=kind, occurred_at=at, total=True, amount=amount)
    refunded, kind_back = found["amount_refunded"] or 0, "payment.refunded"
    fact = f"{told.event_id}:refunded:{refunded}"
    back = replace(paid, event_id=fact, type=kind_back, occurred_at=now, amount=refunded)
    return [(paid, f"payment.{state}"), (back, kind_back)][: 2 if refunded else 1]


def _state(found: dict[str, Any], now: datetime) -> tuple[str, datetime, int]:
    """What a payment is, since when, and of how much."""
    held, failure, amount = found["authorization"] or {}, found["failure"], found["amount"]
    authorized_at, expires_at = held.get("authorized_at"), held.get("expires_at")
    if found["is_paid"]:
        return "paid", found["paid_at"] or now, amount
    if payload.text_under(failure, "code") in ("aborted", "timeout"):
        return "canceled after authorization" if authorized_at else "canceled", now, amount
    if failure is not None:
        return "failed", now, amount
    if authorized_at and (expires_at is None or expires_at > now):
        return "authorized", authorized_at, held["authorized_amount"] or amount
    return "pending", now, amount


adapter = PayPlug()
