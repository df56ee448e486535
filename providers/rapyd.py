"""Rapyd: https://docs.rapyd.net/en/webhook-authentication.html."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields, validate

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Meaning, Means, Told, event, meaning_of
from providers.schemes.salted_hmac import SaltedHmac

# What the state of a payment means, where its event's type does not tell (see _state).
_STATES = {
    "CLO": Means.PAID,
    "ACT pending_capture": Means.AUTHORIZED,
    "ACT 3d_verification": Means.REQUIRES_MORE,
    "ACT": Means.PENDING,
    "NEW": Means.PENDING,
    "ERR": Means.FAILED,
    "EXP": Means.CANCELED,
    "CAN": Means.CANCELED,
    "REV": Means.RELEASED,
}
_BY_STATE = ("PAYMENT_SUCCEEDED", "PAYMENT_UPDATED", "PAYMENT_COMPLETED")
_MEANINGS = {
    **{f"{kind} {state}": its for kind in _BY_STATE for state, its in _STATES.items()},
    # Closed, but nobody has paid: no money to tell of.
    "PAYMENT_COMPLETED CLO unpaid": Means.PENDING,
    "PAYMENT_CAPTURED": Means.PAID,
    "PAYMENT_FAILED": Means.FAILED,
    "PAYMENT_CANCELED": Means.CANCELED,
    "PAYMENT_CANCELED uncaptured": Means.RELEASED,
    "PAYMENT_EXPIRED": Means.CANCELED,
    "PAYMENT_REVERSED": Means.RELEASED,
    "REFUND_COMPLETED": Means.REFUNDED,
    "PAYMENT_REFUND_FAILED": Means.REFUND_FAILED,
    "PAYMENT_REFUND_REJECTED": Means.REFUND_FAILED,
    "PAYMENT_DISPUTE_CREATED": Means.DISPUTED,
    "PAYMENT_DISPUTE_UPDATED WIN": Means.DISPUTE_WON,
    "PAYMENT_DISPUTE_UPDATED LOS": Means.DISPUTE_LOST,
    "PAYMENT_DISPUTE_UPDATED": Means.IGNORED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RapydConfig:
    access_key: Annotated[
        tuple[str, ...], "Client Portal > Developers > Credentials; several while you rotate"
    ]
    secret_key: Annotated[Secrets, "the same page"]
    webhook_url: Annotated[
        str,
        "the webhook URL exactly as typed in Client Portal > Developers > Webhooks",
        validate.Regexp(r"https?://[!-~]+\Z", error="must be an http(s) URL"),
    ]


class Envelope(payload.Body):
    id, type = payload.Id(required=True), payload.Text(required=True)
    created_at = payload.UnixTime(load_default=None, allow_none=True)
    extended_timestamp = fields.Raw(load_default=None, allow_none=True)
    data = fields.Raw(load_default=None, allow_none=True)


class Subject(payload.Body):
    """A payment, refund or dispute: what is used of each."""

    id, token = (payload.Id(allow_none=True) for _ in range(2))  # disputes have a token
    payment, original_transaction_id = (payload.Id(allow_none=True) for _ in range(2))
    status, next_action = (payload.Text(load_default="", allow_none=True) for _ in range(2))
    paid, captured = (fields.Boolean(load_default=None, allow_none=True) for _ in range(2))
    amount, original_amount = (fields.Raw(load_default=None, allow_none=True) for _ in range(2))
    currency, currency_code = (payload.Currency(allow_none=True) for _ in range(2))
    merchant_reference_id = payload.Text(load_default=None, allow_none=True)
    metadata = fields.Raw(load_default=None, allow_none=True)


_ENVELOPE, _SUBJECT = Envelope(), Subject()


class Rapyd(Adapter[RapydConfig]):
    id = "rapyd"
    Config = RapydConfig
    key_path = "id"
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
        envelope = _ENVELOPE.read(payload.json_object(delivery.body))
        kind, at, millis = (envelope[n] for n in ("type", "created_at", "extended_timestamp"))
        if at is None:
            at = payload.from_millis(millis) if millis else delivery.received_at
        told = Told(event_id=envelope["id"], type=kind, occurred_at=at)
        if not any(word.partition(" ")[0] == kind for word in _MEANINGS):
            return [event(delivery, told, meaning_of([kind], {}, self.ignored))]
        found = _SUBJECT.read(envelope["data"])
        meaning = meaning_of(_words(kind, found), _MEANINGS)
        return [event(delivery, _complete(told, found, meaning), meaning)]


def _words(kind: str, found: dict[str, Any]) -> list[str]:
    status, action = found["status"], found["next_action"]
    words = [f"{kind} {status}", kind]
    if action == "3d_verification" or (action == "pending_capture" and found["captured"] is False):
        words.insert(0, f"{kind} {status} {action}")
    if kind == "PAYMENT_COMPLETED" and found["paid"] is not True:
        words.insert(0, f"{kind} {status} unpaid")
    if found["captured"] is False:
        words.insert(0, f"{kind} uncaptured")
    return words


def _complete(told: Told, found: dict[str, Any], meaning: Meaning | None) -> Told:
    if meaning is None or meaning == Means.IGNORED:
        return told
    of_refund, of_dispute = "REFUND" in told.type, "DISPUTE" in told.type
    own_id = payload.need(found, "id", *(["token"] if of_dispute else []))
    currency = found.get("currency_code") or found.get("currency")
    session = payload.text_under(found["metadata"], "session_id")
    own_name = None if of_refund else found["merchant_reference_id"]
    # While nothing is captured `amount` is 0.
    amount = found["amount"] or found["original_amount"] or found["amount"]
    untold = amount is currency is None and not meaning.needs_amount
    parent = found.get("payment" if of_refund else "original_transaction_id")
    return replace(
        told,
        external_id=parent if of_refund or of_dispute else own_id,
        reference=own_name or session,
        subject=own_id,
        total=not of_refund and not of_dispute,
        amount=None if untold else payload.from_major(amount, currency or ""),
        currency=currency,
    )


adapter = Rapyd()
