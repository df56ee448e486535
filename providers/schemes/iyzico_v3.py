"""iyzico's `X-IYZ-SIGNATURE-V3`: it signs some fields of the body, and starts with the secret.

https://docs.iyzico.com/en/advanced/webhook
"""

import hashlib
import hmac
from typing import Any

from gateway.domain.events import Delivery
from providers import payload
from providers.configuration import Secret
from providers.schemes.field_digest import written


def signature(delivery: Delivery, _: Any, secret: Secret) -> str:
    """The signature that a secret makes of a delivery, in hex. Raises Rejected(MALFORMED)."""
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
