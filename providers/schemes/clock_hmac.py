"""A wall-clock time (UTC) in one header, and in another the HMAC of that text and the body."""

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers import payload
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.parts import SecretsOf, check_window, header, live, matching, with_headers

C = TypeVar("C")
_CLOCK = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")


@dataclass(frozen=True)
class ClockHmac(Generic[C]):
    """`YYYY-MM-DD HH:MM:SS[.mmm]` directly before the body; the HMAC is hex of either case."""

    clock_header: str
    signature_header: str
    secrets: SecretsOf[C]
    tolerance: int

    def verify(self, delivery: Delivery, config: C) -> Verified:
        secrets = live(self.secrets(config))
        text = header(delivery, self.clock_header)
        given = header(delivery, self.signature_header).lower()
        verdict = matching(secrets, lambda secret: _hash(secret, text, delivery), [given])
        # Nothing parts the time from the body: a body that goes on with it could have been cut.
        if re.match(rb"[.0-9]", delivery.body):
            raise Rejected(Cause.MALFORMED, "the body must not start like a time")
        check_window(delivery, int(self.clock(delivery).timestamp()), self.tolerance)
        return verdict

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        first = live(self.secrets(config))[0]
        at = delivery.received_at.astimezone(UTC).replace(tzinfo=None)
        text = at.isoformat(sep=" ", timespec="milliseconds")
        value = _hash(first, text, delivery)
        return with_headers(delivery, (self.clock_header, text), (self.signature_header, value))

    def clock(self, delivery: Delivery) -> datetime:
        """When the delivery was signed. Raises MALFORMED for another form of time."""
        text = header(delivery, self.clock_header)
        if not _CLOCK.fullmatch(text):
            raise Rejected(Cause.MALFORMED, f"{self.clock_header} must be a time")
        return payload.from_iso(text)


def _hash(secret: Secret, text: str, delivery: Delivery) -> str:
    signed = text.encode("utf-8", "surrogatepass") + delivery.body
    return hmac.digest(secret.bytes, signed, "sha256").hex()
