"""The drain: takes a shard's deliveries in batches and applies them.

The wake flag says "somebody looks after this shard". A drain renews it while it works, and clears
it *before* its last look: an arrival either was seen by that look, or wakes the shard again.
"""

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from structlog import get_logger

from gateway import metrics
from gateway.domain.errors import Cause, Rejected, StoreRefused, StoreUnavailable
from gateway.domain.events import PaymentEvent
from gateway.store.deliveries import Entry, StoredDelivery
from gateway.store.inbox import WAKE_TTL
from gateway.store.keys import DeliveryState
from gateway.store.tallies import Worked
from jobs.apply import Result, apply_events, place
from jobs.runtime import Runtime, runtime, stopping

BATCH = 256
# A worker has other things to do as well; what is left is woken again.
BUDGET = timedelta(seconds=5)
# While no other job waits, a drain stays for what may come: that saves RQ's overhead.
LINGER = timedelta(seconds=2)
_LOOK = timedelta(seconds=1)
# How often is counted what came of deliveries: a batch that waited for it would take longer.
_COUNT = timedelta(seconds=1)
_SLICE = timedelta(milliseconds=100)
_NO_WAIT = timedelta(0)
# How long an entry may be held before its drain counts as dead. Longer than a batch takes, and if
# not, no harm is done: applying twice is applying once.
OVERDUE = timedelta(seconds=4)
MAX_TRIES = 8

log = get_logger()


def drain(shard: int) -> None:
    """RQ job: applies what a shard's inbox holds."""
    Drain(runtime(), shard).run()


@dataclass(frozen=True, slots=True)
class _Work:
    """An entry, its delivery, and the events in it or the reason why there are none."""

    entry: Entry
    stored: StoredDelivery
    events: tuple[PaymentEvent, ...] = ()
    result: Result | None = None


class _Pace:
    """Says when it is time for something again: often enough, not at every turn."""

    def __init__(self, span: timedelta) -> None:
        self._seconds = span.total_seconds()
        self._last = -math.inf

    def is_due(self) -> bool:
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


class Drain:
    """One run over one shard."""

    def __init__(self, runtime: Runtime, shard: int) -> None:
        self._runtime = runtime
        self._shard = shard
        self._renews, self._looks, self._counts = _Pace(WAKE_TTL / 4), _Pace(_LOOK), _Pace(_COUNT)
        self._worked: list[Worked] = []

    def run(self, budget: timedelta = BUDGET, linger: timedelta = LINGER) -> None:
        """Works until nothing has come for `linger`, another job waits, or `budget` is spent."""
        inbox = self._runtime.inbox
        end = time.monotonic() + budget.total_seconds()
        self._renew_wake()
        idle_since = time.monotonic()
        while time.monotonic() < end and not stopping.is_set():
            self._take_over()
            if self._work_on(inbox.claim(self._shard, BATCH, _SLICE)):
                idle_since = time.monotonic()
            elif self._should_go(time.monotonic() - idle_since, linger):
                break
            self._renew_wake()
            self._count()
        self._leave()

    def _should_go(self, idle: float, linger: timedelta) -> bool:
        return idle > linger.total_seconds() or not self._runtime.queue.is_idle()

    def _renew_wake(self) -> None:
        """Says that the shard is looked after."""
        if self._renews.is_due():
            self._runtime.inbox.renew_wake(self._shard)

    def _count(self) -> None:
        """Counts what has ended since."""
        if self._counts.is_due():
            self._count_all()

    def _count_all(self) -> None:
        self._runtime.tallies.count(self._worked)
        self._worked = []

    def _leave(self) -> None:
        inbox = self._runtime.inbox
        inbox.clear_wake(self._shard)
        if self._work_on(inbox.claim(self._shard, BATCH, _NO_WAIT)):
            inbox.renew_wake(self._shard)
            self._runtime.queue.wake(self._shard)
        self._count_all()

    def _work_on(self, entries: Sequence[Entry]) -> bool:
        if not entries:
            return False
        if len(entries) == BATCH and self._runtime.queue.is_idle():
            # There is more than one drain can take at once: an idle worker may help.
            self._runtime.queue.wake(self._shard)
        self._apply(entries)
        return True

    def _take_over(self) -> None:
        """Finishes what dead drains hold."""
        if not self._looks.is_due():
            return
        inbox = self._runtime.inbox
        overdue = inbox.overdue(self._shard, OVERDUE, BATCH)
        for tries, group in groupby(overdue, key=lambda item: item[1]):
            ids = [stream_id for stream_id, _ in group]
            # Whatever killed their drain may be among them: in the end each is tried alone.
            size = max(1, BATCH >> 2 * (tries - 1))
            for start in range(0, len(ids), size):
                taken = inbox.take_over(self._shard, ids[start : start + size], OVERDUE)
                if tries < MAX_TRIES:
                    self._work_on(taken)
                for entry in taken if tries >= MAX_TRIES else ():
                    self._give_up(entry, tries)

    def _give_up(self, entry: Entry, tries: int) -> None:
        stored = self._runtime.inbox.load([entry.delivery_id])[0]
        # Who died had no time to say why.
        why = (stored and stored.failure) or "the worker died of it"
        notes = (f"given up after {tries} tries: {why}; mend that, then requeue it",)
        self._finish([(entry, stored, Result(DeliveryState.DEAD, notes))])

    def _apply(self, entries: Sequence[Entry]) -> None:
        """Applies a batch; if that fails, each alone, so that one bad delivery harms no other."""
        try:
            self._apply_batch(entries)
        except Exception as error:
            if isinstance(error, StoreUnavailable) and not isinstance(error, StoreRefused):
                raise
            if len(entries) == 1:
                log.exception("delivery_failed", delivery=entries[0].delivery_id)
                self._failed(entries[0].delivery_id, place(error))
                return
            for entry in entries:
                self._apply([entry])

    def _failed(self, delivery_id: str, why: str) -> None:
        """It stays in the inbox and is taken over later, up to MAX_TRIES times."""
        metrics.RETRIES.labels("apply").inc()
        self._runtime.inbox.note_failure(delivery_id, why)

    def _apply_batch(self, entries: Sequence[Entry]) -> None:
        began = time.monotonic()
        loaded = self._runtime.inbox.load([entry.delivery_id for entry in entries])
        work = [
            self._read(entry, stored)
            for entry, stored in zip(entries, loaded, strict=True)
            if stored is not None
        ]
        readable = [item for item in work if item.result is None]
        results = iter(apply_events(self._runtime, [(i.stored, i.events) for i in readable]))
        ended = [(i.entry, i.stored, i.result or next(results)) for i in work]
        done = [(entry, stored, result) for entry, stored, result in ended if result is not None]
        gone = DeliveryState.DEAD, ("it is no longer in the store",)
        lost = [e for e, s in zip(entries, loaded, strict=True) if s is None]
        self._finish([*done, *((entry, None, Result(*gone)) for entry in lost)])
        took = time.monotonic() - began
        for _, stored, outcome in done:
            outcome.trace("apply", stored, took)
        for item in work:
            if item.result and item.result.state is DeliveryState.UNSETTLED:
                self._runtime.queue.settle(item.stored.id)
        for _, stored, result in ended:
            if result is None:
                log.warning("delivery_contended", delivery=stored.id, request_id=stored.request_id)
                self._failed(stored.id, "its session changes faster than it can be written")

    def _read(self, entry: Entry, stored: StoredDelivery) -> _Work:
        instance = self._runtime.instances.get(stored.delivery.provider_id)
        if instance is None:
            notes = (f"{Cause.NOT_CONFIGURED}: configure the provider again, then requeue it",)
            return _Work(entry, stored, result=Result(DeliveryState.DEAD, notes))
        if not stored.settled:
            notes = ("the provider's API is asked before anything is applied",)
            return _Work(entry, stored, result=Result(DeliveryState.UNSETTLED, notes))
        try:
            events = tuple(instance.adapter.read(stored.delivery, instance.config))
        except Rejected as error:
            # The provider would only repeat it: it is kept, and replayed once it can be read.
            return _Work(entry, stored, result=Result(DeliveryState.DEAD, (str(error),)))
        return _Work(entry, stored, events)

    def _finish(self, done: Sequence[tuple[Entry, StoredDelivery | None, Result]]) -> None:
        now = self._runtime.clock()
        finished = [result.ended(entry, now, stored) for entry, stored, result in done]
        self._runtime.inbox.finish(self._shard, finished)
        matched = [(s.delivery.provider_id, s.secret) for _, s, _ in done if s and s.secret]
        self._worked += [result.worked(s, now) for _, s, result in done if s]
        for (provider, secret), times in Counter(matched).items():
            metrics.MATCHED.labels(provider, secret).inc(times)
        for entry, stored, result in done:
            provider = stored.delivery.provider_id if stored else ""
            metrics.DELIVERIES.labels(provider, result.state.value).inc()
            log.info(
                "delivery_finished",
                delivery=entry.delivery_id,
                request_id=stored.request_id if stored else None,
                provider=stored.delivery.provider_id if stored else None,
                state=result.state.value,
                notes=result.notes,
            )
