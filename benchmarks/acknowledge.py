"""Acknowledging webhooks: what the edge costs, against a route that only writes the body."""

from collections.abc import Iterator

from load import Outcome, Sender
from records import missing, tidy
from rows import Row, at_least, at_most
from stage import Stage, stage
from traffic import Webhook, webhooks

ROUNDS, COUNT, CONNECTIONS = 5, 4000, 16
_PACED = 3000


class Edge:
    """The gateway's web processes and the floor's, over one store."""

    def __init__(self, stage: Stage, first: int = 0) -> None:
        self._stage = stage
        self._next = first
        self.rates: dict[str, list[float]] = {"floor": [], "gateway": [], "duplicates": []}
        self.cpu: dict[str, list[float]] = {"floor": [], "gateway": []}

    def fresh(self, count: int) -> list[Webhook]:
        """Webhooks that were never sent before."""
        self._next += count
        return list(webhooks(self._next - count, count))

    def round(self) -> None:
        """The floor, the gateway, and the gateway's again with the same webhooks."""
        self._tidy()
        self._send("floor", self.fresh(COUNT))
        made = self.fresh(COUNT)
        self._send("gateway", made)
        outcome = send(self._stage.port, [one.request() for one in made])
        self.rates["duplicates"].append(outcome.rate)
        with self._stage.client() as client:
            assert missing(client, made) == 0

    def _send(self, name: str, made: list[Webhook]) -> None:
        role = {"floor": "floor", "gateway": "web"}[name]
        port = {"floor": self._stage.floor_port, "gateway": self._stage.port}[name]
        path = "/floor/{}" if name == "floor" else ""
        requests = [one.request(path.format(one.delivery_id)) for one in made]
        before = self._stage.cpu(role, "store")
        outcome = send(port, requests)
        self.rates[name].append(outcome.rate)
        self.cpu[name].append((self._stage.cpu(role, "store") - before) / len(made))

    def _tidy(self) -> None:
        with self._stage.client() as client:
            tidy(client)

    def paced(self, rate: float, count: int = _PACED) -> tuple[Outcome, Outcome]:
        """The floor and the gateway at the same rate, whatever either could do."""
        self._tidy()
        floor, ours = self.fresh(count), self.fresh(count)
        with Sender(self._stage.floor_port, CONNECTIONS) as sender:
            first = sender.at_rate(
                [one.request(f"/floor/{one.delivery_id}") for one in floor], rate
            )
        with Sender(self._stage.port, CONNECTIONS) as sender:
            second = sender.at_rate([one.request() for one in ours], rate)
        return first, second


def send(port: int, requests: list[bytes]) -> Outcome:
    with Sender(port, CONNECTIONS) as sender:
        outcome = sender.as_fast_as_possible(requests)
    assert set(outcome.statuses) == {200}, outcome.statuses
    return outcome


def measure() -> Iterator[Row]:
    with stage() as shipped:
        shipped.start("web", "floor")
        edge = Edge(shipped)
        for _ in range(ROUNDS):
            edge.round()
        yield from _rows(edge)
        yield from _paced_rows(edge)
    with stage("everysec") as relaxed:
        relaxed.start("web", "floor")
        edge = Edge(relaxed)
        for _ in range(ROUNDS):
            edge.round()
        yield from (
            Row(f"{row.measure} (`everysec`)", row.ours, row.against, row.ratio)
            for row in _rows(edge)
        )


def _rows(edge: Edge) -> Iterator[Row]:
    rates, cpu = edge.rates, edge.cpu
    yield at_least("webhooks acknowledged", rates["gateway"], "floor", rates["floor"], 0.75)
    costs = (cpu["gateway"], "floor", cpu["floor"])
    yield at_most("processor time of one, with the store's", *costs, 1.35, "µs")
    yield at_least("duplicates", rates["duplicates"], "new ones", rates["gateway"], 1.2)


def _paced_rows(edge: Edge) -> Iterator[Row]:
    half = sorted(edge.rates["gateway"])[ROUNDS // 2] / 2
    floor, ours = zip(*(edge.paced(half) for _ in range(ROUNDS)), strict=True)
    theirs = [one.percentile(99) for one in floor]
    name = f"acknowledgement at {half:,.0f}/s, half of the maximum: p99"
    yield at_most(name, [one.percentile(99) for one in ours], "floor", theirs, 2, "ms")
