"""One header with a plain digest of the body and, after it, the secret; and which digest it is."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.parts import SecretsOf, forged, header, live, matching, with_headers

C = TypeVar("C")


@dataclass(frozen=True)
class SuffixedDigest(Generic[C]):
    """`name=value;name=value` with `signature` (hex) and `algorithm`, in any order.

    The first of `headers` that is there counts. `algorithms` are those that a configuration lets
    pass: the provider's names, and hashlib's; the first of them signs.
    """

    headers: tuple[str, ...]
    secrets: SecretsOf[C]
    algorithms: Callable[[C], Mapping[str, str]]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.secrets(config))
        sent = (name for name in self.headers if delivery.header_values(name))
        value = header(delivery, next(sent, self.headers[0])).removesuffix(";")
        items = [item.strip().split("=") for item in value.split(";")]
        pairs = {item[0]: item[1] for item in items if len(item) == 2}  # noqa: PLR2004
        if len(pairs) != len(items):
            raise forged()
        if not pairs.get("signature"):
            raise Rejected(Cause.MISSING_SIGNATURE, f"{self.headers[0]} holds no signature")
        algorithm = self.algorithms(config).get(pairs.get("algorithm", ""))
        if algorithm is None:
            raise forged()
        return matching(
            secrets, lambda secret: _digest(delivery, secret, algorithm), [pairs["signature"]]
        )

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        first = live(self.secrets(config))[0]
        name, algorithm = next(iter(self.algorithms(config).items()))
        value = f"algorithm={name};content=DOCUMENT;signature={_digest(delivery, first, algorithm)}"
        return with_headers(delivery, (self.headers[0], f"sender=checkout;{value}"))


def _digest(delivery: Delivery, secret: Secret, algorithm: str) -> str:
    # The provider's own choice of algorithm, MD5 too: an operator may forbid it.
    return hashlib.new(algorithm, delivery.body + secret.bytes).hexdigest()
