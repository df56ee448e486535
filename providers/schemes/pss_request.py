"""Requests to Amazon Pay's API, signed with the operator's own RSA key."""

from contextlib import suppress
from datetime import datetime
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.domain.errors import Rejected
from providers.configuration import Secret
from providers.contract import ApiRequest, Headers
from providers.schemes.certificates import private_key
from providers.schemes.parts import as_base64

_ALGORITHM, _SALT = "AMZN-PAY-RSASSA-PSS-V2", 32


def signed_get(host: str, path: str, region: str, key: tuple[str, Secret]) -> ApiRequest:
    """A GET that is signed when it is made; the key is its id and its PEM."""

    def signed(now: datetime) -> Headers:
        return _signed(host, path, region, key, now)

    return ApiRequest("GET", f"https://{host}{path}", timed_headers=signed)


def _signed(host: str, path: str, region: str, key: tuple[str, Secret], at: datetime) -> Headers:
    key_id, secret = key
    headers = {
        "accept": "application/json",
        "content-type": "application/json",
        "x-amz-pay-date": at.strftime("%Y%m%dT%H%M%SZ"),
        "x-amz-pay-host": host,
        "x-amz-pay-region": region,
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"GET\n{path}\n\n{lines}\n{names}\n{sha256(b'').hexdigest()}"
    content = f"{_ALGORITHM}\n{sha256(canonical.encode()).hexdigest()}".encode()
    # Without a usable key the API refuses, and the delivery is kept as unverifiable.
    with suppress(Rejected):
        made = private_key(secret).sign(content, PSS(MGF1(SHA256()), _SALT), SHA256())
        said = f"PublicKeyId={key_id}, SignedHeaders={names}, Signature={as_base64(made)}"
        headers["authorization"] = f"{_ALGORITHM} {said}"
    return tuple(headers.items())
