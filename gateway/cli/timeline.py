"""A session's history as a table: what arrived, when, what it did, or why it did nothing."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from gateway.client import Session
from gateway.domain.history import Decision
from gateway.domain.money import major_units
from gateway.domain.sessions import Outcome, PaymentSession

_WHY_NOTHING = {
    Outcome.OUTRANKED: "nothing: what it says is outranked, the session stays {after}",
    Outcome.REPEATED: "nothing: it was known",
    Outcome.UNCHANGED: "nothing new, the session stays {after}",
    Outcome.AMOUNT_MISMATCH: "quarantined: less than the session asks; the session is {after}",
    Outcome.CURRENCY_MISMATCH: "quarantined: another currency; the session is {after}",
    Outcome.WRONG_PROVIDER: "nothing: the session is another provider's",
    Outcome.WRONG_MODE: "nothing: test and live mode do not mix",
}
_HEAD = ("arrived", "happened", "from", "event", "what it did")
_CREATED = "session.created"


def timeline(session: Session | PaymentSession, history: Sequence[Decision]) -> Iterator[str]:
    """The lines of the table; times are UTC."""
    money = _money(session.amount, session.currency_code)
    at = session.payment_authorized_at
    since = f" since {_clock(at)}" if at else ""
    yield f"{session.id}  {session.provider_id}  {money}  {session.status}{since}"
    # Decisions of one batch are of one moment: then it is their arrival that tells the story.
    ordered = sorted(history, key=lambda decision: (decision.decided_at, decision.received_at))
    rows = [_HEAD, *map(_row, ordered)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  " + "  ".join(cells).rstrip()


def _row(decision: Decision) -> tuple[str, ...]:
    arrived, happened = _clock(decision.received_at), _clock(decision.occurred_at)
    return arrived, happened, decision.source, decision.type, _effect(decision)


def _effect(decision: Decision) -> str:
    why_nothing = _WHY_NOTHING.get(decision.outcome)
    if why_nothing is not None:
        return why_nothing.format(after=decision.after)
    if decision.type == _CREATED:
        return f"created as {decision.after}"
    parts = []
    if decision.before is not decision.after:
        parts.append(f"{decision.before} → {decision.after}")
    if decision.change is not None:
        parts.append(_change(decision))
    return ", ".join(parts) or f"{decision.after}, and earlier than was known"


def _change(decision: Decision) -> str:
    if decision.amount is None or decision.currency is None:
        return str(decision.change)
    return f"{decision.change} {_money(decision.amount, decision.currency)}"


def _money(amount: int, currency: str) -> str:
    return f"{major_units(amount, currency)} {currency}"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S.%f}"[:-3]
