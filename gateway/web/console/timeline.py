"""A session's timeline as a picture: when each thing happened, came, and was decided, and why.

Three lanes share one scale. Its steps grow with the logarithm of the time between two moments, so
that milliseconds and days can be told apart in one picture.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, pairwise

from gateway.domain.history import Decision
from gateway.domain.sessions import QUARANTINED, Outcome, Record
from gateway.web.console.words import money

LANES = ("happened", "received", "decided")
# Of the picture, in its own units: room for the lanes' names, between lanes, and for a moment.
LEFT, TOP, APART, RIGHT = 90, 24, 56, 110
# Between two moments at least, and of the whole scale at least.
_LEAST, _WIDTH = 12.0, 620.0
_WHY = {
    Outcome.OUTRANKED: "outranked: a stronger or later claim stands",
    Outcome.REPEATED: "repeated: it was known",
    Outcome.UNCHANGED: "unchanged: it says nothing new",
    Outcome.AMOUNT_MISMATCH: "in quarantine: less money than the session asks",
    Outcome.CURRENCY_MISMATCH: "in quarantine: another currency",
    Outcome.WRONG_PROVIDER: "not applied: the session is another provider's",
    Outcome.WRONG_MODE: "not applied: test and live do not mix",
    Outcome.SUPERSEDED: "not applied: another session took this one's place",
}


@dataclass(frozen=True, slots=True)
class Thread:
    """One decision through the lanes. `kind`: `wins`, `applied`, `waits` or `nothing`."""

    number: int
    decision: Decision
    kind: str
    why: str
    points: tuple[tuple[float, int], ...]

    @property
    def line(self) -> str:
        return " ".join(f"{x:.1f},{y}" for x, y in self.points)


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment on the scale, where there is room to write it."""

    x: float
    told: str


@dataclass(frozen=True, slots=True)
class Picture:
    width: float
    height: int
    threads: tuple[Thread, ...]
    ticks: tuple[Tick, ...]
    lanes: tuple[tuple[str, int], ...]


def picture(record: Record, history: Sequence[Decision]) -> Picture:
    """The picture of a session's decisions, in the order in which they were taken."""
    ordered = sorted(history, key=lambda one: (one.decided_at, one.received_at))
    scale = _scale(sorted({at for one in ordered for at in _moments(one)}))
    threads = [_thread(at, one, record, scale) for at, one in enumerate(ordered, 1)]
    lanes = tuple((name, TOP + at * APART) for at, name in enumerate(LANES))
    width = max(scale.values(), default=LEFT) + RIGHT
    height = TOP + 2 * APART + 40
    return Picture(width, height, tuple(threads), tuple(_ticks(scale)), lanes)


def _moments(one: Decision) -> tuple[datetime, datetime, datetime]:
    return one.occurred_at, one.received_at, one.decided_at


def _scale(moments: Sequence[datetime]) -> dict[datetime, float]:
    gaps = [math.log10(1 + (b - a).total_seconds() * 1000) for a, b in pairwise(moments)]
    room = max(_WIDTH, 2 * _LEAST * len(gaps)) - _LEAST * len(gaps)
    unit = room / (sum(gaps) or 1)
    steps = accumulate((_LEAST + gap * unit for gap in gaps), initial=float(LEFT))
    # Where there is no moment there is a beginning all the same.
    return dict(zip(moments, steps, strict=False))


def _ticks(scale: dict[datetime, float]) -> list[Tick]:
    ticks: list[Tick] = []
    for at, x in scale.items():
        if not ticks or x - ticks[-1].x >= RIGHT:
            ticks.append(Tick(x, f"{at.astimezone(UTC):%d. %H:%M:%S.%f}"[:-3]))
    return ticks


def _thread(number: int, one: Decision, record: Record, scale: dict[datetime, float]) -> Thread:
    points = tuple((scale[at], TOP + lane * APART) for lane, at in enumerate(_moments(one)))
    claim = record.session.claim
    # The session's status is this one's word: what was accepted by hand has the event's own id.
    wins = claim is not None and claim.event_id == one.event_id
    if one.outcome is Outcome.APPLIED:
        kind = "wins" if wins else "applied"
        return Thread(number, one, kind, _what(one, wins=wins), points)
    kind = "waits" if one.outcome in QUARANTINED else "nothing"
    return Thread(number, one, kind, _WHY[one.outcome], points)


def _what(one: Decision, *, wins: bool) -> str:
    parts = []
    if one.before is not one.after:
        parts.append(f"{one.before} → {one.after}")
    if one.type == "session.created":
        parts.append(f"created as {one.after}")
    if one.change is not None:
        told = one.amount is not None
        parts.append(f"{one.change} {money(one.amount, one.currency)}" if told else one.change)
    if wins:
        parts.append("its claim is the session's status")
    return ", ".join(parts) or "applied"
