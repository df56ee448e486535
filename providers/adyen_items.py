"""Adyen's notification items, and how they are signed one by one: see providers/adyen.py."""

import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any, Protocol

from marshmallow import ValidationError, fields, validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Verified
from providers.meanings import Means, Told, event
from providers.schemes.basic_auth import BasicCredentials, basic_auth, check_basic_auth
from providers.schemes.body_hmac import BodyHmac
from providers.schemes.parts import as_base64, hex_key, live, matching, with_headers

# The signed values are joined with unescaped colons. Where only the merchant's own reference may
# hold one, there is but one way to take the text apart again: no value can pose as its neighbour.
_WHOLE = validate.Regexp(r"[^:]*\Z", error="must not hold a colon")


class _Success(fields.Field[str]):
    """`true` or `false`, normally as a text."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        text = json.dumps(value) if isinstance(value, bool) else value
        if text not in ("true", "false"):
            raise ValidationError("must be true or false")
        return str(text)


class _Amount(payload.Body):
    value = fields.Integer(strict=True, load_default=None, allow_none=True)
    currency = payload.Text(load_default=None, allow_none=True, validate=_WHOLE)


class Item(payload.Body):
    pspReference, originalReference, merchantAccountCode = (  # noqa: N815 - Adyen's own names
        payload.Text(load_default=None, allow_none=True, validate=_WHOLE) for _ in range(3)
    )
    merchantReference = payload.Text(load_default=None, allow_none=True)  # noqa: N815 - as above
    amount = fields.Nested(_Amount, load_default=dict, allow_none=True)
    eventCode = payload.Text(required=True, validate=_WHOLE)  # noqa: N815 - as above
    success = _Success(required=True)
    # The fields from here on are not signed.
    eventDate = fields.Raw(load_default=None)  # noqa: N815 - as above
    additionalData = fields.Dict(load_default=dict, allow_none=True)  # noqa: N815 - as above


_ITEM = Item()


def raw_items(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The items of a standard webhook as they are. Raises Rejected(MALFORMED)."""
    wrappers = document.get("notificationItems")
    if not isinstance(wrappers, list):
        raise Rejected(Cause.MALFORMED, "notificationItems: must be a list")
    items = [payload.dig(wrapper, "NotificationRequestItem") for wrapper in wrappers]
    if not all(isinstance(item, dict) for item in items):
        raise Rejected(Cause.MALFORMED, "notificationItems: NotificationRequestItem is missing")
    return items


def read_items(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The items of a standard webhook, loaded. Raises Rejected(MALFORMED)."""
    return [_ITEM.read(item) for item in raw_items(document)]


def signature(item: dict[str, Any], key: Secret) -> str:
    """What Adyen puts into `additionalData.hmacSignature` of a loaded item."""
    amount = item["amount"] or {}
    values = (
        item["pspReference"],
        item["originalReference"],
        item["merchantAccountCode"],
        item["merchantReference"],
        amount.get("value"),
        amount.get("currency"),
        item["eventCode"],
        item["success"],
    )
    text = ":".join("" if value is None else str(value) for value in values)
    return as_base64(hmac.digest(hex_key(key), text.encode(), "sha256"))


class SigningConfig(Protocol):
    @property
    def hmac_keys(self) -> Secrets: ...
    @property
    def basic_auth(self) -> BasicCredentials | None: ...


class ItemsHmac:
    """Every item carries its own signature; other families sign the whole body in a header."""

    whole = BodyHmac[SigningConfig](
        "hmacsignature", lambda config: config.hmac_keys, encode=as_base64, key=hex_key
    )

    def verify(self, delivery: Delivery, config: SigningConfig) -> Verified:
        keys = live(config.hmac_keys)
        if config.basic_auth is not None:
            check_basic_auth(delivery, config.basic_auth)
        if not delivery.body:
            # A probe of the endpoint: it says nothing, so nothing has to be signed.
            return Verified()
        if delivery.header_values("hmacsignature"):
            verdict = self.whole.verify(delivery, config)
            # An item's signed text would pass as well: only what that family sends may.
            payload.json_object(delivery.body)
            return verdict
        document = payload.json_object(delivery.body)
        if not document.get("notificationItems"):
            raise Rejected(Cause.MISSING_SIGNATURE, "neither signed items nor hmacsignature")
        verdicts = [self._verify(item, keys) for item in read_items(document)]
        return verdicts[0]

    def _verify(self, item: dict[str, Any], keys: Secrets) -> Verified:
        given = (item["additionalData"] or {}).get("hmacSignature")
        if not isinstance(given, str) or not given:
            raise Rejected(Cause.MISSING_SIGNATURE, "an item has no hmacSignature")
        return matching(keys, lambda key: signature(item, key), [given])

    def sign(self, delivery: Delivery, config: SigningConfig) -> Delivery:
        if config.basic_auth is not None:
            token = f"Basic {basic_auth(config.basic_auth)}"
            delivery = with_headers(delivery, ("Authorization", token))
        document = payload.json_object(delivery.body)
        if "notificationItems" not in document:
            return self.whole.sign(delivery, config)
        for item in raw_items(document):
            made = signature(_ITEM.read(item), live(config.hmac_keys)[0])
            item["additionalData"] = (item.get("additionalData") or {}) | {"hmacSignature": made}
        body = json.dumps(document, separators=(",", ":"), ensure_ascii=False, default=str)
        return replace(delivery, body=body.encode("utf-8", "surrogatepass"))


def header_signed(delivery: Delivery, document: dict[str, Any]) -> PaymentEvent:
    """Tokens, accounts, balances: no payment's concern, whatever their type."""
    kind, event_id = document.get("type"), document.get("eventId")
    if not isinstance(kind, str) or not payload.is_text(kind):
        raise Rejected(Cause.MALFORMED, "type: must be a text")
    digest = hashlib.sha256(delivery.body).hexdigest()
    named = isinstance(event_id, str) and payload.is_text(event_id)
    told = Told(
        event_id=str(event_id) if named else digest,
        type=kind,
        occurred_at=delivery.received_at,
        livemode={"live": True, "test": False}.get(str(document.get("environment"))),
    )
    return event(delivery, told, Means.IGNORED)
