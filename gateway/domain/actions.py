"""What we do to sessions ourselves, on behalf of a service, an operator or the clock.

Pure, like the fold: each takes the present record and gives the one after it, with the decision
for its history. Raises Conflict where the session's state forbids the act; acts that may be
repeated give the same record again.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway.domain.errors import Conflict, InvalidInput
from gateway.domain.events import SessionStatus
from gateway.domain.history import Decision
from gateway.domain.sessions import (
    QUARANTINED,
    Claim,
    Outcome,
    PaymentSession,
    Record,
    Strength,
    end_by_us,
    stamped,
)

_OPEN = frozenset({SessionStatus.PENDING, SessionStatus.REQUIRES_MORE, SessionStatus.ERROR})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts (`api:shop`, `job:expiry`), and when (aware UTC)."""

    name: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Changes:
    """What an update sets; None leaves a field as it is. `amount` in minor units."""

    amount: int | None = None
    data: Mapping[str, Any] | None = field(default=None, repr=False)
    is_initiated: bool | None = None
    expires_at: datetime | None = None


Act = tuple[Record, Decision]


def update(record: Record, actor: Actor, changes: Changes) -> Act:
    """Sets fields. An authorized session's amount stands: it is what was authorized."""
    session = _present(record)
    amount = session.amount if changes.amount is None else changes.amount
    if amount != session.amount and session.payment_authorized_at is not None:
        raise Conflict("The amount of a session that was authorized cannot change.")
    initiated = changes.is_initiated
    updated = replace(
        session,
        amount=amount,
        data=session.data if changes.data is None else changes.data,
        is_initiated=session.is_initiated if initiated is None else initiated,
        expires_at=changes.expires_at or session.expires_at,
    )
    return _acted(record, updated, actor, "session.updated")


def cancel(record: Record, actor: Actor) -> Act:
    """Ends an open session. Money that a provider holds is voided there, not here."""
    session = _present(record)
    _refuse_authorized(session, "canceled")
    if session.status is SessionStatus.CANCELED:
        return _acted(record, session, actor, "session.canceled")
    ended = end_by_us(session, reason="canceled", at=actor.now)
    return _acted(record, ended, actor, "session.canceled")


def delete(record: Record, actor: Actor) -> Act:
    """Makes a session a tombstone: late webhooks of it still land somewhere visible."""
    session = _present(record)
    _refuse_authorized(session, "deleted")
    ended = replace(end_by_us(session, reason="deleted", at=actor.now), deleted_at=actor.now)
    return _acted(record, ended, actor, "session.deleted")


def supersede(record: Record, actor: Actor, by: str) -> Act:
    """Ends a session that was refreshed into another one."""
    session = _present(record)
    _refuse_authorized(session, "refreshed")
    ended = replace(end_by_us(session, reason="superseded", at=actor.now), superseded_by=by)
    return _acted(record, ended, actor, "session.superseded", detail=f"by {by}")


def erase(record: Record, actor: Actor) -> Act:
    """Takes out what may tell of a person; what happened to the money, and when, stays."""
    session = record.session
    kept = {name: value for name, value in session.data.items() if name == "id"}
    return _acted(record, replace(session, data=kept), actor, "session.erased")


def expire(record: Record, actor: Actor) -> Act | None:
    """Cancels an open session past its time; None if there is nothing to expire."""
    session = record.session
    due = session.expires_at
    if due is None or due > actor.now or session.status not in _OPEN or session.is_gone:
        return None
    return _acted(record, end_by_us(session, reason="expired", at=due), actor, "session.expired")


def complete(record: Record, actor: Actor, idempotency_key: str) -> Act:
    """Takes the payment of an authorized session; with the same key any number of times."""
    session = _present(record)
    if not hmac.compare_digest(idempotency_key.encode(), session.idempotency_key.encode()):
        raise InvalidInput("idempotency_key", "is not that of this session")
    if session.completed_at is None and session.status is not SessionStatus.AUTHORIZED:
        raise Conflict(f"The session is {session.status}; only an authorized one can be completed.")
    done = replace(session, completed_at=session.completed_at or actor.now)
    return _acted(record, done, actor, "session.completed")


def accept(record: Record, actor: Actor, quarantined: Decision, note: str) -> Act:
    """Lets a quarantined claim authorize the session after all."""
    session = record.session
    if quarantined.outcome not in QUARANTINED:
        raise Conflict("That decision is not in quarantine.")
    same_currency = quarantined.currency in (None, session.currency_code)
    told = quarantined.amount if same_currency else None
    amount = session.amount if told is None else told
    at = quarantined.occurred_at
    claim = Claim(
        SessionStatus.AUTHORIZED, Strength.SETTLED, at, quarantined.event_id, "accepted by hand"
    )
    settled = session.with_claim(claim).authorized(at, amount)
    return _answered(record, settled, actor, quarantined, "quarantine.accepted", note)


def refuse(record: Record, actor: Actor, quarantined: Decision, note: str) -> Act:
    """Leaves a quarantined claim without effect, and says why."""
    if quarantined.outcome not in QUARANTINED:
        raise Conflict("That decision is not in quarantine.")
    after, answer = _answered(
        record, record.session, actor, quarantined, "quarantine.refused", note
    )
    # The session stays as it is; that somebody has decided so is what is new.
    return after, replace(answer, outcome=Outcome.APPLIED)


def _present(record: Record) -> PaymentSession:
    session = record.session
    if session.superseded_by is not None:
        raise Conflict(f"The session was refreshed: {session.superseded_by} is in its place.")
    if session.deleted_at is not None:
        raise Conflict("The session was deleted.")
    return session


def _refuse_authorized(session: PaymentSession, act: str) -> None:
    if session.status is SessionStatus.AUTHORIZED:
        raise Conflict(
            f"The provider holds money for this session, so it cannot be {act}: void or refund it "
            "at the provider, whose webhook then moves the session."
        )


def _acted(
    record: Record, session: PaymentSession, actor: Actor, kind: str, detail: str = ""
) -> Act:
    after = stamped(record, replace(record, session=session), actor.now)
    return after, _decision(record, after, actor, f"{kind}:{after.session.version}", kind, detail)


def _answered(
    record: Record, session: PaymentSession, actor: Actor, about: Decision, kind: str, note: str
) -> Act:
    """An answer to a quarantined decision: the event's own id makes it happen once."""
    payment = replace(
        record.payment,
        authorized_at=session.payment_authorized_at,
        amount=session.authorized_amount or record.payment.amount,
    )
    after = stamped(record, Record(session, payment), actor.now)
    return after, _decision(record, after, actor, f"{kind}:{about.key}", kind, note)


def _decision(
    before: Record, after: Record, actor: Actor, event_id: str, kind: str, detail: str
) -> Decision:
    changed = before != after
    return Decision(
        source=actor.name,
        event_id=event_id,
        type=kind,
        outcome=Outcome.APPLIED if changed else Outcome.UNCHANGED,
        before=before.session.status,
        after=after.session.status,
        occurred_at=actor.now,
        received_at=actor.now,
        decided_at=actor.now,
        amount=after.session.amount,
        currency=after.session.currency_code,
        detail=detail,
    )
