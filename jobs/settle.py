"""Settling: what a delivery alone cannot prove is asked from the provider's API."""

from collections.abc import Sequence

import requests
from rq import get_current_job
from structlog import get_logger

from gateway.domain.errors import GatewayError, Rejected
from gateway.domain.events import PaymentEvent
from gateway.store.inbox import Entry, StoredDelivery
from gateway.store.keys import DeliveryState, shard_of
from jobs.apply import Result, apply_events
from jobs.runtime import Runtime, runtime
from providers.contract import ApiAnswer, ApiRequest
from providers.registry import Instance

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 15.0
MAX_ANSWER = 1024 * 1024
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
# A settled delivery has no place in the stream any more.
_NO_ENTRY = "0-0"

log = get_logger()


class TryLater(GatewayError):
    """The provider's API could not be asked just now."""


def settle(delivery_id: str) -> None:
    """RQ job: settles one delivery. Fails, and is retried, while the API cannot be asked."""
    work = Settlement(runtime(), delivery_id)
    try:
        work.run()
    except TryLater as error:
        job = get_current_job()
        if job is not None and job.retries_left:
            raise
        work.give_up(str(error))


class Settlement:
    """One delivery, from the provider's answers to its events applied."""

    def __init__(self, runtime: Runtime, delivery_id: str) -> None:
        self._runtime = runtime
        self._id = delivery_id

    def run(self) -> None:
        """Asks, applies, and lists the delivery by its result. Raises TryLater."""
        stored = self._runtime.inbox.load([self._id])[0]
        if stored is None or stored.state is not DeliveryState.UNSETTLED:
            return  # done by an earlier try of this job
        instance = self._runtime.instances.get(stored.delivery.provider_id)
        if instance is None:
            self.give_up("not_configured: configure the provider again, then requeue it")
            return
        try:
            events = self._ask(stored, instance)
        except Rejected as error:
            self.give_up(str(error))
            return
        result = apply_events(self._runtime, [(stored, events)])[0]
        self._finish(result, stored.delivery.body)

    def give_up(self, reason: str) -> None:
        """Makes the delivery a dead letter."""
        self._finish(Result(DeliveryState.DEAD, (reason,)), None)

    def _ask(self, stored: StoredDelivery, instance: Instance) -> Sequence[PaymentEvent]:
        conversation = instance.adapter.settle(stored.delivery, instance.config)
        with requests.Session() as session:
            session.trust_env = False
            try:
                request = next(conversation)
                while True:
                    request = conversation.send(perform(session, request))
            except StopIteration as end:
                return tuple(end.value or ())

    def _finish(self, result: Result, body: bytes | None) -> None:
        entry = Entry(_NO_ENTRY, self._id)
        now = self._runtime.clock()
        finished = [result.ended(entry, now, body)]
        self._runtime.inbox.finish(shard_of(self._id), finished, leaves=DeliveryState.UNSETTLED)
        log.info("delivery_settled", delivery=self._id, state=result.state, notes=result.notes)


def perform(session: requests.Session, request: ApiRequest) -> ApiAnswer:
    """One call to a provider's API: bounded in time and size, no redirects. Raises TryLater."""
    try:
        with session.request(
            request.method,
            request.url,
            headers=dict(request.headers),
            data=request.body or None,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code == _TOO_MANY_REQUESTS or response.status_code >= _SERVER_ERROR:
                raise TryLater(f"the provider's API answered {response.status_code}")
            body = response.raw.read(MAX_ANSWER + 1, decode_content=True)
            if len(body) > MAX_ANSWER:
                raise TryLater(f"the provider's API answered more than {MAX_ANSWER} bytes")
            return ApiAnswer(response.status_code, body)
    except (requests.RequestException, OSError) as error:
        raise TryLater(f"the provider's API cannot be reached ({type(error).__name__})") from None
