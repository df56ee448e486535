"""Tap Payments: https://developers.tap.company/docs/webhook."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from gateway.domain.money import major_units
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.header_signature import HeaderSignature

_CHARGE = {
    **dict.fromkeys(("INITIATED", "IN_PROGRESS", "UNKNOWN"), Means.PENDING),
    "CAPTURED": Means.PAID,
    **dict.fromkeys(("DECLINED", "FAILED", "RESTRICTED"), Means.FAILED),
    **dict.fromkeys(("CANCELLED", "ABANDONED", "TIMEDOUT"), Means.CANCELED),
    "VOID": Means.RELEASED,
}
_REFUND = {
    "REFUNDED": Means.REFUNDED,
    **dict.fromkeys(
        ("FAILED", "DECLINED", "RESTRICTED", "CANCELLED", "TIMEDOUT"), Means.REFUND_FAILED
    ),
    **dict.fromkeys(("PENDING", "IN_PROGRESS"), Means.IGNORED),
}
_STATUSES = {
    "charge": _CHARGE,
    "authorize": _CHARGE | {"AUTHORIZED": Means.AUTHORIZED},
    "refund": _REFUND,
}
_MEANINGS = {f"{kind} {at}": its for kind, row in _STATUSES.items() for at, its in row.items()}
# The id is signed, the object's name is not: it has to be what the id says.
_PREFIXES = {"chg": "charge", "auth": "authorize", "re": "refund", "inv": "invoice"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TapConfig:
    secret_keys: Annotated[Secrets, "goSell dashboard > Developers > API credentials, sk_..."]


class TapObject(payload.Body):
    id, object = payload.Id(required=True), payload.Text(required=True)
    status, amount = payload.Text(allow_none=True), fields.Raw(load_default=None)
    currency = payload.Currency(load_default="", allow_none=True)
    charge_id = payload.Id(load_default=None, allow_none=True)
    live_mode = fields.Boolean(load_default=None, allow_none=True)


_OBJECT = TapObject()


def _created(document: dict[str, Any]) -> str | None:
    """When the object was made, in milliseconds: it is the same in all that is told of it."""
    places = ["transaction.created", "created"]
    if document.get("object") in ("refund", "invoice"):
        places.reverse()
    return next(filter(None, (payload.text_under(document, place) for place in places)), None)


def _with_decimals(amount: Any, currency: str) -> str:
    return major_units(payload.from_major(amount, currency), currency)


def _signature(delivery: Delivery, _: TapConfig, secret: Secret) -> str:
    document = payload.json_object(delivery.body)
    parts = {"id": "id", "amount": "amount", "currency": "currency"}
    if document.get("object") == "invoice":
        parts |= {"updated": "updated"}
    else:
        parts |= {"gateway_reference": "reference.gateway"}
        parts |= {"payment_reference": "reference.payment"}
    texts = {name: payload.text_under(document, path) or "" for name, path in parts.items()}
    currency, amount = texts["currency"].upper(), document.get("amount")
    # 42.5 is signed as 42.50: with the decimals of its currency, however JSON writes it.
    texts["amount"] = "" if amount is None else _with_decimals(amount, currency)
    texts |= {"status": payload.text_under(document, "status") or ""}
    texts |= {"created": _created(document) or ""}
    message = "".join(f"x_{name}{text}" for name, text in texts.items())
    return hmac.digest(secret.bytes, message.encode("utf-8", "replace"), hashlib.sha256).hex()


class Tap(Adapter[TapConfig]):
    id = "tap"
    Config = TapConfig
    scheme = HeaderSignature[TapConfig]("hashstring", lambda config: config.secret_keys, _signature)
    meanings = _MEANINGS
    ignored = ("invoice*", "subscription*")

    def read(self, delivery: Delivery, config: TapConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        found = _OBJECT.read(document)
        own_id, kind, created = found["id"], found["object"], _created(document)
        if _PREFIXES.get(own_id.partition("_")[0], kind) != kind:
            raise Rejected(Cause.MALFORMED, "object: contradicts the id")
        told = Told(
            event_id=f"{own_id}:{found.get('status')}",
            type=kind,
            occurred_at=payload.from_millis(created) if created else delivery.received_at,
            livemode=found["live_mode"],
        )
        meaning = meaning_of([f"{kind} {found.get('status')}"], _MEANINGS, self.ignored)
        if meaning not in (None, Means.IGNORED):
            told = _complete(told, found, document)
        return [event(delivery, told, meaning)]


def _complete(told: Told, found: dict[str, Any], document: dict[str, Any]) -> Told:
    source = payload.text_under(document, "source.id") or ""
    # The capture of an authorization is a charge of its own.
    charged = source if source.startswith("auth_") else found["id"]
    parents = {"refund": found["charge_id"], "charge": charged}
    named = ("metadata.session_id", "reference.order", "reference.transaction")
    references = (payload.text_under(document, path) for path in named)
    return replace(
        told,
        external_id=parents.get(told.type, found["id"]),
        reference=next(filter(None, references), None),
        subject=found["id"],
        # An authorization tells of all its captures, each of which is told as a charge too.
        total=told.type == "authorize",
        amount=payload.from_major(found["amount"], found["currency"] or ""),
        currency=found["currency"],
    )


adapter = Tap()
