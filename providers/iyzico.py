"""iyzico: https://docs.iyzico.com/en/advanced/webhook."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from marshmallow import fields

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.field_digest import written
from providers.schemes.header_signature import HeaderSignature

_PAYMENTS = (
    "PAYMENT_API API_AUTH THREE_DS_AUTH THREE_DS_CALLBACK BKM_AUTH BALANCE CONTACTLESS_AUTH"
    " CHECKOUT_FORM_AUTH BANK_TRANSFER_AUTH CREDIT_PAYMENT_AUTH PWI_TKN_FUND PWI_TKN_AUTH"
    " PWI_TKN_THREEDS_AUTH".split()
)
_ON_THE_WAY = (
    "CALLBACK_THREEDS BKM_POS_SELECTED INIT_APM INIT_BANK_TRANSFER INIT_CREDIT PENDING_CREDIT"
    " INIT_CONTACTLESS".split()
)
# An iyziEventType and its status; `*` is any type, and a type alone has any other status.
_MEANINGS = {
    **{f"{kind} SUCCESS": Means.PAID for kind in _PAYMENTS},
    **{f"{kind} FAILURE": Means.FAILED for kind in _PAYMENTS},
    "* INIT_THREEDS": Means.REQUIRES_MORE,
    **{f"* {status}": Means.PENDING for status in _ON_THE_WAY},
    "CREDIT_PAYMENT_PENDING": Means.PENDING,
    "CREDIT_PAYMENT_PENDING FAILURE": Means.FAILED,
    "CREDIT_PAYMENT_INIT": Means.PENDING,
    "CREDIT_PAYMENT_INIT FAILURE": Means.FAILED,
    "CONTACTLESS_REFUND SUCCESS": Means.REFUNDED,
    "CONTACTLESS_REFUND FAILURE": Means.REFUND_FAILED,
    "REFUND_RETRY_SUCCESS SUCCESS": Means.REFUNDED,
    "REFUND_RETRY_FAILURE": Means.REFUND_FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IyzicoConfig:
    secret_keys: Annotated[
        Secrets, "Merchant Portal > Settings > Merchant settings > API keys > secret key"
    ]


class Notification(payload.Body):
    iyziEventType = payload.Text(required=True)  # noqa: N815 - the provider's word
    status = payload.Text(load_default="", allow_none=True)
    iyziReferenceCode, token = (  # noqa: N815
        payload.Text(load_default=None, allow_none=True) for _ in range(2)
    )
    paymentId, iyziPaymentId = (  # noqa: N815
        payload.NumberedId(load_default=None, allow_none=True) for _ in range(2)
    )
    iyziEventTime = fields.Raw(load_default=None, allow_none=True)  # noqa: N815


_NOTIFICATION = Notification()


def _signature(delivery: Delivery, _: IyzicoConfig, secret: Secret) -> str:
    document = payload.json_object(delivery.body)
    before, names = "", "paymentId paymentConversationId status"
    if document.get("token"):
        names = "iyziPaymentId token paymentConversationId status"
    elif "subscriptionReferenceCode" in document:
        before = written(document, "merchantId")
        names = "subscriptionReferenceCode orderReferenceCode customerReferenceCode"
    # The secret is the key, and the start of the message as well.
    message = f"{before}{secret.value}{written(document, 'iyziEventType', *names.split())}"
    return hmac.digest(secret.bytes, message.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()


class Iyzico(Adapter[IyzicoConfig]):
    id = "iyzico"
    Config = IyzicoConfig
    scheme = HeaderSignature[IyzicoConfig](
        "X-IYZ-SIGNATURE-V3", lambda config: config.secret_keys, _signature
    )
    refusal_status = 401
    meanings = _MEANINGS
    ignored = ("subscription.*",)

    def read(self, delivery: Delivery, config: IyzicoConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        found = _NOTIFICATION.read(document)
        kind, status = found["iyziEventType"], found["status"]
        form_id = found["iyziPaymentId"] or found["token"] if found["token"] else None
        payment_id = form_id or found["paymentId"] or found["iyziPaymentId"]
        time = found["iyziEventTime"]
        meaning = meaning_of([f"{kind} {status}", f"* {status}", kind], _MEANINGS, self.ignored)
        if meaning not in (None, Means.IGNORED) and not payment_id:
            raise Rejected(Cause.MALFORMED, "paymentId, iyziPaymentId or token: must be there")
        told = Told(
            event_id=found["iyziReferenceCode"] or f"{payment_id}:{kind}:{status}",
            type=kind,
            occurred_at=payload.from_millis(time) if time else delivery.received_at,
            external_id=payment_id,
            reference=payload.text_under(document, "paymentConversationId"),
            # There are neither amounts nor ids of refunds: each is about the whole payment.
            total=True,
        )
        return [event(delivery, told, meaning)]


adapter = Iyzico()
