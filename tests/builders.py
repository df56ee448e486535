"""Short ways to make records and events in tests."""

from datetime import UTC, datetime, timedelta

from gateway.domain.events import (
    ChangeKind,
    Delivery,
    PaymentChange,
    PaymentEvent,
    SessionStatus,
)
from gateway.domain.sessions import PaymentSession, Record, new_payment

START = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def session(session_id: str = "ps_1", **fields) -> PaymentSession:
    values = {
        "id": session_id,
        "provider_id": "stripe",
        "amount": 1000,
        "currency_code": "EUR",
        "created_at": START,
        "updated_at": START,
        "idempotency_key": "key",
        "version": 1,
    }
    return PaymentSession(**(values | fields))


def record(session_id: str = "ps_1", **fields) -> Record:
    made = session(session_id, **fields)
    return Record(made, new_payment(made))


def event(event_id: str = "evt_1", **fields) -> PaymentEvent:
    values = {
        "provider_id": "stripe",
        "event_id": event_id,
        "type": "test",
        "occurred_at": at(0),
        "external_id": "pi_1",
        "reference": "ps_1",
        "amount": 1000,
        "currency": "EUR",
    }
    return PaymentEvent(**(values | fields))


def status(status: SessionStatus, seconds: float = 0, event_id: str = "", **fields) -> PaymentEvent:
    name = event_id or f"evt_{status}_{seconds}"
    return event(name, session_status=status, occurred_at=at(seconds), **fields)


def change(
    kind: ChangeKind, reference: str, seconds: float = 0, *, total: bool = False, **fields
) -> PaymentEvent:
    name = fields.pop("event_id", f"evt_{kind}_{reference}_{seconds}_{total}")
    told = PaymentChange(kind, reference, running_total=total)
    return event(name, payment_change=told, occurred_at=at(seconds), **fields)


def delivery(body: bytes = b"{}", **fields) -> Delivery:
    values = {
        "provider_id": "stripe",
        "body": body,
        "headers": (("Content-Type", "application/json"),),
        "received_at": START,
    }
    return Delivery(**(values | fields))
