"""Adyen: https://docs.adyen.com/development-resources/webhooks/webhook-types."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Annotated, Any

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter, Reply
from providers.meanings import Meaning, Means, Told, by_word, event, meaning_of
from providers.schemes.basic_auth import BasicAuth, BehindBasicAuth
from providers.schemes.body_hmac import BodyHmac
from providers.schemes.items_hmac import ItemsHmac
from providers.schemes.parts import as_base64, hex_key, usable_by
from providers.shapes import Shape, matching, text, word

# An eventCode and its `success`, which is no success of a payment; for two, an unsigned field more.
_ROWS = {
    "AUTHORISATION true": Means.AUTHORIZED,
    "AUTHORISATION false": Means.FAILED,
    "PENDING true": Means.PENDING,
    "CAPTURE true": Means.CAPTURED,
    "CAPTURE false, CAPTURE_FAILED true": Means.CAPTURE_FAILED,
    "CANCELLATION true, TECHNICAL_CANCEL true, EXPIRE true": Means.RELEASED,
    "CANCEL_OR_REFUND true cancel": Means.RELEASED,
    "OFFER_CLOSED true, ORDER_CLOSED false": Means.CANCELED,
    "REFUND true, REFUND_WITH_DATA true, CANCEL_OR_REFUND true refund": Means.REFUNDED,
    "REFUND false, REFUND_WITH_DATA false, CANCEL_OR_REFUND false refund": Means.REFUND_FAILED,
    "REFUND_FAILED true, REFUNDED_REVERSED true": Means.REFUND_FAILED,
    "NOTIFICATION_OF_CHARGEBACK true, CHARGEBACK true": Means.DISPUTED,
    # Not the last word: a SECOND_CHARGEBACK may follow.
    "CHARGEBACK_REVERSED true, PREARBITRATION_WON true": Means.DISPUTE_WON,
    "PREARBITRATION_ISSUER_WITHDRAWN true, SCHEME_ARBITRATION_WON true": Means.DISPUTE_WON,
    "SECOND_CHARGEBACK true, PREARBITRATION_LOST true": Means.DISPUTE_LOST,
    "PREARBITRATION_ACCEPTED true, SCHEME_ARBITRATION_LOST true": Means.DISPUTE_LOST,
    "DISPUTE_DEFENSE_PERIOD_ENDED true": Means.DISPUTE_LOST,
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED true won": Means.DISPUTE_WON,
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED false won": Means.DISPUTE_WON,
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED true lost": Means.DISPUTE_LOST,
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED false lost": Means.DISPUTE_LOST,
}
_MEANINGS = by_word(_ROWS)
_IGNORED = (
    *{f"{word.partition(' ')[0]} false*" for word in _MEANINGS},
    *"ORDER_CLOSED* ISSUER_RESPONSE_TIMEFRAME_EXPIRED* MANUAL_REVIEW_* ORDER_OPENED".split(),
    *"AUTHORISATION_ADJUSTMENT VOID_PENDING_REFUND POSTPONED_REFUND INFORMATION_SUPPLIED".split(),
    *"REQUEST_FOR_INFORMATION NOTIFICATION_OF_FRAUD ISSUER_COMMENTS PREARBITRATION_OPEN".split(),
    *"SCHEME_ARBITRATION AUTORESCUE RECURRING_CONTRACT PAYOUT_* PAIDOUT_REVERSED".split(),
    *"REPORT_AVAILABLE ACH_* DIRECT_DEBIT_* DONATION".split(),
)
# Joined by colons that nothing escapes. Where only the merchant's own reference may hold one, there
# is but one way to take the text apart again: no value can pose as its neighbour.
_SIGNED = {
    **dict.fromkeys(("pspReference", "originalReference", "merchantAccountCode"), r"[^:]*"),
    "merchantReference": r"[\s\S]*",
    **dict.fromkeys(("amount.value", "amount.currency", "eventCode"), r"[^:]*"),
    "success": r"true|false",
}
_MODES = {"true": True, "false": False, "live": True, "test": False}
_DECIMALS = {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}
_MONEY = ("amount.value", "amount.currency")
_LATER = Shape("originalReference", "merchantReference", *_MONEY, "pspReference", priced=False)
_FIRST = replace(_LATER, external_id="pspReference")
_ALONE = replace(_LATER, external_id="originalReference|pspReference")
# Where the authorization was the capture as well, it is what a failed capture undoes.
_UNDOING = replace(_LATER, own_id="originalReference|pspReference")
_SHAPES = {"AUTHORISATION": _FIRST, "PENDING": _ALONE, "EXPIRE": _ALONE, "OFFER_CLOSED": _ALONE}


@dataclass(frozen=True, slots=True, kw_only=True)
class AdyenConfig:
    hmac_keys: Annotated[
        Secrets,
        "Customer Area > Developers > Webhooks > (endpoint) > Security > HMAC key, hex",
        usable_by(hex_key),
    ]
    basic_auth: Annotated[BasicAuth | None, "those of the same page; recommended"] = None
    merchant_accounts: Annotated[tuple[str, ...], "whose items are applied; none: all"] = ()
    auto_capture: Annotated[bool, "if the account captures by itself, without a CAPTURE"] = False


_WHOLE = BodyHmac[AdyenConfig](
    "hmacsignature", lambda its: its.hmac_keys, encode=as_base64, key=hex_key
)
_ITEMS = ItemsHmac[AdyenConfig](
    _WHOLE, "notificationItems", "NotificationRequestItem", "additionalData.hmacSignature", _SIGNED
)


class Adyen(Adapter[AdyenConfig]):
    id = "adyen"
    Config = AdyenConfig
    scheme = BehindBasicAuth[AdyenConfig](_ITEMS, lambda config: config.basic_auth)
    reply = Reply(200, "[accepted]")
    refusal_status = 401
    decimals = _DECIMALS
    meanings = _MEANINGS
    ignored = _IGNORED

    def read(self, delivery: Delivery, config: AdyenConfig) -> Iterable[PaymentEvent]:
        if not delivery.body:
            return []
        document = payload.json_object(delivery.body)
        live = _MODES.get(word(document, "live|environment"))
        if "notificationItems" in document:
            return [_event(delivery, item, config, live=live) for item in _ITEMS.found(document)]
        # Tokens, accounts, balances: no payment's concern, whatever their type.
        told = Told(
            event_id=text(document, "eventId") or sha256(delivery.body).hexdigest(),
            type=matching(document, "type"),
            occurred_at=delivery.received_at,
            livemode=live,
        )
        return [event(delivery, told, Means.IGNORED)]


def _event(
    delivery: Delivery, item: dict[str, Any], config: AdyenConfig, *, live: bool | None
) -> PaymentEvent:
    code, success = word(item, "eventCode"), word(item, "success")
    told = Told(
        event_id=f"{code}:{word(item, 'pspReference')}:{success}",
        type=code,
        occurred_at=payload.from_iso(item.get("eventDate")),
        livemode=live,
    )
    ours = config.merchant_accounts
    if ours and word(item, "merchantAccountCode") not in ours:
        return event(delivery, replace(told, detail="of another merchant account"), Means.IGNORED)
    meaning = _meaning(item, code, success, config)
    undone = config.auto_capture and meaning == Means.CAPTURE_FAILED
    shape = _UNDOING if undone else _SHAPES.get(code, _LATER)
    return event(delivery, shape.completing(told, item, meaning), meaning, _DECIMALS)


def _meaning(item: dict[str, Any], code: str, success: str, config: AdyenConfig) -> Meaning | None:
    known = f"{code} {success}"
    if config.auto_capture and known == "AUTHORISATION true":
        # No CAPTURE will follow: this is Adyen's last word on the payment.
        return Means.PAID
    # Not signed, so it only ever comes behind what is.
    data = payload.loose_object(item.get("additionalData"))
    more = [data.get("modification.action"), data.get("disputeStatus")]
    words = [f"{known} {one.lower()}" for one in more if isinstance(one, str)]
    return meaning_of([*words, known, code], _MEANINGS, _IGNORED)


adapter = Adyen()
