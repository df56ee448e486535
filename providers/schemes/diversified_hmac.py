"""A form of three fields: parameters in base64, and their HMAC under a key made for one order."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers import payload
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.form_hmac import form_fields
from providers.schemes.parts import SecretsOf, as_base64, base64_bytes, forged, live

C = TypeVar("C")
_VERSION, _PARAMETERS, _SIGNATURE = "Ds_SignatureVersion", "Ds_MerchantParameters", "Ds_Signature"
VERSIONS = ("HMAC_SHA256_V1", "HMAC_SHA512_V1", "HMAC_SHA512_V2")
_DES_BLOCK, _AES_KEY = 8, 16
_TWO_KEYS, _THREE_KEYS = 16, 24
_MAX_ORDER = 50


def des_key(secret: Secret) -> bytes:
    """The three DES keys in base64. A secret that is no such thing is refused, and named."""
    key = base64_bytes(secret.value.strip()) or b""
    if len(key) not in (_TWO_KEYS, _THREE_KEYS):
        raise Rejected(Cause.NOT_CONFIGURED, f"{secret.label} must be base64 of 24 bytes")
    return (key + key[:_DES_BLOCK])[:_THREE_KEYS]


def form_of(delivery: Delivery) -> dict[str, str]:
    """The form: in the body, or in the query when the customer's browser brings it."""
    return form_fields(delivery.body or delivery.query.encode("utf-8", "replace"))


def parameters_of(form: Mapping[str, str]) -> dict[str, Any]:
    """The operation that the parameters describe, names in lower case. Raises MALFORMED."""
    found = payload.json_object(_tolerant(form.get(_PARAMETERS, "")) or b"")
    return {name.lower(): value for name, value in found.items()}


@dataclass(frozen=True)
class DiversifiedHmac(Generic[C]):
    """`Ds_Signature` over the text of `Ds_MerchantParameters`, as it stands in the form."""

    secrets: SecretsOf[C]
    # The signature versions that may be used; the first one signs.
    versions: Callable[[C], tuple[str, ...]]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets, form = live(self.secrets(config)), form_of(delivery)
        given, version = form.get(_SIGNATURE, "").strip(), form.get(_VERSION, "")
        if not given:
            raise Rejected(Cause.MISSING_SIGNATURE, f"the form has no {_SIGNATURE}")
        if version not in VERSIONS or version not in self.versions(config):
            raise Rejected(Cause.BAD_SIGNATURE, f"{_VERSION} is none of those allowed")
        order, signed = _order(form), form[_PARAMETERS].encode()
        signature = _tolerant(given) or b""
        for secret in secrets:
            if hmac.compare_digest(_digest(version, secret, order, signed), signature):
                return Verified(secret.label)
        raise forged()

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        """Takes the parameters as plain JSON as well, and makes the form of them."""
        first, version = live(self.secrets(config))[0], self.versions(config)[0]
        if delivery.body.startswith(b"{"):
            form = {_VERSION: version, _PARAMETERS: _written(delivery.body, version)}
        else:
            form = form_of(delivery)
        order, signed = _order(form), form[_PARAMETERS].encode()
        version = form.setdefault(_VERSION, version)
        form[_SIGNATURE] = _written(_digest(version, first, order, signed), version)
        return replace(delivery, body=urlencode(form).encode())


def _order(form: Mapping[str, str]) -> bytes:
    order = parameters_of(form).get("ds_order")
    if not isinstance(order, str) or not order or len(order) > _MAX_ORDER:
        raise Rejected(Cause.MALFORMED, "Ds_Order: must be there")
    return order.encode("utf-8", "replace")


def _digest(version: str, secret: Secret, order: bytes, signed: bytes) -> bytes:
    if version == "HMAC_SHA256_V1":
        padded = order + bytes(-len(order) % _DES_BLOCK)
        des = Cipher(TripleDES(des_key(secret)), modes.CBC(bytes(_DES_BLOCK))).encryptor()
        return hmac.digest(des.update(padded), signed, hashlib.sha256)
    # Here the key is the text of the secret, and the HMAC's key the text of what comes out.
    key = secret.bytes[:_AES_KEY].ljust(_AES_KEY, b"0")
    pad = PKCS7(8 * _AES_KEY).padder()
    aes = Cipher(algorithms.AES128(key), modes.CBC(bytes(_AES_KEY))).encryptor()
    derived = aes.update(pad.update(order) + pad.finalize())
    return hmac.digest(as_base64(derived).encode(), signed, hashlib.sha512)


def _written(value: bytes, version: str) -> str:
    text = base64.urlsafe_b64encode(value).decode()
    return text.rstrip("=") if version == "HMAC_SHA512_V2" else text


def _tolerant(text: str) -> bytes | None:
    """The bytes of base64 in either alphabet, with or without padding."""
    return base64_bytes(text.translate(str.maketrans("-_", "+/")).rstrip("="))
