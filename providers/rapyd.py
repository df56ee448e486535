"""Rapyd: https://docs.rapyd.net/en/webhook-authentication.html."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import HTTP_URL, Secrets
from providers.contract import Adapter
from providers.meanings import Means, by_two_words, by_word, event
from providers.schemes.salted_hmac import SaltedHmac
from providers.shapes import Heading, Shape, text

# What the state of a payment means, where its event's type does not tell (see _words).
_STATES = {
    "CLO": Means.PAID,
    "ACT pending_capture": Means.AUTHORIZED,
    "ACT 3d_verification": Means.REQUIRES_MORE,
    "ACT, NEW": Means.PENDING,
    "ERR": Means.FAILED,
    "EXP, CAN": Means.CANCELED,
    "REV": Means.RELEASED,
}
_MEANINGS = by_two_words({"PAYMENT_SUCCEEDED, PAYMENT_UPDATED, PAYMENT_COMPLETED": _STATES})
_MEANINGS |= by_word(
    {
        # Closed, but nobody has paid: no money to tell of.
        "PAYMENT_COMPLETED CLO unpaid": Means.PENDING,
        "PAYMENT_CAPTURED": Means.PAID,
        "PAYMENT_FAILED": Means.FAILED,
        "PAYMENT_CANCELED, PAYMENT_EXPIRED": Means.CANCELED,
        "PAYMENT_CANCELED uncaptured, PAYMENT_REVERSED": Means.RELEASED,
        "REFUND_COMPLETED": Means.REFUNDED,
        "PAYMENT_REFUND_FAILED, PAYMENT_REFUND_REJECTED": Means.REFUND_FAILED,
        "PAYMENT_DISPUTE_CREATED": Means.DISPUTED,
        "PAYMENT_DISPUTE_UPDATED WIN": Means.DISPUTE_WON,
        "PAYMENT_DISPUTE_UPDATED LOS": Means.DISPUTE_LOST,
        "PAYMENT_DISPUTE_UPDATED": Means.IGNORED,
    }
)
_HEADING = Heading("id", "type", "created_at")
_SESSION, _DISPUTED = "metadata.session_id", "original_transaction_id"
_MONEY = ("amount", "currency_code|currency")
_NAMED = f"merchant_reference_id|{_SESSION}"
_PAYMENT = Shape("id", _NAMED, *_MONEY, total=True, priced=False, major=True)
_PARTS = {
    "REFUND": replace(_PAYMENT, external_id="payment", reference=_SESSION, total=False),
    # Disputes have a token.
    "DISPUTE": replace(_PAYMENT, external_id=_DISPUTED, own_id="id|token", total=False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RapydConfig:
    access_key: Annotated[tuple[str, ...], "Client Portal > Developers > Credentials; or several"]
    secret_key: Annotated[Secrets, "the same page"]
    webhook_url: Annotated[
        str, "exactly as typed in Client Portal > Developers > Webhooks", HTTP_URL
    ]


class Rapyd(Adapter[RapydConfig]):
    id, key_path = "rapyd", "id"
    Config = RapydConfig
    scheme = SaltedHmac[RapydConfig](
        url=lambda config: config.webhook_url,
        access_keys=lambda config: config.access_key,
        secrets=lambda config: config.secret_key,
    )
    meanings = _MEANINGS
    ignored = tuple(
        "PAYOUT_* TRANSFER_* FUNDS_* CUSTOMER_* PAYMENT_SUBSCRIPTION_* SUBSCRIPTION_* INVOICE_*"
        " IDENTITY_* VERIFY_* WALLET_* VIRTUAL_ACCOUNT_* CARD_* ISSUING_* BENEFICIARY_*".split()
    )

    def read(self, delivery: Delivery, config: RapydConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        at = document.get("extended_timestamp")
        told = _HEADING.told(document, payload.from_millis(at) if at else delivery.received_at)
        kind, found = told.type, payload.loose_object(document.get("data"))
        meaning = self.meaning(*_words(kind, found))
        shape = next((its for part, its in _PARTS.items() if part in kind), _PAYMENT)
        # While nothing is captured `amount` is 0.
        found["amount"] = found.get("amount") or found.get("original_amount")
        return [event(delivery, shape.completing(told, found, meaning), meaning)]


def _words(kind: str, found: dict[str, Any]) -> list[str]:
    status, action = text(found, "status") or "", text(found, "next_action")
    words, uncaptured = [f"{kind} {status}", kind], found.get("captured") is False
    if action == "3d_verification" or (action == "pending_capture" and uncaptured):
        words.insert(0, f"{kind} {status} {action}")
    if kind == "PAYMENT_COMPLETED" and found.get("paid") is not True:
        words.insert(0, f"{kind} {status} unpaid")
    return [f"{kind} uncaptured", *words] if uncaptured else words


adapter = Rapyd()
