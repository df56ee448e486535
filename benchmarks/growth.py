"""How cost grows: the same measures over a store with a million sessions, and over an empty one."""

from collections.abc import Iterator

import pages
from acknowledge import Edge
from applying import Bench
from polling import Polls
from records import make_applied, make_sessions, writing
from rows import Row, at_least
from stage import Stage, stage

SESSIONS, DELIVERIES, ROUNDS = 1_000_000, 500_000, 7
_BACKLOG = 12_000
_KINDS = {
    "gateway": "webhooks acknowledged",
    "duplicates": "duplicates",
    "applied": "events applied by one worker process",
    "unchanged": "`GET`, unchanged",
    "changed": "`GET`, changed",
}


class Measures:
    """All rates of one stage; its own webhooks are about sessions that the filling did not make."""

    def __init__(self, stage: Stage) -> None:
        stage.start("web", "floor")
        self._edge = Edge(stage, first=SESSIONS + 1)
        self._polls = Polls(stage, first=3 * SESSIONS)
        self._bench = Bench(stage, first=5 * SESSIONS)
        self._applied: list[float] = []

    def round(self) -> None:
        self._edge.round()
        self._polls.round()
        self._bench.forget_backlog()
        self._applied.append(self._bench.gateway(backlog=_BACKLOG))

    @property
    def rates(self) -> dict[str, list[float]]:
        return self._edge.rates | self._polls.rates | {"applied": self._applied}


def measure() -> Iterator[Row]:
    with stage() as empty, stage() as full:
        _fill(full)
        few, many = Measures(empty), Measures(full)
        for number in range(ROUNDS):
            # Neither is always the first: whatever a round leaves behind meets both.
            for one in (few, many) if number % 2 else (many, few):
                one.round()
        used = full.used_memory() / 2**30
        text = f"with {SESSIONS:,} sessions and {DELIVERIES:,} deliveries ({used:.1f} GiB)"
        yield from pages.measure(full, text)
    for kind, told in _KINDS.items():
        yield at_least(f"{told} {text}", many.rates[kind], "empty", few.rates[kind], 0.9)


def _fill(full: Stage) -> None:
    with writing(full) as client:
        make_sessions(client, 0, SESSIONS)
        make_applied(client, 0, DELIVERIES)
