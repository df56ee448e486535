"""Xendit, payments v3 and v2, refunds, invoices, e-wallets: https://docs.xendit.co/apidocs."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import ChangeKind, Delivery, PaymentEvent
from providers import payload, shapes
from providers.configuration import Secret, Secrets
from providers.contract import Adapter
from providers.meanings import Meaning, Means, Told, by_word, event, meaning_of
from providers.schemes.static_token import StaticToken

# An event and the status of its object. Invoices say no event: theirs is made of the status.
_MEANINGS = by_word(
    {
        "payment.authorization AUTHORIZED": Means.AUTHORIZED,
        "payment.awaiting_capture AWAITING_CAPTURE": Means.AUTHORIZED,
        "payment.capture SUCCEEDED, payment.succeeded SUCCEEDED": Means.PAID,
        "payment.failure FAILED, payment.failed FAILED": Means.FAILED,
        # An authorization that lapsed.
        "payment.expiry EXPIRED": Means.RELEASED,
        "payment PENDING": Means.PENDING,
        "payment CANCELED": Means.RELEASED,
        "payment_request.expiry EXPIRED": Means.CANCELED,
        "capture.succeeded SUCCEEDED": Means.CAPTURED,
        "capture.failed FAILED": Means.CAPTURE_FAILED,
        "refund.succeeded SUCCEEDED": Means.REFUNDED,
        "refund.failed FAILED": Means.REFUND_FAILED,
        # Paid first and settled later: the same money.
        "invoice PAID, invoice SETTLED": Means.PAID,
        "invoice EXPIRED": Means.CANCELED,
        "ewallet.capture SUCCEEDED": Means.PAID,
        "ewallet.capture FAILED": Means.FAILED,
        "ewallet.void SUCCEEDED": Means.RELEASED,
        "ewallet.refund SUCCEEDED": Means.REFUNDED,
    }
)
_OWN = "id|payment_id|payment_request_id"
# Where the families hold the payment's id and the amount.
_PATHS = {
    "payment": (f"payment_request_id|{_OWN}", "request_amount|amount"),
    "payment_request": ("payment_request_id|id", "request_amount|amount"),
    "capture": ("payment_request_id|payment_id", "capture_amount|captured_amount|amount"),
    "refund": ("payment_id|payment_request_id|invoice_id", "amount"),
    "invoice": ("id", "paid_amount|amount"),
    "invoice.expired": ("id", "amount"),
    "ewallet": ("id", "capture_amount|charge_amount|amount"),
    "ewallet.refund": (
        "charge_id|payment_id|id",
        "refund_amount|refunded_amount|amount|capture_amount|charge_amount",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class XenditConfig:
    callback_tokens: Annotated[
        Secrets,
        "Dashboard > Settings > Webhooks > Webhook verification token; sub-accounts of xenPlatform"
        " have their own",
    ]
    secret_key: Annotated[Secret | None, "Settings > API keys; nothing is asked with it yet"] = None


class Facts(payload.Body):
    own_id, external_id = (payload.Id(required=True) for _ in range(2))
    reference = payload.NumberedId(allow_none=True)
    currency, amount = payload.Currency(allow_none=True), fields.Raw(allow_none=True)
    at = payload.IsoTime(allow_none=True)


_FACTS = Facts()


class Xendit(Adapter[XenditConfig]):
    id = "xendit"
    Config = XenditConfig
    scheme = StaticToken[XenditConfig]("x-callback-token", lambda config: config.callback_tokens)
    refusal_status = 401
    secret_headers = ("x-callback-token",)
    unproven = "the whole body: the header is a static token, so serve this URL by HTTPS only"
    meanings = _MEANINGS
    ignored = tuple("payment_token.* payment_method.* payout.* disbursement disbursement.*".split())

    def read(self, delivery: Delivery, config: XenditConfig) -> Iterable[PaymentEvent]:
        kind, data = _unwrapped(payload.json_object(delivery.body))
        status, family = payload.text_under(data, "status"), kind.partition(".")[0]
        words = [f"{kind} {status}", f"{family} {status}", kind]
        meaning = meaning_of(words, _MEANINGS, self.ignored)
        facts = [kind, shapes.text(data, _OWN), status, *_captures(data)]
        known = ":".join(fact for fact in facts if fact)
        told = Told(event_id=known, type=kind, occurred_at=delivery.received_at)
        if meaning:
            told = _complete(told, data, family, meaning)
        return [event(delivery, told, meaning)]


def _unwrapped(document: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The event's name and its object; some events come inside another one's data."""
    data = document.get("data")
    while isinstance(data, dict) and isinstance(data.get("data"), dict) and "event" in data:
        document, data = data, data["data"]
    kind, status = (payload.text_under(document, name) for name in ("event", "status"))
    if kind and isinstance(data, dict):
        return kind, data
    if kind is None and status and "external_id" in document:
        return f"invoice.{status.lower()}", document
    raise Rejected(Cause.MALFORMED, "event and data, or external_id and status: must be there")


def _captures(data: dict[str, Any]) -> dict[str, Any]:
    """The captures of a payment: their ids and amounts."""
    found = data.get("captures")
    items = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    return {
        payload.text_under(item, "capture_id") or "": item.get("capture_amount") for item in items
    }


def _complete(told: Told, data: dict[str, Any], family: str, meaning: Meaning) -> Told:
    payment, amount = _PATHS.get(told.type) or _PATHS[family]
    own_reference = "" if "refund" in told.type else "|reference_id|external_id"
    paths = {"own_id": _OWN, "external_id": payment, "amount": amount, "currency": "currency"}
    # The outer `created` is the time of the attempt to tell us.
    paths |= {"reference": f"metadata.session_id{own_reference}", "at": "paid_at|updated|created"}
    found = _FACTS.read({name: shapes.first(data, path) for name, path in paths.items()})
    if meaning.needs_amount:
        payload.require(found, "amount", "currency")
    currency, sums = found.get("currency"), [found["amount"]] if found.get("amount") else []
    if meaning.payment_event is ChangeKind.CAPTURED:
        sums = list(_captures(data).values()) or sums
    amounts = [payload.from_major(one, currency) for one in sums] if currency else []
    return replace(
        told,
        occurred_at=found.get("at") or told.occurred_at,
        external_id=found["external_id"],
        reference=found.get("reference"),
        # A payment tells the sum of its captures, in other events told one by one.
        subject=found["external_id"] if meaning.session_status else found["own_id"],
        total=meaning.session_status is not None,
        amount=sum(amounts) if amounts else None,
        currency=currency,
    )


adapter = Xendit()
