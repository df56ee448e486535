"""What Stripe's objects say of themselves: https://docs.stripe.com/api."""

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from marshmallow import fields, validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import ChangeKind
from providers import payload
from providers.contract import ApiAnswer, ApiRequest
from providers.meanings import Meaning, Means, Told

_API, _VERSION = "https://api.stripe.com", "2026-10-28.endive"
# Sums so far have fields of their own; everything else is told in `amount`.
_AMOUNTS = {
    ("payment_intent", Means.AUTHORIZED): "amount_capturable",
    ("payment_intent", Means.PAID): "amount_received",
    ("charge", Means.PAID): "amount_captured",
    ("charge", Means.REFUNDED): "amount_refunded",
}
_OF_THE_PAYMENT = frozenset({None, ChangeKind.CAPTURED, ChangeKind.VOIDED})


class Pointer(payload.Body):
    """Where a thin event's object is to be fetched."""

    id = payload.Id(required=True)
    # It is appended to Stripe's host: nothing but a plain path may get there.
    url = payload.Text(required=True, validate=validate.Regexp(r"/v[12](/[A-Za-z0-9_]+)+\Z"))


def request(path: str, account: str | None, api_key: str) -> ApiRequest:
    headers = (("Authorization", f"Bearer {api_key}"), ("Stripe-Version", _VERSION))
    context = (("Stripe-Context", account),) if account else ()
    return ApiRequest("GET", _API + path, headers + context)


class _Fields(payload.Body):
    id, object = payload.Id(required=True), payload.Text(required=True)
    status, payment_status, mode = (payload.Text(allow_none=True) for _ in range(3))
    payment_intent, charge, latest_charge = (payload.Id(allow_none=True) for _ in range(3))
    captured, refunded = (fields.Boolean(allow_none=True) for _ in range(2))
    currency = payload.Currency(allow_none=True)
    amount, amount_total, amount_capturable, amount_received, amount_captured, amount_refunded = (
        payload.MinorUnits(allow_none=True) for _ in range(6)
    )
    client_reference_id = payload.Text(allow_none=True)
    metadata = fields.Dict(allow_none=True)
    last_payment_error = fields.Raw(allow_none=True)


_FIELDS = _Fields()


@dataclass(frozen=True, slots=True)
class StripeObject:
    """A PaymentIntent, Charge, Checkout Session, Refund or Dispute."""

    loaded: dict[str, Any]

    @classmethod
    def read(cls, document: Any) -> "StripeObject":
        """Raises Rejected(MALFORMED)."""
        return cls(_FIELDS.read(document))

    @classmethod
    def of(cls, answer: ApiAnswer) -> "StripeObject":
        """The object in an answer of the API. Raises Rejected."""
        if answer.status != HTTPStatus.OK:
            unknown = answer.status == HTTPStatus.NOT_FOUND
            cause = Cause.UNKNOWN_PAYMENT if unknown else Cause.UNVERIFIABLE
            raise Rejected(cause, f"Stripe's API answered {answer.status}")
        return cls.read(payload.json_object(answer.body))

    @property
    def id(self) -> str:
        return str(self.loaded["id"])

    @property
    def state(self) -> str:
        """Its present state, in the word that ends the event type which tells of it."""
        told, status = self.loaded, str(self.loaded.get("status") or "")
        found = status
        match told["object"]:
            case "payment_intent":
                found = _intent_state(told, status)
            case "charge" if status == "succeeded" and told.get("captured"):
                found = "captured"
            case "charge" if status == "succeeded" and told.get("refunded"):
                # A hold that is given back before it was captured reads as refunded.
                found = "expired"
            case "checkout.session" if told.get("mode") == "setup":
                found = "setup"
            case "checkout.session" if status != "expired":
                found = str(told.get("payment_status") or "")
            case "dispute" if status.endswith(("needs_response", "under_review")):
                found = "created"
        return found

    @property
    def word(self) -> str:
        """The event type that tells of its present state, or what it would be called."""
        family = "charge.dispute" if self.loaded["object"] == "dispute" else self.loaded["object"]
        return f"{family}.{self.state}"

    @property
    def payment_id(self) -> str | None:
        """The PaymentIntent; without one (legacy charges, unpaid sessions) the next best id."""
        found: str | None = self.loaded.get("payment_intent") or self.loaded.get("charge")
        return found or (None if self.loaded["object"] in {"refund", "dispute"} else self.id)

    @property
    def reference(self) -> str | None:
        """What the merchant called the payment."""
        named = self.loaded.get("client_reference_id")
        value = named or (self.loaded.get("metadata") or {}).get("session_id")
        return value if isinstance(value, str) and payload.is_text(value) else None

    def completing(self, told: Told, meaning: Meaning) -> Told:
        """What was told, with what this object adds to it. Raises Rejected(MALFORMED)."""
        kind = self.loaded["object"]
        whole = "amount_total" if kind == "checkout.session" else "amount"
        field = _AMOUNTS.get((kind, meaning), whole)
        if self.loaded.get(field) is None or self.loaded.get("currency") is None:
            raise Rejected(Cause.MALFORMED, f"{field} and currency must be there")
        # An intent, its charge and its Checkout Session tell of the same capture: one subject.
        whole_payment = meaning.payment_event in _OF_THE_PAYMENT
        return replace(
            told,
            external_id=self.payment_id,
            reference=self.reference,
            subject=self.payment_id if whole_payment else self.id,
            total=meaning == Means.PAID or field == "amount_refunded",
            amount=self.loaded[field],
            currency=self.loaded["currency"],
        )


def _intent_state(told: dict[str, Any], status: str) -> str:
    if status in {"requires_payment_method", "requires_confirmation"}:
        return "payment_failed" if told.get("last_payment_error") else "created"
    # Without a charge there was never an authorization that the cancel could void.
    uncharged = told.get("latest_charge", "") is None
    return "uncharged" if status == "canceled" and uncharged else status
