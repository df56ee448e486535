"""Settling: what a delivery alone cannot prove is asked from the provider's API."""

import time
from collections.abc import Sequence
from datetime import timedelta

import requests
from rq import get_current_job
from structlog import get_logger

from gateway import metrics
from gateway.domain.errors import Rejected, StoreUnavailable
from gateway.domain.events import PaymentEvent
from gateway.store.deliveries import Entry, StoredDelivery
from gateway.store.inbox import NO_ENTRY
from gateway.store.keys import DeliveryState, shard_of
from jobs.apply import Result, apply_events, place
from jobs.provider_api import Caller, TryLater
from jobs.runtime import Runtime, runtime
from providers.registry import Instance

# More than there are retries: what is tried so often kills its workers, who cannot give it up.
MAX_TRIES = 15

log = get_logger()


def settle(delivery_id: str) -> None:
    """RQ job: settles one delivery. Fails, and is retried, while the API cannot be asked."""
    work = Settlement(runtime(), delivery_id)
    try:
        work.run()
    except StoreUnavailable:
        raise
    except Exception as error:
        job = get_current_job()
        if job is not None and job.retries_left:
            metrics.RETRIES.labels("settle").inc()
            raise
        work.give_up(str(error) if isinstance(error, TryLater) else place(error))


class Settlement:
    """One delivery, from the provider's answers to its events applied."""

    def __init__(self, runtime: Runtime, delivery_id: str) -> None:
        self._runtime = runtime
        self._id = delivery_id
        self._began = time.monotonic()

    def run(self) -> None:
        """Asks, applies, and lists the delivery by its result. Raises TryLater."""
        stored = self._runtime.inbox.load([self._id])[0]
        if stored is None or stored.state is not DeliveryState.UNSETTLED:
            return  # done by an earlier try of this job
        instance = self._runtime.instances.get(stored.delivery.provider_id)
        if instance is None:
            self.give_up("not_configured: configure the provider again, then requeue it")
            return
        rest = self._runtime.provider_apis.rests(instance.name)
        if rest:
            self._put_off(rest)
            return
        if self._runtime.inbox.count_try(self._id) > MAX_TRIES:
            self.give_up(f"given up after {MAX_TRIES} tries: the worker died of it")
            return
        try:
            events = self._ask(stored, instance)
        except Rejected as error:
            self.give_up(str(error))
            return
        result = apply_events(self._runtime, [(stored, events)])[0]
        if result is None:
            raise TryLater("a session of it changes faster than it can be written")
        self._finish(result, stored)

    def give_up(self, reason: str) -> None:
        """Makes the delivery a dead letter."""
        stored = self._runtime.inbox.load([self._id])[0]
        self._finish(Result(DeliveryState.DEAD, (reason,)), stored)

    def _put_off(self, seconds: float) -> None:
        """Leaves the delivery to the sweep, which settles it once the API has rested.

        It costs none of the job's retries: the provider is out of order, not this delivery.
        """
        due = self._runtime.clock() + timedelta(seconds=seconds)
        shard = shard_of(self._id)
        self._runtime.lists.touch(shard, DeliveryState.UNSETTLED, [self._id], due)

    def _ask(self, stored: StoredDelivery, instance: Instance) -> Sequence[PaymentEvent]:
        conversation = instance.adapter.settle(stored.delivery, instance.config)
        with requests.Session() as session:
            caller = Caller(session, instance, self._runtime.provider_apis)
            try:
                request = next(conversation)
                while True:
                    request = conversation.send(caller.ask(request))
            except StopIteration as end:
                return tuple(end.value or ())

    def _finish(self, result: Result, stored: StoredDelivery | None) -> None:
        entry = Entry(NO_ENTRY, self._id)
        now = self._runtime.clock()
        finished = [result.ended(entry, now, stored)]
        self._runtime.inbox.finish(shard_of(self._id), finished)
        if stored is not None:
            self._runtime.tallies.count([result.worked(stored, now)])
            result.trace("settle", stored, time.monotonic() - self._began)
        provider = stored.delivery.provider_id if stored else ""
        metrics.DELIVERIES.labels(provider, result.state.value).inc()
        log.info(
            "delivery_settled",
            delivery=self._id,
            request_id=stored.request_id if stored else None,
            provider=provider,
            state=result.state.value,
            notes=result.notes,
        )
