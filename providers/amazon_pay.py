"""Amazon Pay: https://developer.amazon.com/docs/amazon-pay-checkout/set-up-instant-payment-notifications.html."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import ChangeKind, Delivery, PaymentEvent, SessionStatus
from providers import payload
from providers.configuration import Secret
from providers.contract import Adapter, ApiRequest, Settlement, Verified
from providers.meanings import Meaning, Means, Told, event, meaning_of
from providers.schemes.api_answer import found_object
from providers.schemes.certificates import CERTIFICATE_SECONDS, downloaded
from providers.schemes.pss_request import signed_get
from providers.schemes.sns import SnsConfig, SnsEnvelope, SnsSignature
from providers.shapes import major_sum, matching, text

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
_MODES = {"Live": True, "Sandbox": False}


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
        fetched = _kind(envelope) in _COLLECTIONS
        return replace(verdict, settled=verdict.settled and not fetched)

    def read(self, delivery: Delivery, config: AmazonPayConfig) -> Iterable[PaymentEvent]:
        envelope = SnsEnvelope.of(delivery.body)
        told, kind, message = _told(envelope), _kind(envelope), envelope.message
        if kind in _COLLECTIONS:
            raise Rejected(Cause.UNVERIFIABLE, "a notification says nothing until it is settled")
        if kind == "CHARGEBACK":
            told = replace(
                told,
                external_id=text(message, "ChargePermissionId"),
                subject=text(message, "ObjectId"),
                livemode=config.environment == "live",
            )
        return [event(delivery, told, meaning_of([kind], _UNFETCHED, self.ignored))]

    def settle(self, delivery: Delivery, config: AmazonPayConfig) -> Settlement:
        envelope = SnsEnvelope.of(delivery.body)
        if not config.certificates:
            url = envelope.fields["SigningCertURL"]
            answer = yield ApiRequest("GET", url, cache_seconds=CERTIFICATE_SECONDS)
            self.scheme.check(delivery, config, downloaded(answer))
        kind = _kind(envelope)
        if kind not in _COLLECTIONS:
            return self.read(delivery, config)
        object_id = matching(envelope.message, "ObjectId", r"[A-Za-z0-9_-]{1,64}")
        answer = yield _request(f"/{_COLLECTIONS[kind]}/{object_id}", config)
        found = found_object(answer)
        if text(found, "chargeId" if kind == "CHARGE" else "refundId") != object_id:
            raise Rejected(Cause.MALFORMED, "the API answered with another object")
        told, word = _complete(_told(envelope), kind, found)
        return [event(delivery, told, meaning_of([word], _MEANINGS))]


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


def _told(envelope: SnsEnvelope) -> Told:
    notified = envelope.fields["Type"] == "Notification"
    change = text(envelope.message, "NotificationType") if notified else None
    message_id = envelope.fields["MessageId"]
    if not payload.is_text(message_id):
        raise Rejected(Cause.MALFORMED, "MessageId: is no id")
    return Told(
        event_id=message_id,
        type=".".join(filter(None, (_kind(envelope), change))),
        occurred_at=payload.from_iso(envelope.fields["Timestamp"]),
    )


def _complete(told: Told, kind: str, found: Any) -> tuple[Told, str]:
    """What the fetched object says, and the word for it."""
    word = f"{kind} {text(found, 'statusDetails.state')}"
    captured, _ = major_sum([found.get("captureAmount")], "amount", "currencyCode")
    if word == "CHARGE Declined" and captured:
        word += " of a capture"
    whole = "refundAmount" if kind == "REFUND" else "chargeAmount"
    money = found.get("captureAmount" if word == "CHARGE Captured" else whole)
    amount, currency = major_sum([money], "amount", "currencyCode")
    if amount is None:
        raise Rejected(Cause.MALFORMED, "the amount must be there")
    told = replace(
        told,
        external_id=text(found, "chargeId"),
        reference=text(found, "merchantMetadata.merchantReferenceId"),
        subject=text(found, "chargeId" if kind == "CHARGE" else "refundId"),
        # A charge is captured once, and told again at every change of it.
        total=kind == "CHARGE",
        amount=amount,
        currency=currency,
        livemode=_MODES.get(text(found, "releaseEnvironment") or ""),
    )
    return told, word


adapter = AmazonPay()
