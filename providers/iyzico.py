"""iyzico: https://docs.iyzico.com/en/advanced/webhook."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, Told, event
from providers.schemes.header_signature import HeaderSignature
from providers.schemes.iyzico_v3 import signature
from providers.shapes import id_at, matching, text, word

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


class Iyzico(Adapter[IyzicoConfig]):
    id = "iyzico"
    Config = IyzicoConfig
    scheme = HeaderSignature[IyzicoConfig](
        "X-IYZ-SIGNATURE-V3", lambda config: config.secret_keys, signature
    )
    refusal_status = 401
    unproven = "the time and the reference code; there are no amounts: each counts as the whole"
    meanings = _MEANINGS
    ignored = ("subscription.*",)

    def read(self, delivery: Delivery, config: IyzicoConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        kind, status = matching(document, "iyziEventType"), word(document, "status")
        # The checkout form and the rest name a payment differently.
        names = "iyziPaymentId|token" if document.get("token") else "paymentId|iyziPaymentId"
        payment_id, time = id_at(document, names), document.get("iyziEventTime")
        meaning = self.meaning(f"{kind} {status}", f"* {status}", kind)
        if meaning and not payment_id:
            raise Rejected(Cause.MALFORMED, f"{names}: must be there")
        told = Told(
            event_id=text(document, "iyziReferenceCode") or f"{payment_id}:{kind}:{status}",
            type=kind,
            occurred_at=payload.from_millis(time) if time else delivery.received_at,
            external_id=payment_id,
            reference=id_at(document, "paymentConversationId"),
            # There are neither amounts nor ids of refunds: each is about the whole payment.
            total=True,
        )
        return [event(delivery, told, meaning)]


adapter = Iyzico()
