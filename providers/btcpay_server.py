"""BTCPay Server: https://docs.btcpayserver.org/API/Greenfield/v1/#tag/Webhooks."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import fields, validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import HTTP_URL, Secret, Secrets
from providers.contract import Adapter, ApiRequest, Settlement, Verified
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.api_answer import found_object
from providers.schemes.body_hmac import BodyHmac

# The status of the fetched invoice, and where its additional status makes a difference.
_MEANINGS = {
    "New": Means.PENDING,
    "Processing": Means.PENDING,
    "Settled": Means.PAID,
    "Expired": Means.CANCELED,
    "Expired PaidPartial": Means.REQUIRES_MORE,
    # Money came for an invoice that is over: somebody has to look.
    "Expired PaidLate": Means.PENDING,
    "Invalid": Means.FAILED,
}
# The types after which the invoice is fetched: deliveries tell no amount, and overtake one another.
_FETCHED = frozenset(
    "InvoiceCreated InvoiceProcessing InvoiceSettled InvoiceExpired InvoiceExpiredPaidPartial"
    " InvoicePaidAfterExpiration InvoiceInvalid".split()
)
_LATE = "InvoicePaidAfterExpiration"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class BtcpayServerConfig:
    webhook_secrets: Annotated[Secrets, "Store > Settings > Webhooks > (webhook) > Secret"]
    base_url: Annotated[
        str,
        "the server's own address, such as https://btcpay.example.com",
        HTTP_URL,
    ]
    store_id: Annotated[str, "Store > Settings > General > Store ID", validate.Regexp(_ID)]
    api_key: Annotated[Secret, "Account > API keys, with btcpay.store.canviewinvoices"]
    webhook_id: Annotated[str, "the webhook's id, if only its deliveries are wanted"] = ""


class Notice(payload.Body):
    delivery_id = payload.Id(data_key="deliveryId", required=True)
    original_id, store_id, webhook_id = (
        payload.Id(data_key=key, load_default=None, allow_none=True)
        for key in ("originalDeliveryId", "storeId", "webhookId")
    )
    type, timestamp = payload.Text(required=True), payload.UnixTime(required=True)
    invoice_id = payload.Text(data_key="invoiceId", load_default="", allow_none=True)
    partially_paid = fields.Raw(data_key="partiallyPaid", load_default=False)
    metadata = fields.Raw(load_default=None)


class Invoice(payload.Body):
    id, status = payload.Id(required=True), payload.Text(required=True)
    store_id = payload.Id(data_key="storeId", load_default=None, allow_none=True)
    more = payload.Text(data_key="additionalStatus", load_default="", allow_none=True)
    amount, currency = fields.Raw(required=True), payload.Text(required=True)
    metadata = fields.Raw(load_default=None)


_NOTICE, _INVOICE = Notice(), Invoice()


class BtcpayServer(Adapter[BtcpayServerConfig]):
    id = "btcpay_server"
    Config = BtcpayServerConfig
    scheme = BodyHmac[BtcpayServerConfig](
        "BTCPay-Sig", lambda config: config.webhook_secrets, prefix="sha256="
    )
    meanings = _MEANINGS
    ignored = tuple(
        "InvoiceReceivedPayment InvoicePaymentSettled PaymentRequest* Payout* PendingTransaction*"
        " Subscription*".split()
    )

    def verify(self, delivery: Delivery, config: BtcpayServerConfig) -> Verified:
        verdict = super().verify(delivery, config)
        return replace(verdict, settled=payload.text_at(delivery.body, "type") not in _FETCHED)

    def key(self, delivery: Delivery, config: BtcpayServerConfig) -> bytes:
        # A redelivery has an id of its own, and the first one's beside it.
        ids = (payload.text_at(delivery.body, f) for f in ("originalDeliveryId", "deliveryId"))
        return next((found.encode() for found in ids if found), delivery.body)

    def read(self, delivery: Delivery, config: BtcpayServerConfig) -> Iterable[PaymentEvent]:
        notice = _notice(delivery, config)
        if notice["type"] in _FETCHED:
            raise Rejected(Cause.UNVERIFIABLE, "an invoice is read from the server's API only")
        return [event(delivery, _told(notice), meaning_of([notice["type"]], {}, self.ignored))]

    def settle(self, delivery: Delivery, config: BtcpayServerConfig) -> Settlement:
        notice = _notice(delivery, config)
        own_id = notice["invoice_id"] or ""
        if not _ID.fullmatch(own_id):
            raise Rejected(Cause.MALFORMED, "invoiceId: must be an invoice's id")
        url = f"{config.base_url.rstrip('/')}/api/v1/stores/{config.store_id}/invoices/{own_id}"
        token = ("Authorization", f"token {config.api_key.value}")
        found = _INVOICE.read(found_object((yield ApiRequest("GET", url, (token,)))))
        if found["id"] != own_id or found["store_id"] not in (None, config.store_id):
            raise Rejected(Cause.UNVERIFIABLE, "the server's API answered with another invoice")
        more = "PaidPartial" if notice["partially_paid"] is True else found["more"]
        more = "PaidLate" if notice["type"] == _LATE else more
        meaning = meaning_of([f"{found['status']} {more}", found["status"]], _MEANINGS)
        return [event(delivery, _complete(_told(notice), notice, found), meaning)]


def _notice(delivery: Delivery, config: BtcpayServerConfig) -> dict[str, Any]:
    notice = _NOTICE.read(payload.json_object(delivery.body))
    if notice["store_id"] not in (None, config.store_id):
        raise Rejected(Cause.UNKNOWN_PAYMENT, "storeId: another store's delivery")
    if config.webhook_id and notice["webhook_id"] != config.webhook_id:
        raise Rejected(Cause.UNKNOWN_PAYMENT, "webhookId: another webhook's delivery")
    return notice


def _told(notice: dict[str, Any]) -> Told:
    event_id = notice["original_id"] or notice["delivery_id"]
    return Told(event_id=event_id, type=notice["type"], occurred_at=notice["timestamp"])


def _complete(told: Told, notice: dict[str, Any], found: dict[str, Any]) -> Told:
    # Older servers left the metadata out of deliveries.
    places = [found["metadata"], notice["metadata"]]
    names = [payload.text_under(at, name) for at in places for name in ("session_id", "orderId")]
    unit = found["currency"].upper()
    currency, decimals = ("BTC", 0) if unit == "SATS" else (unit, None)
    return replace(
        told,
        external_id=found["id"],
        reference=next(filter(None, names), None),
        amount=payload.from_major(found["amount"], currency, decimals),
        currency=currency,
    )


adapter = BtcpayServer()
