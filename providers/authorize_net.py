"""Authorize.Net: https://developer.authorize.net/api/reference/features/webhooks.html."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields, validate

from gateway.domain.events import ChangeKind, Delivery, PaymentEvent, SessionStatus
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter, Verified
from providers.meanings import Meaning, Means, Told, by_word, event, meaning_of
from providers.schemes.body_hmac import BodyHmac
from providers.schemes.parts import with_headers

_SIGNATURE = "X-ANET-Signature"
_FAMILY = "net.authorize.payment."
# What happened, and the responseCode: 1 approved, 2 declined, 3 error, 4 held for review.
_ROWS = {
    "authorization.created": {"1": Means.AUTHORIZED, "4": Means.PENDING, "2, 3": Means.FAILED},
    "authcapture.created": {"1": Means.PAID, "4": Means.PENDING, "2, 3": Means.FAILED},
    # A capture of what was authorized elsewhere.
    "capture.created": {"1": Means.PAID, "4": Means.PENDING, "2, 3": Means.FAILED},
    "priorAuthCapture.created": {
        "1": Means.CAPTURED,
        "4": Means.IGNORED,
        "2, 3": Means.CAPTURE_FAILED,
    },
    # A void that failed leaves everything as it was.
    "void.created": {"1": Means.RELEASED, "2, 3, 4": Means.IGNORED},
    "refund.created": {"1": Means.REFUNDED, "4": Means.IGNORED, "2, 3": Means.REFUND_FAILED},
    "fraud.held": {"1, 2, 3, 4": Means.PENDING},
    # Whether it is captured as well is not said: that is left to a later event.
    "fraud.approved": {"1": Means.AUTHORIZED},
    "fraud.declined": {"1, 2, 3, 4": Meaning(SessionStatus.ERROR, ChangeKind.VOIDED)},
}
# A test notification looks like a real one, but for its code of 0.
_TEST = "0"
_MEANINGS = {
    f"{_FAMILY}{what} {code}": meaning
    for what, row in _ROWS.items()
    for code, meaning in (by_word(row) | {_TEST: Means.IGNORED}).items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeNetConfig:
    signature_keys: Annotated[
        Secrets,
        "Account > Settings > Security Settings > API Credentials & Keys > Signature Key, as shown",
    ]
    currency: Annotated[
        str,
        "the account's currency",
        validate.Regexp(r"[A-Z]{3}\Z", error="must be a currency code in upper case"),
    ] = "USD"


class Transaction(payload.Body):
    id = payload.NumberedId(required=True)
    code = payload.NumberedId(required=True, data_key="responseCode")
    amount = fields.Raw(data_key="authAmount", load_default=None, allow_none=True)
    reference = payload.Text(data_key="merchantReferenceId", load_default=None, allow_none=True)


class Notification(payload.Body):
    id = payload.Id(required=True, data_key="notificationId")
    type = payload.Text(required=True, data_key="eventType")
    at = payload.IsoTime(required=True, data_key="eventDate")
    transaction = fields.Raw(data_key="payload", load_default=None)


_NOTIFICATION, _TRANSACTION = Notification(), Transaction()


class AuthorizeNet(Adapter[AuthorizeNetConfig]):
    id = "authorize_net"
    Config = AuthorizeNetConfig
    key_path = "notificationId"
    # The key is its text: it looks like hex, and is decoded elsewhere, but not here.
    scheme = BodyHmac[AuthorizeNetConfig](
        _SIGNATURE,
        lambda config: config.signature_keys,
        algorithm="sha512",
        encode=lambda digest: digest.hex().upper(),
        prefix="sha512=",
    )
    meanings = _MEANINGS
    ignored = ("net.authorize.customer.*",)

    def verify(self, delivery: Delivery, config: AuthorizeNetConfig) -> Verified:
        given = delivery.header_values(_SIGNATURE)
        if len(given) == 1:
            name, equals, digits = given[0].strip().partition("=")
            one_case = f"{name.lower()}{equals}{digits.upper()}"
            delivery = with_headers(delivery, (_SIGNATURE, one_case))
        return super().verify(delivery, config)

    def read(self, delivery: Delivery, config: AuthorizeNetConfig) -> Iterable[PaymentEvent]:
        notice = _NOTIFICATION.read(payload.json_object(delivery.body))
        told = Told(event_id=notice["id"], type=notice["type"], occurred_at=notice["at"])
        if told.type.removeprefix(_FAMILY) not in _ROWS:
            return [event(delivery, told, meaning_of([told.type], {}, self.ignored))]
        found = _TRANSACTION.read(notice["transaction"])
        meaning = meaning_of([f"{told.type} {found['code']}"], _MEANINGS)
        return [event(delivery, _complete(told, found, meaning, config), meaning)]


def _complete(
    told: Told, found: dict[str, Any], meaning: Meaning | None, config: AuthorizeNetConfig
) -> Told:
    if not meaning:
        return told
    # A refund is a transaction of its own, and does not say of which payment.
    refund = told.type == f"{_FAMILY}refund.created"
    told_amount = found["amount"] is not None or meaning.needs_amount
    amount = payload.from_major(found["amount"], config.currency) if told_amount else None
    return replace(
        told,
        external_id=None if refund else found["id"],
        reference=found["reference"],
        subject=found["id"],
        amount=amount,
        currency=config.currency,
    )


adapter = AuthorizeNet()
