"""Items in a JSON body, each with the HMAC of some of its own values."""

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers import payload
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.body_hmac import BodyHmac
from providers.schemes.parts import live, matching
from providers.shapes import word

C = TypeVar("C")
Item = dict[str, Any]


@dataclass(frozen=True)
class ItemsHmac(Generic[C]):
    """Every item carries its own signature; bodies without items are signed whole, in a header.

    The items are those of the list `items`, each `inside` a wrapper of its own; `signature` is the
    path of an item's signature, within an object of the item. The values under the paths of
    `signed` are signed, joined by colons; each must match its pattern. Secrets, key and encoding
    are those of `whole`.
    """

    whole: BodyHmac[C]
    items: str
    inside: str
    signature: str
    signed: Mapping[str, str]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.whole.secrets(config))
        if not delivery.body:
            # A probe of the endpoint: it says nothing, so nothing has to be signed.
            return Verified()
        if delivery.header_values(self.whole.header):
            verdict = self.whole.verify(delivery, config)
            # An item's signed text would pass as well: only what is signed whole may.
            payload.json_object(delivery.body)
            return verdict
        verdicts = []
        for item in self.found(payload.json_object(delivery.body)):
            hmac_of = partial(self._hmac, self._content(item))
            verdicts.append(matching(secrets, hmac_of, self._given(item)))
        if not verdicts:
            raise Rejected(Cause.MISSING_SIGNATURE, f"neither items nor {self.whole.header}")
        return verdicts[0]

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        first = live(self.whole.secrets(config))[0]
        document = payload.json_object(delivery.body)
        items = self.found(document)
        if not items:
            return self.whole.sign(delivery, config)
        holder, _, name = self.signature.partition(".")
        for item in items:
            made = self._hmac(self._content(item), first)
            item[holder] = payload.loose_object(item.get(holder)) | {name: made}
        body = json.dumps(document, separators=(",", ":"), ensure_ascii=False, default=str)
        return replace(delivery, body=body.encode("utf-8", "surrogatepass"))

    def found(self, document: dict[str, Any]) -> list[Item]:
        """The items of a body; none, where there is no list. Raises Rejected(MALFORMED)."""
        wrappers = document.get(self.items) or []
        if not isinstance(wrappers, list):
            raise Rejected(Cause.MALFORMED, f"{self.items}: must be a list")
        items = [payload.dig(wrapper, self.inside) for wrapper in wrappers]
        if not all(isinstance(item, dict) for item in items):
            raise Rejected(Cause.MALFORMED, f"{self.items}: must be a list of {self.inside}")
        return items

    def _given(self, item: Item) -> list[str]:
        found = payload.dig(item, self.signature)
        if not isinstance(found, str) or not found:
            raise Rejected(Cause.MISSING_SIGNATURE, "an item has no signature")
        return [found]

    def _content(self, item: Item) -> bytes:
        words = [word(item, path) for path in self.signed]
        for path, pattern, value in zip(self.signed, self.signed.values(), words, strict=True):
            if not re.fullmatch(pattern, value):
                raise Rejected(Cause.MALFORMED, f"{path}: is not what it should be")
        return ":".join(words).encode()

    def _hmac(self, content: bytes, secret: Secret) -> str:
        digest = hmac.digest(self.whole.key(secret), content, self.whole.algorithm)
        return self.whole.encode(digest)
