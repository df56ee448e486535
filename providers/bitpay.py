"""BitPay invoices: https://developer.bitpay.com/docs/invoice-webhooks."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import quote

from marshmallow import fields

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter, ApiRequest, Settlement, Verified
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.api_answer import found_object
from providers.schemes.body_hmac import BodyHmac
from providers.schemes.parts import as_base64, live

_HOSTS = {"live": "https://bitpay.com", "test": "https://test.bitpay.com"}
_HEADER = "X-Signature"
_REFUNDED = "invoice_refundComplete"
# The status of the fetched invoice, and where its exception makes a difference.
_MEANINGS = {
    "new": Means.PENDING,
    # Seen in full, but BitPay does not guarantee it yet.
    "paid": Means.PENDING,
    "confirmed": Means.PAID,
    "complete": Means.PAID,
    "expired": Means.CANCELED,
    "expired paidPartial": Means.REQUIRES_MORE,
    "invalid": Means.FAILED,
    "declined": Means.FAILED,
    _REFUNDED: Means.REFUNDED,
}
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BitpayConfig:
    token: Annotated[Secrets, "Dashboard > Payment Tools > API tokens, the one in use first"]
    environment: Annotated[Literal["live", "test"], "bitpay.com or test.bitpay.com"] = "live"
    allow_unsigned: Annotated[
        bool, "accept notifications without a signature; the API tells what is true of either"
    ] = False


class Invoice(payload.Body):
    id, status = payload.Id(required=True), payload.Text(required=True)
    exception = fields.Raw(data_key="exceptionStatus", load_default=None)
    price, currency = fields.Raw(required=True), payload.Currency(required=True)
    order_id = payload.Text(data_key="orderId", load_default=None, allow_none=True)
    sent = fields.Raw(data_key="currentTime", load_default=None)
    refund = fields.Raw(data_key="refundInfo", load_default=None)


_INVOICE = Invoice()


class Bitpay(Adapter[BitpayConfig]):
    id = "bitpay"
    Config = BitpayConfig
    # Some bodies hold an id only, and one that is not signed may have been sent by anybody.
    key_path = None
    scheme = BodyHmac[BitpayConfig](_HEADER, lambda config: config.token, encode=as_base64)
    unproven = (
        "notifications without a signature, and the state in signed ones; the invoice is "
        "fetched back"
    )
    meanings = _MEANINGS
    ignored = ("payout_*", "payoutGroup_*", "recipient_*", "refund_*", "settlement_*")

    def verify(self, delivery: Delivery, config: BitpayConfig) -> Verified:
        if config.allow_unsigned and not delivery.header_values(_HEADER):
            live(config.token)
            return Verified(settled=False)
        verdict = super().verify(delivery, config)
        try:
            name = _name(delivery, payload.json_object(delivery.body))
        except Rejected:
            return verdict
        return replace(verdict, settled=not _is_invoice(name))

    def read(self, delivery: Delivery, config: BitpayConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        name = _name(delivery, document)
        if name is None or _is_invoice(name):
            raise Rejected(Cause.UNVERIFIABLE, "an invoice is read from the API only")
        own_id = payload.text_under(document, "data.id") or ""
        told = Told(event_id=f"{own_id}:{name}", type=name, occurred_at=delivery.received_at)
        return [event(delivery, told, meaning_of([name], {}, self.ignored))]

    def settle(self, delivery: Delivery, config: BitpayConfig) -> Settlement:
        document = payload.json_object(delivery.body)
        data = document["data"] if isinstance(document.get("data"), dict) else document
        own_id = data.get("id")
        if not isinstance(own_id, str) or not _ID.fullmatch(own_id):
            raise Rejected(Cause.MALFORMED, "id: must be an invoice's id")
        # The token that made the invoice signs for it, and is the one that may read it.
        label = self.verify(delivery, config).secret or live(config.token)[0].label
        token = next(quote(one.value, safe="") for one in config.token if one.label == label)
        url = f"{_HOSTS[config.environment]}/invoices/{own_id}?token={token}"
        answer = yield ApiRequest("GET", url, (("X-Accept-Version", "2.0.0"),))
        found = _INVOICE.read(payload.dig(found_object(answer), "data"))
        if found["id"] != own_id:
            raise Rejected(Cause.UNVERIFIABLE, "the API answered with another invoice")
        name, status, exception = _name(delivery, document), found["status"], found["exception"]
        exception = exception if isinstance(exception, str) and payload.is_text(exception) else ""
        sent = data.get("currentTime") if delivery.header_values(_HEADER) else None
        sent = found["sent"] if sent is None else sent
        told = Told(
            event_id=":".join((own_id, name or "", status, exception)),
            type=name or status,
            occurred_at=delivery.received_at if sent is None else payload.from_millis(sent),
            livemode=config.environment == "live",
            external_id=own_id,
            reference=found["order_id"],
            amount=payload.from_major(found["price"], found["currency"]),
            currency=found["currency"],
        )
        if name == _REFUNDED:
            return [event(delivery, _refund(told, found["refund"]), _MEANINGS[_REFUNDED])]
        return [event(delivery, told, meaning_of([f"{status} {exception}", status], _MEANINGS))]


def _name(delivery: Delivery, document: dict[str, Any]) -> str | None:
    """The event's name in a signed body; without a signature it is nobody's word."""
    signed = bool(delivery.header_values(_HEADER))
    return payload.text_under(document, "event.name") if signed else None


def _is_invoice(name: str | None) -> bool:
    return name is None or name.startswith("invoice_")


def _refund(told: Told, refund: Any) -> Told:
    """What was refunded of the invoice, where the answer says so; else all of it."""
    amount = payload.dig(refund, f"amounts.{told.currency}")
    if amount is None or told.currency is None:
        return told
    own_id = payload.text_under(refund, "supportRequest")
    event_id = f"{told.event_id}:{own_id}" if own_id else told.event_id
    paid_back = payload.from_major(amount, told.currency)
    return replace(told, event_id=event_id, subject=own_id, amount=paid_back)


adapter = Bitpay()
