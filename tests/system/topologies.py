"""Stores of several servers: a primary that sentinels watch, and a cluster."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import HERE, Gateway, Place, add_token, eventually, free_port
from redis import Redis
from stores import Sentinel, Server

from gateway.store.clients import worker_client

SLOTS = 16384
_ROLES = ("web", "worker", "settler", "cron")


class Elsewhere(Gateway):
    """A gateway whose store and queue run by themselves."""

    def __init__(self, folder: Path, store_url: str, queue_url: str, settings: dict[str, str]):
        super().__init__(folder, settings)
        self.store_url = store_url
        for name in _ROLES:
            environment = self.roles[name].environment
            environment["GATEWAY_STORE_URL"] = store_url
            environment["GATEWAY_QUEUE_URL"] = queue_url

    def put(self, names: Sequence[str], place: Place, address: str) -> None:
        """Has some roles run in a place, where the web is reached under an address."""
        for name in names:
            self.roles[name].place = place
        self.address = address
        self.roles["web"].command += ["--host", address]

    def start(self) -> None:
        for name in _ROLES:
            self.roles[name].start()
        eventually(self.is_ready, f"ready; see {self.folder}")

    def stop(self) -> None:
        for name in _ROLES:
            self.roles[name].stop()

    def still_runs(self) -> bool:
        """No process has ended since the start."""
        return all(self.roles[name].process.poll() is None for name in _ROLES)

    @contextmanager
    def client(self) -> Iterator[Redis]:
        with closing(worker_client(self.store_url)) as client:
            yield client


@dataclass
class Watched:
    """A primary and two replicas, which three sentinels watch."""

    stores: list[Server]
    sentinels: list[Sentinel]

    def url(self, user: str) -> str:
        hosts = ",".join(one.where for one in self.sentinels)
        return f"redis+sentinel://{user}:{user}@{hosts}/gateway"

    def primary(self) -> Server:
        """What the sentinels take for it that know of the latest change."""
        _, port = max(one.primary() for one in self.sentinels if one.answers())
        return next(one for one in self.stores if one.port == port)


@contextmanager
def watched(folder: Path, places: Sequence[Place] = (HERE,) * 3) -> Iterator[Watched]:
    """In each of three places a store, of which the first is the primary, and a sentinel."""
    with ExitStack() as stack:
        made = Watched(
            [Server.within(folder / f"store{n}", place) for n, place in enumerate(places)],
            [Sentinel.within(folder / f"sentinel{n}", place) for n, place in enumerate(places)],
        )
        for one in (*made.stores, *made.sentinels):
            stack.callback(one.stop)
        primary, *replicas = made.stores
        primary.start("store.conf", "replicated.conf")
        for replica in replicas:
            follow = f"replicaof {primary.place.address} {primary.port}"
            replica.start("store.conf", "replicated.conf", lines=[follow])
        with primary.client() as client:
            # Sentinels ask a primary for its replicas every ten seconds only.
            eventually(lambda: client.wait(2, 1000) == 2, "the replicas follow")
            add_token(client)
        for sentinel in made.sentinels:
            sentinel.watch(primary)
        eventually(lambda: all(one.knows() == (2, 2) for one in made.sentinels), "all are known")
        yield made


@dataclass
class Cluster:
    """Three primaries, each with a replica or more, and a server for the queue."""

    nodes: list[Server]
    queue: Server

    def url(self, user: str) -> str:
        hosts = ",".join(one.where for one in self.nodes)
        return f"redis+cluster://{user}:{user}@{hosts}"

    def is_whole(self) -> bool:
        """All that live agree that every slot is served."""
        return all(_state(one) == "ok" for one in self.nodes if one.answers())

    def primaries(self) -> list[Server]:
        return [one for one in self.nodes if one.answers() and _role(one) == "master"]

    def move_slots(self, source: Server, target: Server, count: int) -> None:
        """Moves the first slots of one primary to another, while it serves."""
        with source.client() as of_source, target.client() as of_target:
            name = of_target.execute_command("CLUSTER MYID")
            first = min(first for first, _, port in _ranges(of_source) if port == source.port)
            last = first + count - 1
            # Valkey moves slots as this user, and `replica` must not write.
            of_source.config_set("masteruser", "operator", "masterauth", "operator")
            of_source.execute_command(
                "CLUSTER MIGRATESLOTS", "SLOTSRANGE", first, last, "NODE", name
            )

            def moved() -> bool:
                told = of_source.execute_command("CLUSTER GETSLOTMIGRATIONS")[0]
                assert told["state"] != "failed", told["message"]
                return _owner(of_source, first) == target.port

            eventually(moved, "the slots have moved")

    def migrate_slots(self, source: Server, target: Server, count: int) -> None:
        """The same key by key, as Redis and older tools do it: slots are on both meanwhile."""
        with source.client() as of_source, target.client() as of_target:
            ours, theirs = (c.execute_command("CLUSTER MYID") for c in (of_source, of_target))
            first = min(first for first, _, port in _ranges(of_source) if port == source.port)
            for slot in range(first, first + count):
                of_target.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ours)
                of_source.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", theirs)
                while found := of_source.execute_command("CLUSTER GETKEYSINSLOT", slot, 10):
                    where = ["MIGRATE", "127.0.0.1", target.port, "", 0, 5000]
                    who = ["AUTH2", "operator", "operator"]
                    of_source.execute_command(*where, *who, "KEYS", *found)
                for client in (of_target, of_source):
                    client.execute_command("CLUSTER SETSLOT", slot, "NODE", theirs)
            eventually(lambda: _owner(of_source, first) == target.port, "the slots have moved")


@contextmanager
def cluster(folder: Path, places: Sequence[Place] = (HERE,) * 6) -> Iterator[Cluster]:
    """Its first three nodes are the primaries, the others replicas of each of them in turn."""
    with ExitStack() as stack:
        nodes = [Server.within(folder / f"node{n}", place) for n, place in enumerate(places)]
        made = Cluster(nodes, Server.within(folder / "queue"))
        for one in (*nodes, made.queue):
            stack.callback(one.stop)
        made.queue.start("store.conf")
        buses = [free_port() for _ in nodes]
        for node, bus in zip(nodes, buses, strict=True):
            # Not as patient as in production, where a stall is no reason to replace a primary.
            lines = ["cluster-node-timeout 1500", f"cluster-port {bus}"]
            node.start("store.conf", "cluster.conf", lines=lines)
        _join(nodes, buses[0])
        eventually(lambda: made.is_whole() and len(made.primaries()) == 3, "the cluster is whole")
        with closing(worker_client(made.url("gateway"))) as client:
            add_token(client)
        yield made


def _join(nodes: list[Server], bus: int) -> None:
    share = -(-SLOTS // 3)
    for number, node in enumerate(nodes):
        with node.client() as client:
            if number < 3:
                last = min(SLOTS, (number + 1) * share) - 1
                client.execute_command("CLUSTER ADDSLOTSRANGE", number * share, last)
            if number:
                met = nodes[0].place.address, nodes[0].port, bus
                client.execute_command("CLUSTER MEET", *met)
    eventually(lambda: all(_known(node) == len(nodes) for node in nodes), "they know each other")
    for number, replica in enumerate(nodes[3:]):
        primary = nodes[number % 3]
        with primary.client() as of_primary, replica.client() as client:
            name = of_primary.execute_command("CLUSTER MYID")
            eventually(lambda c=client, n=name: _replicate(c, n), "it is a replica")
    for primary in nodes[:3]:
        with primary.client() as client:
            each = len(nodes) // 3 - 1
            eventually(lambda c=client, n=each: c.wait(n, 1000) == n, "the replicas follow")


def _replicate(client: Redis, name: str) -> bool:
    try:
        return bool(client.execute_command("CLUSTER REPLICATE", name))
    except Exception:  # noqa: BLE001 - it has not heard of that node yet
        return False


def _known(node: Server) -> int:
    with node.client() as client:
        return len(client.execute_command("CLUSTER NODES"))


def _state(node: Server) -> str:
    with node.client() as client:
        return str(client.execute_command("CLUSTER INFO")["cluster_state"])


def _role(node: Server) -> str:
    with node.client() as client:
        return str(client.info("replication")["role"])


def _ranges(client: Redis) -> list[tuple[int, int, int]]:
    """First and last slot, and the port of the primary that has them."""
    return [
        (int(first), int(last), int(primary[1]))
        for first, last, primary, *_ in client.execute_command("CLUSTER SLOTS")
    ]


def _owner(client: Redis, slot: int) -> int:
    return next(port for first, last, port in _ranges(client) if first <= slot <= last)
