"""Stripe, snapshot and thin events: https://docs.stripe.com/webhooks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter, ApiRequest, Settlement
from providers.meanings import Means, by_word, event, meaning_of
from providers.schemes.api_answer import found_object
from providers.schemes.timestamped_hmac import TimestampedHmac
from providers.shapes import Heading, Shape, matching, text

_DECIMALS = {"ISK": 2, "MGA": 0, "UGX": 2}
_API, _VERSION, _THIN = "https://api.stripe.com", "2026-10-28.endive", "v2.core.event"
# Types of events, and states of objects as `object.status`; either may have a detail (see _words).
_ROWS = {
    "payment_intent.created, payment_intent.processing, charge.pending": Means.PENDING,
    "payment_intent.partially_funded, payment_intent.requires_confirmation": Means.PENDING,
    "payment_intent.requires_payment_method, checkout.session.unpaid": Means.PENDING,
    "payment_intent.requires_action": Means.REQUIRES_MORE,
    "payment_intent.requires_capture, charge.succeeded": Means.AUTHORIZED,
    "payment_intent.succeeded, charge.captured, charge.succeeded captured": Means.PAID,
    "checkout.session.paid, checkout.session.async_payment_succeeded": Means.PAID,
    "payment_intent.payment_failed, checkout.session.async_payment_failed": Means.FAILED,
    "charge.failed, checkout.session.async_payment_failed unpaid": Means.FAILED,
    "payment_intent.requires_confirmation last_payment_error": Means.FAILED,
    "payment_intent.requires_payment_method last_payment_error": Means.FAILED,
    # A hold that is given back before it was captured reads as refunded.
    "charge.expired, charge.succeeded refunded, charge.refunded refunded": Means.RELEASED,
    "payment_intent.canceled": Means.RELEASED,
    # Without a charge, or after one that failed, there is no authorization to be voided.
    "payment_intent.canceled uncharged, checkout.session.expired": Means.CANCELED,
    "payment_intent.canceled last_payment_error": Means.CANCELED,
    "charge.refunded, charge.refunded captured, refund.succeeded": Means.REFUNDED,
    "refund.failed, refund.canceled": Means.REFUND_FAILED,
    "charge.dispute.created, dispute.needs_response, dispute.under_review": Means.DISPUTED,
    "dispute.warning_needs_response, dispute.warning_under_review": Means.DISPUTED,
    "dispute.won, dispute.warning_closed, dispute.prevented": Means.DISPUTE_WON,
    "dispute.lost": Means.DISPUTE_LOST,
    "checkout.session.completed setup, checkout.session.expired setup": Means.IGNORED,
    "checkout.session.async_payment_succeeded setup": Means.IGNORED,
    "checkout.session.async_payment_failed setup": Means.IGNORED,
}
# These do not tell by themselves: their object's state does.
_BY_STATE = frozenset(
    "payment_intent.amount_capturable_updated checkout.session.completed refund.created"
    " refund.updated charge.refund.updated charge.dispute.closed".split()
)
_MEANINGS = by_word(_ROWS)
_MAPPED = _BY_STATE.union(_MEANINGS)
_NAMED = "client_reference_id|metadata.session_id"
_INTENT_SUMS = {Means.AUTHORIZED: "amount_capturable", Means.PAID: "amount_received"}
_CHARGE_SUMS = {Means.PAID: "amount_captured", Means.REFUNDED: "amount_refunded"}
_HEADING = Heading("id", "type", occurred_at="created", livemode="livemode")
# Without an intent (legacy charges, unpaid Checkout Sessions) the next best id is the payment's.
_SHAPES = {
    "payment_intent": Shape("id", _NAMED, sums=_INTENT_SUMS, total=True),
    "charge": Shape("payment_intent|id", _NAMED, sums=_CHARGE_SUMS, total=True),
    "checkout.session": Shape("payment_intent|id", _NAMED, "amount_total", total=True),
    "refund": Shape("payment_intent|charge", _NAMED),
    "dispute": Shape("payment_intent|charge", _NAMED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeConfig:
    webhook_secrets: Annotated[Secrets, "Workbench > Webhooks > (endpoint) > Signing secret"]
    api_key: Annotated[
        Secret | None,
        "only for thin events: Developers > API keys > a restricted key that may read"
        " PaymentIntents, Charges, Checkout Sessions and Events",
    ] = None


class Stripe(Adapter[StripeConfig]):
    id, key_path = "stripe", "id"
    Config = StripeConfig
    scheme = TimestampedHmac[StripeConfig]("Stripe-Signature", lambda its: its.webhook_secrets)
    meanings = _MEANINGS
    decimals = _DECIMALS
    ignored = tuple(
        "setup_intent.* review.* radar.* payment_method.* customer.* invoice.* payout.* transfer.*"
        " v2.* checkout.session.no_payment_required charge.dispute.funds_* refund.requires_action"
        " payment_link.* account.* charge.updated charge.dispute.updated refund.pending".split()
    )

    def asks(self, delivery: Delivery, config: StripeConfig) -> bool:
        return _is_thin(payload.peek(delivery.body))

    def read(self, delivery: Delivery, config: StripeConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        if _is_thin(document):
            raise Rejected(Cause.UNVERIFIABLE, "a thin event says nothing until it is settled")
        return [_event(delivery, document, payload.dig(document, "data.object"))]

    def settle(self, delivery: Delivery, config: StripeConfig) -> Settlement:
        if config.api_key is None:
            raise Rejected(Cause.UNVERIFIABLE, "set api_key: thin events need Stripe's API")
        document = payload.json_object(delivery.body)
        # It is appended to Stripe's host: nothing but a plain path may get there.
        path = matching(document, "related_object.url", r"/v[12](/\w+)+")
        headers = {"Authorization": f"Bearer {config.api_key.value}", "Stripe-Version": _VERSION}
        if document.get("context") is not None:
            headers["Stripe-Context"] = matching(document, "context", r"[\w/]+")
        found = found_object((yield ApiRequest("GET", _API + path, tuple(headers.items()))))
        if text(found, "id") != payload.dig(document, "related_object.id"):
            raise Rejected(Cause.MALFORMED, "related_object: its url holds another object")
        return [_event(delivery, document, found)]


def _event(delivery: Delivery, document: dict[str, Any], found: Any) -> PaymentEvent:
    told = _HEADING.told(document)
    kind = told.type.removeprefix("v1.")
    if kind not in _MAPPED:
        return event(delivery, told, meaning_of([kind], {}, Stripe.ignored))
    shape = _SHAPES.get(text(found, "object") or "")
    if shape is None:
        raise Rejected(Cause.MALFORMED, "data.object: must be an object that payments have")
    # A thin event tells what is new, but its object is what it is now.
    by_state = kind in _BY_STATE or _is_thin(document)
    meaning = meaning_of(_words(kind, found, by_state=by_state), _MEANINGS, Stripe.ignored)
    return event(delivery, shape.completing(told, found, meaning), meaning, Stripe.decimals)


def _words(kind: str, found: dict[str, Any], *, by_state: bool) -> list[str]:
    """The type, or else what its object is now, in the form of a type; first with its details."""
    status, paid = text(found, "status"), text(found, "payment_status")
    state = f"{found['object']}.{status if status == 'expired' else paid or status}"
    details = [text(found, "mode"), paid]
    details += [flag for flag in ("captured", "refunded", "last_payment_error") if found.get(flag)]
    details += ["uncharged"] if found.get("latest_charge", "") is None else []
    words = [kind, state] if by_state else [kind]
    return [*(f"{word} {detail}" for word in words for detail in details), words[-1]]


def _is_thin(document: Mapping[str, Any]) -> bool:
    """Whether it is a thin event about a payment: something is new, but it says not what."""
    kind = (text(document, "type") or "").removeprefix("v1.")
    return document.get("object") == _THIN and kind in _MAPPED


adapter = Stripe()
