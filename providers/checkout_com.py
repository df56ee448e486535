"""Checkout.com: https://www.checkout.com/docs/developer-resources/webhooks."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from gateway.domain.errors import Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event
from providers.schemes.hmac_and_token import HmacAndToken
from providers.shapes import Heading, Shape, matching

_MEANINGS = {
    "payment_pending": Means.PENDING,
    "payment_approved": Means.AUTHORIZED,
    "payment_captured": Means.PAID,
    "payment_capture_declined": Means.CAPTURE_FAILED,
    "payment_declined, payment_authentication_failed": Means.FAILED,
    "authentication_failed, authentication_expired": Means.FAILED,
    "authentication_started": Means.REQUIRES_MORE,
    "payment_canceled, payment_expired": Means.CANCELED,
    "payment_voided": Means.RELEASED,
    "payment_refunded, payment_returned": Means.REFUNDED,
    "payment_refund_declined": Means.REFUND_FAILED,
    "dispute_received, dispute_evidence_required": Means.DISPUTED,
    "dispute_won, dispute_canceled, dispute_arbitration_won": Means.DISPUTE_WON,
    "dispute_lost, dispute_accepted, dispute_expired": Means.DISPUTE_LOST,
    "dispute_arbitration_lost": Means.DISPUTE_LOST,
}
# Event views say `timestamp` in place of `created_on`.
_HEADING = Heading("id", "type", "created_on|timestamp")
# A capture or refund may have a reference of its own; the metadata are the payment's.
_NAMED = "metadata.session_id|reference"
_SHAPES = {
    "payment": Shape("id", _NAMED, own_id="action_id|event_id", in_parts=True, priced=False),
    "authentication": Shape("payment_id", _NAMED, own_id="event_id", priced=False),
    "dispute": Shape("payment_id", "metadata.session_id|payment_reference", priced=False),
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


class CheckoutCom(Adapter[CheckoutComConfig]):
    id, key_path = "checkout_com", "id"
    Config = CheckoutComConfig
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
        told = _HEADING.told(document)
        told = replace(told, livemode=_mode(payload.dig(document, "_links.self.href")))
        meaning = self.meaning(told.type)
        if meaning:
            family = told.type.partition("_")[0]
            bare = document.get("data") is None and family == "authentication"
            found = payload.loose_object(document if bare else document.get("data"))
            if family != "authentication":
                matching(found, "id")
            told = _SHAPES[family].completing(told, found | {"event_id": told.event_id}, meaning)
            of_nothing = found.get("payment_type") == "Payout" or told.amount == 0
            if meaning == Means.AUTHORIZED and of_nothing:
                meaning = Means.IGNORED
        return [event(delivery, told, meaning, self.decimals)]


def _mode(link: Any) -> bool | None:
    host = _HOST.match(link) if isinstance(link, str) else None
    return host["sandbox"] is None if host else None


adapter = CheckoutCom()
