"""Lemon Squeezy: https://docs.lemonsqueezy.com/help/webhooks/webhook-requests."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.body_hmac import BodyHmac

# An event's name, and where it decides with the order's status or the invoice's billing reason.
_MEANINGS = {
    "order_created paid": Means.PAID,
    "order_created pending": Means.PENDING,
    "order_created failed": Means.FAILED,
    "order_created fraudulent": Means.FAILED,
    # Told late: it was paid, and what was refunded follows as an event of its own.
    "order_created refunded": Means.PAID,
    "order_created partial_refund": Means.PAID,
    "order_refunded": Means.REFUNDED,
    "subscription_payment_failed": Means.CAPTURE_FAILED,
    "subscription_payment_refunded": Means.REFUNDED,
}
# Renewals: they belong to a session only where sessions are for subscriptions.
_RENEWALS = {
    # The order told of this one.
    "subscription_payment_success initial": Means.IGNORED,
    "subscription_payment_success": Means.CAPTURED,
    "subscription_payment_recovered": Means.CAPTURED,
}

_REFUNDED = frozenset({"refunded", "partial_refund"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LemonSqueezyConfig:
    webhook_secrets: Annotated[Secrets, "Settings > Webhooks > (endpoint) > Signing secret"]
    subscriptions: Annotated[
        bool, "count renewals of a subscription as captures of the session that it began with"
    ] = False


class Meta(payload.Body):
    event_name = payload.Text(required=True)
    custom_data = fields.Raw(load_default=None)


class Resource(payload.Body):
    type, id = payload.Text(required=True), payload.NumberedId(required=True)
    attributes = fields.Dict(load_default=dict)


class Order(payload.Body):
    """An order or a subscription's invoice: what is used of either."""

    status = payload.Text(load_default="", allow_none=True)
    total, currency = payload.MinorUnits(required=True), payload.Currency(required=True)
    updated_at = payload.IsoTime(required=True)
    refunded_amount = payload.MinorUnits(load_default=None, allow_none=True)
    refunded_at = payload.IsoTime(load_default=None, allow_none=True)
    subscription_id = payload.NumberedId(load_default=None, allow_none=True)


_META, _RESOURCE, _ORDER = Meta(), Resource(), Order()


class LemonSqueezy(Adapter[LemonSqueezyConfig]):
    id = "lemon_squeezy"
    Config = LemonSqueezyConfig
    scheme = BodyHmac[LemonSqueezyConfig]("X-Signature", lambda config: config.webhook_secrets)
    meanings = _MEANINGS | _RENEWALS
    ignored = tuple(
        "subscription_payment_success subscription_payment_recovered subscription_created"
        " subscription_updated subscription_cancelled subscription_resumed subscription_expired"
        " subscription_paused subscription_unpaused subscription_plan_changed license_key_*"
        " affiliate_*".split()
    )

    def read(self, delivery: Delivery, config: LemonSqueezyConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        # The header X-Event-Name says the same, but it is not signed.
        meta, found = _META.read(document.get("meta")), _RESOURCE.read(document.get("data"))
        name, attributes = meta["event_name"], found["attributes"]
        told = Told(
            event_id=_event_id(name, found),
            type=name,
            occurred_at=delivery.received_at,
            livemode=_livemode(document),
        )
        conditions = (attributes.get("status"), attributes.get("billing_reason"))
        table = self.meanings if config.subscriptions else _MEANINGS
        words = [*(f"{name} {condition}" for condition in conditions), name]
        meaning = meaning_of(words, table, self.ignored)
        if meaning is None or meaning == Means.IGNORED:
            return [event(delivery, told, meaning)]
        order = _ORDER.read(attributes)
        told = replace(
            told,
            occurred_at=order["updated_at"],
            external_id=found["id"] if found["type"] == "orders" else order["subscription_id"],
            reference=payload.text_under(meta["custom_data"], "session_id"),
            subject=found["id"],
            amount=order["total"],
            currency=order["currency"],
        )
        if meaning == Means.REFUNDED:
            return [event(delivery, _refund(told, order), meaning)]
        events = [event(delivery, told, meaning)]
        if name == "order_created" and order["status"] in _REFUNDED:
            refund = replace(_refund(told, order), event_id=f"{told.event_id}:refund")
            events.append(event(delivery, refund, Means.REFUNDED))
        return events


def _event_id(name: str, found: dict[str, Any]) -> str:
    """Stable over redeliveries; the provider gives its events no ids."""
    keys = ("status", "updated_at", "refunded_amount")
    facts = (payload.text_under(found["attributes"], key) or "" for key in keys)
    return ":".join((name, found["type"], found["id"], *facts))


def _livemode(document: dict[str, Any]) -> bool | None:
    places = ("data.attributes.test_mode", "meta.test_mode")
    tests = [payload.dig(document, place) for place in places]
    return next((not test for test in tests if isinstance(test, bool)), None)


def _refund(told: Told, order: dict[str, Any]) -> Told:
    """All that was refunded so far."""
    amount = order["refunded_amount"]
    if amount is None and order["status"] != "refunded":
        raise Rejected(Cause.MALFORMED, "refunded_amount: must be there")
    return replace(
        told,
        occurred_at=order["refunded_at"] or told.occurred_at,
        # Older payloads tell of a full refund by the status alone.
        amount=order["total"] if amount is None else amount,
        # An order and its first invoice tell the same money, and totals would be added up.
        total=not told.type.startswith("subscription_"),
    )


adapter = LemonSqueezy()
