"""BlueSnap webhooks: https://developers.bluesnap.com/reference/webhooks."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers.configuration import Secrets
from providers.contract import Adapter, Reply
from providers.meanings import Means, Told, by_two_words, event
from providers.schemes.clock_hmac import ClockHmac
from providers.schemes.form_checksum import fields_of
from providers.shapes import Shape, matching, text

_DISPUTE = {
    "NEW, WORKING": Means.DISPUTED,
    "COMPLETED_WON": Means.DISPUTE_WON,
    "COMPLETED_LOST, CLOSED": Means.DISPUTE_LOST,
    "COMPLETED_PENDING": Means.IGNORED,
}
# A transactionType; of a chargeback, its cbStatus as well.
_MEANINGS = {
    "AUTH_ONLY": Means.AUTHORIZED,
    "CHARGE": Means.PAID,
    **dict.fromkeys(("DECLINE", "CC_CHARGE_FAILED"), Means.FAILED),
    "REFUND": Means.REFUNDED,
    "CHARGEBACK": Means.DISPUTED,
    **by_two_words({"CHARGEBACK, CHARGEBACK_STATUS_CHANGED": _DISPUTE}),
}
_NAMED = ("referenceNumber", "merchantTransactionId")
_MONEY = ("invoiceChargeAmount", "invoiceChargeCurrency|currency")
_CHARGE = Shape(*_NAMED, *_MONEY, "referenceNumber", priced=False, major=True)
_REFUND = Shape(*_NAMED, *_MONEY, "reversalRefNum|event_id", major=True)
_MODES = {"Y": False, "N": True}
# Commas part thousands, and nothing else: `42,50` is no amount.
_AMOUNT = re.compile(r"-?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class BluesnapConfig:
    security_header_keys: Annotated[
        Secrets, "Settings > Webhooks > Add Security Header > the generated key"
    ]


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
        kind, status = matching(form, "transactionType"), (text(form, "cbStatus") or "").upper()
        word = f"{kind} {status}".strip() if kind.startswith("CHARGEBACK") else kind
        # Refunds of one charge are told apart by their own ids, else by when they were made.
        own = text(form, "reversalRefNum|transactionDate" if kind == "REFUND" else "reversalRefNum")
        facts = (kind, text(form, "referenceNumber"), own, status)
        told = Told(
            event_id=":".join(filter(None, facts)),
            type=kind,
            # transactionDate is in minutes, of a clock that the merchant can choose.
            occurred_at=self.scheme.clock(delivery),
            livemode=_MODES.get((text(form, "testMode") or "").upper()),
        )
        meaning = self.meaning(word)
        if meaning and (amount := form.get("invoiceChargeAmount")):
            form["invoiceChargeAmount"] = _plain(amount)
        form["event_id"] = told.event_id
        shape = _REFUND if meaning == Means.REFUNDED else _CHARGE
        return [event(delivery, shape.completing(told, form, meaning), meaning)]


def _plain(amount: str) -> str:
    """An amount without its commas and, since reversals are told as negative ones, its sign."""
    if not _AMOUNT.fullmatch(amount):
        raise Rejected(Cause.MALFORMED, "invoiceChargeAmount: must be an amount of money")
    return amount.replace(",", "").removeprefix("-")


adapter = Bluesnap()
