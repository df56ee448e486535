"""PhonePe's `Authorization`: the SHA-256 of `username:password`. It covers nothing of the body."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.parts import SecretsOf, header, live, same_as_any, with_headers

C = TypeVar("C")
_HEADER = "Authorization"


@dataclass(frozen=True)
class SharedHash(Generic[C]):
    """The header is a static token: whoever has seen it can send any body."""

    username: Callable[[C], str]
    passwords: SecretsOf[C]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.passwords(config))
        given = [header(delivery, _HEADER).lower()]
        for secret in secrets:
            if same_as_any(self._hash(config, secret), given):
                return Verified(secret.label)
        raise Rejected(Cause.BAD_CREDENTIALS, f"{_HEADER} is not of this user and password")

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        first = live(self.passwords(config))[0]
        return with_headers(delivery, (_HEADER, self._hash(config, first)))

    def _hash(self, config: C, password: Secret) -> str:
        pair = f"{self.username(config)}:{password.value}"
        return hashlib.sha256(pair.encode()).hexdigest()
