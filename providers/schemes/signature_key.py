"""Midtrans's `signature_key`: a field of the body that signs some of the others, with the secret.

https://docs.midtrans.com/docs/https-notification-webhooks
"""

import hashlib
from typing import Any

from providers.configuration import Secret
from providers.schemes.field_digest import written


def signature_key(document: dict[str, Any], secret: Secret) -> str:
    """The signature that a secret makes of a notification: a plain SHA-512, in hex."""
    names = ("order_id", "status_code", "gross_amount")
    if is_of_account(document):
        names = ("account_id", "account_status", "status_code")
    signed = written(document, *names) + secret.value
    return hashlib.sha512(signed.encode("utf-8", "surrogatepass")).hexdigest()


def is_of_account(document: dict[str, Any]) -> bool:
    """Whether a notification tells of a linked GoPay account, and of no transaction."""
    return "account_status" in document and "order_id" not in document
