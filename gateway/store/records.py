"""How sessions and decisions are written: JSON lists, since names would take half of the room.

A session's record begins with the number of its form, which its payment and its history have too.
Within a form fields are only ever added, at the end: an older version leaves alone what it does not
know, also when it writes the record anew. What must be read otherwise is a new form, which older
versions refuse: let all of them read it, one release before any of them writes it.

That goes for the session itself. The changes of a payment, collections and deliveries are written
whole: there, what an older version may lose is a new form.

What is most often None stands last, and is left out.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from gateway.domain.errors import StoreRefused
from gateway.domain.events import ChangeKind, SessionStatus
from gateway.domain.history import Decision, decision_key
from gateway.domain.sessions import Claim, Outcome, PaymentSession, Strength
from gateway.store.times import from_micros, to_micros

_FORM, _FIELDS = 1, 19
# `json.dumps` makes one of these each time.
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def encode(session: PaymentSession, later: Sequence[Any] = ()) -> str:
    """`later`: what a newer version had added."""
    values = [
        _FORM,
        session.id,
        session.provider_id,
        session.amount,
        session.currency_code,
        session.version,
        to_micros(session.created_at),
        to_micros(session.updated_at),
        session.idempotency_key,
        session.is_initiated,
        dict(session.data),
        _micros(session.payment_authorized_at),
        session.authorized_amount,
        _encode_claim(session.claim),
        session.cart_id,
        _micros(session.expires_at),
        _encode_claim(session.own_claim),
        _micros(session.completed_at),
        _micros(session.deleted_at),
        session.superseded_by,
        *later,
    ]
    return _written(values)


def decode(raw: bytes | str) -> PaymentSession:
    """Raises StoreRefused if it cannot be read."""
    return read(raw)[0]


def read(raw: bytes | str) -> tuple[PaymentSession, tuple[Any, ...]]:
    """A session, and what a newer version has added to it. Raises StoreRefused."""
    with readable("A session"):
        form, *values = json.loads(raw)
        if form != _FORM:
            raise ValueError(form)
        known = (values + [None] * _FIELDS)[:_FIELDS]
        return _session(known), tuple(values[_FIELDS:])


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Raises StoreRefused where a record is not as this version knows it."""
    try:
        yield
    except (ValueError, TypeError, KeyError, IndexError):
        raise StoreRefused(
            f"{what} was written by a later version, or is damaged; read it with that version: "
            "bring this process up to date."
        ) from None


def _session(known: list[Any]) -> PaymentSession:
    (
        session_id,
        provider_id,
        amount,
        currency_code,
        version,
        created_at,
        updated_at,
        idempotency_key,
        is_initiated,
        data,
        payment_authorized_at,
        authorized_amount,
        claim,
        cart_id,
        expires_at,
        own_claim,
        completed_at,
        deleted_at,
        superseded_by,
    ) = known
    return PaymentSession(
        id=session_id,
        provider_id=provider_id,
        amount=amount,
        currency_code=currency_code,
        created_at=from_micros(created_at),
        updated_at=from_micros(updated_at),
        idempotency_key=idempotency_key,
        cart_id=cart_id,
        is_initiated=is_initiated,
        data=data,
        payment_authorized_at=_moment(payment_authorized_at),
        authorized_amount=authorized_amount,
        claim=_decode_claim(claim),
        own_claim=_decode_claim(own_claim),
        expires_at=_moment(expires_at),
        completed_at=_moment(completed_at),
        deleted_at=_moment(deleted_at),
        superseded_by=superseded_by,
        version=version,
    )


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _encode_claim(claim: Claim | None) -> list[Any] | None:
    if claim is None:
        return None
    at = to_micros(claim.occurred_at)
    return [claim.status, int(claim.strength), at, claim.event_id, claim.reason]


def _decode_claim(raw: list[Any] | None) -> Claim | None:
    if raw is None:
        return None
    status, strength, at, event_id, reason = raw
    return Claim(SessionStatus(status), Strength(strength), from_micros(at), event_id, reason)


def encode_decision(decision: Decision) -> str:
    """All but the event's id, which ends the key. Times are told as distances from one another."""
    occurred, received = to_micros(decision.occurred_at), to_micros(decision.received_at)
    values = [
        decision.source,
        decision.type,
        decision.outcome,
        decision.before,
        decision.after,
        occurred,
        received - occurred,
        to_micros(decision.decided_at) - received,
        decision.amount,
        decision.currency,
        decision.delivery_id,
        decision.change,
        decision.detail or None,
    ]
    return _written(values)


def decode_decision(key: bytes, raw: bytes) -> Decision:
    """`key` is the one under which the decision stands in its history. Raises StoreRefused."""
    with readable("A decision"):
        return _decision(key, json.loads(raw))


def _decision(key: bytes, values: list[Any]) -> Decision:
    source, kind, outcome, before, after, occurred, until_received, until_decided, *rest = values
    amount, currency, delivery_id, change, detail = (rest + [None] * 5)[:5]
    received = occurred + until_received
    return Decision(
        source=source,
        event_id=key.decode().removeprefix(decision_key(source, "")),
        type=kind,
        outcome=Outcome(outcome),
        before=SessionStatus(before),
        after=SessionStatus(after),
        occurred_at=from_micros(occurred),
        received_at=from_micros(received),
        decided_at=from_micros(received + until_decided),
        delivery_id=delivery_id,
        change=ChangeKind(change) if change else None,
        amount=amount,
        currency=currency,
        detail=detail or "",
    )


def _written(values: list[Any]) -> str:
    """Without the Nones at the end. JSON's own module: data may hold whatever JSON can."""
    while values[-1] is None:
        values.pop()
    return _ENCODER.encode(values)
