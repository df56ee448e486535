"""Coinbase Commerce: https://docs.cdp.coinbase.com/commerce/api-arcitecture/webhooks-overview."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent, SessionStatus
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter
from providers.meanings import Meaning, Means, event
from providers.schemes.body_hmac import BodyHmac
from providers.shapes import Heading, Shape, items, major_sum, text

# A type, and where it decides with the last status of the charge's timeline.
_MEANINGS = {
    "charge:created, charge:delayed": Means.PENDING,
    # The money is in the merchant's wallet, though not final on the chain.
    "charge:pending": Means.AUTHORIZED,
    "charge:confirmed, charge:resolved": Means.PAID,
    "charge:failed EXPIRED, charge:failed CANCELED": Means.CANCELED,
    "charge:failed": Means.FAILED,
}
_HEADING = Heading("event.id", "event.type", "event.created_at")
# Old charges have a code only. What was paid does not stand in one place: see _money.
_SHAPE = Shape("id|code", "metadata.session_id", own_id="id|code", priced=False)
# Told before what came was compared with what was asked, or settled by hand though it differed.
_MAYBE_SHORT = frozenset({"charge:pending", "charge:resolved"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinbaseCommerceConfig:
    webhook_secrets: Annotated[
        Secrets, "Commerce > Settings > Notifications > Webhook subscriptions > Show shared secret"
    ]
    api_key: Annotated[Secret | None, "Settings > API keys; nothing is asked with it yet"] = None


class CoinbaseCommerce(Adapter[CoinbaseCommerceConfig]):
    id, key_path = "coinbase_commerce", "event.id"
    Config = CoinbaseCommerceConfig
    scheme = BodyHmac[CoinbaseCommerceConfig](
        "X-CC-Webhook-Signature", lambda config: config.webhook_secrets
    )
    meanings = _MEANINGS
    ignored = ("invoice:*",)

    def read(self, delivery: Delivery, config: CoinbaseCommerceConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        told, charge = _HEADING.told(document), payload.dig(document, "event.data")
        statuses = [text(moment, "status") for moment in items(charge, "timeline")]
        words = [f"{told.type} {status}" for status in statuses[-1:]]
        meaning = self.meaning(*words, told.type)
        if meaning:
            found = payload.loose_object(charge) | _money(told.type, charge, meaning)
            told = _SHAPE.completing(told, found, meaning)
        return [event(delivery, told, meaning)]


def _money(kind: str, charge: Any, meaning: Meaning) -> dict[str, Any]:
    """What was asked, or less where less was paid, in the currency of the shop."""
    price, paid = payload.dig(charge, "pricing.local"), _paid(charge)
    asked = paid if price is None else major_sum([price], "amount", "currency")
    if kind in _MAYBE_SHORT and asked[1] == paid[1] is not None:
        asked = min(asked, paid)
    if meaning.session_status is SessionStatus.AUTHORIZED and asked[0] is None:
        raise Rejected(Cause.MALFORMED, "data: its price or payments must be there")
    return {"amount": asked[0], "currency": asked[1]}


def _paid(charge: Any) -> tuple[int | None, str | None]:
    """The sum of the payments that old charges list; nothing, if they are of several currencies."""
    values = [payload.dig(payment, "value.local") for payment in items(charge, "payments")]
    told = [value for value in values if value is not None]
    several = len({payload.dig(value, "currency") for value in told}) > 1
    return (None, None) if several else major_sum(told, "amount", "currency")


adapter = CoinbaseCommerce()
