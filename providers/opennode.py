"""OpenNode charges: https://developers.opennode.com/docs/webhooks."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from gateway.domain.events import Delivery
from providers.asking import AskingAdapter
from providers.configuration import Secrets
from providers.contract import ApiRequest, Settlement
from providers.meanings import Means, Told, event
from providers.schemes.api_answer import object_named
from providers.schemes.form_hmac import FormHmac, form_fields
from providers.schemes.parts import secret_named
from providers.shapes import Shape, matching, word

_HOSTS = {"live": "https://api.opennode.com", "dev": "https://dev-api.opennode.com"}
# The status of the fetched charge.
_MEANINGS = {
    # Seen on the chain, but not confirmed there yet.
    "unpaid, processing": Means.PENDING,
    "paid": Means.PAID,
    "underpaid": Means.REQUIRES_MORE,
    "expired": Means.CANCELED,
    "refunded": Means.REFUNDED,
}
_WITHDRAWAL = "withdrawal"
_NAMED = "metadata.session_id|order_id"
# What was asked for: not what the merchant gets, and in satoshis where the charge is in bitcoin.
_IN_FIAT = Shape("id", _NAMED, "source_fiat_value|fiat_value", major=True)
_IN_BITCOIN = Shape("id", _NAMED, "amount|price")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpennodeConfig:
    api_keys: Annotated[
        Secrets,
        "Dashboard > Developers > Integrations: the keys that create charges, able to read them",
    ]
    environment: Annotated[Literal["live", "dev"], "app.opennode.com or dev"] = "live"


class Opennode(AskingAdapter[OpennodeConfig]):
    id = "opennode"
    Config = OpennodeConfig
    # A callback forged before its time must not make a duplicate of the genuine one.
    key_path = None
    scheme = FormHmac[OpennodeConfig](
        field="hashed_order",
        signed=lambda form: form.get("id", "").encode(),
        secrets=lambda config: config.api_keys,
    )
    meanings = _MEANINGS
    ignored = (_WITHDRAWAL,)
    # The hash never changes for a charge: who has seen one callback can forge the others.
    unproven = (
        "all but the charge's id, as the hash covers nothing else; the charge is fetched back"
    )

    def asks(self, delivery: Delivery, config: OpennodeConfig) -> bool:
        form = form_fields(delivery.body)
        is_withdrawal = "order_id" not in form and {"type", "reference", "fee"} <= form.keys()
        return not is_withdrawal

    def told(self, delivery: Delivery, config: OpennodeConfig) -> Told:
        form = form_fields(delivery.body)
        event_id = f"{_WITHDRAWAL}:{word(form, 'id')}:{word(form, 'status')}"
        return Told(event_id=event_id, type=_WITHDRAWAL, occurred_at=delivery.received_at)

    def settle(self, delivery: Delivery, config: OpennodeConfig) -> Settlement:
        own_id = matching(form_fields(delivery.body), "id", "[A-Za-z0-9_-]{1,64}")
        # The key that created the charge made the hash, and is the one that may read it.
        key = secret_named(config.api_keys, self.scheme.verify(delivery, config).secret)
        url = f"{_HOSTS[config.environment]}/v1/charge/{own_id}"
        answer = yield ApiRequest("GET", url, (("Authorization", key.value),))
        found = object_named(answer, own_id, under="data")
        status, at = matching(found, "status"), delivery.received_at
        told = Told(event_id=f"{own_id}:{status}", type=status, occurred_at=at)
        told = replace(told, livemode=config.environment == "live")
        shape = _IN_BITCOIN if word(found, "currency").upper() == "BTC" else _IN_FIAT
        meaning = self.meaning(status)
        return [event(delivery, shape.completing(told, found, meaning), meaning)]


adapter = Opennode()
