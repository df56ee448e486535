"""Calls to providers' APIs: bounded in time and size, without redirects, and not too many.

An API that fails again and again, or that says itself when to come back, is left alone for that
long, for all deliveries of the instance.
"""

import json
import time
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit, urlunsplit

import requests

from gateway.domain.errors import GatewayError
from gateway.store.provider_apis import ProviderApis
from providers.contract import ApiAnswer, ApiRequest
from providers.registry import Instance

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 15.0
# Of the whole answer: a server that sends a byte now and then is slow, too.
WHOLE_TIMEOUT = 30.0
MAX_ANSWER = 1024 * 1024
_CHUNK = 16 * 1024
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_OK = 200


class TryLater(GatewayError):
    """The provider's API could not be asked just now."""


class Caller:
    """Asks one instance's API."""

    def __init__(self, session: requests.Session, instance: Instance, apis: ProviderApis) -> None:
        # Neither a proxy nor a .netrc from the environment may come between.
        session.trust_env = False
        self._session = session
        self._instance = instance
        self._apis = apis

    def ask(self, request: ApiRequest) -> ApiAnswer:
        """The API's answer, or one that was kept for this call. Raises TryLater."""
        call = _identity(self._instance, request)
        kept = self._apis.recall(call) if request.cache_seconds else None
        if kept is not None:
            return _decoded(kept)
        answer = self._counted(request)
        if request.cache_seconds and answer.status == _OK:
            self._apis.keep(call, _encoded(answer), request.cache_seconds)
        return answer

    def _counted(self, request: ApiRequest) -> ApiAnswer:
        try:
            answer = self._call(request)
        except TryLater:
            self._apis.failed(self._instance.name)
            raise
        self._apis.answered(self._instance.name)
        return answer

    def _call(self, request: ApiRequest) -> ApiAnswer:
        try:
            with self._session.request(
                request.method,
                _rebased(request.url, self._instance.api_base),
                headers=_headers(request, datetime.now(UTC)),
                data=request.body or None,
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                allow_redirects=False,
                stream=True,
            ) as response:
                self._check(response)
                return ApiAnswer(response.status_code, _bounded(response))
        except (requests.RequestException, OSError) as error:
            reason = f"the provider's API cannot be reached ({type(error).__name__})"
            raise TryLater(reason) from None

    def _check(self, response: requests.Response) -> None:
        status = response.status_code
        if status != _TOO_MANY_REQUESTS and status < _SERVER_ERROR:
            return
        wanted = retry_after(response.headers.get("Retry-After", ""), datetime.now(UTC))
        if wanted is not None:
            self._apis.let_rest(self._instance.name, wanted)
        raise TryLater(f"the provider's API answered {status}")


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or as a date; None for neither."""
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _bounded(response: requests.Response) -> bytes:
    end, body = time.monotonic() + WHOLE_TIMEOUT, b""
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > MAX_ANSWER:
            raise TryLater(f"the provider's API answered more than {MAX_ANSWER} bytes")
        if time.monotonic() > end:
            raise TryLater(f"the provider's API took more than {WHOLE_TIMEOUT:.0f} s to answer")
    return body


def _headers(request: ApiRequest, now: datetime) -> dict[str, str]:
    timed = request.timed_headers(now) if request.timed_headers else ()
    return dict(request.headers + timed)


def _rebased(url: str, base: str | None) -> str:
    if base is None:
        return url
    stand_in, asked = urlsplit(base), urlsplit(url)
    return urlunsplit((stand_in.scheme, stand_in.netloc, asked.path, asked.query, ""))


def _identity(instance: Instance, request: ApiRequest) -> bytes:
    told = [instance.name, request.method, request.url, request.headers, request.body.hex()]
    return json.dumps(told).encode()


def _encoded(answer: ApiAnswer) -> bytes:
    return f"{answer.status} {b64encode(answer.body).decode()}".encode()


def _decoded(kept: bytes) -> ApiAnswer:
    status, _, body = kept.decode().partition(" ")
    return ApiAnswer(int(status), b64decode(body))
