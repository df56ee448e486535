"""`ts=…,v1=…` in one header, where v1 is the HMAC of a manifest of ids: the body is not signed."""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import parse_qsl

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers import payload
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.parts import (
    SecretsOf,
    check_window,
    forged,
    header,
    live,
    same_as_any,
    with_headers,
)

C = TypeVar("C")
# A larger time is in milliseconds: as seconds it would be thousands of years away.
_MILLISECONDS = 10**11


def query_value(delivery: Delivery, name: str) -> str:
    """The first short text under a name in the raw query, trimmed; empty when there is none."""
    try:
        pairs = parse_qsl(delivery.query, keep_blank_values=True)
    except ValueError:
        return ""
    found = next((value.strip() for key, value in pairs if key == name), "")
    return found if payload.is_text(found) else ""


def signed_id(delivery: Delivery, name: str, said: str | None) -> str:
    """The id in the query, safe as a part of a URL. Raises MALFORMED, also if the body has another.

    Case does not count: some senders lower it in one of the places.
    """
    found = query_value(delivery, name)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", found) or (said or found).lower() != found.lower():
        raise Rejected(Cause.MALFORMED, f"{name}: the query must have it, the body no other")
    return found


@dataclass(frozen=True)
class ManifestHmac(Generic[C]):
    """HMAC over `id:<of the query>;request-id:<header>;ts:<ts>;`; pairs without value left out."""

    header: str
    request_id: str
    subject: str
    secrets: SecretsOf[C]
    # How far the time may be from the receipt; None: any distance.
    window: Callable[[C], int | None]

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.secrets(config))
        items = [item.partition("=") for item in header(delivery, self.header).split(",")]
        pairs = {name.strip().lower(): value.strip() for name, _, value in items}
        stamp, given = pairs.get("ts"), pairs.get("v1")
        if not stamp and not given:
            raise Rejected(Cause.BAD_SIGNATURE, f"{self.header} holds neither a ts nor a v1")
        if not stamp or not given:
            raise Rejected(Cause.MISSING_SIGNATURE, f"{self.header} must hold a ts and a v1")
        if not re.fullmatch(r"[0-9]{1,15}", stamp):
            raise Rejected(Cause.BAD_SIGNATURE, f"{self.header}: the ts must be digits")
        seconds = int(stamp) // 1000 if int(stamp) > _MILLISECONDS else int(stamp)
        for secret in secrets:
            # Sources disagree on whether ids are signed as sent or lower-cased.
            manifests = self._manifests(delivery, stamp)
            if any(same_as_any(_signature(secret, text), [given]) for text in manifests):
                window = self.window(config)
                if window is not None:
                    check_window(delivery, seconds, window)
                return Verified(secret.label)
        raise forged()

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        first = live(self.secrets(config))[0]
        stamp = str(int(delivery.received_at.timestamp()))
        manifest = self._manifests(delivery, stamp)[0]
        return with_headers(delivery, (self.header, f"ts={stamp},v1={_signature(first, manifest)}"))

    def _manifests(self, delivery: Delivery, stamp: str) -> list[str]:
        subject = query_value(delivery, self.subject)
        requests = delivery.header_values(self.request_id)
        request = requests[0].strip() if len(requests) == 1 else ""
        rest = f"request-id:{request};ts:{stamp};" if request else f"ts:{stamp};"
        if not subject:
            return [rest]
        return [f"id:{subject};{rest}", f"id:{subject.lower()};{rest}"]


def _signature(secret: Secret, manifest: str) -> str:
    message = manifest.encode("utf-8", "surrogatepass")
    return hmac.digest(secret.bytes, message, hashlib.sha256).hex()
