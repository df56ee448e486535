"""From a provider's words to ours: meanings, and the events that they make."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase

from gateway.domain.events import (
    ChangeKind,
    Delivery,
    PaymentChange,
    PaymentEvent,
    SessionStatus,
)
from providers.payload import iso_minor

_MONEY_MOVES = frozenset({ChangeKind.CAPTURED, ChangeKind.REFUNDED})


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a provider's word means in ours; with neither it is known, but no payment's concern."""

    session_status: SessionStatus | None = None
    payment_event: ChangeKind | None = None

    def __bool__(self) -> bool:
        """Whether it concerns a payment."""
        return self.session_status is not None or self.payment_event is not None

    @property
    def needs_amount(self) -> bool:
        """Money is held, taken or given back: how much must be told, or it would seem to be all."""
        return self.session_status is SessionStatus.AUTHORIZED or self.payment_event in _MONEY_MOVES


class Means:
    """What providers' words mean most often."""

    IGNORED = Meaning()
    PENDING = Meaning(SessionStatus.PENDING)
    REQUIRES_MORE = Meaning(SessionStatus.REQUIRES_MORE)
    FAILED = Meaning(SessionStatus.ERROR)
    AUTHORIZED = Meaning(SessionStatus.AUTHORIZED)
    # Authorized and captured in one step.
    PAID = Meaning(SessionStatus.AUTHORIZED, ChangeKind.CAPTURED)
    CANCELED = Meaning(SessionStatus.CANCELED)
    # Canceled, and what the provider held is free again.
    RELEASED = Meaning(SessionStatus.CANCELED, ChangeKind.VOIDED)
    CAPTURED = Meaning(None, ChangeKind.CAPTURED)
    CAPTURE_FAILED = Meaning(None, ChangeKind.CAPTURE_FAILED)
    REFUNDED = Meaning(None, ChangeKind.REFUNDED)
    REFUND_FAILED = Meaning(None, ChangeKind.REFUND_FAILED)
    DISPUTED = Meaning(None, ChangeKind.DISPUTED)
    DISPUTE_WON = Meaning(None, ChangeKind.DISPUTE_WON)
    DISPUTE_LOST = Meaning(None, ChangeKind.DISPUTE_LOST)


def by_word(rows: Mapping[str, Meaning]) -> dict[str, Meaning]:
    """A table of single words from one whose rows may hold several, with commas between them."""
    return {word.strip(): meaning for row, meaning in rows.items() for word in row.split(",")}


def by_two_words(table: Mapping[str, Mapping[str, Meaning]]) -> dict[str, Meaning]:
    """A table of pairs from one of first words, several with commas, with rows of the second."""
    return by_word(
        {
            f"{first.strip()} {second}": meaning
            for firsts, row in table.items()
            for first in firsts.split(",")
            for second, meaning in by_word(row).items()
        }
    )


def meaning_of(
    words: Iterable[str], table: Mapping[str, Meaning], ignored: Iterable[str] = ()
) -> Meaning | None:
    """The meaning of the first word that the table has; `ignored` names words, or families `x.*`.

    None: the provider says something that we have never heard of.
    """
    words = tuple(words)
    for word in words:
        if word in table:
            return table[word]
    if any(fnmatchcase(word, name) for name in ignored for word in words):
        return Means.IGNORED
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a provider told, before it is given a meaning.

    `amount` is in the provider's minor units. `subject` is the provider's own id of the capture,
    refund, void or dispute that is told of; with `total` the amount is the sum so far.
    """

    event_id: str
    type: str
    occurred_at: datetime
    livemode: bool | None = None
    external_id: str | None = None
    reference: str | None = None
    subject: str | None = None
    total: bool = False
    amount: int | None = None
    currency: str | None = None
    detail: str = ""


def event(
    delivery: Delivery,
    told: Told,
    meaning: Meaning | None,
    decimals: Mapping[str, int] | None = None,
) -> PaymentEvent:
    """What was told, in our words; `decimals` are the provider's own (see `Adapter`)."""
    bare = PaymentEvent(
        provider_id=delivery.provider_id,
        event_id=told.event_id,
        type=told.type,
        occurred_at=told.occurred_at,
        livemode=told.livemode,
        detail=told.detail,
        recognized=meaning is not None,
    )
    if meaning is None or meaning == Means.IGNORED:
        return bare
    amount = told.amount
    if amount is not None and told.currency is not None:
        amount = iso_minor(amount, told.currency, decimals or {})
    return replace(
        bare,
        external_id=told.external_id or None,
        reference=told.reference or None,
        session_status=meaning.session_status,
        payment_change=_change(told, meaning.payment_event),
        amount=amount,
        currency=told.currency,
    )


def _change(told: Told, kind: ChangeKind | None) -> PaymentChange | None:
    if kind is None:
        return None
    return PaymentChange(kind, told.subject or told.external_id or told.event_id, told.total)
