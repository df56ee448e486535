"""The sender: one thread, connections that are kept open, and as little work as can be.

It shares the machine with what it measures, so every microsecond that it takes is one that the
measured processes do not get. Answers are only looked at as far as their length needs.
"""

import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Self

PATIENCE = 60.0


@dataclass(slots=True)
class Sent:
    """One request: when it was to be sent, was sent, and was answered (monotonic seconds)."""

    due: float
    sent: float = 0.0
    done: float = 0.0
    status: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came of many requests; `seconds` from the first one's start to the last answer."""

    requests: list[Sent]
    seconds: float
    statuses: Counter = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        return len(self.requests) / self.seconds

    def percentile(self, percent: int) -> float:
        """Seconds from when a request was due: one that had to wait for a connection counts so."""
        return percentile([one.done - one.due for one in self.requests], percent)


def percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


class _Connection:
    def __init__(self, address: tuple[str, int] | str) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.connect(address)
        if family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request: Sent | None = None
        self.answer = b""

    def send(self, data: bytes, request: Sent) -> None:
        request.sent = time.monotonic()
        self.request, self.answer = request, b""
        self.socket.sendall(data)

    def receive(self) -> bool:
        """Whether the answer is whole now."""
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError(f"the server closed a connection after {self.answer!r}")
        self.answer += part
        head = self.answer.find(b"\r\n\r\n")
        if head < 0:
            return False
        status = int(self.answer[9:12])
        if status != 304 and len(self.answer) < head + 4 + _length(self.answer[:head]):
            return False
        self.request.done, self.request.status = time.monotonic(), status
        return True


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


class Sender:
    """Connections to one server."""

    def __init__(self, port: int, connections: int) -> None:
        self._selector = selectors.EpollSelector()
        self._idle: deque[_Connection] = deque()
        for _ in range(connections):
            connection = _Connection(("127.0.0.1", port))
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)
            self._idle.append(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()

    def as_fast_as_possible(self, requests: Iterable[bytes]) -> Outcome:
        """All of them: each connection sends its next one as soon as it has its answer."""
        began = time.monotonic()
        return self._run(((began, data) for data in requests), due_when_sent=True)

    def at_rate(self, requests: Sequence[bytes], rate: float) -> Outcome:
        """So many a second, whether earlier ones are answered or not."""
        began = time.monotonic() + 0.05
        return self._run((began + n / rate, data) for n, data in enumerate(requests))

    def at_times(
        self, requests: Iterable[tuple[float, bytes]], answered: Callable[[], None] | None = None
    ) -> Outcome:
        """Each when it is due (monotonic seconds), in that order."""
        return self._run(requests)

    def _run(
        self, requests: Iterable[tuple[float, bytes]], *, due_when_sent: bool = False
    ) -> Outcome:
        done: list[Sent] = []
        todo = iter(requests)
        due, data = next(todo, (0.0, b""))
        busy, began, heard = 0, time.monotonic(), time.monotonic()
        while data or busy:
            now = time.monotonic()
            while data and self._idle and due <= now:
                connection = self._idle.popleft()
                connection.send(data, Sent(now if due_when_sent else due))
                busy += 1
                due, data = next(todo, (0.0, b""))
            wait = max(0.0, due - now) if data and self._idle else 1.0
            for key, _ in self._selector.select(wait):
                heard = now
                if key.data.receive():
                    done.append(key.data.request)
                    self._idle.append(key.data)
                    busy -= 1
            assert now - heard < PATIENCE or not busy, f"{busy} requests are never answered"
        statuses = Counter(one.status for one in done)
        return Outcome(done, time.monotonic() - began, statuses)
