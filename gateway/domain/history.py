"""A session's history: each decision that was taken about it, and why."""

from dataclasses import dataclass
from datetime import datetime

from gateway.domain.events import ChangeKind, SessionStatus
from gateway.domain.sessions import Outcome, PaymentSession


def decision_key(source: str, event_id: str) -> str:
    """Under what a decision stands in its history: two sources may use the same event id."""
    return f"{source}:{event_id}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one event did to a session, or why it did nothing.

    `source` is the provider instance, or the API token or job that acted; with `event_id` it
    identifies the decision. All times are aware UTC: the provider's, our receipt, our decision.
    """

    source: str
    event_id: str
    type: str
    outcome: Outcome
    before: SessionStatus
    after: SessionStatus
    occurred_at: datetime
    received_at: datetime
    decided_at: datetime
    delivery_id: str | None = None
    change: ChangeKind | None = None
    amount: int | None = None
    currency: str | None = None
    detail: str = ""

    @property
    def key(self) -> str:
        """One source's event must not shadow another's."""
        return decision_key(self.source, self.event_id)


def session_created(session: PaymentSession, source: str) -> Decision:
    """The first decision of every history."""
    return Decision(
        source=source,
        event_id=f"created:{session.id}",
        type="session.created",
        outcome=Outcome.APPLIED,
        before=session.status,
        after=session.status,
        occurred_at=session.created_at,
        received_at=session.created_at,
        decided_at=session.created_at,
        amount=session.amount,
        currency=session.currency_code,
    )
