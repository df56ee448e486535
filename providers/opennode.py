"""OpenNode charges: https://developers.opennode.com/docs/webhooks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter, ApiRequest, Settlement, Verified
from providers.meanings import Means, Told, by_word, event, meaning_of
from providers.schemes.api_answer import found_object
from providers.schemes.form_hmac import FormHmac, form_fields
from providers.shapes import Shape, first, matching, text

_HOSTS = {"live": "https://api.opennode.com", "dev": "https://dev-api.opennode.com"}
# The status of the fetched charge.
_MEANINGS = by_word(
    {
        "unpaid, processing": Means.PENDING,
        "paid": Means.PAID,
        "underpaid": Means.REQUIRES_MORE,
        "expired": Means.CANCELED,
        "refunded": Means.REFUNDED,
    }
)
_SHAPE = Shape("id", "metadata.session_id|order_id", "asked")
_WITHDRAWAL = "withdrawal"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpennodeConfig:
    api_keys: Annotated[Secrets, "Dashboard > Developers > Integrations: that create charges"]
    environment: Annotated[Literal["live", "dev"], "app.opennode.com or dev"] = "live"


class Opennode(Adapter[OpennodeConfig]):
    id = "opennode"
    Config = OpennodeConfig
    # A callback forged before its time must not make a duplicate of the genuine one.
    key_path = None
    # The hash never changes for a charge: who has seen one callback can forge the others.
    scheme = FormHmac[OpennodeConfig](
        field="hashed_order",
        signed=lambda form: form.get("id", "").encode(),
        secrets=lambda config: config.api_keys,
    )
    unproven = "all but the charge's id; the charge is fetched back"
    meanings = _MEANINGS
    ignored = (_WITHDRAWAL,)

    def verify(self, delivery: Delivery, config: OpennodeConfig) -> Verified:
        verdict = super().verify(delivery, config)
        return replace(verdict, settled=_is_withdrawal(form_fields(delivery.body)))

    def read(self, delivery: Delivery, config: OpennodeConfig) -> Iterable[PaymentEvent]:
        form = form_fields(delivery.body)
        if not _is_withdrawal(form):
            raise Rejected(Cause.UNVERIFIABLE, "a charge is read from the API only")
        event_id = f"{_WITHDRAWAL}:{text(form, 'id')}:{text(form, 'status')}"
        told = Told(event_id=event_id, type=_WITHDRAWAL, occurred_at=delivery.received_at)
        return [event(delivery, told, Means.IGNORED)]

    def settle(self, delivery: Delivery, config: OpennodeConfig) -> Settlement:
        own_id = matching(form_fields(delivery.body), "id", "[A-Za-z0-9_-]{1,64}")
        # The key that created the charge is the one that may read it.
        label = self.scheme.verify(delivery, config).secret
        key = next(secret.value for secret in config.api_keys if secret.label == label)
        url = f"{_HOSTS[config.environment]}/v1/charge/{own_id}"
        answer = yield ApiRequest("GET", url, (("Authorization", key),))
        found = payload.loose_object(payload.dig(found_object(answer), "data"))
        if found.get("id") != own_id:
            raise Rejected(Cause.UNVERIFIABLE, "the API answered with another charge")
        status = matching(found, "status")
        told = Told(
            event_id=f"{own_id}:{status}",
            type=status,
            occurred_at=delivery.received_at,
            livemode=config.environment == "live",
        )
        meaning, found["asked"] = meaning_of([status], _MEANINGS), _asked(found)
        return [event(delivery, _SHAPE.completing(told, found, meaning), meaning)]


def _is_withdrawal(form: Mapping[str, str]) -> bool:
    return "order_id" not in form and {"type", "reference", "fee"} <= form.keys()


def _asked(found: Mapping[str, Any]) -> int:
    """What was asked for: the fiat amount, or the satoshis of a charge in bitcoin."""
    currency = matching(found, "currency").upper()
    if currency == "BTC":
        return payload.from_major(found.get("amount"), "BTC", 0)
    return payload.from_major(first(found, "source_fiat_value|fiat_value"), currency)


adapter = Opennode()
