"""PaymentSession: a fold over claims, independent of their order and of repetition.

Each event that speaks about a session makes a claim. Claims are totally ordered and the greatest
is the status; the authorization time is the least of all authorized claims. The record's fields
and statuses are those of Medusa's PaymentSession.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

from gateway.domain.events import ChangeKind, PaymentEvent, SessionStatus
from gateway.domain.payments import Payment, change_of


class Strength(IntEnum):
    """How much a claim weighs; the stronger wins whatever the times.

    So a late "processing" never undoes an authorization, and money that a provider holds is
    never hidden by our own cancel.
    """

    OPEN = 0
    ENDED_BY_US = 1
    SETTLED = 2


_SETTLED = frozenset({SessionStatus.AUTHORIZED, SessionStatus.CANCELED})
_RANK = {
    SessionStatus.PENDING: 0,
    SessionStatus.REQUIRES_MORE: 1,
    SessionStatus.ERROR: 2,
    SessionStatus.AUTHORIZED: 3,
    SessionStatus.CANCELED: 4,
}


@dataclass(frozen=True, slots=True)
class Claim:
    """One source's word on a session's status. `reason` says where it comes from."""

    status: SessionStatus
    strength: Strength
    occurred_at: datetime
    event_id: str
    reason: str

    @property
    def order(self) -> tuple[int, datetime, int, str, str]:
        return self.strength, self.occurred_at, _RANK[self.status], self.event_id, self.reason

    def outranks(self, other: "Claim | None") -> bool:
        return other is None or self.order > other.order


class Outcome(StrEnum):
    """What an event did to its session, or why it did nothing."""

    APPLIED = "applied"
    OUTRANKED = "outranked"
    REPEATED = "repeated"
    UNCHANGED = "unchanged"
    AMOUNT_MISMATCH = "amount_mismatch"
    CURRENCY_MISMATCH = "currency_mismatch"
    WRONG_PROVIDER = "wrong_provider"
    WRONG_MODE = "wrong_mode"
    SUPERSEDED = "superseded"


QUARANTINED = frozenset({Outcome.AMOUNT_MISMATCH, Outcome.CURRENCY_MISMATCH})


@dataclass(frozen=True, slots=True)
class PaymentSession:
    """A customer's attempt to pay. `amount` in minor units; times are aware UTC.

    `claim` is the winning one (None: pending since creation), `own_claim` our own cancel or
    expiry, kept beside it: an authorized session that has one needs a person to void it.
    A deleted or superseded session keeps its record, so that late webhooks of it stay visible.
    Past `expires_at` an open session is canceled. `completed_at` is when a service took its
    payment. `version` counts the changes of the record.
    """

    id: str
    provider_id: str
    amount: int
    currency_code: str
    created_at: datetime
    updated_at: datetime
    idempotency_key: str
    cart_id: str | None = None
    is_selected: bool | None = None
    is_initiated: bool = False
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    payment_authorized_at: datetime | None = None
    authorized_amount: int | None = None
    claim: Claim | None = None
    own_claim: Claim | None = None
    expires_at: datetime | None = None
    completed_at: datetime | None = None
    deleted_at: datetime | None = None
    superseded_by: str | None = None
    version: int = 0

    @property
    def status(self) -> SessionStatus:
        return self.claim.status if self.claim else SessionStatus.PENDING

    @property
    def status_reason(self) -> str:
        return self.claim.reason if self.claim else "created"

    @property
    def needs_void(self) -> bool:
        """The provider holds money for a session that we had ended ourselves."""
        return self.own_claim is not None and self.status is SessionStatus.AUTHORIZED

    @property
    def payment_id(self) -> str | None:
        """The Payment that it was promoted to, once it was authorized."""
        return None if self.payment_authorized_at is None else payment_id(self.id)

    @property
    def is_gone(self) -> bool:
        """Deleted, or refreshed into another session: nothing but late webhooks concern it."""
        return self.deleted_at is not None or self.superseded_by is not None

    @property
    def external_id(self) -> str | None:
        """The provider's id of the payment, as the merchant's service stored it in `data.id`."""
        value = self.data.get("id")
        return value if isinstance(value, str) and value else None

    def with_claim(self, claim: Claim) -> "PaymentSession":
        """The session after one more claim; the same object if it changes nothing."""
        session = self
        if claim.strength is Strength.ENDED_BY_US and claim.outranks(session.own_claim):
            session = replace(session, own_claim=claim)
        if claim.outranks(session.claim):
            session = replace(session, claim=claim)
        return session

    def authorized(self, at: datetime, amount: int) -> "PaymentSession":
        """Stamped with the earliest authorization and the largest amount ever authorized."""
        first = min(filter(None, (self.payment_authorized_at, at)))
        most = max(amount, self.authorized_amount or 0)
        if (first, most) == (self.payment_authorized_at, self.authorized_amount):
            return self
        return replace(self, payment_authorized_at=first, authorized_amount=most)


@dataclass(frozen=True, slots=True)
class Record:
    """What one commit writes together: a session and the payment it was promoted to."""

    session: PaymentSession
    payment: Payment

    @property
    def canceled_at(self) -> datetime | None:
        """When the provider released the payment: told as a void, or by canceling the session."""
        claim = self.session.claim
        times = [self.payment.canceled_at]
        if claim and (claim.status, claim.strength) == (SessionStatus.CANCELED, Strength.SETTLED):
            times.append(claim.occurred_at)
        return min((at for at in times if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one event, and the status before and after it."""

    outcome: Outcome
    before: SessionStatus
    after: SessionStatus

    @property
    def needs_person(self) -> bool:
        """Money is in question: a mismatch, or an authorization of a session that is gone."""
        held = self.after is SessionStatus.AUTHORIZED
        return self.outcome in QUARANTINED or (self.outcome is Outcome.SUPERSEDED and held)


def payment_id(session_id: str) -> str:
    """The payment's id: the session's own ULID; a session id of another form is kept whole."""
    if session_id.startswith("ps_"):
        return f"pay_{session_id.removeprefix('ps_')}"
    # No session id has a dot, so the two forms never meet.
    return f"pay_.{session_id}"


def session_id_of(payment_id: str) -> str:
    """The session that a payment was promoted from; of no session, if it is no payment's id."""
    found = payment_id.removeprefix("pay_")
    return found.removeprefix(".") if found.startswith(".") else f"ps_{found}"


def new_payment(session: PaymentSession) -> Payment:
    """The payment of a session before anything was told about it."""
    return Payment(
        id=payment_id(session.id),
        session_id=session.id,
        provider_id=session.provider_id,
        currency_code=session.currency_code,
        amount=session.amount,
    )


def apply(
    record: Record, event: PaymentEvent, *, known: bool, livemode: bool | None = None
) -> tuple[Record, Verdict]:
    """The record after one event, and what the event did. Pure; the rules of the fold live here.

    `known` tells that the session's history has this event already; `livemode` is the mode that
    the provider instance is configured for (None: not checked).
    """
    session = record.session
    if event.provider_id != session.provider_id:
        return record, _verdict(record, record, Outcome.WRONG_PROVIDER)
    if None not in (livemode, event.livemode) and livemode != event.livemode:
        return record, _verdict(record, record, Outcome.WRONG_MODE)
    after, refused = _with_status(record, event)
    after = _with_change(after, event)
    return after, _verdict(record, after, refused or _outcome(record, after, event, known=known))


def end_by_us(session: PaymentSession, *, reason: str, at: datetime) -> PaymentSession:
    """The session after our own cancel or expiry; what a provider settled stands above it."""
    return session.with_claim(
        Claim(SessionStatus.CANCELED, Strength.ENDED_BY_US, at, f"ours:{reason}", reason)
    )


def stamped(before: Record, after: Record, now: datetime) -> Record:
    """A changed record with its next version and time; one that did not change, as it is."""
    if before == after:
        return before
    version = before.session.version + 1
    return replace(after, session=replace(after.session, version=version, updated_at=now))


def _claimed_status(session: PaymentSession, event: PaymentEvent) -> SessionStatus | None:
    """The status that an event claims; a capture of the whole amount implies an authorization."""
    if event.session_status is not None:
        return event.session_status
    captured = event.payment_change and event.payment_change.kind is ChangeKind.CAPTURED
    # A partial capture may overtake its authorization: it must not look like an underpayment.
    if captured and _shortfall(session, event) is None:
        return SessionStatus.AUTHORIZED
    return None


def _shortfall(session: PaymentSession, event: PaymentEvent) -> Outcome | None:
    if event.currency is not None and event.currency != session.currency_code:
        return Outcome.CURRENCY_MISMATCH
    if event.amount is not None and event.amount < session.amount:
        return Outcome.AMOUNT_MISMATCH
    return None


def _with_status(record: Record, event: PaymentEvent) -> tuple[Record, Outcome | None]:
    """The record after the event's claim, and the mismatch that put the claim into quarantine."""
    session, status = record.session, _claimed_status(record.session, event)
    if status is None:
        return record, None
    refused = _shortfall(session, event) if status is SessionStatus.AUTHORIZED else None
    if refused is not None:
        status = SessionStatus.REQUIRES_MORE
    # Once the whole was authorized, "authorized, 600 of 1000 captured" is just a partial capture.
    covered = session.payment_authorized_at is not None
    strength = Strength.SETTLED if status in _SETTLED else Strength.OPEN
    reason = refused or event.type
    claim = Claim(status, strength, event.occurred_at, event.event_id, reason)
    session = session.with_claim(claim)
    if status is not SessionStatus.AUTHORIZED:
        return replace(record, session=session), None if covered else refused
    amount = session.amount if event.amount is None else event.amount
    session = session.authorized(event.occurred_at, amount)
    payment = replace(
        record.payment,
        authorized_at=session.payment_authorized_at,
        amount=session.authorized_amount or 0,
    )
    return Record(session, payment), None


def _with_change(record: Record, event: PaymentEvent) -> Record:
    change = change_of(event)
    if change is None:
        return record
    return replace(record, payment=record.payment.with_change(change))


def _outcome(before: Record, after: Record, event: PaymentEvent, *, known: bool) -> Outcome:
    moved = before.session.status is not after.session.status
    stamped = before.session.payment_authorized_at != after.session.payment_authorized_at
    if moved or stamped or before.payment != after.payment:
        return Outcome.SUPERSEDED if after.session.is_gone else Outcome.APPLIED
    if known:
        return Outcome.REPEATED
    if after.session.is_gone:
        return Outcome.SUPERSEDED
    claimed = _claimed_status(before.session, event)
    if claimed is not None and claimed is not after.session.status:
        return Outcome.OUTRANKED
    return Outcome.UNCHANGED


def _verdict(before: Record, after: Record, outcome: Outcome) -> Verdict:
    return Verdict(outcome, before.session.status, after.session.status)
