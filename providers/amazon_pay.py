"""Amazon Pay: https://developer.amazon.com/docs/amazon-pay-checkout/set-up-instant-payment-notifications.html."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import ChangeKind, Delivery, PaymentEvent, SessionStatus
from providers.configuration import Secret
from providers.contract import Adapter, ApiRequest, Settlement, Verified
from providers.meanings import Meaning, Means, Told, event, meaning_of
from providers.schemes.api_answer import found_object
from providers.schemes.pss_request import signed_get
from providers.schemes.sns import SnsConfig, SnsEnvelope, SnsSignature
from providers.shapes import Heading, Shape, major_sum, matching, text

# An object and its fetched state.
_MEANINGS = {
    "CHARGE AuthorizationInitiated": Means.PENDING,
    "CHARGE Authorized": Means.AUTHORIZED,
    "CHARGE CaptureInitiated": Means.AUTHORIZED,
    "CHARGE Captured": Means.PAID,
    "CHARGE Declined": Means.FAILED,
    "CHARGE Declined of a capture": Meaning(SessionStatus.ERROR, ChangeKind.CAPTURE_FAILED),
    "CHARGE Canceled": Means.RELEASED,
    "REFUND RefundInitiated": Means.IGNORED,
    "REFUND Refunded": Means.REFUNDED,
    "REFUND Declined": Means.REFUND_FAILED,
}
# A type alone must never be read as an object with its state: that is the API's to say.
_UNFETCHED = {"CHARGEBACK": Means.DISPUTED}
_COLLECTIONS = {"CHARGE": "charges", "REFUND": "refunds"}
_HOSTS = {"na": "pay-api.amazon.com", "eu": "pay-api.amazon.eu", "jp": "pay-api.amazon.jp"}
_HEADING = Heading("MessageId", "Type", "Timestamp", "mode")
_NAMED, _PAID = "merchantMetadata.merchantReferenceId", {Means.PAID: "captureAmount.amount"}
_CHARGE = ("chargeAmount.amount", "chargeAmount.currencyCode", "chargeId")
_REFUND = ("refundAmount.amount", "refundAmount.currencyCode", "refundId")
_SHAPES = {
    # A charge is captured once, and told again at every change of it.
    "CHARGE": Shape("chargeId", _NAMED, *_CHARGE, sums=_PAID, total=True, major=True),
    "REFUND": Shape("chargeId", _NAMED, *_REFUND, major=True),
    "CHARGEBACK": Shape("ChargePermissionId", own_id="ObjectId|ChargePermissionId", priced=False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AmazonPayConfig(SnsConfig):
    merchant_id: Annotated[str, "Seller Central > Integration Central > Merchant ID"]
    region: Annotated[Literal["na", "eu", "jp"], "where the merchant account is"]
    environment: Annotated[Literal["live", "sandbox"], "which Amazon Pay sends"]
    public_key_id: Annotated[str, "Seller Central > Integration Central > API keys"]
    private_key: Annotated[Secret, "the PEM file that was downloaded when the key was made"]


class AmazonPay(Adapter[AmazonPayConfig]):
    id, key_path = "amazon_pay", "MessageId"
    Config = AmazonPayConfig
    scheme = SnsSignature()
    meanings = _MEANINGS | _UNFETCHED
    ignored = ("CHARGE_PERMISSION", "SubscriptionConfirmation", "UnsubscribeConfirmation")

    def verify(self, delivery: Delivery, config: AmazonPayConfig) -> Verified:
        verdict = super().verify(delivery, config)
        envelope = SnsEnvelope.of(delivery.body)
        if envelope.message.get("MerchantID", config.merchant_id) != config.merchant_id:
            raise Rejected(Cause.UNKNOWN_PAYMENT, "the message is for another merchant")
        return verdict

    def asks(self, delivery: Delivery, config: AmazonPayConfig) -> bool:
        return _kind(SnsEnvelope.of(delivery.body)) in _COLLECTIONS

    def read(self, delivery: Delivery, config: AmazonPayConfig) -> Iterable[PaymentEvent]:
        envelope = SnsEnvelope.of(delivery.body)
        if self.asks(delivery, config):
            raise Rejected(Cause.UNVERIFIABLE, "a notification says nothing until it is settled")
        told, kind = _told(envelope, config.environment), _kind(envelope)
        meaning = meaning_of([kind], _UNFETCHED, self.ignored)
        if meaning:
            told = _SHAPES[kind].completing(told, envelope.message, meaning)
        return [event(delivery, told, meaning)]

    def settle(self, delivery: Delivery, config: AmazonPayConfig) -> Settlement:
        yield from self.scheme.fetching(delivery, config)
        envelope = SnsEnvelope.of(delivery.body)
        kind = _kind(envelope)
        if kind not in _COLLECTIONS:
            return self.read(delivery, config)
        object_id = matching(envelope.message, "ObjectId", r"[A-Za-z0-9_-]{1,64}")
        answer = yield _request(f"/{_COLLECTIONS[kind]}/{object_id}", config)
        found = found_object(answer)
        shape, meaning = _SHAPES[kind], meaning_of([_word(kind, found)], _MEANINGS)
        if text(found, shape.own_id) != object_id:
            raise Rejected(Cause.MALFORMED, "the API answered with another object")
        told = _told(envelope, text(found, "releaseEnvironment"))
        return [event(delivery, shape.completing(told, found, meaning), meaning)]


def _request(path: str, config: AmazonPayConfig) -> ApiRequest:
    # Older keys do not say themselves which environment they are of.
    named = config.public_key_id.startswith(("LIVE-", "SANDBOX-"))
    path = f"/v2{path}" if named else f"/{config.environment}/v2{path}"
    key = (config.public_key_id, config.private_key)
    return signed_get(_HOSTS[config.region], path, config.region, key)


def _kind(envelope: SnsEnvelope) -> str:
    """What a notification is about; of other envelopes the type."""
    kind = envelope.fields["Type"]
    return (text(envelope.message, "ObjectType") if kind == "Notification" else None) or kind


def _told(envelope: SnsEnvelope, mode: str | None) -> Told:
    told = _HEADING.told({**envelope.fields, "mode": mode})
    change = text(envelope.message, "NotificationType") if told.type == "Notification" else None
    return replace(told, type=".".join(filter(None, (_kind(envelope), change))))


def _word(kind: str, found: Any) -> str:
    """The word for the state of a fetched object."""
    word = f"{kind} {text(found, 'statusDetails.state')}"
    captured = major_sum([found.get("captureAmount")], "amount", "currencyCode")[0]
    return f"{word} of a capture" if word == "CHARGE Declined" and captured else word


adapter = AmazonPay()
