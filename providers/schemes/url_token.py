"""A token that the operator put into the URL of unsigned callbacks: it covers nothing of them."""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar
from urllib.parse import parse_qsl, urlencode

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.contract import Verified
from providers.schemes.manifest_hmac import query_value
from providers.schemes.parts import SecretsOf, live, same_as_any

C = TypeVar("C")


@dataclass(frozen=True)
class UrlToken(Generic[C]):
    """One name of the query holds the token; what the callback is about, the API has to tell."""

    name: str
    secrets: SecretsOf[C]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets, given = live(self.secrets(config)), query_value(delivery, self.name)
        if not given:
            raise Rejected(Cause.MISSING_SIGNATURE, f"{self.name}: the URL must hold a token")
        for secret in secrets:
            if same_as_any(secret.value, [given]):
                return Verified(secret.label, settled=False)
        raise Rejected(Cause.BAD_CREDENTIALS, f"{self.name}: the URL holds no live token")

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        token = live(self.secrets(config))[0].value
        kept = [pair for pair in parse_qsl(delivery.query) if pair[0] != self.name]
        return replace(delivery, query=urlencode([*kept, (self.name, token)]))
