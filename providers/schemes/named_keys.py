"""Signatures that stand beside the name of their key; the operator has a map of keys by name."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret, Secrets
from providers.contract import Verified
from providers.schemes.parts import (
    as_base64,
    base64_key,
    check_window,
    forged,
    header,
    live,
    same_as_any,
    unix_stamp,
    usable_by,
    with_headers,
)

C = TypeVar("C")
_PARTS = 3


@dataclass(frozen=True)
class NamedKeyStamp(Generic[C]):
    """`t=<unix ms>;keyId=<name>;sig=<base64>` in one header, over `t + "." + body`.

    The keys are written in base64.
    """

    header: str
    keys: Callable[[C], Mapping[str, Secret]]
    tolerance: int = 300

    def verify(self, delivery: Delivery, config: C) -> Verified:
        keys = _named(self.keys(config))
        items = [item.strip().partition("=") for item in header(delivery, self.header).split(";")]
        found = {name.strip(): value.strip() for name, _, value in items}
        if len(found) != len(items) or not all(found.get(name) for name in ("t", "keyId", "sig")):
            raise Rejected(
                Cause.MISSING_SIGNATURE, f"{self.header} must hold t, keyId and sig once"
            )
        secret = keys.get(found["keyId"])
        if secret is None:
            raise Rejected(Cause.UNKNOWN_KEY, f"the keyId of {self.header} is not configured")
        if not same_as_any(_stamped(secret, found["t"], delivery), [found["sig"]]):
            raise forged()
        check_window(delivery, unix_stamp(found["t"]) // 1000, self.tolerance)
        return Verified(secret.label)

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        name, secret = next(iter(_named(self.keys(config)).items()))
        stamp = str(int(delivery.received_at.timestamp() * 1000))
        value = f"t={stamp};keyId={name};sig={_stamped(secret, stamp, delivery)}"
        return with_headers(delivery, (self.header, value))


@dataclass(frozen=True)
class NamedKeyList(Generic[C]):
    """`<key's name>/SHA256/<hex>` over the body, one or several with commas, in one header."""

    header: str
    keys: Callable[[C], Mapping[str, Secret]]
    key: Callable[[Secret, C], bytes]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        keys = _named(self.keys(config))
        items = [item.strip().split("/") for item in header(delivery, self.header).split(",")]
        given = [[part.strip() for part in parts] for parts in items if len(parts) == _PARTS]
        if not given:
            raise forged()
        known = [
            (keys[name], digest.lower())
            for name, function, digest in given
            if name in keys and function == "SHA256"
        ]
        if not known:
            raise Rejected(Cause.UNKNOWN_KEY, "no signature is by SHA256 and a known key")
        for secret, digest in known:
            # A key vouches for the signatures under its own name only.
            if same_as_any(self._sign(delivery, config, secret), [digest]):
                return Verified(secret.label)
        raise forged()

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        name, secret = next(iter(_named(self.keys(config)).items()))
        value = f"{name}/SHA256/{self._sign(delivery, config, secret)}"
        return with_headers(delivery, (self.header, value))

    def _sign(self, delivery: Delivery, config: C, secret: Secret) -> str:
        return hmac.digest(self.key(secret, config), delivery.body, "sha256").hex()


def usable_by_name(key: Callable[[Secret], object]) -> Callable[[Mapping[str, Secret]], None]:
    """A validator for configuration: every key of a map is one that `key` can read."""
    return lambda keys: usable_by(key)(_labelled(keys))


def _named(keys: Mapping[str, Secret]) -> dict[str, Secret]:
    """The configured keys, labelled by their names. Without any, everything is refused."""
    return dict(zip(keys, live(_labelled(keys)), strict=True))


def _labelled(keys: Mapping[str, Secret]) -> Secrets:
    return tuple(replace(secret, label=f"key {name}") for name, secret in keys.items())


def _stamped(secret: Secret, stamp: str, delivery: Delivery) -> str:
    signed = stamp.encode("utf-8", "surrogatepass") + b"." + delivery.body
    return as_base64(hmac.digest(base64_key(secret), signed, "sha256"))
