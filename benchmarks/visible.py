"""From a webhook's receipt to its effect: what a service sees that waits for a change."""

import time
from collections.abc import Iterator
from statistics import median

from acknowledge import send
from load import Sender, percentile
from processes import TOKEN
from records import check_applied, make_sessions, writing
from rows import Row, within
from stage import Stage, stage
from traffic import session_id, webhooks

ROUNDS, SECONDS, _MOST = 5, 8, 6000
# Of so many webhooks one is watched: each watcher is a request that waits.
_EVERY = 20
# Watchers are there before their webhook comes.
_AHEAD = 0.3
_CONNECTIONS = 128
_P50, _P99 = 0.015, 0.1


def measure() -> Iterator[Row]:
    with stage() as made:
        made.start("web", "worker", "cron")
        watch = Watch(made)
        most = median(watch.most() for _ in range(ROUNDS))
        text = "webhooks received and applied, all processes on the same cores"
        yield Row(text, f"{most:,.0f}/s")
        half = f"at {most / 2:,.0f}/s, half of that"
        for rate, at in ((200.0, "at 200/s"), (most / 2, half)):
            found = [watch.round(rate) for _ in range(ROUNDS)]
            name = f"received → visible to a waiting service {at}"
            yield within(f"{name}: p50", median(percentile(f, 50) for f in found), _P50, "ms", 1e-3)
            yield within(f"{name}: p99", median(percentile(f, 99) for f in found), _P99, "ms", 1e-3)


class Watch:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._next = 0

    def most(self) -> float:
        """Webhooks a second that are received and applied, as fast as it will go."""
        first = self._sessions(_MOST)
        made = [one.request() for one in webhooks(first, _MOST)]
        began = time.monotonic()
        send(self._stage.port, made)
        self._stage.wait_until_worked_off()
        return _MOST / (time.monotonic() - began)

    def round(self, rate: float) -> list[float]:
        """Seconds from when a webhook is sent to when a long poll of its session answers."""
        count = int(rate * SECONDS)
        first = self._sessions(count)
        made = [one.request() for one in webhooks(first, count)]
        began = time.monotonic() + 0.5 + _AHEAD
        timed = [(began + n / rate, n, data) for n, data in enumerate(made)]
        watched = range(0, count, _EVERY)
        timed += [(began + n / rate - _AHEAD, -1 - n, _wait(first + n)) for n in watched]
        timed.sort()
        with Sender(self._stage.port, _CONNECTIONS) as sender:
            outcome = sender.at_times((at, data) for at, _, data in timed)
        assert set(outcome.statuses) == {200}, outcome.statuses
        by_due = {one.due: one for one in outcome.requests}
        self._stage.wait_until_worked_off()
        with self._stage.client() as client:
            check_applied(client, first, count, 1)
        return [
            by_due[began + n / rate - _AHEAD].done - by_due[began + n / rate].sent for n in watched
        ]

    def _sessions(self, count: int) -> int:
        first, self._next = self._next, self._next + count
        with writing(self._stage) as client:
            make_sessions(client, first, count)
        return first


def _wait(session: int) -> bytes:
    return (
        f"GET /sessions/{session_id(session)}?wait=20 HTTP/1.1\r\nHost: gateway.example.com\r\n"
        f'Authorization: Bearer {TOKEN}\r\nIf-None-Match: "1"\r\n\r\n'
    ).encode()
