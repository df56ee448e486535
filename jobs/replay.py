"""Working on stored deliveries again: what an operator does once an adapter or a setting is mended.

A replay goes the way of every delivery: back into the inbox, once through a drain. What a session's
history has already is not applied again, so replaying everything changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from gateway.domain.actions import Actor
from gateway.domain.errors import Rejected
from gateway.domain.events import PaymentEvent, SessionStatus
from gateway.domain.history import decision_key
from gateway.domain.sessions import apply
from gateway.store.deliveries import Spot, StoredDelivery
from gateway.store.keys import LISTED, DeliveryState, shard_of
from gateway.store.sessions import Lookup
from jobs.runtime import Runtime
from providers.diagnosis import REDACTED
from providers.registry import Instance

_PAGE = 200
# Of the deliveries that are looked through for one page: filters that fit few must end, too.
_MOST_LOOKED_AT = 2_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deliveries: all that fit every filter that is given.

    `state` None: any but `received`. `since` and `until` are when they got there; `cause` is a
    text in what is noted of them, `type` that of one of their events.
    """

    state: DeliveryState | None
    provider_id: str | None = None
    session_id: str | None = None
    cause: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    type: str | None = None

    @property
    def states(self) -> tuple[DeliveryState, ...]:
        """Those whose lists are looked through."""
        return LISTED if self.state is None else (self.state,)

    def fits(self, stored: StoredDelivery) -> bool:
        notes = " ".join(stored.notes)
        return (
            self.provider_id in (None, stored.delivery.provider_id)
            and (self.cause is None or self.cause in notes)
            and (self.type is None or any(n.startswith(f"{self.type}:") for n in stored.notes))
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A page of deliveries, newest first, and after which the next one begins; None: no more."""

    deliveries: tuple[StoredDelivery, ...]
    last: Spot | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What one event of a delivery would do to its session: the status now, and then."""

    event: PaymentEvent
    session_id: str | None = None
    outcome: str = "waits for its session"
    before: SessionStatus | None = None
    after: SessionStatus | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replay would do. `verdict` judges the delivery at its receipt by today's secrets."""

    stored: StoredDelivery
    verdict: str
    reading: str
    effects: tuple[Effect, ...] = ()


def find(runtime: Runtime, wanted: Selection, count: int, after: Spot | None = None) -> Found:
    """The next deliveries of a selection, `count` at most; fewer if it has looked for long."""
    if wanted.session_id is not None:
        return _of_session(runtime, wanted, wanted.session_id, count)
    found: list[StoredDelivery] = []
    after = after or (Spot.before(wanted.until) if wanted.until else None)
    for _ in range(_MOST_LOOKED_AT // _PAGE):
        spots = _spots(runtime, wanted, after)
        loaded = runtime.inbox.load([spot.delivery_id for spot in spots])
        for spot, stored in zip(spots, loaded, strict=True):
            after = spot
            if stored is not None and wanted.fits(stored):
                found.append(stored)
                if len(found) == count:
                    return Found(tuple(found), after)
        if len(spots) < _PAGE:
            return Found(tuple(found), None)
    return Found(tuple(found), after)


def _of_session(runtime: Runtime, wanted: Selection, session_id: str, count: int) -> Found:
    """What had an effect on a session stands in its history: nothing else is looked through."""
    told = (one.delivery_id for one in runtime.sessions.history(session_id) if one.delivery_id)
    loaded = runtime.inbox.load(list(dict.fromkeys(told)))
    fitting = [s for s in loaded if s and s.state in wanted.states and wanted.fits(s)]
    newest = sorted(fitting, key=lambda stored: stored.listed_at, reverse=True)
    chosen = [s for s in newest if _is_between(s.listed_at, wanted)]
    return Found(tuple(chosen[:count]), None)


def _is_between(at: datetime, wanted: Selection) -> bool:
    return (wanted.since is None or at >= wanted.since) and (
        wanted.until is None or at < wanted.until
    )


def _spots(runtime: Runtime, wanted: Selection, after: Spot | None) -> list[Spot]:
    found = (runtime.lists.page(state, after, wanted.since, _PAGE) for state in wanted.states)
    return sorted(chain.from_iterable(found), reverse=True)[:_PAGE]


def find_all(runtime: Runtime, wanted: Selection) -> Iterator[StoredDelivery]:
    """All deliveries of a selection, page by page."""
    after: Spot | None = None
    while True:
        found = find(runtime, wanted, _PAGE, after)
        yield from found.deliveries
        if found.last is None:
            return
        after = found.last


def replay(runtime: Runtime, delivery_ids: Sequence[str], who: Actor) -> int:
    """Puts deliveries back to work, but for those whose body is gone; how many there were."""
    done = 0
    for delivery_id in delivery_ids:
        stored = runtime.inbox.load([delivery_id])[0]
        if stored is None or not stored.has_body:
            continue
        appended = runtime.inbox.requeue(delivery_id)
        done += appended.new
        runtime.inbox.note_asked(delivery_id, f"{who.name} at {who.now.isoformat()}")
        if appended.wake_due:
            runtime.queue.wake(shard_of(delivery_id))
    return done


def preview(runtime: Runtime, stored: StoredDelivery) -> Preview:
    """What a replay would do with today's adapters and settings; nothing is written."""
    instance = runtime.instances.get(stored.delivery.provider_id)
    if instance is None:
        return Preview(stored, "not configured", "its provider is not configured")
    if not stored.has_body:
        return Preview(stored, "genuine at its receipt", "its body is gone: it cannot be replayed")
    verdict = _verdict(stored, instance)
    if not stored.settled:
        return Preview(stored, verdict, "the provider's API would be asked")
    try:
        events = tuple(instance.adapter.read(stored.delivery, instance.config))
    except Rejected as error:
        return Preview(stored, verdict, str(error))
    return Preview(stored, verdict, "read", tuple(_effects(runtime, instance, events)))


def _verdict(stored: StoredDelivery, instance: Instance) -> str:
    if any(value == REDACTED for _, value in stored.delivery.headers):
        return "it was genuine at its receipt; its credentials were not kept"
    try:
        verified = instance.adapter.verify(stored.delivery, instance.config)
    except Rejected as error:
        return f"genuine at its receipt, but not by today's secrets: {error}"
    return f"genuine, by {verified.secret}" if verified.secret else "accepted, to be asked back"


def _effects(
    runtime: Runtime, instance: Instance, events: Sequence[PaymentEvent]
) -> Iterator[Effect]:
    for event in events:
        if not event.concerns_payment:
            yield Effect(event, outcome="ignored" if event.recognized else "unknown type")
            continue
        lookup = Lookup(event.provider_id, event.external_id, event.reference)
        found = runtime.sessions.find([lookup])[0]
        key = decision_key(event.provider_id, event.event_id)
        loaded = runtime.sessions.load([(found.session_id, (key,))])[0] if found else None
        if found is None or loaded is None:
            yield Effect(event)
            continue
        known = key in loaded.known
        _, verdict = apply(loaded.record, event, known=known, livemode=instance.livemode)
        outcome = verdict.outcome.value
        yield Effect(event, found.session_id, outcome, verdict.before, verdict.after)
