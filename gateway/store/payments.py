"""How a Payment is written: compact JSON of its changes; the rest follows from its session."""

import json
from typing import Any

from gateway.domain.events import ChangeKind
from gateway.domain.payments import Change, Payment
from gateway.domain.sessions import PaymentSession, new_payment
from gateway.store.records import readable
from gateway.store.times import from_micros, to_micros


def encode(payment: Payment) -> str:
    return json.dumps([_encode_change(change) for change in payment.changes], separators=(",", ":"))


def decode(session: PaymentSession, raw: bytes | None) -> Payment:
    """The payment of a session; what is not written there follows from the session itself.

    Raises StoreRefused if it cannot be read.
    """
    payment = new_payment(session)
    with readable("A payment"):
        changes = tuple(map(_decode_change, json.loads(raw) if raw else []))
    return Payment(
        id=payment.id,
        session_id=payment.session_id,
        provider_id=payment.provider_id,
        currency_code=payment.currency_code,
        amount=payment.amount if session.authorized_amount is None else session.authorized_amount,
        authorized_at=session.payment_authorized_at,
        changes=changes,
    )


def _encode_change(change: Change) -> list[Any]:
    return [
        change.kind,
        change.reference,
        int(change.running_total),
        change.amount,
        change.currency,
        to_micros(change.occurred_at),
        change.event_id,
        None if change.first_at is None else to_micros(change.first_at),
    ]


def _decode_change(raw: list[Any]) -> Change:
    kind, reference, total, amount, currency, occurred_at, event_id, first_at, *_ = raw
    return Change(
        kind=ChangeKind(kind),
        reference=reference,
        running_total=bool(total),
        amount=amount,
        currency=currency,
        occurred_at=from_micros(occurred_at),
        event_id=event_id,
        first_at=None if first_at is None else from_micros(first_at),
    )
