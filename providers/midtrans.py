"""Midtrans: https://docs.midtrans.com/docs/https-notification-webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers.configuration import Secrets
from providers.contract import Adapter, Settlement
from providers.meanings import Means, Told, by_word, event, meaning_of
from providers.payload import from_iso, json_object
from providers.schemes.api_answer import found_object, key_get
from providers.schemes.field_digest import FieldDigest
from providers.schemes.parts import secret_named
from providers.schemes.signature_key import is_of_account, signature_key
from providers.shapes import Heading, Shape, first, id_at, items, matching, text, word

# A transaction_status, and where money is promised the fraud_status, which is accept if absent.
_MEANINGS = by_word(
    {
        "authorize accept": Means.AUTHORIZED,
        "capture accept, settlement accept": Means.PAID,
        "authorize challenge, capture challenge, settlement challenge, pending": Means.PENDING,
        "authorize deny, capture deny, settlement deny, deny, failure": Means.FAILED,
        "cancel": Means.RELEASED,
        "expire": Means.CANCELED,
        "refund, partial_refund": Means.REFUNDED,
        "chargeback, partial_chargeback": Means.DISPUTED,
    }
)
_ID = "transaction_id"
_HEADING = Heading(_ID, "transaction_status")
_WHOLE = Shape(_ID, "order_id", "gross_amount", "currency|rupiah", _ID, major=True)
# All but single refunds tell of the whole, or of the sum so far.
_TOTAL = replace(_WHOLE, total=True)
_SHAPES = {
    "refund": replace(_TOTAL, amount="refund_amount|gross_amount"),
    "partial_refund": replace(_TOTAL, amount="refund_amount"),
    "partial_chargeback": replace(_TOTAL, amount="refund_amount|gross_amount"),
}
_SINGLE = replace(
    _WHOLE,
    amount="refund.refund_amount",
    own_id="refund.refund_chargeback_uuid|refund.refund_key",
)
# Both answered with HTTP 200, and the truth in the body.
_REFUSALS = {"401": Cause.UNVERIFIABLE, "404": Cause.UNKNOWN_PAYMENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class MidtransConfig:
    server_keys: Annotated[Secrets, "Dashboard (MAP) > Settings > Access Keys > Server Key"]
    environment: Annotated[
        Literal["production", "sandbox"] | None,
        "where to confirm each notification, whose signature covers neither its status nor its"
        " refunds; recommended. Empty: notifications are believed",
    ] = None


class Midtrans(Adapter[MidtransConfig]):
    id = "midtrans"
    Config = MidtransConfig
    scheme = FieldDigest[MidtransConfig](
        "signature_key", lambda config: config.server_keys, signature_key
    )
    unproven = "status and refunds; `environment` has the API confirm them, else they are believed"
    meanings = _MEANINGS

    def asks(self, delivery: Delivery, config: MidtransConfig) -> bool:
        return config.environment is not None and not is_of_account(json_object(delivery.body))

    def read(self, delivery: Delivery, config: MidtransConfig) -> Iterable[PaymentEvent]:
        return _events(delivery, json_object(delivery.body))

    def settle(self, delivery: Delivery, config: MidtransConfig) -> Settlement:
        verdict, document = self.scheme.verify(delivery, config), json_object(delivery.body)
        asked = matching(document, _ID, "[A-Za-z0-9_-]{1,64}")
        host = "api.sandbox" if config.environment == "sandbox" else "api"
        url = f"https://{host}.midtrans.com/v2/{asked}/status"
        key = secret_named(config.server_keys, verdict.secret)
        found = found_object((yield key_get(url, key, ("Accept", "application/json"))))
        code = id_at(found, "status_code") or ""
        if code in _REFUSALS:
            raise Rejected(_REFUSALS[code], f"Midtrans answered with status_code {code}")
        # The transaction id in the notification was not signed, its order id was.
        if found.get("order_id") != document.get("order_id"):
            raise Rejected(Cause.MALFORMED, "transaction_id: it is another order's")
        return _events(delivery, found, every_refund=True)


def _events(
    delivery: Delivery, document: dict[str, Any], *, every_refund: bool = False
) -> list[PaymentEvent]:
    """What is told in a notification, or in the API's answer of the same form.

    A notification is about the newest of its refunds; when the API is asked there may be more.
    """
    if is_of_account(document):
        own_id = text(document, "signature_key") or "account"
        linked = Told(event_id=own_id, type="account", occurred_at=delivery.received_at)
        return [event(delivery, linked, Means.IGNORED)]
    clock = text(document, "settlement_time|transaction_time")
    # It is Jakarta's, which they write without a zone.
    told = _HEADING.told(document, from_iso(f"{clock}+07:00") if clock else delivery.received_at)
    code, fraud = matching(document, "status_code"), word(document, "fraud_status") or "accept"
    meaning = meaning_of([f"{told.type} {fraud}", told.type], _MEANINGS)
    # The code is signed, the status is not: a pending order cannot be made a paid one.
    if meaning in (Means.AUTHORIZED, Means.PAID) and code != "200":
        raise Rejected(Cause.MALFORMED, "status_code: contradicts the transaction_status")
    whole = document | {"order_id": matching(document, "order_id"), "rupiah": "IDR"}
    refunds = items(document, "refunds") if meaning in (Means.REFUNDED, Means.DISPUTED) else []
    found = [whole | {"refund": refund} for refund in refunds] or [whole]
    singly = meaning == Means.REFUNDED and all(
        text(one, _SINGLE.own_id) and first(one, _SINGLE.amount) for one in found
    )
    shape = _SINGLE if singly else _SHAPES.get(told.type, _TOTAL)
    told_of = found if singly and every_refund else found[-1:]
    complete = [shape.completing(_named(told, code, one), one, meaning) for one in told_of]
    return [event(delivery, one, meaning) for one in complete]


def _named(told: Told, code: str, found: dict[str, Any]) -> Told:
    """What is told, with an id of its status and its refund: they have no ids of events."""
    parts = (told.event_id, told.type, code, text(found, _SINGLE.own_id))
    return replace(told, event_id=":".join(filter(None, parts)))


adapter = Midtrans()
