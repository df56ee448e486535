"""Checkout.com: https://www.checkout.com/docs/developer-resources/webhooks."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields

from gateway.domain.errors import Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter
from providers.meanings import Meaning, Means, Told, event, meaning_of
from providers.schemes.hmac_and_token import HmacAndToken

_WON = "dispute_won dispute_canceled dispute_arbitration_won"
_LOST = "dispute_lost dispute_accepted dispute_expired dispute_arbitration_lost"
_MEANINGS = {
    "payment_pending": Means.PENDING,
    "payment_approved": Means.AUTHORIZED,
    "payment_captured": Means.PAID,
    "payment_capture_declined": Means.CAPTURE_FAILED,
    "payment_declined": Means.FAILED,
    "payment_authentication_failed": Means.FAILED,
    "authentication_failed": Means.FAILED,
    "authentication_expired": Means.FAILED,
    "authentication_started": Means.REQUIRES_MORE,
    "payment_canceled": Means.CANCELED,
    "payment_expired": Means.CANCELED,
    "payment_voided": Means.RELEASED,
    "payment_refunded": Means.REFUNDED,
    "payment_returned": Means.REFUNDED,
    "payment_refund_declined": Means.REFUND_FAILED,
    **dict.fromkeys("dispute_received dispute_evidence_required".split(), Means.DISPUTED),
    **dict.fromkeys(_WON.split(), Means.DISPUTE_WON),
    **dict.fromkeys(_LOST.split(), Means.DISPUTE_LOST),
}
# CLF comes in whole units, CLP with two digits more than it has.
_DECIMALS = {"CLF": 0, "CLP": 2}
# Where the event can be read says whether it is live; accounts may have a prefix of their own.
_HOST = re.compile(r"https://([a-z0-9-]+\.)?api\.(?P<sandbox>sandbox\.)?checkout\.com/")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutComConfig:
    signature_keys: Annotated[
        Secrets, "Dashboard > Developers > Workflows > (webhook action) > Signature key"
    ]
    authorization_key: Annotated[
        Secret | None, "the same page > Headers > Authorization; then it must come as well"
    ] = None
    accept_unsigned: Annotated[
        bool, "whether the authorization key alone will do; whoever has seen it can forge any body"
    ] = False


class Envelope(payload.Body):
    id, type = payload.Id(required=True), payload.Text(required=True)
    # Event views say `timestamp` in place of `created_on`.
    created_on, timestamp = (payload.IsoTime(allow_none=True) for _ in range(2))
    data = fields.Raw(load_default=None, allow_none=True)


class Subject(payload.Body):
    id, action_id, payment_id = (payload.Id(allow_none=True) for _ in range(3))
    reference, payment_reference, payment_type = (payload.Text(allow_none=True) for _ in range(3))
    amount, currency = payload.MinorUnits(allow_none=True), payload.Currency(allow_none=True)
    metadata = fields.Raw(allow_none=True)


_ENVELOPE, _SUBJECT = Envelope(), Subject()


class CheckoutCom(Adapter[CheckoutComConfig]):
    id = "checkout_com"
    Config = CheckoutComConfig
    key_path = "id"
    scheme = HmacAndToken[CheckoutComConfig](
        "Cko-Signature",
        lambda config: config.signature_keys,
        token=lambda config: config.authorization_key,
        token_suffices=lambda config: config.accept_unsigned,
    )
    refusal_status = 401
    decimals = _DECIMALS
    meanings = _MEANINGS
    ignored = tuple(
        "payment_authorization_increment* payment_capture_pending payment_void_declined"
        " payment_refund_pending payment_paid payment_action_invoked payment_instrument_*"
        " authentication_approved authentication_attempted dispute_evidence_submitted"
        " dispute_evidence_acknowledged_by_scheme dispute_arbitration_sent_to_scheme"
        " dispute_resolved card_verified card_verification_declined report_* *_updated".split()
    )

    def read(self, delivery: Delivery, config: CheckoutComConfig) -> Iterable[PaymentEvent]:
        try:
            document = payload.json_object(delivery.body)
        except Rejected:
            if b"authentication_failed" not in delivery.body:
                raise
            # Known to come as broken JSON; the payment's own events tell the same.
            digest = hashlib.sha256(delivery.body).hexdigest()
            told = Told(event_id=digest, type="broken JSON", occurred_at=delivery.received_at)
            return [event(delivery, told, Means.IGNORED)]
        envelope = _ENVELOPE.read(document)
        told = Told(
            event_id=envelope["id"],
            type=envelope["type"],
            occurred_at=payload.need(envelope, "created_on", "timestamp"),
            livemode=_mode(payload.dig(document, "_links.self.href")),
        )
        meaning = meaning_of([told.type], _MEANINGS, self.ignored)
        if meaning not in (None, Means.IGNORED):
            bare = envelope["data"] is None and told.type.startswith("authentication_")
            found = _SUBJECT.read(document if bare else envelope["data"])
            told = _complete(told, found, meaning)
            of_nothing = found.get("payment_type") == "Payout" or told.amount == 0
            if meaning == Means.AUTHORIZED and of_nothing:
                meaning = Means.IGNORED
        return [event(delivery, told, meaning, self.decimals)]


def _complete(told: Told, found: dict[str, Any], meaning: Meaning) -> Told:
    family = told.type.partition("_")[0]
    if meaning.needs_amount:
        payload.require(found, "amount", "currency")
    own_id = found.get("id") if family == "authentication" else payload.need(found, "id")
    ours = found.get("payment_reference" if family == "dispute" else "reference")
    return replace(
        told,
        external_id=own_id if family == "payment" else found.get("payment_id"),
        # A capture or refund may have a reference of its own; the metadata are the payment's.
        reference=payload.text_under(found, "metadata.session_id") or ours,
        subject=own_id if family == "dispute" else found.get("action_id") or told.event_id,
        amount=found.get("amount"),
        currency=found.get("currency"),
    )


def _mode(link: Any) -> bool | None:
    host = _HOST.match(link) if isinstance(link, str) else None
    return host["sandbox"] is None if host else None


adapter = CheckoutCom()
