"""A form one of whose fields is the HMAC of others."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar
from urllib.parse import parse_qsl, urlencode

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.parts import SecretsOf, live, matching

C = TypeVar("C")
_MAX_FIELDS = 200


def form_fields(body: bytes) -> dict[str, str]:
    """The fields of a URL-encoded form. Raises MALFORMED for anything else, and doubled names."""
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise Rejected(Cause.MALFORMED, "the body is no form") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Rejected(Cause.MALFORMED, "a field of the form is doubled")
    return form


@dataclass(frozen=True)
class FormHmac(Generic[C]):
    """`field` holds the hex HMAC of what `signed` makes of the form: the rest can be forged."""

    field: str
    signed: Callable[[Mapping[str, str]], bytes]
    secrets: SecretsOf[C]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.secrets(config))
        form = form_fields(delivery.body)
        given = form.get(self.field, "").strip()
        if not given:
            raise Rejected(Cause.MISSING_SIGNATURE, f"the form has no {self.field}")
        return matching(secrets, lambda secret: self._hash(secret, form), [given])

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        form = form_fields(delivery.body)
        form[self.field] = self._hash(live(self.secrets(config))[0], form)
        return replace(delivery, body=urlencode(form).encode())

    def _hash(self, secret: Secret, form: Mapping[str, str]) -> str:
        return hmac.digest(secret.bytes, self.signed(form), hashlib.sha256).hex()
