"""Any sender of Standard Webhooks or Svix: https://www.standardwebhooks.com."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from marshmallow import validate

from gateway.domain.errors import Rejected
from gateway.domain.events import ChangeKind, Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Meaning, Told, event, meaning_of
from providers.schemes.parts import unix_stamp, usable_by
from providers.schemes.standard_webhooks import (
    StandardHeaders,
    StandardWebhooks,
    public_key,
    symmetric_key,
)

# Each message tells of another refund, unless the sender's own id of it is mapped.
_MANY = frozenset({ChangeKind.REFUNDED, ChangeKind.REFUND_FAILED})


class Money(payload.Body):
    amount, currency = payload.MinorUnits(allow_none=True), payload.Currency(allow_none=True)


_MONEY = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyMapping:
    """Where the sender's JSON body holds what; paths are dotted keys."""

    event_type: Annotated[str, "path of the event's type"] = "type"
    occurred_at: Annotated[str, "path of the ISO 8601 time of the event"] = "timestamp"
    external_id: Annotated[str, "path of the sender's id of the payment"] = "data.id"
    reference: Annotated[str, "path of the merchant's reference"] = "data.metadata.session_id"
    amount: Annotated[str, "path of the amount"] = "data.amount"
    amount_unit: Annotated[
        Literal["minor", "major"], "minor: integers; major: numbers or decimal texts"
    ] = "minor"
    currency: Annotated[str, "path of the ISO 4217 currency"] = "data.currency"
    livemode: Annotated[str, "path of a boolean that is true for live events; empty: none"] = ""
    change_id: Annotated[
        str, "path of the sender's id of a capture, refund or dispute; empty: none"
    ] = ""
    types: Annotated[
        Mapping[str, Meaning],
        "event type -> session_status and/or payment_event; with neither: ignored by name",
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardWebhooksConfig:
    secrets: Annotated[
        Secrets,
        "the sender's dashboard > (endpoint) > signing secret, whsec_...",
        usable_by(symmetric_key),
    ] = ()
    public_keys: Annotated[
        Secrets, "the same for asymmetric signatures, whpk_...", usable_by(public_key)
    ] = ()
    tolerance_seconds: Annotated[
        int, "how far a timestamp may be from the receipt", validate.Range(1, 86_400)
    ] = 300
    mapping: Annotated[BodyMapping, "where the body holds what"] = field(
        default_factory=BodyMapping
    )


class StandardWebhooksAdapter(Adapter[StandardWebhooksConfig]):
    id = "standard_webhooks"
    Config = StandardWebhooksConfig
    scheme = StandardWebhooks[StandardWebhooksConfig](
        secrets=lambda config: config.secrets,
        public_keys=lambda config: config.public_keys,
        tolerance=lambda config: config.tolerance_seconds,
    )

    def key(self, delivery: Delivery, config: StandardWebhooksConfig) -> bytes:
        try:
            return StandardHeaders.of(delivery).id.encode()
        except Rejected:
            return delivery.body

    def read(self, delivery: Delivery, config: StandardWebhooksConfig) -> Iterable[PaymentEvent]:
        try:
            document = payload.json_object(delivery.body)
        except Rejected:
            # Senders may send any body; one that is no JSON object has nothing for us.
            return []
        mapping, headers = config.mapping, StandardHeaders.of(delivery)
        kind = payload.text_under(document, mapping.event_type)
        if kind is None:
            return []
        told = Told(
            event_id=headers.id,
            type=kind,
            occurred_at=_occurred_at(document, mapping, headers),
            livemode=_flag(document, mapping.livemode),
        )
        meaning = meaning_of([kind], mapping.types)
        if meaning:
            told = _complete(told, document, mapping, meaning)
        return [event(delivery, told, meaning)]


def _complete(told: Told, document: dict[str, Any], mapping: BodyMapping, meaning: Meaning) -> Told:
    money = _money(document, mapping)
    external_id = payload.text_under(document, mapping.external_id)
    one = told.event_id if meaning.payment_event in _MANY else external_id
    return replace(
        told,
        external_id=external_id,
        reference=payload.text_under(document, mapping.reference),
        subject=payload.text_under(document, mapping.change_id) or one,
        **money,
    )


def _money(document: dict[str, Any], mapping: BodyMapping) -> dict[str, Any]:
    amount, currency = (payload.dig(document, at) for at in (mapping.amount, mapping.currency))
    money = _MONEY.read({"currency": currency})
    if amount is None or mapping.amount_unit == "minor":
        return money | _MONEY.read({"amount": amount})
    return money | {"amount": payload.from_major(amount, payload.need(money, "currency"))}


def _flag(document: dict[str, Any], path: str) -> bool | None:
    value = payload.dig(document, path)
    return value if isinstance(value, bool) else None


def _occurred_at(
    document: dict[str, Any], mapping: BodyMapping, headers: StandardHeaders
) -> datetime:
    """When it happened, by the body; else the time of this attempt to tell us."""
    try:
        return payload.from_iso(payload.dig(document, mapping.occurred_at))
    except Rejected:
        return payload.from_unix(unix_stamp(headers.stamp))


adapter = StandardWebhooksAdapter()
