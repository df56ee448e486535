"""PayPal's family: RSA over id, time and checksum, by a certificate that a header names."""

import re
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Literal, Self

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret, Secrets
from providers.contract import Verified
from providers.schemes.certificates import (
    CertificateConfig,
    check_issuers,
    check_leaf,
    check_pem,
    check_signature,
    known_pem,
    private_key,
    read_chain,
    system_anchors,
)
from providers.schemes.parts import as_base64, forged, header, live, with_headers

_ALGORITHM = "SHA256withRSA"
_PATH = r"(:443)?/v1/notifications/certs/[A-Za-z0-9_-]+"
_CERT_URL = {
    "live": re.compile(r"https://api(-m)?\.paypal\.com" + _PATH),
    "sandbox": re.compile(r"https://api(-m)?(\.sandbox)?\.paypal\.com" + _PATH),
}
_NAMES = re.compile(r"messageverificationcerts(\.sandbox)?\.paypal\.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransmissionConfig(CertificateConfig):
    # No secret, but what binds a delivery to its receiver: several while an endpoint is replaced.
    webhook_id: Annotated[Secrets, "Developer Dashboard > Apps & Credentials > (app) > Webhooks"]
    environment: Annotated[Literal["live", "sandbox"], "which PayPal sends"]
    mode: Annotated[
        Literal["offline", "postback"], "check signatures here, or ask PayPal's API for each"
    ] = "offline"
    client_id: Annotated[str | None, "for postback: the app's page; else optional"] = None
    client_secret: Annotated[Secret | None, "the same page"] = None
    trust_anchors: Annotated[
        tuple[str, ...], "PEM roots that must vouch; none: those of the system", check_pem
    ] = field(default_factory=system_anchors, repr=False)

    @property
    def credentials(self) -> str | None:
        """The token of basic authentication, if PayPal's API may be asked."""
        if self.client_id is None or self.client_secret is None:
            return None
        return as_base64(f"{self.client_id}:{self.client_secret.value}".encode())


@dataclass(frozen=True, slots=True)
class Transmission:
    """The five headers. Their values are signed byte for byte."""

    id: str
    time: str
    sig: str
    cert_url: str
    auth_algo: str

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Raises MISSING_SIGNATURE unless each is there exactly once."""
        names = (
            "TRANSMISSION-ID",
            "TRANSMISSION-TIME",
            "TRANSMISSION-SIG",
            "CERT-URL",
            "AUTH-ALGO",
        )
        return cls(*(header(delivery, f"PAYPAL-{name}") for name in names))

    def message(self, webhook_id: Secret, body: bytes) -> bytes:
        signed = f"{self.id}|{self.time}|{webhook_id.value}|{zlib.crc32(body)}"
        return signed.encode("utf-8", "surrogatepass")


class TransmissionSignature:
    """Unsettled is what has no certificate yet, and what only PayPal's API can vouch for."""

    def verify(self, delivery: Delivery, config: TransmissionConfig) -> Verified:
        live(config.webhook_id)
        url = Transmission.of(delivery).cert_url
        if config.mode == "postback":
            if config.credentials is None:
                raise Rejected(Cause.NOT_CONFIGURED, "postback needs client_id and client_secret")
            return Verified(settled=False)
        pem = known_pem(url, _CERT_URL[config.environment], config)
        return Verified(settled=False) if pem is None else self.check(delivery, config, pem)

    def check(self, delivery: Delivery, config: TransmissionConfig, pem: bytes) -> Verified:
        """The verdict by a certificate. Raises Rejected."""
        sent, chain, at = Transmission.of(delivery), read_chain(pem), delivery.received_at
        name, vouched = check_leaf(chain, _NAMES, at), True
        try:
            check_issuers(chain, name, config, at)
        except Rejected:
            # Intermediates may be lacking, so a chain that cannot be built is no proof of a fraud.
            if config.credentials is None:
                raise
            vouched = False
        if sent.auth_algo.lower() != _ALGORITHM.lower():
            raise forged()
        for webhook_id in config.webhook_id:
            with suppress(Rejected):
                check_signature(chain, sent.sig, sent.message(webhook_id, delivery.body), SHA256())
                return Verified(webhook_id.label, settled=vouched)
        raise forged()

    def sign(self, delivery: Delivery, config: TransmissionConfig) -> Delivery:
        stamp = delivery.received_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        url = next(iter(config.certificates), "")
        sent = Transmission(sha256(delivery.body).hexdigest()[:32], stamp, "", url, _ALGORITHM)
        message = sent.message(live(config.webhook_id)[0], delivery.body)
        signature = private_key(config.signing_key).sign(message, PKCS1v15(), SHA256())
        return with_headers(
            delivery,
            ("PAYPAL-TRANSMISSION-ID", sent.id),
            ("PAYPAL-TRANSMISSION-TIME", sent.time),
            ("PAYPAL-TRANSMISSION-SIG", as_base64(signature)),
            ("PAYPAL-CERT-URL", sent.cert_url),
            ("PAYPAL-AUTH-ALGO", sent.auth_algo),
        )
