"""Applying events to sessions: find them, decide (pure), commit, park what is not known yet.

Used by the drain for what a webhook says, and by settle for what a provider's API says.
"""

import traceback
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from structlog import get_logger

from gateway import metrics, tracing
from gateway.domain.errors import GatewayError
from gateway.domain.events import PaymentEvent
from gateway.domain.history import Decision, decision_key
from gateway.domain.sessions import Outcome, Verdict, apply, stamped
from gateway.store.deliveries import Entry, Finished, StoredDelivery
from gateway.store.keys import DeliveryState
from gateway.store.sessions import Commit, Loaded, Lookup
from gateway.store.tallies import Worked
from jobs.parking import release
from jobs.runtime import Runtime

# Two drains may work on one session; each round lets at least one of them through.
_COMMIT_ROUNDS = 50

log = get_logger()


@dataclass(frozen=True, slots=True)
class Told:
    """One event, and the delivery that told it."""

    stored: StoredDelivery
    event: PaymentEvent

    @property
    def decision_key(self) -> str:
        return decision_key(self.event.provider_id, self.event.event_id)

    @property
    def lookup(self) -> Lookup:
        return Lookup(self.event.provider_id, self.event.external_id, self.event.reference)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a delivery: a note for each of its events, and what it waits for."""

    state: DeliveryState
    notes: tuple[str, ...]
    waits: tuple[Lookup, ...] = ()
    happened: datetime | None = None
    """When the first of its events happened, as the provider says."""

    def ended(self, entry: Entry, at: datetime, stored: StoredDelivery | None) -> Finished:
        return Finished(entry, self.state, at, self.notes, self.waits, stored)

    def worked(self, stored: StoredDelivery, at: datetime) -> Worked:
        """How it is counted."""
        delivery = stored.delivery
        lag = delivery.received_at - self.happened if self.happened else None
        first = stored.finished_at is None
        return Worked(
            delivery.provider_id,
            self.state.value,
            delivery.received_at,
            at,
            secret=stored.secret,
            lag=lag,
            first=first,
        )

    def trace(self, work: str, stored: StoredDelivery, seconds: float) -> None:
        """Says to whom traces what this work, which has just ended, was about."""
        if stored.trace:
            facts = {"provider": stored.delivery.provider_id, "delivery": stored.id}
            tracing.record(work, stored.trace, seconds, state=self.state.value, **facts)


def apply_events(
    runtime: Runtime, told: Sequence[tuple[StoredDelivery, Sequence[PaymentEvent]]]
) -> list[Result | None]:
    """Applies the events of many deliveries together; a result for each, in their order.

    None: a session of its events changes faster than it can be written, so try this one again.

    Raises StoreUnavailable; then any part may have been applied, and all may be applied again.
    """
    flat = [Told(stored, event) for stored, events in told for event in events]
    concerning = [one for one in flat if one.event.concerns_payment]
    found = _find(runtime, concerning)
    decisions, contended = _decide_and_commit(runtime, found)
    return [
        None if stored.id in contended else _result(stored, events, found, decisions)
        for stored, events in told
    ]


_Key = tuple[str, str]
"""Delivery id and event id: an event may be told by two deliveries of one batch."""


def _key(one: Told) -> _Key:
    return one.stored.id, one.event.event_id


@dataclass(frozen=True, slots=True)
class _Target:
    told: Told
    session_id: str


def _find(runtime: Runtime, told: Sequence[Told]) -> dict[_Key, _Target]:
    """The session of each event; a delivery with an event of no known session is parked."""
    targets, missing = _look_up(runtime, told)
    if not missing:
        return targets
    waiting: dict[str, list[Lookup]] = defaultdict(list)
    for one in missing:
        waiting[one.stored.id].append(one.lookup)
    for delivery_id, lookups in waiting.items():
        runtime.sessions.park(delivery_id, lookups)
    # The session may have been created just before it could see what waits for it.
    late, _ = _look_up(runtime, missing)
    return targets | late


def _look_up(runtime: Runtime, told: Sequence[Told]) -> tuple[dict[_Key, _Target], list[Told]]:
    lookups = [one.lookup for one in told]
    targets, missing, learnt = {}, [], {}
    for one, found in zip(told, runtime.sessions.find(lookups), strict=True):
        if found is None:
            missing.append(one)
            continue
        targets[_key(one)] = _Target(one, found.session_id)
        if found.learn and one.event.external_id:
            learnt[(one.event.provider_id, one.event.external_id)] = found.session_id
    _learn(runtime, learnt)
    return targets, missing


def _learn(runtime: Runtime, learnt: Mapping[tuple[str, str], str]) -> None:
    """Indexes payments that came with our reference: later webhooks may name the payment only."""
    if not learnt:
        return
    ids = list(learnt.values())
    loaded = dict(zip(ids, runtime.sessions.load([(i, ()) for i in ids]), strict=True))
    ours = {
        (provider, external): session_id
        for (provider, external), session_id in learnt.items()
        # Another provider may not claim a session by writing its id into a reference.
        if (found := loaded[session_id]) and found.record.session.provider_id == provider
    }
    runtime.sessions.learn([(*key, session_id) for key, session_id in ours.items()])
    for provider, external in ours:
        release(runtime, Lookup(provider, external, None))


def _decide_and_commit(
    runtime: Runtime, targets: Mapping[_Key, _Target]
) -> tuple[dict[_Key, Decision], set[str]]:
    """Decides every event on its session's present record, until all of it is written.

    Also gives the ids of the deliveries for which that could not be done.
    """
    open_: dict[str, list[Told]] = defaultdict(list)
    for target in targets.values():
        open_[target.session_id].append(target.told)
    decided: dict[_Key, Decision] = {}
    for _ in range(_COMMIT_ROUNDS):
        if not open_:
            break
        wanted = [(sid, [one.decision_key for one in told]) for sid, told in open_.items()]
        loaded = runtime.sessions.load(wanted)
        drafts = []
        for session_id, found in zip(tuple(open_), loaded, strict=True):
            if found is None:
                del open_[session_id]  # deleted meanwhile: its events are parked
            else:
                drafts.append((session_id, *_decide(runtime, found, open_[session_id])))
        done = runtime.sessions.commit([commit for _, commit, _ in drafts])
        touched = zip(drafts, done, strict=True)
        runtime.listings.state([commit.after.session for (_, commit, _), ok in touched if ok])
        for (session_id, _, draft), written in zip(drafts, done, strict=True):
            if written:
                decided |= draft
                _measure(draft.values())
                del open_[session_id]
    return decided, {one.stored.id for told in open_.values() for one in told}


def _decide(
    runtime: Runtime, found: Loaded, told: Iterable[Told]
) -> tuple[Commit, dict[_Key, Decision]]:
    now = runtime.clock()
    record, known = found.record, set(found.known)
    draft, written = {}, []
    for at, one in enumerate(told):
        livemode = runtime.instances[one.event.provider_id].livemode
        seen = one.decision_key in known
        record, verdict = apply(record, one.event, known=seen, livemode=livemode)
        # Decisions of one commit keep their order in the history by their last digits.
        decision = _decision(one, verdict, now + timedelta(microseconds=at))
        draft[_key(one)] = decision
        # The first telling stays in the history: a repetition says nothing new.
        if verdict.outcome is not Outcome.REPEATED:
            known.add(one.decision_key)
            written.append(decision)
    after = stamped(found.record, record, now)
    return Commit(found.record, after, tuple(written), found.later), draft


def _measure(decisions: Iterable[Decision]) -> None:
    for one in decisions:
        metrics.DECISIONS.labels(one.source, one.outcome.value).inc()
        if one.before is not one.after:
            metrics.TRANSITIONS.labels(one.before.value, one.after.value).inc()
        # A replay tells nothing about how fast the gateway is.
        if one.outcome is not Outcome.REPEATED:
            lag = one.received_at - one.occurred_at
            metrics.RECEIVED_LAG.labels(one.source).observe(max(0.0, lag.total_seconds()))
            metrics.APPLIED_LAG.observe((one.decided_at - one.received_at).total_seconds())


def _decision(one: Told, verdict: Verdict, now: datetime) -> Decision:
    event, change = one.event, one.event.payment_change
    return Decision(
        source=event.provider_id,
        event_id=event.event_id,
        type=event.type,
        outcome=verdict.outcome,
        before=verdict.before,
        after=verdict.after,
        occurred_at=event.occurred_at,
        received_at=one.stored.delivery.received_at,
        decided_at=now,
        delivery_id=one.stored.id,
        change=change.kind if change else None,
        amount=event.amount,
        currency=event.currency,
        detail=event.detail,
    )


def _result(
    stored: StoredDelivery,
    events: Sequence[PaymentEvent],
    found: Mapping[_Key, _Target],
    decisions: Mapping[_Key, Decision],
) -> Result:
    notes, waits, needs_person = [], [], False
    happened = min((e.occurred_at for e in events if e.concerns_payment), default=None)
    for event in events:
        key = (stored.id, event.event_id)
        decision = decisions.get(key)
        if not event.concerns_payment:
            notes.append(f"{event.type}: {'ignored' if event.recognized else 'unknown type'}")
        elif decision is None:
            waits.append(Told(stored, event).lookup)
            notes.append(f"{event.type}: waits for its session")
        else:
            verdict = Verdict(decision.outcome, decision.before, decision.after)
            needs_person |= verdict.needs_person
            notes.append(f"{event.type}: {decision.outcome} to {found[key].session_id}")
    if waits:
        return Result(DeliveryState.PARKED, tuple(notes), tuple(waits), happened)
    state = DeliveryState.QUARANTINED if needs_person else DeliveryState.APPLIED
    notes = notes or ["nothing in it concerns a payment"]
    return Result(state, tuple(notes), happened=happened)


def place(error: Exception) -> str:
    """What failed and where; of other errors than ours no message, which may quote a body."""
    if isinstance(error, GatewayError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
