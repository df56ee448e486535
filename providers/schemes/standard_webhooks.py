"""Standard Webhooks and Svix: an id, a time and versioned signatures in three headers."""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.parts import (
    SecretsOf,
    as_base64,
    base64_bytes,
    check_window,
    forged,
    header,
    live,
    same_as_any,
    unix_stamp,
    with_headers,
)

C = TypeVar("C")


def symmetric_key(secret: Secret) -> bytes:
    """The key in `whsec_` + base64. A secret that is no such thing is refused, and named."""
    key = base64_bytes(secret.value.strip().removeprefix("whsec_"))
    if not key:
        raise Rejected(Cause.NOT_CONFIGURED, f"{secret.label} must be whsec_ and base64")
    return key


def public_key(secret: Secret) -> Ed25519PublicKey:
    """The key in `whpk_` + base64. A text that is no such thing is refused, and named."""
    prefix, _, text = secret.value.strip().rpartition("_")
    try:
        if prefix == "whpk":
            return Ed25519PublicKey.from_public_bytes(base64_bytes(text) or b"")
    except ValueError:
        pass
    raise Rejected(Cause.NOT_CONFIGURED, f"{secret.label} must be whpk_ and base64 of 32 bytes")


@dataclass(frozen=True, slots=True)
class StandardHeaders:
    """The three headers of Standard Webhooks; `family` is the prefix of their names."""

    family: str
    id: str
    stamp: str
    signature: str

    @classmethod
    def of(cls, delivery: Delivery) -> "StandardHeaders":
        """All three from one family, Svix's own first. Raises MISSING_SIGNATURE or MALFORMED."""
        parts = ("id", "timestamp", "signature")
        svix = all(any(delivery.header_values(f"svix-{part}")) for part in parts)
        family = "svix" if svix else "webhook"
        found = cls(family, *(header(delivery, f"{family}-{part}") for part in parts))
        # A dot would let the boundary between id, timestamp and body be shifted.
        if not re.fullmatch(r"[!-\-/-~]{1,256}", found.id):
            raise Rejected(Cause.MALFORMED, f"{family}-id must be plain text without dots")
        return found


@dataclass(frozen=True)
class StandardWebhooks(Generic[C]):
    """Standard Webhooks and Svix: HMAC (v1) or ed25519 (v1a) over `id.timestamp.body`."""

    secrets: SecretsOf[C]
    public_keys: SecretsOf[C]
    tolerance: Callable[[C], int]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        live(self.secrets(config) + self.public_keys(config))
        headers = StandardHeaders.of(delivery)
        stamp = unix_stamp(headers.stamp)
        content = _standard_content(headers.id, headers.stamp, delivery)
        label = next(self._matches(headers, content, config), None)
        if label is None:
            raise forged()
        check_window(delivery, stamp, self.tolerance(config))
        return Verified(label)

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        first = live(self.secrets(config))[0]
        family = "svix" if delivery.header_values("svix-id") else "webhook"
        made_up = "msg_" + hashlib.sha256(delivery.body).hexdigest()[:24]
        message_id = next(iter(delivery.header_values(f"{family}-id")), made_up)
        stamp = str(int(delivery.received_at.timestamp()))
        value = "v1," + _standard_hmac(first, _standard_content(message_id, stamp, delivery))
        return with_headers(
            delivery,
            (f"{family}-id", message_id),
            (f"{family}-timestamp", stamp),
            (f"{family}-signature", value),
        )

    def _matches(self, headers: StandardHeaders, content: bytes, config: C) -> Iterator[str]:
        # The kind of a key decides which signatures it may match, never the other way round.
        given = _items(headers, "v1")
        for secret in self.secrets(config):
            if same_as_any(_standard_hmac(secret, content), given):
                yield secret.label
        signatures = [base64_bytes(item) or b"" for item in _items(headers, "v1a")]
        for secret in self.public_keys(config):
            key = public_key(secret)
            if any(_signed_by(key, signature, content) for signature in signatures):
                yield secret.label


def _items(headers: StandardHeaders, version: str) -> list[str]:
    """The signatures of one version; items of others, and garbage, are passed over."""
    pairs = (item.partition(",") for item in headers.signature.split(" "))
    return [value for found, comma, value in pairs if comma and found == version]


def _standard_content(message_id: str, stamp: str, delivery: Delivery) -> bytes:
    return f"{message_id}.{stamp}.".encode("utf-8", "surrogatepass") + delivery.body


def _standard_hmac(secret: Secret, content: bytes) -> str:
    return as_base64(hmac.digest(symmetric_key(secret), content, hashlib.sha256))


def _signed_by(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
