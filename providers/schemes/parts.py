"""What schemes are made of: headers, keys, encodings, comparisons, windows of time."""

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret, Secrets
from providers.contract import Verified

C = TypeVar("C")
SecretsOf = Callable[[C], Secrets]


def header(delivery: Delivery, name: str) -> str:
    """The one value of a header. Raises MISSING_SIGNATURE if it is absent, empty or doubled."""
    values = delivery.header_values(name)
    if len(values) != 1 or not values[0].strip():
        raise Rejected(Cause.MISSING_SIGNATURE, f"header {name} must be there exactly once")
    return values[0].strip()


def with_headers(delivery: Delivery, *headers: tuple[str, str]) -> Delivery:
    """The delivery with these headers in place of any of the same name."""
    names = {name.lower() for name, _ in headers}
    kept = tuple(pair for pair in delivery.headers if pair[0].lower() not in names)
    return replace(delivery, headers=kept + headers)


def live(secrets: Secrets) -> Secrets:
    """The configured secrets. Without any, everything is refused."""
    if not secrets:
        raise Rejected(Cause.NOT_CONFIGURED, "no secret is configured for this provider")
    return secrets


def secret_named(secrets: Secrets, label: str) -> Secret:
    """The live secret that a verdict names; the first, where the verdict names none."""
    return next((secret for secret in live(secrets) if secret.label == label), secrets[0])


def matching(secrets: Secrets, expected: Callable[[Secret], str], given: list[str]) -> Verified:
    """The verdict by the first secret whose signature is among the given. Raises BAD_SIGNATURE."""
    for secret in live(secrets):
        if same_as_any(expected(secret), given):
            return Verified(secret.label)
    raise forged()


def same_as_any(expected: str, given: Iterable[str]) -> bool:
    """Whether a text is among the given, in constant time for each."""
    wanted = expected.encode()
    candidates = [value.encode("utf-8", "surrogatepass") for value in given]
    # No early exit: which of the values matched is nobody's business.
    return sum(hmac.compare_digest(wanted, candidate) for candidate in candidates) > 0


def forged() -> Rejected:
    return Rejected(Cause.BAD_SIGNATURE, "no live secret made this signature over these bytes")


def check_window(delivery: Delivery, stamp: int, tolerance: int) -> None:
    """Raises STALE_TIMESTAMP when `stamp` (Unix seconds) is over `tolerance` from the receipt."""
    if abs(int(delivery.received_at.timestamp()) - stamp) > tolerance:
        raise Rejected(Cause.STALE_TIMESTAMP, f"signed more than {tolerance} s from its receipt")


def unix_stamp(text: str) -> int:
    """Unix seconds, digits only. Raises MALFORMED for anything else."""
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise Rejected(Cause.MALFORMED, "the timestamp must be Unix seconds, digits only")
    return int(text)


def as_hex(digest: bytes) -> str:
    return digest.hex()


def as_base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def raw_key(secret: Secret) -> bytes:
    """The secret's text itself is the key."""
    return secret.bytes


def hex_key(secret: Secret) -> bytes:
    """The key is written in hex. A secret that is not is refused, and named."""
    try:
        return bytes.fromhex(secret.value.strip())
    except ValueError:
        raise Rejected(Cause.NOT_CONFIGURED, f"{secret.label} is not hex") from None


def base64_bytes(text: str) -> bytes | None:
    """The bytes of standard base64 with or without its padding; None if it is no such thing."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def base64_key(secret: Secret) -> bytes:
    """The key is written in base64. A secret that is not is refused, and named."""
    key = base64_bytes(secret.value.strip())
    if not key:
        raise Rejected(Cause.NOT_CONFIGURED, f"{secret.label} is not base64")
    return key


def usable_by(key: Callable[[Secret], object]) -> Callable[[Secrets], None]:
    """A validator for configuration: every secret of a list is one that `key` can read."""

    def check(secrets: Secrets) -> None:
        for secret in secrets:
            try:
                key(secret)
            except Rejected as error:
                raise ValidationError(error.detail) from None

    return check
