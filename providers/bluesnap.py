"""BlueSnap webhooks: https://developers.bluesnap.com/reference/webhooks."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter, Reply
from providers.meanings import Meaning, Means, Told, event, meaning_of
from providers.schemes.clock_hmac import ClockHmac
from providers.schemes.form_checksum import fields_of

_DISPUTE = {
    "NEW": Means.DISPUTED,
    "WORKING": Means.DISPUTED,
    "COMPLETED_WON": Means.DISPUTE_WON,
    "COMPLETED_LOST": Means.DISPUTE_LOST,
    "CLOSED": Means.DISPUTE_LOST,
    "COMPLETED_PENDING": Means.IGNORED,
}
# A transactionType; of a chargeback, its cbStatus as well.
_MEANINGS = {
    "AUTH_ONLY": Means.AUTHORIZED,
    "CHARGE": Means.PAID,
    "DECLINE": Means.FAILED,
    "CC_CHARGE_FAILED": Means.FAILED,
    "REFUND": Means.REFUNDED,
    "CHARGEBACK": Means.DISPUTED,
    **{f"CHARGEBACK {status}": its for status, its in _DISPUTE.items()},
    **{f"CHARGEBACK_STATUS_CHANGED {status}": its for status, its in _DISPUTE.items()},
}
_MODES = {"Y": False, "N": True}
# Commas part thousands, and nothing else: `42,50` is no amount.
_AMOUNT = re.compile(r"-?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class BluesnapConfig:
    security_header_keys: Annotated[
        Secrets, "Settings > Webhooks > Add Security Header > the generated key"
    ]


class Notification(payload.Body):
    """What is used of a webhook, without the fields that come empty."""

    type = payload.Id(required=True, data_key="transactionType")
    own_id, reference, reversal_id, status, date, mode = (
        payload.Text(load_default="", data_key=name)
        for name in "referenceNumber merchantTransactionId reversalRefNum cbStatus transactionDate"
        " testMode".split()
    )
    amount = payload.Text(load_default=None, data_key="invoiceChargeAmount")
    charged_in = payload.Currency(load_default=None, data_key="invoiceChargeCurrency")
    currency = payload.Currency(load_default=None)


_NOTIFICATION = Notification()


class Bluesnap(Adapter[BluesnapConfig]):
    id = "bluesnap"
    Config = BluesnapConfig
    scheme = ClockHmac[BluesnapConfig](
        "Bls-Ipn-Timestamp",
        "Bls-Signature",
        lambda config: config.security_header_keys,
        tolerance=900,
    )
    meanings = _MEANINGS
    ignored = tuple(
        "CANCELLATION CONTRACT_CHANGE RECURRING SUBSCRIPTION_REMINDER CANCEL_ON_RENEWAL".split()
    )

    def handshake(self, delivery: Delivery, config: BluesnapConfig) -> Reply | None:
        """The dashboard tries a destination with an empty GET."""
        is_empty = not delivery.body and not delivery.query
        return Reply() if is_empty and delivery.method in ("GET", "HEAD") else None

    def read(self, delivery: Delivery, config: BluesnapConfig) -> Iterable[PaymentEvent]:
        form = {name: value for name, value in fields_of(delivery.body).items() if value}
        found = _NOTIFICATION.read(form)
        kind, status = found["type"], found["status"].upper()
        word = f"{kind} {status}".strip() if kind.startswith("CHARGEBACK") else kind
        # Refunds of one charge are told apart by their own ids, else by when they were made.
        own = found["reversal_id"] or (found["date"] if kind == "REFUND" else "")
        told = Told(
            event_id=":".join(filter(None, (kind, found["own_id"], own, status))),
            type=kind,
            # transactionDate is in minutes, of a clock that the merchant can choose.
            occurred_at=self.scheme.clock(delivery),
            livemode=_MODES.get(found["mode"].upper()),
        )
        meaning = meaning_of([word], _MEANINGS, self.ignored)
        if meaning not in (None, Means.IGNORED):
            told = _complete(told, found, meaning)
        return [event(delivery, told, meaning)]


def _complete(told: Told, found: dict[str, Any], meaning: Meaning) -> Told:
    own_id, amount = payload.need(found, "own_id"), found["amount"]
    currency = found["charged_in"] or found["currency"]
    if meaning.needs_amount:
        payload.require({"amount": amount, "currency": currency}, "amount", "currency")
    if amount is not None and not _AMOUNT.fullmatch(amount):
        raise Rejected(Cause.MALFORMED, "invoiceChargeAmount: must be an amount of money")
    # Reversals are told as negative amounts.
    plain = (amount or "").replace(",", "").removeprefix("-")
    refund = meaning == Means.REFUNDED
    return replace(
        told,
        external_id=own_id,
        reference=found["reference"],
        subject=(found["reversal_id"] or told.event_id) if refund else own_id,
        amount=payload.from_major(plain, currency) if plain and currency else None,
        currency=currency,
    )


adapter = Bluesnap()
