"""Adyen: https://docs.adyen.com/development-resources/webhooks/webhook-types."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import ChangeKind, Delivery, PaymentEvent
from providers import payload
from providers.adyen_items import ItemsHmac, header_signed, read_items
from providers.configuration import Secret, Secrets
from providers.contract import Adapter, Reply
from providers.meanings import Meaning, Means, Told, event, meaning_of
from providers.schemes.parts import hex_key, usable_by

# An eventCode and its `success`, which is no success of a payment; for two, an unsigned field more.
_MEANINGS = {
    "AUTHORISATION true": Means.AUTHORIZED,
    "AUTHORISATION false": Means.FAILED,
    "PENDING true": Means.PENDING,
    "CAPTURE true": Means.CAPTURED,
    "CAPTURE false": Means.CAPTURE_FAILED,
    "CAPTURE_FAILED true": Means.CAPTURE_FAILED,
    "CANCELLATION true": Means.RELEASED,
    "TECHNICAL_CANCEL true": Means.RELEASED,
    "CANCEL_OR_REFUND true cancel": Means.RELEASED,
    "CANCEL_OR_REFUND true refund": Means.REFUNDED,
    "CANCEL_OR_REFUND false refund": Means.REFUND_FAILED,
    "EXPIRE true": Means.RELEASED,
    "OFFER_CLOSED true": Means.CANCELED,
    "ORDER_CLOSED false": Means.CANCELED,
    "REFUND true": Means.REFUNDED,
    "REFUND false": Means.REFUND_FAILED,
    "REFUND_WITH_DATA true": Means.REFUNDED,
    "REFUND_WITH_DATA false": Means.REFUND_FAILED,
    "REFUND_FAILED true": Means.REFUND_FAILED,
    "REFUNDED_REVERSED true": Means.REFUND_FAILED,
    "NOTIFICATION_OF_CHARGEBACK true": Means.DISPUTED,
    "CHARGEBACK true": Means.DISPUTED,
    # Not the last word: a SECOND_CHARGEBACK may follow.
    "CHARGEBACK_REVERSED true": Means.DISPUTE_WON,
    "PREARBITRATION_WON true": Means.DISPUTE_WON,
    "PREARBITRATION_ISSUER_WITHDRAWN true": Means.DISPUTE_WON,
    "SCHEME_ARBITRATION_WON true": Means.DISPUTE_WON,
    "SECOND_CHARGEBACK true": Means.DISPUTE_LOST,
    "PREARBITRATION_LOST true": Means.DISPUTE_LOST,
    "PREARBITRATION_ACCEPTED true": Means.DISPUTE_LOST,
    "SCHEME_ARBITRATION_LOST true": Means.DISPUTE_LOST,
    "DISPUTE_DEFENSE_PERIOD_ENDED true": Means.DISPUTE_LOST,
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED true won": Means.DISPUTE_WON,
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED true lost": Means.DISPUTE_LOST,
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED false won": Means.DISPUTE_WON,
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED false lost": Means.DISPUTE_LOST,
}
_IGNORED = (
    *{f"{word.partition(' ')[0]} false*" for word in _MEANINGS},
    *"ORDER_CLOSED* ISSUER_RESPONSE_TIMEFRAME_EXPIRED* MANUAL_REVIEW_* ORDER_OPENED".split(),
    *"AUTHORISATION_ADJUSTMENT VOID_PENDING_REFUND POSTPONED_REFUND INFORMATION_SUPPLIED".split(),
    *"REQUEST_FOR_INFORMATION NOTIFICATION_OF_FRAUD ISSUER_COMMENTS PREARBITRATION_OPEN".split(),
    *"SCHEME_ARBITRATION AUTORESCUE RECURRING_CONTRACT PAYOUT_* PAIDOUT_REVERSED".split(),
    *"REPORT_AVAILABLE ACH_* DIRECT_DEBIT_* DONATION".split(),
)
_UNSIGNED = {
    "CANCEL_OR_REFUND": "modification.action",
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED": "disputeStatus",
}
# Their pspReference is the payment's own id; all others bring that in originalReference.
_OF_THE_PAYMENT = frozenset({"AUTHORISATION", "PENDING", "EXPIRE", "OFFER_CLOSED"})
_MONEY_MOVES = frozenset({ChangeKind.CAPTURED, ChangeKind.REFUNDED})
_DECIMALS = {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}
_MODES = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    username: Annotated[str, "Customer Area > Developers > Webhooks > (endpoint) > Security"]
    password: Annotated[Secret, "the same page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdyenConfig:
    hmac_keys: Annotated[
        Secrets,
        "Customer Area > Developers > Webhooks > (endpoint) > Security > HMAC key, hex",
        usable_by(hex_key),
    ]
    basic_auth: Annotated[
        BasicAuth | None, "the user name and password of the same page; recommended"
    ] = None
    merchant_accounts: Annotated[
        tuple[str, ...], "the merchant accounts whose items are applied; none: all"
    ] = ()
    auto_capture: Annotated[
        bool, "whether the account captures by itself: then an authorization is a capture as well"
    ] = False


class Money(payload.Body):
    value, currency = payload.MinorUnits(required=True), payload.Currency(required=True)


_MONEY = Money()


class Adyen(Adapter[AdyenConfig]):
    id = "adyen"
    Config = AdyenConfig
    scheme = ItemsHmac()
    reply = Reply(200, "[accepted]")
    refusal_status = 401
    decimals = _DECIMALS
    meanings = _MEANINGS
    ignored = _IGNORED

    def read(self, delivery: Delivery, config: AdyenConfig) -> Iterable[PaymentEvent]:
        if not delivery.body:
            return []
        document = payload.json_object(delivery.body)
        if "notificationItems" not in document:
            return [header_signed(delivery, document)]
        live = _MODES.get(str(document.get("live")).lower())
        return [self._event(delivery, item, config, live=live) for item in read_items(document)]

    def _event(
        self, delivery: Delivery, item: dict[str, Any], config: AdyenConfig, *, live: bool | None
    ) -> PaymentEvent:
        code, own_id = item["eventCode"], item["pspReference"] or ""
        told = Told(
            event_id=f"{code}:{own_id}:{item['success']}",
            type=code,
            occurred_at=payload.from_iso(item["eventDate"]),
            livemode=live,
        )
        if config.merchant_accounts and item["merchantAccountCode"] not in config.merchant_accounts:
            told = replace(told, detail="of a merchant account that is not configured")
            return event(delivery, told, Means.IGNORED)
        meaning = _meaning(item, config)
        if meaning in (None, Means.IGNORED):
            return event(delivery, told, meaning)
        return event(delivery, _complete(told, item, meaning), meaning, self.decimals)


def _meaning(item: dict[str, Any], config: AdyenConfig) -> Meaning | None:
    code = item["eventCode"]
    word = f"{code} {item['success']}"
    if code in _UNSIGNED:
        word += f" {(item['additionalData'] or {}).get(_UNSIGNED[code])}".lower()
    if config.auto_capture and word == "AUTHORISATION true":
        # No CAPTURE will follow: this is Adyen's last word on the payment.
        return Means.PAID
    return meaning_of([word, code], _MEANINGS, _IGNORED)


def _complete(told: Told, item: dict[str, Any], meaning: Meaning) -> Told:
    own_id, original = item["pspReference"], item["originalReference"]
    if not own_id:
        raise Rejected(Cause.MALFORMED, "pspReference: is missing")
    amount = item["amount"] or {}
    if meaning == Means.AUTHORIZED or meaning.payment_event in _MONEY_MOVES or any(amount.values()):
        amount = _MONEY.read(amount)
    payment_id = original or (own_id if told.type in _OF_THE_PAYMENT else None)
    return replace(
        told,
        external_id=own_id if told.type == "AUTHORISATION" else payment_id,
        reference=item["merchantReference"],
        subject=own_id,
        amount=amount.get("value"),
        currency=amount.get("currency"),
    )


adapter = Adyen()
