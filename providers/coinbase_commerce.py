"""Coinbase Commerce: https://docs.cdp.coinbase.com/commerce/api-arcitecture/webhooks-overview."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent, SessionStatus
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.body_hmac import BodyHmac

# A type, and where it decides with the last status of the charge's timeline.
_MEANINGS = {
    "charge:created": Means.PENDING,
    # The money is in the merchant's wallet, though not final on the chain.
    "charge:pending": Means.AUTHORIZED,
    "charge:confirmed": Means.PAID,
    "charge:failed EXPIRED": Means.CANCELED,
    "charge:failed CANCELED": Means.CANCELED,
    "charge:failed": Means.FAILED,
    "charge:delayed": Means.PENDING,
    "charge:resolved": Means.PAID,
}

# Told before what came was compared with what was asked, or settled by hand though it differed.
_MAYBE_SHORT = frozenset({"charge:pending", "charge:resolved"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinbaseCommerceConfig:
    webhook_secrets: Annotated[
        Secrets, "Commerce > Settings > Notifications > Webhook subscriptions > Show shared secret"
    ]
    api_key: Annotated[Secret | None, "Settings > API keys; nothing is asked with it yet"] = None


class Event(payload.Body):
    id, type = payload.Id(required=True), payload.Text(required=True)
    created_at = payload.IsoTime(required=True)
    data = fields.Raw(load_default=None)


class Money(payload.Body):
    amount, currency = fields.Raw(required=True), payload.Currency(required=True)


_EVENT, _MONEY = Event(), Money()


class CoinbaseCommerce(Adapter[CoinbaseCommerceConfig]):
    id = "coinbase_commerce"
    Config = CoinbaseCommerceConfig
    scheme = BodyHmac[CoinbaseCommerceConfig](
        "X-CC-Webhook-Signature", lambda config: config.webhook_secrets
    )
    meanings = _MEANINGS
    ignored = ("invoice:*",)

    def key(self, delivery: Delivery, config: CoinbaseCommerceConfig) -> bytes:
        try:
            document = payload.json_object(delivery.body)
        except Rejected:
            return delivery.body
        return (payload.text_under(document, "event.id") or "").encode() or delivery.body

    def read(self, delivery: Delivery, config: CoinbaseCommerceConfig) -> Iterable[PaymentEvent]:
        found = _EVENT.read(payload.json_object(delivery.body).get("event"))
        told = Told(event_id=found["id"], type=found["type"], occurred_at=found["created_at"])
        timeline = payload.dig(found["data"], "timeline")
        last = timeline[-1] if timeline and isinstance(timeline, list) else None
        words = [f"{told.type} {payload.text_under(last, 'status')}", told.type]
        meaning = meaning_of(words, _MEANINGS, self.ignored)
        if meaning is not None and meaning != Means.IGNORED:
            told = _complete(told, found["data"])
            if meaning.session_status is SessionStatus.AUTHORIZED and told.amount is None:
                raise Rejected(Cause.MALFORMED, "data: its price or payments must be there")
        return [event(delivery, told, meaning)]


def _complete(told: Told, charge: Any) -> Told:
    # Old charges have a code only.
    own_id = payload.text_under(charge, "id") or payload.text_under(charge, "code")
    if own_id is None:
        raise Rejected(Cause.MALFORMED, "data: its id or code must be there")
    price = payload.dig(charge, "pricing.local")
    asked = _paid(charge) if price is None else _money(price)
    paid = _paid(charge) if told.type in _MAYBE_SHORT else None
    if asked and paid and asked[1] == paid[1]:
        asked = min(asked, paid)
    return replace(
        told,
        external_id=own_id,
        reference=payload.text_under(charge, "metadata.session_id"),
        amount=asked and asked[0],
        currency=asked and asked[1],
    )


def _money(found: Any) -> tuple[int, str]:
    money = _MONEY.read(found)
    return payload.from_major(money["amount"], money["currency"]), money["currency"]


def _paid(charge: Any) -> tuple[int, str] | None:
    """The sum of the payments that old charges list, in their one local currency."""
    payments = payload.dig(charge, "payments")
    listed = payments if isinstance(payments, list) else []
    values = (payload.dig(payment, "value.local") for payment in listed)
    told = [_money(value) for value in values if value is not None]
    if len({currency for _, currency in told}) != 1:
        return None
    return sum(amount for amount, _ in told), told[0][1]


adapter = CoinbaseCommerce()
