"""Polling a session's status, against a route that reads one key and gives what it holds."""

from collections.abc import Iterator

from acknowledge import CONNECTIONS
from load import Outcome, Sender
from processes import TOKEN
from records import make_sessions, writing
from rows import Row, at_least
from stage import Stage, stage
from traffic import session_id

ROUNDS, COUNT = 7, 10_000
SESSIONS = 1000


class Polls:
    """Sessions that are polled in turn, and a body as long as theirs at the floor."""

    def __init__(self, stage: Stage, first: int = 0) -> None:
        self._stage = stage
        self._ids = [session_id(first + n) for n in range(SESSIONS)]
        with writing(stage) as client:
            make_sessions(client, first, SESSIONS)
            body = stage.api("GET", f"/sessions/{self._ids[0]}").content
            for one in self._ids:
                client.set(f"floor:{one}", body)
        self.rates: dict[str, list[float]] = {"floor": [], "unchanged": [], "changed": []}

    def round(self) -> None:
        self._poll("floor", "/floor/{}", self._stage.floor_port, 200)
        self._poll("unchanged", "/sessions/{}", self._stage.port, 304, 'If-None-Match: "1"')
        self._poll("changed", "/sessions/{}", self._stage.port, 200, 'If-None-Match: "0"')

    def _poll(self, kind: str, path: str, port: int, status: int, header: str = "") -> None:
        lines = f"Host: gateway.example.com\r\nAuthorization: Bearer {TOKEN}\r\n"
        lines += f"{header}\r\n" if header else ""
        requests = (
            f"GET {path.format(self._ids[n % SESSIONS])} HTTP/1.1\r\n{lines}\r\n".encode()
            for n in range(COUNT)
        )
        with Sender(port, CONNECTIONS) as sender:
            outcome: Outcome = sender.as_fast_as_possible(requests)
        assert set(outcome.statuses) == {status}, outcome.statuses
        self.rates[kind].append(outcome.rate)


def measure() -> Iterator[Row]:
    with stage() as made:
        made.start("web", "floor")
        polls = Polls(made)
        for _ in range(ROUNDS):
            polls.round()
    rates = polls.rates
    yield at_least(
        "`GET /sessions/{id}`, unchanged", rates["unchanged"], "floor", rates["floor"], 0.7
    )
    yield at_least("`GET /sessions/{id}`, changed", rates["changed"], "floor", rates["floor"], 0.5)
