"""A signature inside the JSON body, made of some of its other fields and the secret."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers import payload
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.parts import SecretsOf, live, matching

C = TypeVar("C")


@dataclass(frozen=True)
class FieldDigest(Generic[C]):
    """The field that holds what `digest` makes of the body's object and a secret.

    White space and the other fields are not signed: an adapter that needs those asks the API.
    """

    field: str
    secrets: SecretsOf[C]
    digest: Callable[[dict[str, Any], Secret], str]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.secrets(config))
        document = payload.json_object(delivery.body)
        given = document.get(self.field)
        if not isinstance(given, str) or not given.strip():
            raise Rejected(Cause.MISSING_SIGNATURE, f"{self.field} must be a text in the body")
        return matching(secrets, lambda secret: self.digest(document, secret), [given])

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        first = live(self.secrets(config))[0]
        document = payload.json_object(delivery.body)
        document[self.field] = self.digest(document, first)
        return replace(delivery, body=json.dumps(document, default=str).encode())


def written(document: dict[str, Any], *names: str) -> str:
    """The values of these fields one after the other, as they are written; nothing for a gap."""
    values = (document.get(name) for name in names)
    return "".join(str(value) for value in values if isinstance(value, str | int))
