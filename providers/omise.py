"""Omise (Opn Payments): https://docs.omise.co/api-webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from marshmallow import validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter, ApiRequest, Settlement, Verified
from providers.meanings import Means, event, meaning_of
from providers.schemes.api_answer import found_object
from providers.schemes.parts import as_base64, base64_bytes, usable_by
from providers.schemes.two_header_hmac import TwoHeaderHmac
from providers.shapes import Heading, Shape, matching

_EVENT = "https://api.omise.co/events/{}"
# A type, or a type and the state of its object; what needed no customer has only a create.
_STATES = {
    "authorized": Means.AUTHORIZED,
    "pending": Means.PENDING,
    "successful": Means.PAID,
    "failed": Means.FAILED,
    "expired": Means.CANCELED,
}
_MEANINGS = {f"charge.create {state}": its for state, its in _STATES.items()} | {
    f"charge.complete {state}": its for state, its in _STATES.items()
}
_MEANINGS |= {
    "charge.create waiting": Means.REQUIRES_MORE,
    "charge.complete waiting": Means.PENDING,
    "charge.capture successful": Means.PAID,
    "charge.capture failed": Means.CAPTURE_FAILED,
    "charge.expire": Means.RELEASED,
    "charge.reverse": Means.RELEASED,
    "refund.create closed": Means.REFUNDED,
    # Older API versions give refunds no status.
    "refund.create None": Means.REFUNDED,
    "refund.create pending": Means.IGNORED,
    "dispute.create": Means.DISPUTED,
    "dispute.accept": Means.DISPUTE_LOST,
    "dispute.close won": Means.DISPUTE_WON,
    "dispute.close lost": Means.DISPUTE_LOST,
}
_HEADING = Heading("id", "key", "created_at|created", "livemode")
_SHAPES = {
    "charge": Shape(
        "id",
        "metadata.session_id",
        sums={
            Means.AUTHORIZED: "authorized_amount|amount",
            Means.PAID: "captured_amount|amount",
        },
        # A charge is captured once, and told again at every change of it.
        total=True,
    ),
    "refund": Shape("charge", "metadata.session_id"),
    "dispute": Shape("charge", "metadata.session_id"),
}


def base64_key(secret: Secret) -> bytes:
    """The key is written in base64. A secret that is not is refused, and named."""
    key = base64_bytes(secret.value.strip())
    if not key:
        raise Rejected(Cause.NOT_CONFIGURED, f"{secret.label} is not base64")
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class OmiseConfig:
    webhook_secrets: Annotated[
        Secrets,
        "Dashboard > Webhooks > webhook secret, of the right mode; both while it is rolled",
        usable_by(base64_key),
    ] = ()
    secret_key: Annotated[
        Secret | None,
        "Dashboard > Keys > Secret key; an account without webhook secrets gets no signatures, and"
        " each of its events is asked for with this",
    ] = None
    tolerance_seconds: Annotated[
        int | None,
        "how far a timestamp may be from the receipt; empty: any time, repeats may have the first",
        validate.Range(1, 604_800),
    ] = None


class Omise(Adapter[OmiseConfig]):
    id, key_path = "omise", "id"
    Config = OmiseConfig
    scheme = TwoHeaderHmac[OmiseConfig](
        stamp_header="Omise-Signature-Timestamp",
        signature_header="Omise-Signature",
        secrets=lambda config: config.webhook_secrets,
        tolerance=lambda config: config.tolerance_seconds,
        key=base64_key,
    )
    refusal_status = 401
    meanings = _MEANINGS
    ignored = tuple(
        "charge.update dispute.update card.* customer.* recipient.* transfer.* schedule.* link.*"
        " linked_account.*".split()
    )

    def verify(self, delivery: Delivery, config: OmiseConfig) -> Verified:
        if config.secret_key is not None and not config.webhook_secrets:
            return Verified(settled=False)
        return super().verify(delivery, config)

    def read(self, delivery: Delivery, config: OmiseConfig) -> Iterable[PaymentEvent]:
        return [_event(delivery, payload.json_object(delivery.body))]

    def settle(self, delivery: Delivery, config: OmiseConfig) -> Settlement:
        asked = matching(payload.json_object(delivery.body), "id", "evnt_[0-9a-z_]{1,60}")
        if config.secret_key is None:
            raise Rejected(Cause.UNVERIFIABLE, "there is no secret_key to ask with")
        token = as_base64(f"{config.secret_key.value}:".encode())
        basic = ("Authorization", f"Basic {token}")
        answer = found_object((yield ApiRequest("GET", _EVENT.format(asked), (basic,))))
        if answer.get("id") != asked:
            raise Rejected(Cause.UNVERIFIABLE, "the API answered with another event")
        return [_event(delivery, answer)]


def _event(delivery: Delivery, document: dict[str, Any]) -> PaymentEvent:
    told, data = _HEADING.told(document), document.get("data")
    meaning = meaning_of([f"{told.type} {_state(data)}", told.type], _MEANINGS, Omise.ignored)
    if meaning:
        told = _SHAPES[told.type.partition(".")[0]].completing(told, data, meaning)
    return event(delivery, told, meaning)


def _state(data: Any) -> str | None:
    """An object's status, where a pending charge may be authorized, or wait for the customer."""
    status = payload.text_under(data, "status")
    if status == "pending" and payload.dig(data, "object") == "charge":
        if payload.dig(data, "authorized") is True and payload.dig(data, "capture") is False:
            return "authorized"
        return "waiting" if payload.text_under(data, "authorize_uri") else "pending"
    return status


adapter = Omise()
