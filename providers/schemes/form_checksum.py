"""A form one of whose fields is a plain hash of the secret and some of the others."""

import hashlib
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
_MAX_FIELDS = 500
# Keeps bytes that are no UTF-8 as they are: a payer's name in another encoding spoils no payment.
_AS_IT_IS = "surrogateescape"


def sent_fields(delivery: Delivery) -> dict[str, str]:
    """The fields of a form: a GET's are in its query. Raises MALFORMED for doubled names."""
    if delivery.method == "GET":
        return fields_of(delivery.query.encode("utf-8", "surrogatepass"))
    return fields_of(delivery.body)


def fields_of(raw: bytes) -> dict[str, str]:
    """The fields of an encoded form. Raises MALFORMED for doubled names."""
    try:
        pairs = parse_qsl(
            raw.decode("utf-8", _AS_IT_IS),
            keep_blank_values=True,
            errors=_AS_IT_IS,
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise Rejected(Cause.MALFORMED, "the form has too many fields") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Rejected(Cause.MALFORMED, "a field of the form is doubled")
    return form


@dataclass(frozen=True)
class FormChecksum(Generic[C]):
    """`field` holds the lower-case hex hash of the secret followed by what `signed` picks.

    Fields that are not picked can be altered by whoever has seen one genuine form.
    """

    field: str
    secrets: SecretsOf[C]
    signed: Callable[[Mapping[str, str]], str]
    algorithm: Callable[[C], str]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.secrets(config))
        form = sent_fields(delivery)
        given = form.get(self.field, "").strip()
        if not given:
            raise Rejected(Cause.MISSING_SIGNATURE, f"the form has no {self.field}")
        return matching(secrets, lambda secret: self._hash(secret, form, config), [given])

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        first, form = live(self.secrets(config))[0], sent_fields(delivery)
        form[self.field] = self._hash(first, form, config)
        encoded = urlencode(form, errors=_AS_IT_IS)
        if delivery.method == "GET":
            return replace(delivery, query=encoded)
        return replace(delivery, body=encoded.encode())

    def _hash(self, secret: Secret, form: Mapping[str, str], config: C) -> str:
        content = secret.bytes + self.signed(form).encode("utf-8", _AS_IT_IS)
        return hashlib.new(self.algorithm(config), content).hexdigest()
