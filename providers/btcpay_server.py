"""BTCPay Server: https://docs.btcpayserver.org/API/Greenfield/v1/#tag/Webhooks."""

from dataclasses import dataclass
from typing import Annotated, Any

from marshmallow import validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from gateway.domain.money import major_units
from providers import payload
from providers.asking import AskingAdapter
from providers.configuration import HTTP_URL, Secret, Secrets
from providers.contract import ApiRequest, Settlement
from providers.meanings import Means, Told, event
from providers.schemes.api_answer import object_named
from providers.schemes.body_hmac import BodyHmac
from providers.shapes import Heading, Shape, matching, text, word

# The status of the fetched invoice, and where its additional status makes a difference.
_MEANINGS = {
    "New, Processing": Means.PENDING,
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
# A redelivery has an id of its own, and the first one's beside it.
_DELIVERY = "originalDeliveryId|deliveryId"
_HEADING = Heading(_DELIVERY, "type", "timestamp")
# Older servers left the metadata out of deliveries.
_NAMED = "metadata.session_id|metadata.orderId|told.metadata.session_id|told.metadata.orderId"
_SHAPE = Shape("id", _NAMED, major=True)
_ID = "[A-Za-z0-9_-]{1,64}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BtcpayServerConfig:
    webhook_secrets: Annotated[Secrets, "Store > Settings > Webhooks > (webhook) > Secret"]
    base_url: Annotated[str, "the server's address, such as https://btcpay.example.com", HTTP_URL]
    store_id: Annotated[str, "Store > Settings > General > Store ID", validate.Regexp(rf"{_ID}\Z")]
    api_key: Annotated[Secret, "Account > API keys, with btcpay.store.canviewinvoices"]
    webhook_id: Annotated[str, "the webhook's id, if only its deliveries are wanted"] = ""


class BtcpayServer(AskingAdapter[BtcpayServerConfig]):
    id, key_path = "btcpay_server", _DELIVERY
    Config = BtcpayServerConfig
    scheme = BodyHmac[BtcpayServerConfig](
        "BTCPay-Sig", lambda config: config.webhook_secrets, prefix="sha256="
    )
    meanings = _MEANINGS
    ignored = tuple(
        "InvoiceReceivedPayment InvoicePaymentSettled PaymentRequest* Payout* PendingTransaction*"
        " Subscription*".split()
    )

    def asks(self, delivery: Delivery, config: BtcpayServerConfig) -> bool:
        return payload.text_at(delivery.body, "type") in _FETCHED

    def told(self, delivery: Delivery, config: BtcpayServerConfig) -> Told:
        return _HEADING.told(_notice(delivery, config))

    def settle(self, delivery: Delivery, config: BtcpayServerConfig) -> Settlement:
        notice = _notice(delivery, config)
        told, own_id = _HEADING.told(notice), matching(notice, "invoiceId", _ID)
        url = f"{config.base_url.rstrip('/')}/api/v1/stores/{config.store_id}/invoices/{own_id}"
        token = ("Authorization", f"token {config.api_key.value}")
        found = object_named((yield ApiRequest("GET", url, (token,))), own_id)
        if found.get("storeId") not in (None, config.store_id):
            raise Rejected(Cause.UNVERIFIABLE, "the server's API answered with another invoice")
        status, more = matching(found, "status"), text(found, "additionalStatus")
        more = "PaidPartial" if notice.get("partiallyPaid") is True else more
        more = "PaidLate" if told.type == "InvoicePaidAfterExpiration" else more
        meaning = self.meaning(f"{status} {more}", status)
        if word(found, "currency").upper() == "SATS":
            satoshis = payload.from_major(found.get("amount"), "BTC", 0)
            found |= {"currency": "BTC", "amount": major_units(satoshis, "BTC", 8)}
        told = _SHAPE.completing(told, found | {"told": notice}, meaning)
        return [event(delivery, told, meaning)]


def _notice(delivery: Delivery, config: BtcpayServerConfig) -> dict[str, Any]:
    notice = payload.json_object(delivery.body)
    if notice.get("storeId") not in (None, config.store_id):
        raise Rejected(Cause.UNKNOWN_PAYMENT, "storeId: another store's delivery")
    if config.webhook_id and notice.get("webhookId") != config.webhook_id:
        raise Rejected(Cause.UNKNOWN_PAYMENT, "webhookId: another webhook's delivery")
    return notice


adapter = BtcpayServer()
