"""Bank transfers and cash: https://docs.medusajs.com/resources/commerce-modules/payment.

There is no provider behind it: the merchant's own people and systems tell what happened, and that
counts only if it is signed like any other delivery.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event
from providers.schemes.timestamped_hmac import TimestampedHmac

_MEANINGS = {
    "manual.authorized": Means.AUTHORIZED,
    # Money that has arrived needs no word before it.
    "manual.captured": Means.PAID,
    "manual.canceled": Means.RELEASED,
    "manual.refunded": Means.REFUNDED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualConfig:
    secrets: Annotated[
        Secrets,
        "random texts of your own, for systems that post here; none: only operators tell, by the"
        " API",
    ] = ()


class Word(payload.Body):
    """One word about one payment."""

    id, type = payload.Id(required=True), payload.Text(required=True)
    occurred_at = payload.Time(load_default=None, allow_none=True)
    external_id, reference = (payload.Id(load_default=None, allow_none=True) for _ in range(2))
    amount = payload.MinorUnits(load_default=None, allow_none=True)
    currency = payload.Currency(load_default=None, allow_none=True)
    note = payload.Text(load_default="")


_WORD = Word()


class Manual(Adapter[ManualConfig]):
    id, key_path = "manual", "id"
    Config = ManualConfig
    scheme = TimestampedHmac[ManualConfig]("Gateway-Signature", lambda config: config.secrets)
    meanings = _MEANINGS

    def read(self, delivery: Delivery, config: ManualConfig) -> Iterable[PaymentEvent]:
        found = _WORD.read(payload.json_object(delivery.body))
        meaning = self.meaning(found["type"])
        if meaning:
            payload.need(found, "reference", "external_id")
        if meaning and meaning.needs_amount:
            payload.need(found, "amount")
            payload.need(found, "currency")
        told = Told(
            event_id=found["id"],
            type=found["type"],
            occurred_at=found["occurred_at"] or delivery.received_at,
            external_id=found["external_id"],
            reference=found["reference"],
            # Every transfer is told once, under an id of its own.
            subject=found["id"],
            amount=found["amount"],
            currency=found["currency"],
            detail=found["note"],
        )
        return [event(delivery, told, meaning)]


adapter = Manual()
