"""PaymentCollection: several sessions that pay one amount together.

Its status is computed from its sessions whenever it is read: nothing is stored twice. The
arithmetic is that of Medusa v1, except that more money than asked is `authorized` too (there the
status stays as it was).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.domain.sessions import PaymentSession


class CollectionStatus(StrEnum):
    """How much of a collection's amount is authorized."""

    NOT_PAID = "not_paid"
    AWAITING = "awaiting"
    PARTIALLY_AUTHORIZED = "partially_authorized"
    AUTHORIZED = "authorized"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class PaymentCollection:
    """`amount` in minor units; times are aware UTC. `version` counts the record's changes."""

    id: str
    amount: int
    currency_code: str
    created_at: datetime
    updated_at: datetime
    session_ids: tuple[str, ...] = ()
    description: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    canceled_at: datetime | None = None
    version: int = 0


def authorized_amount(sessions: Iterable[PaymentSession]) -> int:
    """The sum of all sessions that were ever authorized, whatever their status is now."""
    return sum(s.amount for s in sessions if s.payment_authorized_at is not None)


def status_of(
    collection: PaymentCollection, sessions: Iterable[PaymentSession]
) -> CollectionStatus:
    """The status of a collection with these sessions."""
    sessions = tuple(sessions)
    authorized = authorized_amount(sessions)
    if collection.canceled_at is not None:
        return CollectionStatus.CANCELED
    if not sessions:
        return CollectionStatus.NOT_PAID
    if authorized >= collection.amount:
        return CollectionStatus.AUTHORIZED
    return CollectionStatus.PARTIALLY_AUTHORIZED if authorized else CollectionStatus.AWAITING
