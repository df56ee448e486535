"""Stripe, snapshot and thin events: https://docs.stripe.com/webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields, validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter, Settlement, Verified
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.timestamped_hmac import TimestampedHmac
from providers.stripe_objects import Pointer, StripeObject, request

_THIN = "v2.core.event"
# Types that do not tell by themselves: their object's state does.
_BY_STATE = frozenset(
    "payment_intent.amount_capturable_updated payment_intent.canceled charge.succeeded"
    " checkout.session.completed refund.created refund.updated charge.refund.updated"
    " charge.dispute.closed".split()
)
_DECIMALS = {"ISK": 2, "MGA": 0, "UGX": 2}
# Event types, and states of objects in the same form (see StripeObject.word).
_MEANINGS = {
    "payment_intent.created": Means.PENDING,
    "payment_intent.requires_action": Means.REQUIRES_MORE,
    "payment_intent.processing": Means.PENDING,
    "payment_intent.partially_funded": Means.PENDING,
    "payment_intent.requires_capture": Means.AUTHORIZED,
    "payment_intent.succeeded": Means.PAID,
    "payment_intent.payment_failed": Means.FAILED,
    "payment_intent.canceled": Means.RELEASED,
    "payment_intent.uncharged": Means.CANCELED,
    "checkout.session.paid": Means.PAID,
    "checkout.session.unpaid": Means.PENDING,
    "checkout.session.no_payment_required": Means.IGNORED,
    "checkout.session.setup": Means.IGNORED,
    "checkout.session.async_payment_succeeded": Means.PAID,
    "checkout.session.async_payment_failed": Means.FAILED,
    "checkout.session.async_payment_failed unpaid": Means.FAILED,
    "checkout.session.expired": Means.CANCELED,
    "charge.succeeded": Means.AUTHORIZED,
    "charge.captured": Means.PAID,
    "charge.pending": Means.PENDING,
    "charge.failed": Means.FAILED,
    "charge.expired": Means.RELEASED,
    "charge.refunded": Means.REFUNDED,
    "charge.refunded captured": Means.REFUNDED,
    "charge.refunded expired": Means.RELEASED,
    "refund.succeeded": Means.REFUNDED,
    "refund.failed": Means.REFUND_FAILED,
    "refund.canceled": Means.REFUND_FAILED,
    "refund.pending": Means.IGNORED,
    "refund.requires_action": Means.IGNORED,
    "charge.dispute.created": Means.DISPUTED,
    "charge.dispute.won": Means.DISPUTE_WON,
    "charge.dispute.warning_closed": Means.DISPUTE_WON,
    "charge.dispute.prevented": Means.DISPUTE_WON,
    "charge.dispute.lost": Means.DISPUTE_LOST,
}
_MAPPED = _BY_STATE.union(_MEANINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeConfig:
    webhook_secrets: Annotated[Secrets, "Workbench > Webhooks > (endpoint) > Signing secret"]
    api_key: Annotated[
        Secret | None,
        "only for thin events: Developers > API keys > a restricted key that may read"
        " PaymentIntents, Charges, Checkout Sessions and Events",
    ] = None


class Envelope(payload.Body):
    id, type = payload.Id(required=True), payload.Text(required=True)
    created = payload.Time(required=True)
    livemode = fields.Boolean(load_default=None, allow_none=True)
    data = fields.Raw(load_default=None)


class ThinEnvelope(Envelope):
    related_object = fields.Nested(Pointer, required=True)
    context = payload.Text(allow_none=True, validate=validate.Regexp(r"[A-Za-z0-9_/]+\Z"))


_ENVELOPE, _THIN_ENVELOPE = Envelope(), ThinEnvelope()


class Stripe(Adapter[StripeConfig]):
    id = "stripe"
    Config = StripeConfig
    scheme = TimestampedHmac[StripeConfig](
        "Stripe-Signature", lambda config: config.webhook_secrets
    )
    meanings = _MEANINGS
    decimals = _DECIMALS
    ignored = tuple(
        "setup_intent.* review.* radar.* payment_method.* customer.* invoice.* payout.* transfer.*"
        " payment_link.* account.* v2.* charge.updated charge.dispute.updated"
        " charge.dispute.funds_withdrawn charge.dispute.funds_reinstated".split()
    )

    def verify(self, delivery: Delivery, config: StripeConfig) -> Verified:
        verdict = super().verify(delivery, config)
        return replace(verdict, settled=not _is_thin(delivery.body))

    def key(self, delivery: Delivery, config: StripeConfig) -> bytes:
        return (payload.text_at(delivery.body, "id") or "").encode() or delivery.body

    def read(self, delivery: Delivery, config: StripeConfig) -> Iterable[PaymentEvent]:
        if _is_thin(delivery.body):
            raise Rejected(Cause.UNVERIFIABLE, "a thin event says nothing until it is settled")
        envelope = _ENVELOPE.read(payload.json_object(delivery.body))
        kind = _kind(envelope["type"])
        if kind not in _MAPPED:
            return [event(delivery, _told(envelope), meaning_of([kind], {}, self.ignored))]
        found = StripeObject.read(payload.dig(envelope["data"], "object"))
        states = [found.word] if kind in _BY_STATE or found.state == "setup" else []
        return [self._event(delivery, envelope, found, [f"{kind} {found.state}", *states, kind])]

    def settle(self, delivery: Delivery, config: StripeConfig) -> Settlement:
        if config.api_key is None:
            raise Rejected(Cause.UNVERIFIABLE, "set api_key: thin events need Stripe's API")
        envelope = _THIN_ENVELOPE.read(payload.json_object(delivery.body))
        pointer = envelope["related_object"]
        answer = yield request(pointer["url"], envelope.get("context"), config.api_key.value)
        found = StripeObject.of(answer)
        if found.id != pointer["id"]:
            raise Rejected(Cause.MALFORMED, "related_object: its url holds another object")
        # What the object is now counts, not what the type says that it was.
        words = [f"{_kind(envelope['type'])} {found.state}", found.word]
        return [self._event(delivery, envelope, found, words)]

    def _event(
        self, delivery: Delivery, envelope: dict[str, Any], found: StripeObject, words: list[str]
    ) -> PaymentEvent:
        told, meaning = _told(envelope), meaning_of(words, self.meanings)
        if meaning not in (None, Means.IGNORED):
            told = found.completing(told, meaning)
        return event(delivery, told, meaning, self.decimals)


def _kind(word: str) -> str:
    """The snapshot type that an event's type is, or is the thin twin of."""
    return word.removeprefix("v1.")


def _is_thin(body: bytes) -> bool:
    """Whether a body is a thin event about a payment: something is new, but it says not what."""
    if _THIN.encode() not in body:
        return False
    kind = _kind(payload.text_at(body, "type") or "")
    return payload.text_at(body, "object") == _THIN and kind in _MAPPED


def _told(envelope: dict[str, Any]) -> Told:
    return Told(
        event_id=envelope["id"],
        type=envelope["type"],
        occurred_at=envelope["created"],
        livemode=envelope["livemode"],
    )


adapter = Stripe()
