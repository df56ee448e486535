"""Hosts that are cut off from the others: nobody refuses anything, and nothing arrives."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from break_processes import another
from break_servers import (
    ACKNOWLEDGE,
    SHARDS,
    broken,
    check_that_who_waits_is_told,
    follows,
    wait_for_replicas,
)
from hosts import Host, apart, hosts
from processes import eventually
from scene import Row, Scale, Scene, fault, started
from stream import SETTINGS
from topologies import Elsewhere, Watched, cluster, watched


@contextmanager
def _watched_on_hosts() -> Iterator[tuple[Path, list[Host], Watched]]:
    """A folder, three hosts, and a store on each of them, which the sentinels there watch."""
    with (
        TemporaryDirectory(prefix="pwg-") as folder,
        hosts(3) as three,
        watched(Path(folder), [one.place for one in three]) as store,
    ):
        yield Path(folder), three, store


@fault("a primary's host cut off, sentinels watch it, and back")
def watched_primary_cut_off(scale: Scale) -> Row:
    return apart(_watched_primary_away, scale, _from_all)


@fault("a primary cut off from replicas and sentinels only, and back")
def watched_primary_left_alone(scale: Scale) -> Row:
    """The gateway reaches it all the while, and must not go by what it says."""
    return apart(_watched_primary_away, scale, Host.cut_off_from)


def _from_all(host: Host, _: list[Host]) -> None:
    host.cut_off()


def _watched_primary_away(scale: Scale, cut_off: Callable[[Host, list[Host]], None]) -> Row:
    with _watched_on_hosts() as (folder, three, store):

        def break_it(it: Scene) -> None:
            primary = store.primary()
            host = three[store.stores.index(primary)]

            def away() -> None:
                cut_off(host, [other for other in three if other is not host])
                eventually(lambda: store.primary() is not primary, "another one took its place")

            _without(it, host, away)
            wait_for_replicas(store)

        urls = store.url("gateway"), store.url("queue")
        return broken(scale, folder, *urls, break_it)


@fault("a cluster's primary's host cut off, and back")
def cluster_primary_cut_off(scale: Scale) -> Row:
    return apart(_cluster_primary_cut_off, scale)


def _cluster_primary_cut_off(scale: Scale) -> Row:
    """Each has two replicas: who takes its place has still one that keeps what it is told."""
    with (
        TemporaryDirectory(prefix="pwg-") as folder,
        hosts(9) as nine,
        cluster(Path(folder), [one.place for one in nine]) as store,
    ):

        def break_it(it: Scene) -> None:
            primary = store.primaries()[0]
            host = nine[store.nodes.index(primary)]

            def away() -> None:
                host.cut_off()
                eventually(lambda: len(store.primaries()) == 3, "a replica took its place")
                eventually(store.is_whole, "the cluster is whole again")

            _without(it, host, away)
            eventually(lambda: follows(store, primary), "it came back as a replica")

        urls = store.url("gateway"), store.queue.url("queue")
        return broken(scale, Path(folder), *urls, break_it, **SHARDS)


def _without(it: Scene, host: Host, away: Callable[[], None]) -> None:
    """What happens until others have its place, while it is away, and once it is back."""
    with it.traffic:
        it.calm()
        away()
        it.traffic.flow_through(it.scale.webhooks)
    it.seen.append(f"worked off after {it.traffic.wait_until_worked_off():.1f} s without it")
    with it.traffic:
        host.join()
        it.traffic.flow_through(it.scale.webhooks)


@fault("a gateway's host cut off with the primary on it, then without, and back")
def gateway_cut_off(scale: Scale) -> Row:
    return apart(_gateway_cut_off, scale)


def _gateway_cut_off(scale: Scale) -> Row:
    """Providers reach it all the while: what it takes, nobody else will ever know of."""
    with _watched_on_hosts() as (folder, three, store):
        own = folder / "gateway"
        own.mkdir()
        urls = store.url("gateway"), store.url("queue")
        gateway = Elsewhere(own, *urls, SETTINGS | ACKNOWLEDGE)
        gateway.put(["web", "worker", "settler"], three[0].place, three[0].public_address)
        with started(scale, gateway) as it:
            with another(gateway.roles["worker"], 2):
                with it.traffic:
                    for seconds in scale.freezes * 2:
                        it.calm()
                        _cut_off(it, store, three[0], seconds)
                        it.calm()
                it.settle()
            assert gateway.still_runs(), "no process has ended by itself"
            check_that_who_waits_is_told(it)
            return it.row()


def _cut_off(it: Scene, store: Watched, host: Host, seconds: float) -> None:
    had_primary = store.primary() is store.stores[0]
    host.cut_off()
    before = len(it.traffic.account.acknowledged)
    if had_primary:
        eventually(lambda: store.primary() is not store.stores[0], "another one took its place")
    it.traffic.flow(it.scale.webhooks // 10)
    time.sleep(seconds)
    taken = len(it.traffic.account.acknowledged) - before
    host.join()
    began = time.monotonic()
    wait_for_replicas(store)
    it.traffic.flow_through(1)
    it.seen.append(
        f"{taken} acknowledged while cut off, again after {time.monotonic() - began:.1f} s"
    )
