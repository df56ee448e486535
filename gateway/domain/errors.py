"""Every error that the gateway raises on purpose.

    GatewayError
    ├── Rejected            a delivery is refused; its cause is one of Cause
    ├── InvalidInput        a caller gave something that cannot be; names the field
    ├── NotFound            no such record
    ├── Conflict            the record exists already, or its state forbids the call
    ├── StoreUnavailable    the store cannot make a write durable just now; try again later
    │   └── StoreRefused    it refuses this very command: what is stored there is not what should be
    └── ConfigurationError  the settings are wrong; lists every fault with its variable

Each message tells the operator, or the caller, what to do.
"""

from enum import StrEnum


class Cause(StrEnum):
    """Why a delivery is refused. A closed list: these are metric labels and API values."""

    MISSING_SIGNATURE = "missing_signature"
    BAD_SIGNATURE = "bad_signature"
    BAD_CREDENTIALS = "bad_credentials"
    STALE_TIMESTAMP = "stale_timestamp"
    UNKNOWN_KEY = "unknown_key"
    UNTRUSTED_CERTIFICATE = "untrusted_certificate"
    MALFORMED = "malformed"
    UNKNOWN_PAYMENT = "unknown_payment"
    UNVERIFIABLE = "unverifiable"
    NOT_CONFIGURED = "not_configured"


class GatewayError(Exception):
    """The root of the tree."""


class Rejected(GatewayError):
    """A delivery is refused, and why. `detail` may name a field, never a secret or a value."""

    def __init__(self, cause: Cause, detail: str = "") -> None:
        super().__init__(f"{cause}: {detail}" if detail else str(cause))
        self.cause = cause
        self.detail = detail


class InvalidInput(GatewayError):
    """A value that cannot be: `field` says which."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class NotFound(GatewayError):
    """No record under that id."""


class Conflict(GatewayError):
    """The record exists already, or its present state forbids what was asked."""


class StoreUnavailable(GatewayError):
    """Nothing can be made durable just now; whoever asked should try again later."""


class StoreRefused(StoreUnavailable):
    """The store works, but refuses this very command: what is under its key is not ours."""


class ConfigurationError(GatewayError):
    """The settings are wrong. `faults` holds all of them, each with its variable's name."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("The configuration has faults:\n" + "\n".join(f"  - {f}" for f in faults))
        self.faults = faults
