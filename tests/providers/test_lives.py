"""In whatever order a provider tells of a payment's life, it ends in the same payment."""

from datetime import timedelta
from itertools import permutations

import pytest
from provider_cases import ADAPTERS, AT, PAYMENT, case_of, instance_of

from gateway.domain.sessions import PaymentSession, Record, apply, new_payment
from providers import simulator

LIVES = [
    ("created", "failed", "authorized", "captured", "refunded"),
    ("processing", "requires_action", "authorized", "canceled", "expired"),
    ("authorized", "captured", "refunded", "refund_failed", "capture_failed"),
    ("captured", "charge_captured", "refund_succeeded", "refunded", "authorized"),
    ("captured", "authorized", "disputed", "dispute_won", "dispute_lost"),
]


@pytest.mark.parametrize("life", LIVES, ids="-".join)
@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_every_order_of_a_life_ends_in_the_same_payment(adapter_id, life):
    instance = instance_of(adapter_id)
    told = []
    for step, kind in enumerate(kind for kind in life if kind in simulator.kinds(adapter_id)):
        told += case_of(instance, kind, at=AT + timedelta(minutes=step)).events()
    session = PaymentSession(
        id=PAYMENT.session_id,
        provider_id=instance.name,
        amount=PAYMENT.amount,
        currency_code=PAYMENT.currency,
        created_at=AT,
        updated_at=AT,
        idempotency_key="key",
    )
    start = Record(session, new_payment(session))
    endings = {folded(start, order) for order in permutations(told)}
    assert 1 == len(endings)
    assert endings == {folded(start, [*told, *told])}


def folded(record, told):
    for event in told:
        record, _ = apply(record, event, known=False)
    session = record.session
    return session.status, session.payment_authorized_at, session.claim, record.payment
