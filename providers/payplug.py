"""PayPlug, unsigned notifications: https://docs.payplug.com/api/apiref.html."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from marshmallow import validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret
from providers.contract import Adapter, Settlement, Verified
from providers.meanings import Means, Told, by_word, event, meaning_of
from providers.schemes.api_answer import bearer_get
from providers.schemes.unsigned import Unsigned
from providers.shapes import Shape, first, matching, text

_API = "https://api.payplug.com/v1/payments"
_IDS = {"payment": r"pay_[A-Za-z0-9]{1,64}", "refund": r"re_[A-Za-z0-9]{1,64}"}
_LIVE_KEY = {"sk_live_": True, "sk_test_": False}
# PayPlug has no types: these are made of an object and its state.
_MEANINGS = by_word(
    {
        "payment.pending": Means.PENDING,
        "payment.authorized": Means.AUTHORIZED,
        "payment.paid": Means.PAID,
        "payment.failed": Means.FAILED,
        "payment.canceled": Means.CANCELED,
        "payment.canceled after authorization": Means.RELEASED,
        "payment.refunded, refund": Means.REFUNDED,
    }
)
_SUMS = {
    Means.AUTHORIZED: "authorization.authorized_amount|amount",
    Means.REFUNDED: "amount_refunded",
}
_PAYMENT = Shape("id", "metadata.session_id", sums=_SUMS, total=True)
_SHAPES = {
    "payment.paid": replace(_PAYMENT, at="paid_at"),
    "payment.authorized": replace(_PAYMENT, at="authorization.authorized_at"),
    "refund": Shape("payment_id", "metadata.session_id", at="created_at"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PayPlugConfig:
    secret_key: Annotated[Secret | None, "Portal > My account > API credentials, sk_..."] = None
    api_version: Annotated[str, "the API's version", validate.Regexp(r"[0-9-]{10}\Z")] = (
        "2019-08-06"
    )


class PayPlug(Adapter[PayPlugConfig]):
    id = "payplug"
    Config = PayPlugConfig
    # Anybody can send what PayPlug will send: it must not become a repetition of that.
    key_path = None
    scheme = Unsigned[PayPlugConfig](lambda config: config.secret_key)
    meanings = _MEANINGS
    ignored = ("installment_plan", "accounting_report")
    unproven = "notifications, which are not signed at all; what they name is fetched back"

    def verify(self, delivery: Delivery, config: PayPlugConfig) -> Verified:
        verdict = super().verify(delivery, config)
        # Of what is no payment's concern there is nothing to ask.
        kind = payload.text_at(delivery.body, "object")
        return replace(verdict, settled=kind not in (None, *_IDS))

    def read(self, delivery: Delivery, config: PayPlugConfig) -> Iterable[PaymentEvent]:
        kind = payload.text_at(delivery.body, "object")
        if kind is None or kind in _IDS:
            raise Rejected(Cause.UNVERIFIABLE, "a notification says nothing until it is settled")
        told = Told(event_id=f"unasked:{kind}", type=kind, occurred_at=delivery.received_at)
        return [event(delivery, told, meaning_of([kind], {}, self.ignored))]

    def settle(self, delivery: Delivery, config: PayPlugConfig) -> Settlement:
        hint = payload.json_object(delivery.body)
        kind = matching(hint, "object", "payment|refund")
        asked = {"object": kind, "id": matching(hint, "id", _IDS[kind])}
        path = asked["id"]
        if kind == "refund":
            asked["payment_id"] = matching(hint, "payment_id", _IDS["payment"])
            path = f"{asked['payment_id']}/refunds/{path}"
        version = ("PayPlug-Version", config.api_version)
        answer = yield bearer_get(f"{_API}/{path}", config.secret_key, version)
        if answer.status != HTTPStatus.OK:
            # PayPlug does not tell an object of the other mode from one that never was.
            raise Rejected(Cause.UNVERIFIABLE, f"PayPlug's API answered {answer.status}")
        found = payload.json_object(answer.body)
        for name, value in asked.items():
            matching(found, name, value)
        livemode = found.get("is_live")
        key = config.secret_key.value if config.secret_key else ""
        if _LIVE_KEY.get(key[:8], livemode) is not livemode:
            raise Rejected(Cause.UNVERIFIABLE, "is_live: the key is of the other mode")
        events, now = [], delivery.received_at
        for word, more in _facts(found, now).items():
            fact, kind = f"{asked['id']}:{word}:{more}", word.partition(" ")[0]
            told = Told(event_id=fact, type=kind, occurred_at=now, livemode=livemode)
            shape, meaning = _SHAPES.get(word, _PAYMENT), _MEANINGS[word]
            events.append(event(delivery, shape.completing(told, found, meaning), meaning))
        return events


def _facts(found: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The words for all that an object tells of itself, and what else makes them a fact."""
    if found["object"] == "refund":
        return {"refund": ""}
    facts = {f"payment.{_state(found, now)}": text(found, "failure.code") or ""}
    refunded = found.get("amount_refunded")
    return facts | ({"payment.refunded": refunded} if refunded else {})


def _state(found: dict[str, Any], now: datetime) -> str:
    """What a payment is."""
    authorized_at = first(found, "authorization.authorized_at")
    expires_at = first(found, "authorization.expires_at")
    if found.get("is_paid") is True:
        return "paid"
    if text(found, "failure.code") in ("aborted", "timeout"):
        return "canceled after authorization" if authorized_at else "canceled"
    if found.get("failure") is not None:
        return "failed"
    if authorized_at and (expires_at is None or payload.from_unix(expires_at) > now):
        return "authorized"
    return "pending"


adapter = PayPlug()
