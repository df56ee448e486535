"""PayPal: https://developer.paypal.com/api/rest/webhooks/event-names."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import ChangeKind, Delivery, PaymentEvent, SessionStatus
from providers import payload
from providers.contract import Adapter, Settlement
from providers.meanings import Meaning, Means, Told, by_word, event
from providers.schemes.postback import settle_transmission
from providers.schemes.transmission import TransmissionConfig, TransmissionSignature
from providers.shapes import Heading, first, items, major_sum, text

_DECLINED = Meaning(SessionStatus.ERROR, ChangeKind.CAPTURE_FAILED)
_MEANINGS = by_word(
    {
        "CHECKOUT.ORDER.SAVED, CHECKOUT.ORDER.PROCESSED, PAYMENT.CAPTURE.PENDING": Means.PENDING,
        "CHECKOUT.ORDER.APPROVED": Means.REQUIRES_MORE,
        "CHECKOUT.ORDER.DECLINED": Means.FAILED,
        "CHECKOUT.PAYMENT-APPROVAL.REVERSED, CHECKOUT.ORDER.VOIDED": Means.CANCELED,
        "PAYMENT.AUTHORIZATION.VOIDED": Means.RELEASED,
        "PAYMENT.CAPTURE.COMPLETED": Means.PAID,
        "PAYMENT.CAPTURE.DECLINED, PAYMENT.CAPTURE.DENIED": _DECLINED,
        "PAYMENT.CAPTURE.REVERSED": Means.REFUNDED,
        "PAYMENT.REFUND.FAILED": Means.REFUND_FAILED,
        "PAYMENT.ORDER.CANCELLED": Means.CANCELED,
        "CUSTOMER.DISPUTE.CREATED": Means.DISPUTED,
    }
)
# Types that do not tell alone, and the states of their resources; NONE where there is none.
_BY_STATE = {
    # The events of its captures tell of the money; they may be pending still, or declined.
    "CHECKOUT.ORDER.COMPLETED": {
        "DONE": Means.AUTHORIZED,
        "PENDING": Means.PENDING,
        "DECLINED, DENIED, FAILED": Means.FAILED,
    },
    "PAYMENT.AUTHORIZATION.CREATED": {
        "CREATED, AUTHORIZED, CAPTURED, PARTIALLY_CAPTURED": Means.AUTHORIZED,
        "PENDING": Means.PENDING,
        "DENIED": Means.FAILED,
    },
    "PAYMENT.CAPTURE.REFUNDED": {
        "NONE, COMPLETED": Means.REFUNDED,
        "PENDING": Means.IGNORED,
        "FAILED, CANCELLED": Means.REFUND_FAILED,
    },
    "CUSTOMER.DISPUTE.RESOLVED": {
        "RESOLVED_BUYER_FAVOUR, ACCEPTED": Means.DISPUTE_LOST,
        "RESOLVED_SELLER_FAVOUR, RESOLVED_WITH_PAYOUT": Means.DISPUTE_WON,
        "CANCELED_BY_BUYER, DENIED": Means.DISPUTE_WON,
        "NONE": Means.IGNORED,
    },
}
_MEANINGS |= {
    f"{kind} {at}": its for kind, row in _BY_STATE.items() for at, its in by_word(row).items()
}
_REFERENCE = "custom_id|custom|purchase_units.0.custom_id|disputed_transactions.0.custom"
_ORDER = "supplementary_data.related_ids.order_id|parent_payment|order_id"
# The older names of what is the same.
_TWINS = {"PAYMENT.SALE.": "PAYMENT.CAPTURE.", "RISK.DISPUTE.": "CUSTOMER.DISPUTE."}
_HELD = ("captures", "authorizations")
_NOT_DONE = frozenset({"DECLINED", "DENIED", "FAILED", "PENDING"})
_TAKEN_BACK = frozenset({"PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED"})
_PARENT = re.compile(r"https://[^/]+/v2/(?:checkout/orders|payments/captures)/([A-Z0-9]+)")
_HEADING = Heading("id", "event_type", "create_time")


class Paypal(Adapter[TransmissionConfig]):
    id, key_path = "paypal", "id"
    Config = TransmissionConfig
    scheme = TransmissionSignature()
    meanings = _MEANINGS
    ignored = tuple(
        "PAYMENT.ORDER.CREATED PAYMENT.REFUND.PENDING CUSTOMER.DISPUTE.UPDATED"
        " BILLING.* INVOICING.* VAULT.* MERCHANT.*"
        " PAYMENT.PAYOUTS* PAYMENT.REFERENCED-PAYOUT-ITEM.* CUSTOMER.MANAGED-ACCOUNT.*".split()
    )

    def read(self, delivery: Delivery, config: TransmissionConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        told = replace(_HEADING.told(document), livemode=config.environment == "live")
        resource, kind = payload.need(document, "resource"), told.type
        for old, new in _TWINS.items():
            kind = kind.replace(old, new)
        word = f"{kind} {_state(kind, resource)}" if kind in _BY_STATE else kind
        meaning = self.meaning(word)
        return [event(delivery, _complete(told, kind, resource, meaning), meaning)]

    def settle(self, delivery: Delivery, config: TransmissionConfig) -> Settlement:
        yield from settle_transmission(self.scheme, delivery, config)
        return self.read(delivery, config)


def _state(kind: str, found: Any) -> str:
    dispute = kind == "CUSTOMER.DISPUTE.RESOLVED"
    said = text(found, "dispute_outcome.outcome_code" if dispute else "status|state")
    if kind == "CHECKOUT.ORDER.COMPLETED":
        held = [payload.dig(unit, "payments") for unit in items(found, "purchase_units")]
        moves = [one for name in _HELD for each in held for one in items(each, name)]
        # The worst decides.
        states = sorted(text(one, "status") or "" for one in moves)
        said = next((word for word in states if word in _NOT_DONE), "DONE")
    return (said or "NONE").upper()


def _complete(told: Told, kind: str, found: Any, meaning: Meaning | None) -> Told:
    """What was told, with what its resource adds if it concerns a payment. Raises Rejected."""
    if not meaning:
        return told
    own_id, amount, currency = text(found, "dispute_id|id"), *_money(kind, found)
    if (amount is None and meaning.needs_amount) or (own_id is None and meaning.payment_event):
        raise Rejected(Cause.MALFORMED, "resource: its id and money must be there")
    return replace(
        told,
        external_id=_payment_id(kind, found, own_id),
        reference=text(found, _REFERENCE),
        subject=own_id,
        amount=amount,
        currency=currency,
    )


def _payment_id(kind: str, found: Any, own_id: str | None) -> str | None:
    """The order; where only that is told, the capture, or the payment of the first version."""
    if kind.startswith("CUSTOMER.DISPUTE."):
        return text(found, "disputed_transactions.0.seller_transaction_id")
    up = (text(i, "href") or "" for i in items(found, "links") if text(i, "rel") == "up")
    parent = next(filter(None, map(_PARENT.fullmatch, up)), None)
    own_order = own_id if kind.startswith(("CHECKOUT.", "PAYMENT.ORDER.")) else None
    return text(found, _ORDER) or own_order or (parent[1] if parent else None)


def _money(kind: str, found: Any) -> tuple[int | None, str | None]:
    one, units = first(found, "amount|dispute_amount"), items(found, "purchase_units")
    # The units of an order are paid together.
    parts = [one] if one else [first(unit, "amount") for unit in units]
    if kind in _TAKEN_BACK and isinstance(total := payload.dig(one, "total"), str):
        # The first version writes what is taken back as less than nothing.
        parts = [one | {"total": total.removeprefix("-")}]
    return major_sum(parts, "value|total", "currency_code|currency")


adapter = Paypal()
