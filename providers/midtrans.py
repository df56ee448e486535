"""Midtrans: https://docs.midtrans.com/docs/https-notification-webhooks."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter, Settlement, Verified
from providers.meanings import Means, Told, by_word, event, meaning_of
from providers.schemes.api_answer import found_object, key_get
from providers.schemes.field_digest import FieldDigest, written
from providers.shapes import items, text

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
_PARTS = frozenset({"refund", "partial_refund", "partial_chargeback"})
# Both answered with HTTP 200, and the truth in the body.
_REFUSALS = {"401": Cause.UNVERIFIABLE, "404": Cause.UNKNOWN_PAYMENT}


def _digest(document: dict[str, Any], secret: Secret) -> str:
    names = ("order_id", "status_code", "gross_amount")
    if _is_linking(document):
        names = ("account_id", "account_status", "status_code")
    signed = written(document, *names) + secret.value
    return hashlib.sha512(signed.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class MidtransConfig:
    server_keys: Annotated[Secrets, "Dashboard (MAP) > Settings > Access Keys > Server Key"]
    environment: Annotated[
        Literal["production", "sandbox"] | None,
        "where to confirm each notification, whose signature covers neither its status nor its"
        " refunds; recommended. Empty: notifications are believed",
    ] = None


class Transaction(payload.Body):
    transaction_id, order_id = payload.Id(required=True), payload.Id(required=True)
    transaction_status, status_code = payload.Text(required=True), payload.Text(required=True)
    currency = payload.Currency(load_default=None, allow_none=True)


_TRANSACTION = Transaction()


class Midtrans(Adapter[MidtransConfig]):
    id = "midtrans"
    Config = MidtransConfig
    scheme = FieldDigest[MidtransConfig](
        "signature_key", lambda config: config.server_keys, _digest
    )
    unproven = "status and refunds; `environment` has the API confirm them, else they are believed"
    meanings = _MEANINGS

    def verify(self, delivery: Delivery, config: MidtransConfig) -> Verified:
        verdict = super().verify(delivery, config)
        nothing_to_ask = _is_linking(payload.json_object(delivery.body))
        return replace(verdict, settled=config.environment is None or nothing_to_ask)

    def read(self, delivery: Delivery, config: MidtransConfig) -> Iterable[PaymentEvent]:
        return [_read(delivery, payload.json_object(delivery.body))]

    def settle(self, delivery: Delivery, config: MidtransConfig) -> Settlement:
        verdict, document = self.scheme.verify(delivery, config), payload.json_object(delivery.body)
        key = next(key for key in config.server_keys if key.label == verdict.secret)
        transaction = str(document.get("transaction_id"))
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", transaction):
            raise Rejected(Cause.MALFORMED, "transaction_id: must be a UUID")
        host = "api.sandbox" if config.environment == "sandbox" else "api"
        url = f"https://{host}.midtrans.com/v2/{transaction}/status"
        found = found_object((yield key_get(url, key, ("Accept", "application/json"))))
        code = str(found.get("status_code"))
        if code in _REFUSALS:
            raise Rejected(_REFUSALS[code], f"Midtrans answered with status_code {code}")
        # The transaction id in the notification was not signed, its order id was.
        if found.get("order_id") != document.get("order_id"):
            raise Rejected(Cause.MALFORMED, "transaction_id: it is another order's")
        return [_read(delivery, found)]


def _read(delivery: Delivery, document: dict[str, Any]) -> PaymentEvent:
    """The one event in a notification, or in the API's answer of the same form."""
    if _is_linking(document):
        own_id = payload.text_under(document, "signature_key") or "account"
        linked = Told(event_id=own_id, type="account", occurred_at=delivery.received_at)
        return event(delivery, linked, Means.IGNORED)
    found = _TRANSACTION.read(document)
    status, code = found["transaction_status"], found["status_code"]
    currency = found["currency"] or "IDR"
    word = f"{status} {payload.text_under(document, 'fraud_status') or 'accept'}"
    meaning = meaning_of([word, status], _MEANINGS)
    # The code is signed, the status is not: a pending order cannot be made a paid one.
    if meaning in (Means.AUTHORIZED, Means.PAID) and code != "200":
        raise Rejected(Cause.MALFORMED, "status_code: contradicts the transaction_status")
    refunds = items(document, "refunds") if meaning in (Means.REFUNDED, Means.DISPUTED) else []
    newest = refunds[-1] if refunds else {}
    refund_id = text(newest, "refund_chargeback_uuid|refund_key")
    by_itself = refund_id and meaning == Means.REFUNDED
    single = payload.dig(newest, "refund_amount") if by_itself else None
    # All others tell of the whole, or of the sum so far, under the transaction's own id.
    total = document.get("refund_amount") if status in _PARTS else None
    if total is None and status != "partial_refund":
        total = document.get("gross_amount")
    own_id, at = found["transaction_id"], document.get("settlement_time")
    told = Told(
        event_id=":".join(filter(None, (own_id, status, code, refund_id))),
        type=status,
        occurred_at=_jakarta(at or document.get("transaction_time"), delivery),
        external_id=own_id,
        reference=found["order_id"],
        subject=refund_id if single else own_id,
        total=not single,
        amount=payload.from_major(single or total, currency),
        currency=currency,
    )
    return event(delivery, told, meaning)


def _is_linking(document: dict[str, Any]) -> bool:
    """Whether this tells of a linked GoPay account, and of no transaction."""
    return "account_status" in document and "order_id" not in document


def _jakarta(clock: Any, delivery: Delivery) -> datetime:
    """The time that a wall clock in Jakarta shows, which they write without a zone."""
    return payload.from_iso(f"{clock}+07:00") if clock else delivery.received_at


adapter = Midtrans()
