"""A token that both sides know, sent as it is in a header: it covers nothing of the body."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.contract import Verified
from providers.schemes.parts import SecretsOf, header, live, same_as_any, with_headers

C = TypeVar("C")


@dataclass(frozen=True)
class StaticToken(Generic[C]):
    """One header that holds the whole token. Whoever has seen it can forge any body."""

    header: str
    secrets: SecretsOf[C]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.secrets(config))
        given = [header(delivery, self.header)]
        for secret in secrets:
            if same_as_any(secret.value, given):
                return Verified(secret.label)
        raise Rejected(Cause.BAD_CREDENTIALS, f"{self.header} holds no live token")

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        return with_headers(delivery, (self.header, live(self.secrets(config))[0].value))
