"""Stores of several servers, of which one dies: who takes its place must know all that counts."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from processes import eventually
from scene import Row, Scale, Scene, fault, started
from stream import SETTINGS
from topologies import Cluster, Elsewhere, Watched, cluster, watched

ACKNOWLEDGE = {"GATEWAY_ACK_REPLICAS": "1"}
# Far more than there are primaries, so that each has some of them.
SHARDS = {"GATEWAY_SHARDS": "16"}


@fault("kill -9 of a primary that sentinels watch")
def watched_primary_killed(scale: Scale) -> Row:
    with TemporaryDirectory(prefix="pwg-") as folder, watched(Path(folder)) as store:

        def kill() -> None:
            primary = store.primary()
            primary.role.kill()
            eventually(lambda: store.primary() is not primary, "another one took its place")
            primary.role.start()
            wait_for_replicas(store)

        urls = store.url("gateway"), store.url("queue")
        return broken(scale, Path(folder), *urls, under_traffic(kill))


@fault("kill -9 of two primaries that sentinels watch, one after the other")
def watched_primaries_killed(scale: Scale) -> Row:
    """The second one dies while the first, which has come back, may still fetch the data."""
    with TemporaryDirectory(prefix="pwg-") as folder, watched(Path(folder)) as store:

        def kill() -> None:
            for _ in range(2):
                primary = store.primary()
                primary.role.kill()
                eventually(
                    lambda dead=primary: store.primary() is not dead, "another has its place"
                )
                primary.role.start()
            wait_for_replicas(store)

        urls = store.url("gateway"), store.url("queue")
        return broken(scale, Path(folder), *urls, under_traffic(kill), GATEWAY_ACK_REPLICAS="2")


def wait_for_replicas(store: Watched) -> None:
    def follow() -> bool:
        # The sentinels name the new primary before it knows that it is one. And a replica that
        # still fetches the data may be chosen next: what it has not got is lost then.
        with store.primary().client() as client:
            return client.info("replication")["role"] == "master" and client.wait(2, 1000) == 2

    eventually(follow, "it came back as a replica")


@fault("kill -9 of a cluster's primary, and slots moved")
def cluster_primary_killed(scale: Scale) -> Row:
    with TemporaryDirectory(prefix="pwg-") as folder, cluster(Path(folder)) as store:

        def kill_and_move() -> None:
            first, second, third = store.primaries()
            first.role.kill()
            eventually(lambda: len(store.primaries()) == 3, "its replica took its place")
            eventually(store.is_whole, "the cluster is whole again")
            first.role.start()
            eventually(lambda: follows(store, first), "it came back as a replica")
            store.move_slots(second, third, 1000)
            store.migrate_slots(third, second, 1000)

        urls = store.url("gateway"), store.queue.url("queue")
        return broken(scale, Path(folder), *urls, under_traffic(kill_and_move), **SHARDS)


@fault("kill -9 of web, worker and cron over a cluster")
def killed_over_cluster(scale: Scale) -> Row:
    """One after the other, in the middle of what they do."""
    with TemporaryDirectory(prefix="pwg-") as folder, cluster(Path(folder)) as store:

        def kill(it: Scene) -> None:
            with it.traffic:
                it.calm()
                for name in ("web", "worker", "cron"):
                    it.gateway.roles[name].kill()
                    it.gateway.roles[name].start()
                    it.traffic.flow_through(scale.webhooks)

        urls = store.url("gateway"), store.queue.url("queue")
        return broken(scale, Path(folder), *urls, kill, **SHARDS)


def follows(store: Cluster, node: object) -> bool:
    return node not in store.primaries() and store.is_whole()


def check_that_who_waits_is_told(it: Scene) -> None:
    """The web's subscription has moved to a server that lives."""
    webhook = it.traffic.next_webhook()
    path = f"/sessions/{webhook.session_id}"
    tag = it.gateway.api("GET", path).headers["ETag"]
    with ThreadPoolExecutor(1) as pool:
        asked = {"headers": {"If-None-Match": tag}, "params": {"wait": 9}}
        waiting = pool.submit(it.gateway.api, "GET", path, **asked)
        time.sleep(0.5)
        began = time.monotonic()
        it.traffic.deliver(webhook)
        assert waiting.result().status_code == 200
        # Not only by the look at the end of its time.
        assert time.monotonic() - began < 6


def under_traffic(break_it: Callable[[], None]) -> Callable[[Scene], None]:
    def run(it: Scene) -> None:
        with it.traffic:
            it.calm()
            break_it()
            it.calm()

    return run


def broken(
    scale: Scale,
    folder: Path,
    store_url: str,
    queue_url: str,
    break_it: Callable[[Scene], None],
    **settings: str,
) -> Row:
    """Breaks servers or roles a few times; of that no process of the gateway may end by itself."""
    own = folder / "gateway"
    own.mkdir()
    gateway = Elsewhere(own, store_url, queue_url, SETTINGS | ACKNOWLEDGE | settings)
    with started(scale, gateway) as it:
        for _ in range(max(1, scale.rounds // 3)):
            break_it(it)
        it.settle()
        assert gateway.still_runs(), "no process has ended by itself"
        it.seen.append(f"acknowledged nothing for {it.traffic.account.longest_gap:.1f} s")
        check_that_who_waits_is_told(it)
        return it.row()
