"""Omise (Opn Payments): https://docs.omise.co/api-webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets, Tolerance
from providers.contract import Adapter, Settlement, Verified
from providers.meanings import Means, event
from providers.schemes.api_answer import key_get, object_named
from providers.schemes.parts import base64_key, usable_by
from providers.schemes.two_header_hmac import TwoHeaderHmac
from providers.shapes import Heading, Shape, matching

# A type, or a type and the state of its object; what needed no customer has only a create.
_MEANINGS = {
    "charge.create waiting": Means.REQUIRES_MORE,
    "charge.create pending, charge.complete pending, charge.complete waiting": Means.PENDING,
    "charge.create authorized, charge.complete authorized": Means.AUTHORIZED,
    "charge.create successful, charge.complete successful": Means.PAID,
    "charge.capture successful": Means.PAID,
    "charge.create failed, charge.complete failed": Means.FAILED,
    "charge.create expired, charge.complete expired": Means.CANCELED,
    "charge.capture failed": Means.CAPTURE_FAILED,
    "charge.expire, charge.reverse": Means.RELEASED,
    # Older API versions give refunds no status.
    "refund.create closed, refund.create None": Means.REFUNDED,
    "refund.create pending": Means.IGNORED,
    "dispute.create": Means.DISPUTED,
    "dispute.accept, dispute.close lost": Means.DISPUTE_LOST,
    "dispute.close won": Means.DISPUTE_WON,
}
_HEADING = Heading("id", "key", "created_at|created", "livemode")
_SUMS = {Means.AUTHORIZED: "authorized_amount|amount", Means.PAID: "captured_amount|amount"}
# A charge is captured once, and told again at every change of it.
_CHARGE = Shape("id", "metadata.session_id", sums=_SUMS, total=True)
_PART = Shape("charge", "metadata.session_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class OmiseConfig:
    webhook_secrets: Annotated[
        Secrets, "Dashboard > Webhooks > webhook secret, of the right mode", usable_by(base64_key)
    ] = ()
    secret_key: Annotated[Secret | None, "if unsigned: Dashboard > Keys > Secret key"] = None
    tolerance_seconds: Tolerance = None


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
    unproven = "what comes to an account without webhook secrets; each event is fetched back"
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
        document = payload.json_object(delivery.body)
        told, data = _HEADING.told(document), document.get("data")
        meaning = self.meaning(f"{told.type} {_state(data)}", told.type)
        shape = _CHARGE if told.type.startswith("charge.") else _PART
        return [event(delivery, shape.completing(told, data, meaning), meaning)]

    def settle(self, delivery: Delivery, config: OmiseConfig) -> Settlement:
        asked = matching(payload.json_object(delivery.body), "id", "evnt_[0-9a-z_]{1,60}")
        answer = yield key_get(f"https://api.omise.co/events/{asked}", config.secret_key)
        object_named(answer, asked)
        # The API has the event as it would have been delivered.
        return self.read(replace(delivery, body=answer.body), config)


def _state(data: Any) -> str | None:
    """An object's status, where a pending charge may be authorized, or wait for the customer."""
    status = payload.text_under(data, "status")
    if status != "pending" or payload.dig(data, "object") != "charge":
        return status
    if payload.dig(data, "authorized") is True and payload.dig(data, "capture") is False:
        return "authorized"
    return "waiting" if payload.text_under(data, "authorize_uri") else status


adapter = Omise()
