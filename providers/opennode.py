"""OpenNode charges: https://developers.opennode.com/docs/webhooks."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from marshmallow import fields

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter, ApiRequest, Settlement, Verified
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.api_answer import found_object
from providers.schemes.form_hmac import FormHmac, form_fields

_HOSTS = {"live": "https://api.opennode.com", "dev": "https://dev-api.opennode.com"}
# The status of the fetched charge.
_MEANINGS = {
    "unpaid": Means.PENDING,
    "processing": Means.PENDING,
    "paid": Means.PAID,
    "underpaid": Means.REQUIRES_MORE,
    "expired": Means.CANCELED,
    "refunded": Means.REFUNDED,
}
_WITHDRAWAL = "withdrawal"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpennodeConfig:
    api_keys: Annotated[
        Secrets,
        "Dashboard > Developers > Integrations: the keys that create charges, able to read them",
    ]
    environment: Annotated[Literal["live", "dev"], "app.opennode.com or dev"] = "live"


class Charge(payload.Body):
    id, status = payload.Id(required=True), payload.Text(required=True)
    currency = payload.Currency(required=True)
    order_id = payload.Text(load_default=None, allow_none=True)
    amount, fiat_value, source_fiat_value, metadata = (
        fields.Raw(load_default=None) for _ in range(4)
    )


_CHARGE = Charge()


class Opennode(Adapter[OpennodeConfig]):
    id = "opennode"
    Config = OpennodeConfig
    # The hash never changes for a charge: who has seen one callback can forge the others.
    scheme = FormHmac[OpennodeConfig](
        field="hashed_order",
        signed=lambda form: form.get("id", "").encode(),
        secrets=lambda config: config.api_keys,
    )
    meanings = _MEANINGS
    ignored = (_WITHDRAWAL,)

    def verify(self, delivery: Delivery, config: OpennodeConfig) -> Verified:
        verdict = super().verify(delivery, config)
        return replace(verdict, settled=_is_withdrawal(form_fields(delivery.body)))

    def key(self, delivery: Delivery, config: OpennodeConfig) -> None:
        # A callback forged before its time must not make a duplicate of the genuine one.
        return None

    def read(self, delivery: Delivery, config: OpennodeConfig) -> Iterable[PaymentEvent]:
        form = form_fields(delivery.body)
        if not _is_withdrawal(form):
            raise Rejected(Cause.UNVERIFIABLE, "a charge is read from the API only")
        event_id = f"{_WITHDRAWAL}:{form.get('id', '')}:{form.get('status', '')}"
        if not payload.is_text(event_id):
            raise Rejected(Cause.MALFORMED, "id, status: must be short texts")
        told = Told(event_id=event_id, type=_WITHDRAWAL, occurred_at=delivery.received_at)
        return [event(delivery, told, Means.IGNORED)]

    def settle(self, delivery: Delivery, config: OpennodeConfig) -> Settlement:
        own_id = form_fields(delivery.body).get("id", "")
        if not _ID.fullmatch(own_id):
            raise Rejected(Cause.MALFORMED, "id: must be a charge's id")
        # The key that created the charge is the one that may read it.
        label = self.scheme.verify(delivery, config).secret
        key = next(secret.value for secret in config.api_keys if secret.label == label)
        url = f"{_HOSTS[config.environment]}/v1/charge/{own_id}"
        answer = yield ApiRequest("GET", url, (("Authorization", key),))
        found = _CHARGE.read(payload.dig(found_object(answer), "data"))
        if found["id"] != own_id:
            raise Rejected(Cause.UNVERIFIABLE, "the API answered with another charge")
        told = Told(
            event_id=f"{own_id}:{found['status']}",
            type=found["status"],
            occurred_at=delivery.received_at,
            livemode=config.environment == "live",
            external_id=own_id,
            reference=payload.text_under(found["metadata"], "session_id") or found["order_id"],
            amount=_amount(found),
            currency=found["currency"],
        )
        return [event(delivery, told, meaning_of([told.type], _MEANINGS))]


def _is_withdrawal(form: Mapping[str, str]) -> bool:
    return "order_id" not in form and {"type", "reference", "fee"} <= form.keys()


def _amount(found: Mapping[str, Any]) -> int:
    """What was asked for: the fiat amount, or the satoshis of a charge in bitcoin."""
    if found["currency"] == "BTC":
        return payload.from_major(found["amount"], "BTC", 0)
    asked = found["source_fiat_value"]
    return payload.from_major(found["fiat_value"] if asked is None else asked, found["currency"])


adapter = Opennode()
