"""Braintree: https://developer.paypal.com/braintree/docs/reference/general/webhooks/overview."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import ChangeKind, Delivery, PaymentEvent, SessionStatus
from providers import payload
from providers.contract import Adapter, Reply
from providers.meanings import Meaning, Means, Told, event
from providers.schemes.signed_form import (
    SignedForm,
    SignedFormConfig,
    answered_challenge,
    signed_text,
    xml_payload,
)
from providers.shapes import Heading, text

# A kind, and where that does not tell alone: the transaction's status or type, the dispute's kind.
_MEANINGS = {
    # Without a transaction the buyer has paid a nonce, of which the merchant must make a sale.
    "local_payment_completed": Means.REQUIRES_MORE,
    "local_payment_completed authorized": Means.AUTHORIZED,
    "local_payment_completed authorizing": Means.AUTHORIZED,
    "local_payment_completed submitted_for_settlement": Means.PAID,
    "local_payment_completed settling, local_payment_completed settled": Means.PAID,
    "local_payment_funded settled": Means.PAID,
    "local_payment_expired": Means.CANCELED,
    # Paid too late, or never claimed; what was taken is given back.
    "local_payment_reversed": Meaning(SessionStatus.CANCELED, ChangeKind.REFUNDED),
    # Sales have no other webhook before, so being settled authorizes as well.
    "transaction_settled sale": Means.PAID,
    "transaction_settled credit": Means.REFUNDED,
    "transaction_settlement_declined sale": Meaning(SessionStatus.ERROR, ChangeKind.CAPTURE_FAILED),
    "transaction_settlement_declined credit, refund_failed": Means.REFUND_FAILED,
    "transaction_retried": Means.PENDING,
    "dispute_opened": Means.DISPUTED,
    "dispute_won": Means.DISPUTE_WON,
    "dispute_lost, dispute_accepted": Means.DISPUTE_LOST,
    "dispute_auto_accepted, dispute_expired": Means.DISPUTE_LOST,
}
_HEADING = Heading("event_id", "kind", "timestamp")
_BY_TYPE = frozenset({"transaction_settled", "transaction_settlement_declined"})
_REFUNDS = frozenset({ChangeKind.REFUNDED, ChangeKind.REFUND_FAILED})
_MONEY_MOVES = frozenset({Means.AUTHORIZED, Means.PAID, Means.REFUNDED})
_CURRENCY = "currency-iso-code"


@dataclass(frozen=True, slots=True, kw_only=True)
class BraintreeConfig(SignedFormConfig):
    merchant_id: Annotated[str, "Control Panel > API > Keys > Merchant ID"]
    custom_field: Annotated[
        str, "the API name of a custom field that holds the reference where order_id does not"
    ] = ""


class Braintree(Adapter[BraintreeConfig]):
    id = "braintree"
    Config = BraintreeConfig
    scheme = SignedForm()
    meanings = _MEANINGS
    ignored = tuple(
        "check transaction_reviewed transaction_disbursed disbursement disbursement_exception"
        " dispute_under_review dispute_disputed subscription_* account_updater_* grant* recipient_*"
        " payment_method_* partner_* connected_* oauth_*".split()
    )

    def key(self, delivery: Delivery, config: BraintreeConfig) -> bytes:
        return signed_text(delivery).encode() or delivery.body

    def handshake(self, delivery: Delivery, config: BraintreeConfig) -> Reply | None:
        return answered_challenge(delivery, config)

    def read(self, delivery: Delivery, config: BraintreeConfig) -> Iterable[PaymentEvent]:
        notice = xml_payload(delivery, "notification")
        payload.require(notice, "kind", "timestamp")
        subjects = notice.get("subject")
        inner = subjects.values() if isinstance(subjects, Mapping) else ()
        found = next((one for one in inner if isinstance(one, Mapping)), {})
        own_id = text(found, "id|payment-id|transaction.id") or "none"
        event_id = f"{notice['kind']}:{own_id}:{notice['timestamp']}"
        told = _HEADING.told({**notice, "event_id": event_id})
        meaning = self.meaning(_word(told.type, found))
        if meaning:
            told = _complete(told, found, meaning, config)
        return [event(delivery, told, meaning)]


def _word(kind: str, found: Mapping[str, Any]) -> str:
    """What has a meaning."""
    part = ""
    if kind in _BY_TYPE:
        part = text(found, "type") or "sale"
    if kind in {"local_payment_completed", "local_payment_funded"}:
        part = text(found, "transaction.status") or ""
    if kind.startswith("dispute_") and text(found, "kind") == "retrieval":
        # An inquiry: no money is at stake.
        return "dispute_under_review"
    return f"{kind} {part}".strip()


def _complete(
    told: Told, found: Mapping[str, Any], meaning: Meaning, config: BraintreeConfig
) -> Told:
    transaction, disputed = found.get("transaction"), told.type.startswith("dispute_")
    alone: Mapping[str, Any] = {} if disputed else found
    holder = transaction if isinstance(transaction, Mapping) else alone
    own_id = text(found if disputed else holder, "id")
    payment_id = text(holder, "id") or text(found, "payment-id")
    if meaning.payment_event in _REFUNDS and not told.type.startswith("local_payment_"):
        payment_id = text(found, "refunded-transaction-id")
    # Without its currency, as in some kinds, an amount tells nothing.
    currency = text(found, _CURRENCY) or text(holder, _CURRENCY)
    amount = text(found, "amount-disputed|amount") or text(holder, "amount")
    if not (own_id or payment_id) or not (amount or meaning not in _MONEY_MOVES):
        raise Rejected(Cause.MALFORMED, "subject: its id and amount must be there")
    custom = (
        f"|custom-fields.{config.custom_field.replace('_', '-')}" if config.custom_field else ""
    )
    return replace(
        told,
        external_id=payment_id,
        reference=text(holder, f"order-id{custom}"),
        subject=own_id,
        amount=payload.from_major(amount, currency) if amount and currency else None,
        currency=currency if amount else None,
    )


adapter = Braintree()
