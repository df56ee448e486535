"""Mollie, classic and next-generation webhooks: https://docs.mollie.com/reference/webhooks-new."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter, Reply, Settlement, Verified
from providers.meanings import Means, Told, by_word, event, meaning_of
from providers.schemes.api_answer import bearer_get, found_object
from providers.schemes.signed_or_named import SignedOrNamed, named_in_form
from providers.shapes import Heading, major_at, matching, text

_API, _PAYMENT_ID = "https://api.mollie.com/v2/", "tr_[A-Za-z0-9]{1,64}"
# Next-generation types. A classic call is told in the same words, by what the payment is now.
_ROWS = {
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
_MEANINGS = by_word(_ROWS)
# The sums that a payment keeps, and what has happened when there is one.
_SUMS = {
    "amountCaptured": "capture.succeeded",
    "amountRefunded": "refund.refunded",
    "amountChargedBack": "chargeback.received",
}
_HEADING = Heading("id", "type", occurred_at="createdAt")


@dataclass(frozen=True, slots=True, kw_only=True)
class MollieConfig:
    api_key: Annotated[Secret | None, "if unsigned: Dashboard > Developers > API keys"] = None
    signing_secrets: Annotated[Secrets, "if signed: Dashboard > Developers > Webhooks"] = ()
    testmode: Annotated[bool, "true to read test payments with an organization token"] = False


class Mollie(Adapter[MollieConfig]):
    id = "mollie"
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

    def verify(self, delivery: Delivery, config: MollieConfig) -> Verified:
        verdict = super().verify(delivery, config)
        known = payload.text_at(delivery.body, "type") in _MEANINGS
        entity = payload.dig(payload.peek(delivery.body), "_embedded.entity")
        # A simple event says only what it is about, not what that is now.
        return replace(verdict, settled=verdict.settled and (isinstance(entity, dict) or not known))

    def key(self, delivery: Delivery, config: MollieConfig) -> bytes | None:
        own_id = (payload.text_at(delivery.body, "id") or "").encode()
        return None if named_in_form(delivery) is not None else own_id or delivery.body

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
        if found.get("id") != path.rpartition("/")[2]:
            raise Rejected(Cause.MALFORMED, "id: the API answered with another object")
        if form is not None:
            return list(_all_events(delivery, found))
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


def _event(delivery: Delivery, told: Told, kind: str, found: Any) -> PaymentEvent:
    """What was told, with what its entity says; `kind` is the word for the entity's state."""
    is_payment = text(found, "resource") == "payment"
    captured = major_at(found, "amountCaptured") if kind == "payment.paid" else 0
    told = replace(
        told,
        livemode={"live": True, "test": False}.get(text(found, "mode") or ""),
        external_id=matching(found, "id" if is_payment else "paymentId"),
        # The metadata of a refund, capture or chargeback is its own.
        reference=text(found, "metadata.session_id") if is_payment else None,
        subject=matching(found, "id"),
        total=is_payment,
        amount=told.amount or captured or major_at(found, "amount"),
        currency=matching(found, "amount.currency", "[A-Z]{3}"),
    )
    words = [f"{kind} authorized", kind] if found.get("authorizedAt") else [kind]
    return event(delivery, told, meaning_of(words, _MEANINGS))


def _all_events(delivery: Delivery, found: dict[str, Any]) -> Iterator[PaymentEvent]:
    """All that a payment tells of itself: its status, and each sum that is more than nothing."""
    status, now = text(found, "status"), delivery.received_at
    at = found.get(f"{status}At") or found.get("createdAt")
    at = payload.from_iso(at) if at else now
    told = Told(event_id=f"{found['id']}:{status}", type=f"payment.{status}", occurred_at=at)
    yield _event(delivery, told, told.type, found)
    for name, kind in _SUMS.items():
        amount = major_at(found, name)
        if amount and f"{status} {name}" != "paid amountCaptured":
            fact = f"{found['id']}:{name}:{amount}"
            told = Told(event_id=fact, type=kind, occurred_at=now, amount=amount)
            yield _event(delivery, told, kind, found)


adapter = Mollie()
