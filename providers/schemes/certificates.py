"""Certificates that a provider signs with: whom they name, when they hold, who vouches for them."""

import re
import ssl
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Annotated

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected
from providers.configuration import Secret
from providers.contract import ApiAnswer
from providers.schemes.parts import as_base64, base64_bytes, forged

Chain = tuple[x509.Certificate, ...]
"""A leaf, and after it the intermediates that came with it."""
CERTIFICATE_SECONDS = 86_400
"""How long a downloaded certificate may be used again."""


def check_pem(texts: tuple[str, ...]) -> None:
    """A validator for configuration: every text is a PEM certificate."""
    for text in texts:
        try:
            read_chain(text.encode())
        except Rejected as error:
            raise ValidationError(error.detail) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateConfig:
    """What an operator says about certificates; part of a provider's configuration."""

    trust_anchors: Annotated[
        tuple[str, ...],
        "PEM roots that must vouch for the certificate; none: its host does",
        check_pem,
    ] = field(default=(), repr=False)
    intermediates: Annotated[
        tuple[str, ...], "PEM of issuers that the provider's certificate files lack", check_pem
    ] = field(default=(), repr=False)
    certificates: Annotated[
        Mapping[str, str], "URL -> PEM: the only certificates; nothing is downloaded then"
    ] = field(default_factory=dict, repr=False)
    signing_key: Annotated[Secret | None, "only to simulate the provider: an RSA key"] = None


def untrusted(detail: str) -> Rejected:
    return Rejected(Cause.UNTRUSTED_CERTIFICATE, detail)


@cache
def system_anchors() -> tuple[str, ...]:
    """The roots that this machine trusts, as PEM. Read when a configuration is loaded, once."""
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    return tuple(ssl.DER_cert_to_PEM_cert(der) for der in found if _is_sound(der))


def _is_sound(der: bytes) -> bool:
    """Whether a certificate keeps the standard: some old roots do not, and would spoil all."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            x509.load_der_x509_certificate(der)
        except (ValueError, Warning):
            return False
    return True


@lru_cache(maxsize=64)
def read_chain(pem: bytes) -> Chain:
    """The certificates of a PEM file. Raises UNTRUSTED_CERTIFICATE if it is none."""
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError:
        raise untrusted("the certificate is no PEM file") from None


def downloaded(answer: ApiAnswer) -> bytes:
    """The PEM file that was asked for. Raises UNTRUSTED_CERTIFICATE."""
    if answer.status != HTTPStatus.OK:
        raise untrusted(f"the provider answered {answer.status} for its certificate")
    return answer.body


def known_pem(url: str, hosts: re.Pattern[str], config: CertificateConfig) -> bytes | None:
    """The certificate's PEM; None if it may be downloaded. Raises UNTRUSTED_CERTIFICATE."""
    if not hosts.fullmatch(url):
        raise untrusted("the certificate's URL is not one of the provider's")
    if config.certificates and url not in config.certificates:
        raise untrusted("the certificate is not among those configured")
    return config.certificates[url].encode() if config.certificates else None


def check_leaf(chain: Chain, names: re.Pattern[str], at: datetime) -> str:
    """The common name of a leaf that bears an allowed one and holds at that time.

    Raises UNTRUSTED_CERTIFICATE.
    """
    leaf = chain[0]
    try:
        found = [
            str(item.value) for item in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        ]
    except ValueError:
        found = []
    if len(found) != 1 or not names.fullmatch(found[0]):
        raise untrusted("the certificate does not bear the provider's name")
    if not leaf.not_valid_before_utc <= at <= leaf.not_valid_after_utc:
        raise untrusted("the certificate does not hold at that time")
    return found[0]


def check_issuers(chain: Chain, name: str, config: CertificateConfig, at: datetime) -> None:
    """Raises UNTRUSTED_CERTIFICATE unless an anchor vouches, by some path, for this leaf."""
    found = _found_paths(chain, name, config.intermediates, config.trust_anchors)
    if any(begins <= at <= ends for begins, ends in found):
        return
    leaf, *between = chain
    between += [one for pem in config.intermediates for one in read_chain(pem.encode())]
    try:
        builder = PolicyBuilder().store(_store(config.trust_anchors)).time(at)
        path = builder.build_server_verifier(x509.DNSName(name)).verify(leaf, between)
    except (VerificationError, ValueError):
        raise untrusted("no trust anchor vouches for the certificate") from None
    begins = max(one.not_valid_before_utc for one in path)
    found.append((begins, min(one.not_valid_after_utc for one in path)))


@lru_cache(maxsize=64)
def _found_paths(*_: object) -> list[tuple[datetime, datetime]]:
    """When the paths hold that were found for a certificate: none is looked for twice."""
    return []


def check_signature(chain: Chain, signature: str, message: bytes, algorithm: HashAlgorithm) -> None:
    """Raises BAD_SIGNATURE unless the leaf's key made this base64 signature (PKCS #1 v1.5)."""
    try:
        key = chain[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise untrusted("the certificate's key cannot be read") from None
    if not isinstance(key, RSAPublicKey):
        raise untrusted("the certificate's key is not RSA")
    made = base64_bytes(signature)
    if made is None or as_base64(made) != signature:
        raise forged()
    try:
        key.verify(made, message, PKCS1v15(), algorithm)
    except (InvalidSignature, UnsupportedAlgorithm):
        raise forged() from None


def private_key(secret: Secret | None) -> RSAPrivateKey:
    """The RSA key in base64 of PKCS #8, with or without PEM's armour. Raises NOT_CONFIGURED."""
    return _read_key(re.sub(r"-----[A-Z ]+-----|\s", "", secret.value if secret else ""))


@lru_cache(maxsize=8)
def _read_key(text: str) -> RSAPrivateKey:
    try:
        key = load_der_private_key(base64_bytes(text) or b"", password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise Rejected(Cause.NOT_CONFIGURED, "the private key must be RSA, in PKCS #8")
    return key


@lru_cache(maxsize=8)
def _store(anchors: tuple[str, ...]) -> Store:
    return Store([one for pem in anchors for one in read_chain(pem.encode())])
