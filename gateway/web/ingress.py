"""The public face: webhooks in, verified over their exact bytes, made durable, then answered 2xx.

Failure policy: a webhook that may be genuine and cannot be kept is answered 503, so that the
provider tries again. A refused one is answered 4xx and journaled with its cause. The edge does no
more than that: reading what a delivery says is the worker's.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_plus
from uuid import uuid4
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Blueprint, Response, request
from structlog import get_logger
from werkzeug.exceptions import TooManyRequests
from werkzeug.wsgi import get_content_length, get_input_stream

from gateway import metrics, tracing
from gateway.domain.errors import Cause, NotFound, Rejected, StoreUnavailable
from gateway.domain.events import Delivery
from gateway.observe import REQUEST_ID
from gateway.web import problems
from gateway.web.journaling import journal_gate, unproven_gate
from gateway.web.keeping import keep
from gateway.web.problems import problem
from gateway.web.reading import BodyReader
from gateway.web.services import Services
from providers import registry
from providers.contract import Reply, Verified
from providers.diagnosis import REDACTED, diagnose
from providers.registry import Instance

PREFIX = "/webhooks/"
# Deliveries that may wait for providers' APIs, and seconds after which to send one again.
MOST_UNSETTLED = 20_000
_RETRY_UNPROVEN = 30
# As WSGI spells them: these two come without the prefix of the others.
_BARE_HEADERS = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})
_NO_HEADERS = frozenset({"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"})
# They prove who sends, so whoever reads the store could send too.
_CREDENTIAL_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})

log = get_logger()


def blueprint(ingress: "Ingress") -> Blueprint:
    routes = Blueprint("ingress", __name__)

    @routes.route(f"{PREFIX}<name>", methods=["POST", "GET", "HEAD"])
    def receive(name: str) -> Response:
        return response_of(ingress.receive(request.environ, name))

    return routes


class Ingress:
    """Receives deliveries for all configured provider instances."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._journal_gate, self._unproven_gate = journal_gate(), unproven_gate()
        self._reader = BodyReader()

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The short way of a webhook, past all that Flask does for a request and its response.

        That costs more than the webhook itself: see docs/performance.md.
        """
        began = time.perf_counter()
        problems.begin(environ)
        try:
            with tracing.span("webhook", request_id=REQUEST_ID.get()):
                answer = self.receive(environ, environ["PATH_INFO"].removeprefix(PREFIX))
        except Exception as error:  # noqa: BLE001 - as Flask does, whatever it is
            answer = problems.of(error)
        metrics.ACKNOWLEDGEMENT.observe(time.perf_counter() - began)
        if isinstance(answer, Reply) and answer.status == HTTPStatus.OK:
            body = answer.body.encode()
            headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(body)))]
            start_response("200 OK", headers + problems.common_headers())
            return [body]
        return problems.end(response_of(answer))(environ, start_response)

    def receive(self, environ: WSGIEnvironment, name: str) -> Reply | Response:
        """The whole way of one webhook. Raises NotFound and StoreUnavailable."""
        instance = self._services.settings.instances.get(name)
        if instance is None and name not in registry.adapter_ids():
            raise NotFound(f"There is no provider {name!r}.")
        delivery = self._delivery(environ, name, instance)
        if instance is None:
            return self._unconfigured(delivery)
        return self.take(instance, delivery)

    def take(self, instance: Instance, delivery: Delivery) -> Reply | Response:
        """Verifies a delivery and makes it durable. Raises StoreUnavailable."""
        name = instance.name
        try:
            handshake = instance.adapter.handshake(delivery, instance.config)
            if handshake is not None:
                _count(name, "handshake")
                return handshake
            if delivery.method not in instance.adapter.methods:
                return _wrong_method(instance.adapter.methods)
            _refuse_encoded(delivery)
            verified = instance.adapter.verify(delivery, instance.config)
        except Rejected as error:
            return self._refuse(delivery, error, instance.adapter.refusal_status, instance)
        if not (verified.settled or verified.secret):
            self._limit_unproven(delivery)
        _count(name, "kept" if self._keep(instance, delivery, verified) else "duplicate")
        return instance.adapter.reply

    def _limit_unproven(self, delivery: Delivery) -> None:
        """What nothing signs may not fill the store. Raises TooManyRequests: it is sent again."""
        name, address = delivery.provider_id, delivery.remote_addr
        if self._unproven_gate.admit(name, address, time.monotonic()) is None or (
            self._services.unsettled() > MOST_UNSETTLED
        ):
            log.warning("unproven_turned_away", provider=name)
            _count(name, "turned_away")
            raise TooManyRequests(
                "Too many notifications that have to be asked back; send it again later.",
                retry_after=_RETRY_UNPROVEN,
            )

    def _delivery(self, environ: WSGIEnvironment, name: str, instance: Instance | None) -> Delivery:
        limit, address = self._services.settings.limit_of(instance), environ.get("REMOTE_ADDR", "")
        read, told = get_input_stream(environ).read, get_content_length(environ)
        return Delivery(
            provider_id=name,
            body=self._reader.read(read, limit, told, address),
            headers=_headers(environ),
            received_at=self._services.runtime.clock(),
            method=environ["REQUEST_METHOD"],
            path=PREFIX + name,
            query=environ.get("QUERY_STRING", ""),
            remote_addr=address,
        )

    def _keep(self, instance: Instance, delivery: Delivery, verified: Verified) -> bool:
        """Makes the delivery durable; whether it is a new one. Raises StoreUnavailable."""
        key = instance.adapter.key(delivery, instance.config)
        try:
            appended = keep(
                self._services,
                redacted(delivery, instance),
                # Without a key the same bytes may mean something new: every delivery is its own.
                uuid4().bytes if key is None else key,
                secret=verified.secret,
                settled=verified.settled,
            )
        except StoreUnavailable:
            _count(delivery.provider_id, "unavailable")
            raise
        return appended.new

    def _unconfigured(self, delivery: Delivery) -> Response:
        detail = "this provider has no secret configured, so nothing of it can be verified"
        status = registry.adapter(delivery.provider_id).refusal_status
        return self._refuse(delivery, Rejected(Cause.NOT_CONFIGURED, detail), status)

    def _refuse(
        self,
        delivery: Delivery,
        error: Rejected,
        status: int,
        instance: Instance | None = None,
    ) -> Response:
        _count(delivery.provider_id, "refused")
        metrics.REFUSALS.labels(delivery.provider_id, error.cause.value).inc()
        self._journal(delivery, error, instance)
        return problem(status, error.cause.value, str(error), cause=error.cause.value)

    def _journal(self, delivery: Delivery, error: Rejected, instance: Instance | None) -> None:
        name, address = delivery.provider_id, delivery.remote_addr
        passed_over = self._journal_gate.admit(name, address, time.monotonic())
        if passed_over is None:
            return  # of a flood not even a line in the log: the next one says how many there were
        log.warning(
            "delivery_refused",
            provider=name,
            cause=error.cause.value,
            detail=error.detail,
            passed_over=passed_over,
        )
        others = self._services.settings.instances.values()
        found = diagnose(delivery, error.cause, instance, others) if instance else None
        journal, tallies = self._services.runtime.journal, self._services.runtime.tallies
        try:
            journal.record(redacted(delivery, instance), error, found, passed_over)
            tallies.count_refused(name, delivery.received_at, passed_over + 1)
        except StoreUnavailable as unavailable:
            # It stays refused: the journal is for people, and nothing was promised.
            log.warning("journal_unavailable", detail=str(unavailable))


def _count(name: str, outcome: str) -> None:
    metrics.WEBHOOKS.labels(name, outcome).inc()
    tracing.note(provider=name, outcome=outcome)


def _headers(environ: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What `request.headers` has, at a fifth of its cost: a webhook needs all of them."""
    return tuple(
        (_header_name(key), value)
        for key, value in environ.items()
        if (key[:5] == "HTTP_" and key not in _NO_HEADERS) or (key in _BARE_HEADERS and value)
    )


@lru_cache(maxsize=1024)
def _header_name(key: str) -> str:
    return key.removeprefix("HTTP_").replace("_", "-").title()


def redacted(delivery: Delivery, instance: Instance | None) -> Delivery:
    """The delivery as it may be stored: what proves by itself who sends loses its value."""
    secret, parameters = _CREDENTIAL_HEADERS, frozenset[str]()
    if instance is not None:
        secret |= {name.lower() for name in instance.adapter.secret_headers}
        parameters = frozenset(instance.adapter.secret_query)
    headers, query = delivery.headers, delivery.query
    if not secret.isdisjoint(name.lower() for name, _ in headers):
        headers = tuple(
            (name, REDACTED if name.lower() in secret else value) for name, value in headers
        )
    elif not parameters:
        return delivery
    if parameters:
        query = "&".join(_redacted_pair(pair, parameters) for pair in query.split("&"))
    return replace(delivery, headers=headers, query=query)


def _redacted_pair(pair: str, parameters: frozenset[str]) -> str:
    """A pair of a query; all but the secret ones stay as they came, byte for byte."""
    name, _, _ = pair.partition("=")
    return f"{name}={REDACTED}" if unquote_plus(name) in parameters else pair


def _refuse_encoded(delivery: Delivery) -> None:
    """No provider compresses, and unpacking for strangers is how memory is lost."""
    if any(value.lower() != "identity" for value in delivery.header_values("Content-Encoding")):
        raise Rejected(Cause.MALFORMED, "an encoded body is not accepted")


def _wrong_method(methods: tuple[str, ...]) -> Response:
    allowed = ", ".join(methods)
    answer = problem(405, "method_not_allowed", f"Webhooks of this provider come by {allowed}.")
    answer.headers["Allow"] = allowed
    return answer


def response_of(answer: Reply | Response) -> Response:
    """What Flask sends."""
    if isinstance(answer, Reply):
        return Response(answer.body, status=answer.status, content_type=answer.content_type)
    return answer
