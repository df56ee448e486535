"""Sessions, their payments and their histories, and the indexes that find them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from gateway.domain.errors import Conflict, NotFound
from gateway.domain.history import Decision
from gateway.domain.sessions import PaymentSession, Record
from gateway.store import keys, payments, records
from gateway.store.connection import Call, call_many, executed, guarded, write_many
from gateway.store.times import to_micros

SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# For longer than the sweep has a delivery wait for its session.
PARKED_FOR = timedelta(days=35)


@dataclass(frozen=True, slots=True)
class Lookup:
    """What an event says about which session it means."""

    provider_id: str
    external_id: str | None
    reference: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """The ids that a delivery waits under until its session is known."""
        return tuple(dict.fromkeys(name for name in (self.external_id, self.reference) if name))


@dataclass(frozen=True, slots=True)
class Found:
    """The session that an event means; `learn` if its payment's id is not indexed yet."""

    session_id: str
    learn: bool


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What tells whether a session has changed, and the session itself, not yet read."""

    version: int
    cart_id: str | None
    _record: bytes = field(repr=False)

    def read(self) -> PaymentSession:
        return records.decode(self._record)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A record, and which of the asked-for decisions its history has already.

    `later` is what a newer version of the gateway has added to it.
    """

    record: Record
    known: frozenset[str]
    later: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """A decision to write. `before` None: the session must not exist yet.

    `later` goes on to stand in the record, as it was loaded.
    """

    before: Record | None
    after: Record
    decisions: tuple[Decision, ...]
    later: tuple[Any, ...] = ()

    @property
    def changes_record(self) -> bool:
        return self.before is None or self.before != self.after


class Sessions:
    """PaymentSessions in the store. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, replicas: int = 0) -> None:
        """`replicas`: how many must have a decision before anything follows from it."""
        self._client = client
        self._replicas = replicas

    def get(self, session_id: str) -> PaymentSession:
        """Raises NotFound."""
        raw = guarded(self._client.hget, keys.session(session_id), "record")
        if not raw:
            raise NotFound(f"There is no session {session_id}.")
        return records.decode(raw)

    def exists(self, session_id: str) -> bool:
        return bool(guarded(self._client.exists, keys.session(session_id)))

    def glance(self, session_id: str) -> Glimpse:
        """A session as far as an unchanged poll needs it, in one round trip. Raises NotFound."""
        where = keys.session(session_id)
        found: Any = guarded(self._client.hmget, where, ["version", "cart", "record"])
        version, cart_id, record = found
        if version is None:
            raise NotFound(f"There is no session {session_id}.")
        return Glimpse(int(version), cart_id.decode() if cart_id else None, record)

    def get_many(self, session_ids: Sequence[str]) -> list[PaymentSession | None]:
        """Sessions in one round trip; None where there is none."""
        pipeline = self._client.pipeline(transaction=False)
        for session_id in session_ids:
            pipeline.hget(keys.session(session_id), "record")
        return [records.decode(raw) if raw else None for raw in executed(pipeline)]

    def load(self, wanted: Sequence[tuple[str, Sequence[str]]]) -> list[Loaded | None]:
        """Records by session id, and which of the given decisions they know; one round trip."""
        pipeline = self._client.pipeline(transaction=False)
        for session_id, decision_keys in wanted:
            pipeline.hget(keys.session(session_id), "record")
            pipeline.get(keys.payment(session_id))
            # HMGET wants at least one field.
            pipeline.hmget(keys.history(session_id), ["", *decision_keys])
        replies = iter(executed(pipeline))
        loaded: list[Loaded | None] = []
        for _, decision_keys in wanted:
            record, payment, decisions = next(replies), next(replies), next(replies)
            if not record:
                loaded.append(None)
                continue
            session, later = records.read(record)
            told = zip(decision_keys, decisions[1:], strict=True)
            known = frozenset(key for key, decision in told if decision is not None)
            made = Record(session, payments.decode(session, payment))
            loaded.append(Loaded(made, known, later))
        return loaded

    def commit(self, commits: Sequence[Commit]) -> list[bool]:
        """Writes decisions in one round trip; False where the session had changed meanwhile."""
        calls = [_commit_call(commit) for commit in commits]
        return [bool(done) for done in call_many(self._client, calls, self._replicas)]

    def create(self, record: Record, decision: Decision) -> None:
        """Writes a new session and indexes it. Raises Conflict if the id is taken."""
        session, written = record.session, self.commit([Commit(None, record, (decision,))])[0]
        # Who lost the reply sent it again: then the session that is there is this one.
        if not written and self.get(session.id).idempotency_key != session.idempotency_key:
            raise Conflict(f"There is a session {session.id} already.")
        self.index([record.session])

    def expect_index(self, session_id: str, now: datetime) -> None:
        """Has a session made findable later, should whoever is about to do it die on the way."""
        when: Any = {session_id: to_micros(now)}
        guarded(self._client.zadd, keys.UNINDEXED, when)

    def unindexed(self, before: datetime, count: int) -> list[str]:
        """Ids of sessions that were to be made findable since before a time; some never came."""
        found: Any = guarded(
            self._client.zrangebyscore,
            keys.UNINDEXED,
            "-inf",
            to_micros(before),
            start=0,
            num=count,
        )
        return [member.decode() for member in found]

    def forget_unindexed(self, session_ids: Sequence[str]) -> None:
        """They can be found now, or never came."""
        if session_ids:
            guarded(self._client.zrem, keys.UNINDEXED, *session_ids)

    def index(self, sessions: Sequence[PaymentSession]) -> None:
        """Makes sessions findable by their provider's id of the payment (`data.id`)."""
        self.learn([(s.provider_id, s.external_id, s.id) for s in sessions if s.external_id])

    def learn(self, found: Sequence[tuple[str, str, str]]) -> None:
        """Remembers (provider, its payment id, session id) triples; what is known stays."""
        # A webhook that is told about by this alone may be done with before a server dies.
        commands = [("SET", keys.external(p, e), session_id, "NX") for p, e, session_id in found]
        write_many(self._client, commands, self._replicas)

    def find(self, lookups: Sequence[Lookup]) -> list[Found | None]:
        """The sessions that events mean, in one round trip.

        The provider's own id of the payment weighs more than the reference: a modification may
        carry a reference of its own.
        """
        pipeline = self._client.pipeline(transaction=False)
        for lookup in lookups:
            pipeline.get(keys.external(lookup.provider_id, lookup.external_id or ""))
            pipeline.exists(keys.session(_as_session_id(lookup.reference)))
        replies = iter(executed(pipeline) if lookups else [])
        found: list[Found | None] = []
        for lookup in lookups:
            by_external, by_reference = next(replies), next(replies)
            if by_external:
                found.append(Found(by_external.decode(), learn=False))
            elif by_reference and lookup.reference:
                found.append(Found(lookup.reference, learn=lookup.external_id is not None))
            else:
                found.append(None)
        return found

    def history(self, session_id: str) -> list[Decision]:
        """All decisions about a session, in the order in which they were taken."""
        raw: Any = guarded(self._client.hgetall, keys.history(session_id))
        found = [records.decode_decision(key, value) for key, value in raw.items()]
        return sorted(found, key=lambda d: (d.decided_at, d.occurred_at))

    def park(self, delivery_id: str, lookups: Sequence[Lookup]) -> None:
        """Lets a delivery wait for its sessions. Look for them once more after calling this."""
        pipeline = self._client.pipeline(transaction=False)
        for lookup in lookups:
            for name in lookup.names:
                place = keys.parked(lookup.provider_id, name)
                pipeline.sadd(place, delivery_id)
                # Whoever dies, or finds the session after all, leaves it there.
                pipeline.expire(place, PARKED_FOR)
        executed(pipeline)

    def waiting_for(self, lookup: Lookup) -> list[str]:
        """Ids of the deliveries that wait under any of the ids."""
        pipeline = self._client.pipeline(transaction=False)
        for name in lookup.names:
            pipeline.smembers(keys.parked(lookup.provider_id, name))
        found = {member.decode() for members in executed(pipeline) for member in members}
        return sorted(found)

    def unpark(self, lookup: Lookup, delivery_ids: Sequence[str]) -> None:
        """Forgets that deliveries wait under any of the ids, once they are back in the inbox."""
        pipeline = self._client.pipeline(transaction=False)
        for name in lookup.names:
            pipeline.srem(keys.parked(lookup.provider_id, name), *delivery_ids)
        executed(pipeline)


def _as_session_id(reference: str | None) -> str:
    """The reference if it can be a session's id at all; the empty id is nobody's."""
    return reference if reference and SESSION_ID.fullmatch(reference) else ""


def _commit_call(commit: Commit) -> Call:
    session = commit.after.session
    where = [keys.session(session.id), keys.payment(session.id), keys.history(session.id)]
    expected = "" if commit.before is None else str(commit.before.session.version)
    record, payment = "", ""
    if commit.changes_record:
        record = records.encode(session, commit.later)
        # A payment that nothing has changed follows from its session.
        if commit.after.payment.changes != (commit.before.payment.changes if commit.before else ()):
            payment = payments.encode(commit.after.payment)
    message = f"{session.id} {session.version}"
    cart_id = session.cart_id if commit.before is None else None
    values: list[Any] = [expected, session.version, record, payment, keys.CHANGES, message]
    values.append(cart_id or "")
    for decision in commit.decisions:
        values += [decision.key, records.encode_decision(decision)]
    return "commit", where, values
