"""A salt, a time and the HMAC of URL, both, the key pair and the body, in three headers."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.parts import (
    SecretsOf,
    as_base64,
    forged,
    header,
    live,
    same_as_any,
    with_headers,
)

C = TypeVar("C")


@dataclass(frozen=True)
class SaltedHmac(Generic[C]):
    """`signature` is base64 of the *hex text* of the HMAC, not of its bytes."""

    url: Callable[[C], str]
    access_keys: Callable[[C], tuple[str, ...]]
    secrets: SecretsOf[C]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets, access_keys = live(self.secrets(config)), self._access_keys(config)
        given = [header(delivery, "signature")]
        salt, stamp = header(delivery, "salt"), header(delivery, "timestamp")
        for secret in secrets:
            made = [self._sign(delivery, config, (salt, stamp, key), secret) for key in access_keys]
            if any(same_as_any(signature, given) for signature in made):
                return Verified(secret.label)
        raise forged()

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        salt = hashlib.sha256(delivery.body).hexdigest()[:16]
        stamp = str(int(delivery.received_at.timestamp()))
        first, key = live(self.secrets(config))[0], self._access_keys(config)[0]
        return with_headers(
            delivery,
            ("salt", salt),
            ("timestamp", stamp),
            ("signature", self._sign(delivery, config, (salt, stamp, key), first)),
        )

    def _access_keys(self, config: C) -> tuple[str, ...]:
        if not self.access_keys(config):
            raise Rejected(Cause.NOT_CONFIGURED, "no access key is configured for this provider")
        return self.access_keys(config)

    def _sign(self, delivery: Delivery, config: C, parts: tuple[str, ...], secret: Secret) -> str:
        texts = "".join((self.url(config), *parts, secret.value))
        message = texts.encode("utf-8", "surrogatepass") + delivery.body
        return as_base64(hmac.digest(secret.bytes, message, hashlib.sha256).hex().encode())
