"""Settling PayPal's transmissions: by a certificate that is downloaded, or by asking its API."""

import json
from collections.abc import Generator
from http import HTTPStatus
from typing import Any

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers import payload
from providers.configuration import Secret
from providers.contract import ApiAnswer, ApiRequest
from providers.schemes.certificates import CERTIFICATE_SECONDS, downloaded
from providers.schemes.parts import forged, live
from providers.schemes.transmission import Transmission, TransmissionConfig, TransmissionSignature

_APIS = {"live": "https://api-m.paypal.com", "sandbox": "https://api-m.sandbox.paypal.com"}
# Short: a token that is handed out may be near its end.
_TOKEN_SECONDS = 60


def settle_transmission(
    scheme: TransmissionSignature, delivery: Delivery, config: TransmissionConfig
) -> Generator[ApiRequest, ApiAnswer, None]:
    """Gets the certificate, or asks PayPal whether it sent this. Raises Rejected if it did not."""
    if config.mode == "offline" and not config.certificates:
        url = Transmission.of(delivery).cert_url
        answer = yield ApiRequest("GET", url, cache_seconds=CERTIFICATE_SECONDS)
        if scheme.check(delivery, config, downloaded(answer)).settled:
            return
    yield from _ask(delivery, config)


def _ask(delivery: Delivery, config: TransmissionConfig) -> Generator[ApiRequest, ApiAnswer, None]:
    # It becomes a part of the question: it must be one object, with nothing after it.
    payload.json_object(delivery.body)
    api = _APIS[config.environment]
    answer = yield ApiRequest(
        "POST",
        f"{api}/v1/oauth2/token",
        (
            ("Authorization", f"Basic {config.credentials}"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ),
        b"grant_type=client_credentials",
        cache_seconds=_TOKEN_SECONDS,
    )
    token = _header_value(payload.need(_found(answer), "access_token"))
    headers = ("Authorization", f"Bearer {token}"), ("Content-Type", "application/json")
    url = f"{api}/v1/notifications/verify-webhook-signature"
    for webhook_id in live(config.webhook_id):
        answer = yield ApiRequest("POST", url, headers, _question(delivery, webhook_id))
        if _found(answer).get("verification_status") == "SUCCESS":
            return
    raise forged()


def _question(delivery: Delivery, webhook_id: Secret) -> bytes:
    sent = Transmission.of(delivery)
    fields = {
        "auth_algo": sent.auth_algo,
        "cert_url": sent.cert_url,
        "transmission_id": sent.id,
        "transmission_sig": sent.sig,
        "transmission_time": sent.time,
        "webhook_id": webhook_id.value,
    }
    # The body goes in as it came: its checksum is taken.
    return json.dumps(fields)[:-1].encode() + b', "webhook_event": ' + delivery.body + b"}"


def _header_value(token: Any) -> str:
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise Rejected(Cause.UNVERIFIABLE, "the API gave no token")
    return token


def _found(answer: ApiAnswer) -> dict[str, Any]:
    # Nothing but 200 is a word on the delivery: not even a 404 means that it is unknown.
    if answer.status != HTTPStatus.OK:
        raise Rejected(Cause.UNVERIFIABLE, f"the API answered {answer.status}")
    try:
        return payload.json_object(answer.body)
    except Rejected:
        raise Rejected(Cause.UNVERIFIABLE, "the API answered with no JSON") from None
