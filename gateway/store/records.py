"""How sessions and decisions are written: compact JSON. A field that is not there is None."""

import json
from datetime import datetime
from typing import Any

from gateway.domain.events import ChangeKind, SessionStatus
from gateway.domain.history import Decision
from gateway.domain.sessions import Claim, Outcome, PaymentSession, Strength
from gateway.store.times import from_micros, to_micros


def encode(session: PaymentSession) -> str:
    record = {
        "id": session.id,
        "provider": session.provider_id,
        "amount": session.amount,
        "currency": session.currency_code,
        "created": to_micros(session.created_at),
        "updated": to_micros(session.updated_at),
        "key": session.idempotency_key,
        "cart": session.cart_id,
        "initiated": session.is_initiated,
        "data": dict(session.data),
        "authorized": _micros(session.payment_authorized_at),
        "authorized_amount": session.authorized_amount,
        "claim": _encode_claim(session.claim),
        "own_claim": _encode_claim(session.own_claim),
        "expires": _micros(session.expires_at),
        "completed": _micros(session.completed_at),
        "deleted": _micros(session.deleted_at),
        "superseded_by": session.superseded_by,
        "version": session.version,
    }
    return json.dumps({k: v for k, v in record.items() if v is not None}, separators=(",", ":"))


def decode(raw: bytes | str) -> PaymentSession:
    record = json.loads(raw)
    return PaymentSession(
        id=record["id"],
        provider_id=record["provider"],
        amount=record["amount"],
        currency_code=record["currency"],
        created_at=from_micros(record["created"]),
        updated_at=from_micros(record["updated"]),
        idempotency_key=record["key"],
        cart_id=record.get("cart"),
        is_initiated=record["initiated"],
        data=record["data"],
        payment_authorized_at=_moment(record.get("authorized")),
        authorized_amount=record.get("authorized_amount"),
        claim=_decode_claim(record.get("claim")),
        own_claim=_decode_claim(record.get("own_claim")),
        expires_at=_moment(record.get("expires")),
        completed_at=_moment(record.get("completed")),
        deleted_at=_moment(record.get("deleted")),
        superseded_by=record.get("superseded_by"),
        version=record["version"],
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
    values = [
        decision.source,
        decision.event_id,
        decision.type,
        decision.outcome,
        decision.before,
        decision.after,
        to_micros(decision.occurred_at),
        to_micros(decision.received_at),
        to_micros(decision.decided_at),
        decision.delivery_id,
        decision.change,
        decision.amount,
        decision.currency,
        decision.detail,
    ]
    return json.dumps(values, separators=(",", ":"))


def decode_decision(raw: bytes | str) -> Decision:
    values = json.loads(raw)
    return Decision(
        source=values[0],
        event_id=values[1],
        type=values[2],
        outcome=Outcome(values[3]),
        before=SessionStatus(values[4]),
        after=SessionStatus(values[5]),
        occurred_at=from_micros(values[6]),
        received_at=from_micros(values[7]),
        decided_at=from_micros(values[8]),
        delivery_id=values[9],
        change=ChangeKind(values[10]) if values[10] else None,
        amount=values[11],
        currency=values[12],
        detail=values[13],
    )
