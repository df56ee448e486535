"""BitPay invoices: https://developer.bitpay.com/docs/invoice-webhooks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import quote

from gateway.domain.events import Delivery
from providers import payload
from providers.asking import AskingAdapter
from providers.configuration import Secrets
from providers.contract import ApiRequest, Settlement
from providers.meanings import Means, Told, event
from providers.schemes.api_answer import object_named
from providers.schemes.optional_hmac import OptionalHmac
from providers.schemes.parts import as_base64, secret_named
from providers.shapes import Shape, first, items, matching, text, word

_HOSTS = {"live": "https://bitpay.com", "test": "https://test.bitpay.com"}
_HEADER = "X-Signature"
_REFUNDED = "invoice_refundComplete"
# The status of the fetched invoice, and where its exception makes a difference.
_MEANINGS = {
    # `paid` is seen in full, but BitPay does not guarantee it yet.
    "new, paid": Means.PENDING,
    "confirmed, complete": Means.PAID,
    "expired": Means.CANCELED,
    "expired paidPartial": Means.REQUIRES_MORE,
    "invalid, declined": Means.FAILED,
    _REFUNDED: Means.REFUNDED,
}
_SHAPE = Shape("id", "orderId|posData", "price", own_id="refundInfo.supportRequest|id", major=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BitpayConfig:
    token: Annotated[Secrets, "Dashboard > Payment Tools > API tokens, the one in use first"]
    environment: Annotated[Literal["live", "test"], "bitpay.com or test.bitpay.com"] = "live"
    allow_unsigned: Annotated[bool, "accept notifications without a signature as well"] = False


class Bitpay(AskingAdapter[BitpayConfig]):
    # Some bodies hold an id only, and one that is not signed may have been sent by anybody.
    id, key_path = "bitpay", None
    Config = BitpayConfig
    scheme = OptionalHmac[BitpayConfig](
        _HEADER,
        lambda config: config.token,
        encode=as_base64,
        may_lack=lambda config: config.allow_unsigned,
    )
    meanings = _MEANINGS
    ignored = ("payout_*", "payoutGroup_*", "recipient_*", "refund_*", "settlement_*")
    unproven = "older notifications, unsigned: refused unless allowed; any invoice is fetched back"

    def asks(self, delivery: Delivery, config: BitpayConfig) -> bool:
        return (text(_said(delivery), "event.name") or "invoice_").startswith("invoice_")

    def told(self, delivery: Delivery, config: BitpayConfig) -> Told:
        document = payload.json_object(delivery.body)
        name, own_id = word(document, "event.name"), word(document, "data.id")
        return Told(event_id=f"{own_id}:{name}", type=name, occurred_at=delivery.received_at)

    def settle(self, delivery: Delivery, config: BitpayConfig) -> Settlement:
        own_id = matching(payload.json_object(delivery.body), "data.id|id", "[A-Za-z0-9_-]{1,64}")
        # The token that made the invoice signs for it, and is the one that may read it.
        token = secret_named(config.token, self.verify(delivery, config).secret)
        url = f"{_HOSTS[config.environment]}/invoices/{own_id}?token={quote(token.value, safe='')}"
        answer = yield ApiRequest("GET", url, (("X-Accept-Version", "2.0.0"),))
        found, said = object_named(answer, own_id, under="data"), _said(delivery)
        name, status = text(said, "event.name") or "", matching(found, "status")
        exception = text(found, "exceptionStatus") or ""
        sent = first(said, "data.currentTime|currentTime") or found.get("currentTime")
        at = payload.from_millis(sent) if sent else delivery.received_at
        fact, livemode = f"{own_id}:{name}:{status}:{exception}", config.environment == "live"
        told = Told(event_id=fact, type=name or status, occurred_at=at, livemode=livemode)
        if name == _REFUNDED:
            return [event(delivery, refund, Means.REFUNDED) for refund in _refunds(told, found)]
        meaning = self.meaning(f"{status} {exception}", status)
        return [event(delivery, _SHAPE.completing(told, found, meaning), meaning)]


def _said(delivery: Delivery) -> Mapping[str, Any]:
    """What a signed body says; without a signature it is nobody's word."""
    return payload.peek(delivery.body) if delivery.header_values(_HEADER) else {}


def _refunds(told: Told, found: dict[str, Any]) -> Iterator[Told]:
    """What was refunded of the invoice, where the answer says so; else all of it."""
    amounts = f"refundInfo.amounts.{word(found, 'currency').upper()}|price"
    shape = replace(_SHAPE, sums={Means.REFUNDED: amounts})
    for refund in items(found, "refundInfo") or [found.get("refundInfo")]:
        own_id = text(refund, "supportRequest")
        named = replace(told, event_id=f"{told.event_id}:{own_id}") if own_id else told
        yield shape.completing(named, found | {"refundInfo": refund}, Means.REFUNDED)


adapter = Bitpay()
