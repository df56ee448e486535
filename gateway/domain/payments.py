"""The Payment that an authorized session is promoted to, and the fold of what happens to it.

Changes are kept one per thing that they speak about (a capture, a refund, a dispute, by the
provider's own reference), each the greatest of all that was told about it. `max` and `min`
commute, so neither order nor repetition of the telling matters.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from gateway.domain.events import ChangeKind, PaymentEvent


class Subject(StrEnum):
    """The thing that a change speaks about; a failure speaks about what it undoes."""

    CAPTURE = "capture"
    REFUND = "refund"
    VOID = "void"
    DISPUTE = "dispute"


_SUBJECT = {
    ChangeKind.CAPTURED: Subject.CAPTURE,
    ChangeKind.CAPTURE_FAILED: Subject.CAPTURE,
    ChangeKind.REFUNDED: Subject.REFUND,
    ChangeKind.REFUND_FAILED: Subject.REFUND,
    ChangeKind.VOIDED: Subject.VOID,
    ChangeKind.DISPUTED: Subject.DISPUTE,
    ChangeKind.DISPUTE_WON: Subject.DISPUTE,
    ChangeKind.DISPUTE_LOST: Subject.DISPUTE,
}
# What each subject is when it holds; the other kinds of the subject undo or end it.
_HOLDS = frozenset(
    {ChangeKind.CAPTURED, ChangeKind.REFUNDED, ChangeKind.VOIDED, ChangeKind.DISPUTED}
)
# At equal times the later stage of a thing wins: a failure follows its success, never the reverse.
_STAGE = {kind: stage for stage, kind in enumerate(ChangeKind)} | {
    ChangeKind.DISPUTED: 100,
    ChangeKind.DISPUTE_WON: 101,
    ChangeKind.DISPUTE_LOST: 102,
}


@dataclass(frozen=True, slots=True)
class Change:
    """The last word on one capture, refund, void or dispute; `amount` in minor units.

    `first_at` is the earliest time at which it held, None if only its failure was told.
    """

    kind: ChangeKind
    reference: str
    running_total: bool
    amount: int | None
    currency: str | None
    occurred_at: datetime
    event_id: str
    first_at: datetime | None

    @property
    def subject(self) -> Subject:
        return _SUBJECT[self.kind]

    @property
    def key(self) -> tuple[Subject, str, bool]:
        """Two changes with the same key speak about the same thing."""
        return self.subject, self.reference, self.running_total

    @property
    def holds(self) -> bool:
        return self.kind in _HOLDS

    def merged(self, other: "Change") -> "Change":
        """The greater of two words on the same thing, with the earliest time that it held."""
        times = [at for at in (self.first_at, other.first_at) if at is not None]
        return replace(max(self, other, key=_order), first_at=min(times, default=None))


def _order(change: Change) -> tuple[datetime, int, int, str, str]:
    return (
        change.occurred_at,
        _STAGE[change.kind],
        -1 if change.amount is None else change.amount,
        change.event_id,
        change.currency or "",
    )


def change_of(event: PaymentEvent) -> Change | None:
    """What an event says about the payment, if it says anything."""
    told = event.payment_change
    if told is None:
        return None
    return Change(
        kind=told.kind,
        reference=told.reference,
        running_total=told.running_total,
        amount=event.amount,
        currency=event.currency,
        occurred_at=event.occurred_at,
        event_id=event.event_id,
        first_at=event.occurred_at if told.kind in _HOLDS else None,
    )


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that a provider holds or took for a session. `amount` and all sums in minor units.

    Changes may be told before the authorization is: they wait in `changes`, and `authorized_at`
    is None until the session was authorized. Its id is the session's own ULID under `pay_`.
    """

    id: str
    session_id: str
    provider_id: str
    currency_code: str
    amount: int
    authorized_at: datetime | None = None
    changes: tuple[Change, ...] = field(default=())

    @property
    def captured_amount(self) -> int:
        return _sum(self._about(Subject.CAPTURE), whole=self.amount)

    @property
    def refunded_amount(self) -> int:
        return _sum(self._about(Subject.REFUND), whole=self.captured_amount)

    @property
    def disputed_amount(self) -> int:
        """Money in disputes that are open or lost."""
        disputes = (c for c in self._about(Subject.DISPUTE) if c.kind is not ChangeKind.DISPUTE_WON)
        return sum(self.amount if c.amount is None else c.amount for c in disputes)

    @property
    def captured_at(self) -> datetime | None:
        """The earliest capture that still holds (UTC, the provider's time)."""
        return _first(self._about(Subject.CAPTURE))

    @property
    def canceled_at(self) -> datetime | None:
        """When the provider released the authorization (UTC, the provider's time)."""
        return _first(self._about(Subject.VOID))

    def about(self, subject: Subject) -> tuple[Change, ...]:
        """All changes about one kind of thing, in the order of their keys."""
        return tuple(change for change in self.changes if change.subject is subject)

    def _about(self, subject: Subject) -> tuple[Change, ...]:
        # A dispute may be told in the cardholder's currency: it is listed, but not added up.
        ours = (None, self.currency_code)
        return tuple(change for change in self.about(subject) if change.currency in ours)

    def with_change(self, change: Change) -> "Payment":
        """The payment after one more word about it; the same object if that changes nothing."""
        changes = {known.key: known for known in self.changes}
        known = changes.get(change.key)
        merged = change if known is None else known.merged(change)
        if merged == known:
            return self
        changes[change.key] = merged
        return replace(self, changes=tuple(changes[key] for key in sorted(changes)))


def _sum(changes: Iterable[Change], whole: int) -> int:
    """The money of all captures (or refunds), told one by one, as running totals, or as both.

    The same money is often told twice, in an event of its own and in a total, so the larger
    telling counts. A failure after a total lowers the total: it was in it.
    """
    changes = tuple(changes)
    totals = [c for c in changes if c.running_total and c.holds]
    singles = [c for c in changes if not c.running_total]
    told_as_total = sum(_amount(c, whole) for c in totals)
    if totals:
        last = max(c.occurred_at for c in totals)
        failed = (c for c in singles if not c.holds and c.occurred_at >= last)
        told_as_total -= sum(_amount(c, 0) for c in failed)
    return max(0, told_as_total, sum(_amount(c, whole) for c in singles if c.holds))


def _amount(change: Change, whole: int) -> int:
    return whole if change.amount is None else change.amount


def _first(changes: Iterable[Change]) -> datetime | None:
    return min((c.first_at for c in changes if c.holds and c.first_at is not None), default=None)
