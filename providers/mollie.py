"""Mollie, classic and next-generation webhooks: https://docs.mollie.com/reference/webhooks-new."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter, Reply, Settlement
from providers.meanings import Means, Told, by_word, event, meaning_of
from providers.schemes.api_answer import bearer_get, found_object
from providers.schemes.signed_or_named import SignedOrNamed, named_in_form
from providers.shapes import Heading, Shape, first, major_at, matching, text

_API, _PAYMENT_ID = "https://api.mollie.com/v2/", "tr_[A-Za-z0-9]{1,64}"
# Next-generation types. A classic call is told in the same words, by what the payment is now.
_MEANINGS = by_word(
    {
        "payment.open, payment.pending": Means.PENDING,
        "payment.authorized": Means.AUTHORIZED,
        "payment.paid": Means.PAID,
        "payment.failed": Means.FAILED,
        "payment.canceled, payment.expired": Means.CANCELED,
        "payment.canceled authorized, payment.expired authorized": Means.RELEASED,
        "capture.succeeded": Means.CAPTURED,
        "capture.failed": Means.CAPTURE_FAILED,
        "refund.refunded": Means.REFUNDED,
        "refund.failed, refund.canceled": Means.REFUND_FAILED,
        "refund.queued, refund.pending, refund.processing, capture.pending": Means.IGNORED,
        "chargeback.received": Means.DISPUTED,
        "chargeback.reversed": Means.DISPUTE_WON,
    }
)
# The sums that a payment keeps, by what has happened when there is one.
_SUMS = {
    "capture.succeeded": "amountCaptured",
    "refund.refunded": "amountRefunded",
    "chargeback.received": "amountChargedBack",
}
_HEADING = Heading("id", "type", "createdAt")
_MONEY = ("amount.value", "amount.currency")
_TOTALS = {_MEANINGS[kind]: f"{name}.value" for kind, name in _SUMS.items()}
_TOTALS[Means.PAID] = "amountCaptured.value|amount.value"
_PAYMENT = Shape("id", "metadata.session_id", *_MONEY, sums=_TOTALS, total=True, major=True)
# The metadata of a refund, capture or chargeback is its own.
_PART = Shape("paymentId", "", *_MONEY, major=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class MollieConfig:
    api_key: Annotated[Secret | None, "if unsigned: Dashboard > Developers > API keys"] = None
    signing_secrets: Annotated[Secrets, "if signed: Dashboard > Developers > Webhooks"] = ()
    testmode: Annotated[bool, "true to read test payments with an organization token"] = False


class Mollie(Adapter[MollieConfig]):
    id, key_path = "mollie", "id"
    Config = MollieConfig
    scheme = SignedOrNamed[MollieConfig](
        "X-Mollie-Signature",
        lambda config: config.signing_secrets,
        prefix="sha256=",
        token=lambda config: config.api_key,
    )
    unproven = "classic webhooks, which name an id only; the payment is fetched back"
    meanings = _MEANINGS
    ignored = tuple(
        "dispute.* payment-link.* balance-transaction.* payout.* sales-invoice.* profile.*"
        " business-account-transfer.*".split()
    )

    def handshake(self, delivery: Delivery, config: MollieConfig) -> Reply | None:
        form = named_in_form(delivery) or {}
        # A test, or an order, a subscription or the like: all want an answer, none is a payment.
        other = re.fullmatch(r"(?!tr_)[a-z]{2,10}_[A-Za-z0-9]{1,64}", form.get("id", ""))
        return self.reply if other or "testByMollie" in form else None

    def asks(self, delivery: Delivery, config: MollieConfig) -> bool:
        document = payload.peek(delivery.body)
        # A simple event says only what it is about, not what that is now.
        simple = not isinstance(payload.dig(document, "_embedded.entity"), dict)
        return simple and text(document, "type") in _MEANINGS

    def key(self, delivery: Delivery, config: MollieConfig) -> bytes | None:
        return super().key(delivery, config) if named_in_form(delivery) is None else None

    def read(self, delivery: Delivery, config: MollieConfig) -> Iterable[PaymentEvent]:
        told = _HEADING.told(document := payload.json_object(delivery.body))
        if told.type not in _MEANINGS:
            return [event(delivery, told, meaning_of([told.type], {}, self.ignored))]
        return [_event(delivery, told, told.type, payload.dig(document, "_embedded.entity"))]

    def settle(self, delivery: Delivery, config: MollieConfig) -> Settlement:
        form = named_in_form(delivery)
        document = payload.json_object(delivery.body) if form is None else {}
        path = _path(document) if form is None else f"payments/{matching(form, 'id', _PAYMENT_ID)}"
        url = f"{_API}{path}{'?testmode=true' if config.testmode else ''}"
        found = found_object((yield bearer_get(url, config.api_key)))
        matching(found, "id", path.rpartition("/")[2])
        if form is not None:
            facts = _facts(found, delivery.received_at)
            return [_event(delivery, told, told.type, found) for told in facts]
        # What the object is now counts, not what the type says that it was.
        told = _HEADING.told(document)
        state = text(found, "status") or ("reversed" if found.get("reversedAt") else "received")
        return [_event(delivery, told, f"{told.type.partition('.')[0]}.{state}", found)]


def _path(document: dict[str, Any]) -> str:
    """Where the API has what a simple event is about; only a link tells whose refund it is."""
    if (text(document, "type") or "").startswith("payment."):
        return f"payments/{matching(document, 'entityId', _PAYMENT_ID)}"
    own_id = matching(document, "entityId", "[a-z]+_[A-Za-z0-9]{1,64}")
    pattern = rf"{re.escape(_API)}payments/{_PAYMENT_ID}/[a-z]+/{own_id}(\?testmode=true)?"
    return matching(document, "_links.entity.href", pattern).removeprefix(_API).partition("?")[0]


def _facts(found: dict[str, Any], now: datetime) -> Iterator[Told]:
    """All that a payment tells of itself: its status, and each sum that is more than nothing."""
    own_id, status = found["id"], text(found, "status")
    at = first(found, f"{status}At|createdAt")
    at = payload.from_iso(at) if at else now
    yield Told(event_id=f"{own_id}:{status}", type=f"payment.{status}", occurred_at=at)
    for kind, name in _SUMS.items():
        if (total := major_at(found, name)) and (status, kind) != ("paid", "capture.succeeded"):
            yield Told(event_id=f"{own_id}:{name}:{total}", type=kind, occurred_at=now)


def _event(delivery: Delivery, told: Told, kind: str, found: Any) -> PaymentEvent:
    """What was told, with what its entity says; `kind` is the word for the entity's state."""
    is_payment = text(found, "resource") == "payment"
    matching(found, "id" if is_payment else "paymentId")
    # A sum of nothing is no news.
    nothing = [name for name in _SUMS.values() if not major_at(found, name)]
    words = [f"{kind} authorized", kind] if found.get("authorizedAt") else [kind]
    meaning, shape = meaning_of(words, _MEANINGS), _PAYMENT if is_payment else _PART
    told = shape.completing(told, found | dict.fromkeys(nothing), meaning)
    livemode = {"live": True, "test": False}.get(text(found, "mode") or "")
    return event(delivery, replace(told, livemode=livemode), meaning)


adapter = Mollie()
