"""Authorize.Net: https://developer.authorize.net/api/reference/features/webhooks.html."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from marshmallow import validate

from gateway.domain.events import ChangeKind, Delivery, PaymentEvent, SessionStatus
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter, Verified
from providers.meanings import Meaning, Means, by_word, event, meaning_of
from providers.schemes.body_hmac import BodyHmac
from providers.schemes.parts import with_headers
from providers.shapes import Heading, Shape, word

_SIGNATURE = "X-ANET-Signature"
_FAMILY = "net.authorize.payment."
_UNCAPTURED = {"2, 3": Means.CAPTURE_FAILED}
# What happened, and the responseCode: 1 approved, 2 declined, 3 error, 4 held for review.
_ROWS = {
    "authorization.created": {"1": Means.AUTHORIZED, "4": Means.PENDING, "2, 3": Means.FAILED},
    "authcapture.created": {"1": Means.PAID, "4": Means.PENDING, "2, 3": Means.FAILED},
    # A capture of what was authorized elsewhere.
    "capture.created": {"1": Means.PAID, "4": Means.PENDING, "2, 3": Means.FAILED},
    "priorAuthCapture.created": {"1": Means.CAPTURED, "4": Means.IGNORED, **_UNCAPTURED},
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
_HEADING = Heading("notificationId", "eventType", "eventDate")
_NAMED = "merchantReferenceId|invoiceNumber"
_PAYMENT = Shape("id", _NAMED, "authAmount", in_parts=True, priced=False, major=True)
# A refund is a transaction of its own, and does not say of which payment.
_REFUND = replace(_PAYMENT, external_id="")


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


class AuthorizeNet(Adapter[AuthorizeNetConfig]):
    id, key_path = "authorize_net", "notificationId"
    Config = AuthorizeNetConfig
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
        document = payload.json_object(delivery.body)
        told, found = _HEADING.told(document), payload.loose_object(document.get("payload"))
        what = told.type.removeprefix(_FAMILY)
        if what not in _ROWS:
            return [event(delivery, told, meaning_of([told.type], {}, self.ignored))]
        payload.require(found, "responseCode")
        meaning = self.meaning(f"{told.type} {word(found, 'responseCode')}")
        found["currency"] = config.currency  # it is nowhere told
        shape = _REFUND if what == "refund.created" else _PAYMENT
        return [event(delivery, shape.completing(told, found, meaning), meaning)]


adapter = AuthorizeNet()
