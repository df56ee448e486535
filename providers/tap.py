"""Tap Payments: https://developers.tap.company/docs/webhook."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from marshmallow import fields

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, by_two_words, event
from providers.schemes.hashstring import created, hashstring
from providers.schemes.header_signature import HeaderSignature
from providers.shapes import Shape, text

# An object and its status; an authorization has those of a charge as well.
_CHARGE = {
    "INITIATED, IN_PROGRESS, UNKNOWN": Means.PENDING,
    "CAPTURED": Means.PAID,
    "DECLINED, FAILED, RESTRICTED": Means.FAILED,
    "CANCELLED, ABANDONED, TIMEDOUT": Means.CANCELED,
    "VOID": Means.RELEASED,
}
_REFUND = {
    "REFUNDED": Means.REFUNDED,
    "FAILED, DECLINED, RESTRICTED, CANCELLED, TIMEDOUT": Means.REFUND_FAILED,
    "PENDING, IN_PROGRESS": Means.IGNORED,
}
_MEANINGS = by_two_words(
    {
        "charge": _CHARGE,
        "authorize": _CHARGE | {"AUTHORIZED": Means.AUTHORIZED},
        "refund": _REFUND,
    }
)
_NAMED = "metadata.session_id|reference.order|reference.transaction"
_CHARGED = Shape("id", _NAMED, in_parts=True, major=True)
_SHAPES = {
    "charge": _CHARGED,
    # It tells of all its captures, each of which is told as a charge too.
    "authorize": replace(_CHARGED, total=True),
    "refund": replace(_CHARGED, external_id="charge_id"),
}
# The capture of an authorization is a charge of its own.
_CAPTURE = replace(_CHARGED, external_id="source.id")
# The id is signed, the object's name is not: it has to be what the id says.
_PREFIXES = {"chg": "charge", "auth": "authorize", "re": "refund", "inv": "invoice"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TapConfig:
    secret_keys: Annotated[Secrets, "goSell dashboard > Developers > API credentials, sk_..."]


class TapObject(payload.Body):
    id, object = payload.Id(required=True), payload.Text(required=True)
    live_mode = fields.Boolean(load_default=None, allow_none=True)


_OBJECT = TapObject()


class Tap(Adapter[TapConfig]):
    id = "tap"
    Config = TapConfig
    scheme = HeaderSignature[TapConfig]("hashstring", lambda config: config.secret_keys, hashstring)
    unproven = "metadata, `live_mode`, and of which charge a refund is; the rest is signed"
    meanings = _MEANINGS
    ignored = ("invoice*", "subscription*")

    def read(self, delivery: Delivery, config: TapConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        found, at, status = _OBJECT.read(document), created(document), text(document, "status")
        own_id, kind = found["id"], found["object"]
        if _PREFIXES.get(own_id.partition("_")[0], kind) != kind:
            raise Rejected(Cause.MALFORMED, "object: contradicts the id")
        told = Told(
            event_id=f"{own_id}:{status}",
            type=kind,
            occurred_at=payload.from_millis(at) if at else delivery.received_at,
            livemode=found["live_mode"],
        )
        meaning = self.meaning(f"{kind} {status}")
        captures = kind == "charge" and (text(document, "source.id") or "").startswith("auth_")
        shape = _CAPTURE if captures else _SHAPES.get(kind, _CHARGED)
        return [event(delivery, shape.completing(told, document, meaning), meaning)]


adapter = Tap()
