"""Tap's `hashstring`: a header that signs some fields of the body, one after the other.

https://developers.tap.company/docs/webhook
"""

import hashlib
import hmac
from typing import Any

from gateway.domain.events import Delivery
from gateway.domain.money import major_units
from providers import payload
from providers.configuration import Secret


def hashstring(delivery: Delivery, _: Any, secret: Secret) -> str:
    """The signature that a secret makes of a delivery, in hex. Raises Rejected(MALFORMED)."""
    document = payload.json_object(delivery.body)
    parts = {"id": "id", "amount": "amount", "currency": "currency"}
    if document.get("object") == "invoice":
        parts |= {"updated": "updated"}
    else:
        parts |= {"gateway_reference": "reference.gateway"}
        parts |= {"payment_reference": "reference.payment"}
    texts = {name: payload.text_under(document, path) or "" for name, path in parts.items()}
    currency, amount = texts["currency"].upper(), document.get("amount")
    # 42.5 is signed as 42.50: with the decimals of its currency, however JSON writes it.
    texts["amount"] = "" if amount is None else _with_decimals(amount, currency)
    texts |= {"status": payload.text_under(document, "status") or ""}
    texts |= {"created": created(document) or ""}
    message = "".join(f"x_{name}{text}" for name, text in texts.items())
    return hmac.digest(secret.bytes, message.encode("utf-8", "replace"), hashlib.sha256).hex()


def created(document: dict[str, Any]) -> str | None:
    """When the object was made, in milliseconds: it is the same in all that is told of it."""
    places = ["transaction.created", "created"]
    if document.get("object") in ("refund", "invoice"):
        places.reverse()
    return next(filter(None, (payload.text_under(document, place) for place in places)), None)


def _with_decimals(amount: Any, currency: str) -> str:
    return major_units(payload.from_major(amount, currency), currency)
