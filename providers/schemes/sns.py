"""Amazon SNS: a JSON envelope that names the certificate by which some fields of it are signed."""

import json
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Self

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers import payload
from providers.contract import ApiAnswer, ApiRequest, Verified
from providers.schemes.certificates import (
    CERTIFICATE_SECONDS,
    CertificateConfig,
    check_issuers,
    check_leaf,
    check_signature,
    downloaded,
    known_pem,
    private_key,
    read_chain,
)
from providers.schemes.parts import as_base64, forged

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
_HASHES: Mapping[str, HashAlgorithm] = {"1": SHA1(), "2": SHA256()}  # noqa: S303 - SNS's version 1
_CERT_URL = re.compile(
    r"https://sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(\.cn)?/([A-Za-z0-9_-]+/)*[A-Za-z0-9_-]+\.pem"
)
_NAMES = re.compile(r"sns[a-z0-9.-]*\.amazonaws\.com(\.cn)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SnsConfig(CertificateConfig):
    topic_arns: Annotated[tuple[str, ...], "the SNS topics that may send; none: any"] = ()
    require_version_2: Annotated[bool, "refuse signatures that are made with SHA-1"] = False


@dataclass(frozen=True, slots=True)
class SnsEnvelope:
    """The fields of an envelope, all of them texts."""

    fields: Mapping[str, str]

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Raises MALFORMED; MISSING_SIGNATURE for an envelope without one."""
        document = payload.json_object(body)
        for name in ("Signature", "SignatureVersion", "SigningCertURL"):
            if not isinstance(document.get(name), str) or not document[name]:
                raise Rejected(Cause.MISSING_SIGNATURE, f"{name} must be there")
        found = cls({name: value for name, value in document.items() if isinstance(value, str)})
        found.content()
        return found

    @property
    def message(self) -> dict[str, Any]:
        """The JSON object in its message; empty where that is none."""
        return payload.loose_object(self.fields["Message"])

    def content(self) -> bytes:
        """What is signed. Raises MALFORMED if a part of it is missing."""
        names = _SIGNED.get(self.fields.get("Type", ""), ())
        missing = [name for name in names if name != "Subject" and not self.fields.get(name)]
        if missing or not names:
            raise Rejected(Cause.MALFORMED, f"{', '.join(missing) or 'Type'}: must be there")
        parts = (f"{name}\n{self.fields[name]}\n" for name in names if name in self.fields)
        return "".join(parts).encode("utf-8", "surrogatepass")


class SnsSignature:
    """Checks by a configured certificate; without one it has to be fetched, by `fetching`."""

    def verify(self, delivery: Delivery, config: SnsConfig) -> Verified:
        envelope = SnsEnvelope.of(delivery.body)
        pem = known_pem(envelope.fields["SigningCertURL"], _CERT_URL, config)
        return Verified(settled=False) if pem is None else self.check(delivery, config, pem)

    def check(self, delivery: Delivery, config: SnsConfig, pem: bytes) -> Verified:
        """The verdict by a certificate. Raises Rejected."""
        envelope, chain = SnsEnvelope.of(delivery.body), read_chain(pem)
        # A message is repeated for days: the certificate is to hold when it was signed.
        at = payload.from_iso(envelope.fields["Timestamp"])
        name = check_leaf(chain, _NAMES, at)
        if config.trust_anchors:
            check_issuers(chain, name, config, at)
        version = envelope.fields["SignatureVersion"]
        if version not in _HASHES or (config.require_version_2 and version != "2"):
            raise forged()
        signature = envelope.fields["Signature"]
        check_signature(chain, signature, envelope.content(), _HASHES[version])
        topics = delivery.header_values("x-amz-sns-topic-arn")
        if any(topic.strip() != envelope.fields["TopicArn"] for topic in topics):
            raise Rejected(Cause.BAD_SIGNATURE, "the header names another topic than the body")
        if config.topic_arns and envelope.fields["TopicArn"] not in config.topic_arns:
            raise Rejected(Cause.UNKNOWN_KEY, "the topic is not among those configured")
        return Verified(envelope.fields["SigningCertURL"].rpartition("/")[2])

    def fetching(
        self, delivery: Delivery, config: SnsConfig
    ) -> Generator[ApiRequest, ApiAnswer, None]:
        """Checks by the certificate that the envelope names, unless `verify` had one already."""
        if not config.certificates:
            url = SnsEnvelope.of(delivery.body).fields["SigningCertURL"]
            answer = yield ApiRequest("GET", url, cache_seconds=CERTIFICATE_SECONDS)
            self.check(delivery, config, downloaded(answer))

    def sign(self, delivery: Delivery, config: SnsConfig) -> Delivery:
        document = payload.json_object(delivery.body) | {
            "SignatureVersion": "2",
            "SigningCertURL": next(iter(config.certificates), ""),
            "Signature": "-",
        }
        content = SnsEnvelope.of(json.dumps(document, default=str).encode()).content()
        made = private_key(config.signing_key).sign(content, PKCS1v15(), SHA256())
        document["Signature"] = as_base64(made)
        return replace(delivery, body=json.dumps(document, default=str).encode())
